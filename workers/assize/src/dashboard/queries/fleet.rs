//! Everything around the rounds: the bar at the top, workers, queues, and what operators did.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

/// What the bar at the top of every page says.
#[derive(Debug, sqlx::FromRow)]
pub struct Overview {
    /// The database's clock, against which every moment on a page is told.
    pub now: DateTime<Utc>,
    pub block: Option<i64>,
    pub block_seen_at: Option<DateTime<Utc>>,
    pub live_workers: i64,
    pub running: i64,
    pub parked: i64,
    /// State files that wait to be pushed, and since when the oldest does.
    pub unmirrored: i64,
    pub unmirrored_since: Option<DateTime<Utc>>,
}

/// The state of everything in one line.
pub async fn overview(conn: &mut PgConnection) -> sqlx::Result<Overview> {
    sqlx::query_as(
        "SELECT now() AS now, chain_head.block, chain_head.seen_at AS block_seen_at,
                (SELECT count(*) FROM worker WHERE state = 'live') AS live_workers,
                (SELECT count(*) FROM job WHERE state = 'running') AS running,
                (SELECT count(*) FROM job WHERE state = 'parked') AS parked,
                mirror.files AS unmirrored, mirror.since AS unmirrored_since
         FROM (SELECT count(*) AS files, min(created_at) AS since FROM mirror_file WHERE mirrored_at IS NULL) mirror
         LEFT JOIN chain_head ON true",
    )
    .fetch_one(conn)
    .await
}

/// One life of a worker process.
#[derive(Debug, sqlx::FromRow)]
pub struct Worker {
    pub name: String,
    pub host: String,
    pub pid: i32,
    pub queues: Vec<String>,
    pub state: String,
    pub started_at: DateTime<Utc>,
    pub heartbeat_at: DateTime<Utc>,
    pub lease_expires_at: DateTime<Utc>,
    pub running: i64,
    /// What it works on, `render × 4`.
    pub works_on: Vec<String>,
}

/// Live workers first, then the last ones that ended.
pub async fn workers(conn: &mut PgConnection) -> sqlx::Result<Vec<Worker>> {
    sqlx::query_as(
        "WITH busy AS (
             SELECT claimed_by, sum(steps)::bigint AS running, array_agg(name || ' × ' || steps ORDER BY steps DESC, name) AS works_on
             FROM (SELECT claimed_by, name, count(*) AS steps FROM job WHERE state = 'running' GROUP BY claimed_by, name) j
             GROUP BY claimed_by
         )
         SELECT worker.name, host, pid, queues, state, started_at, heartbeat_at, lease_expires_at,
                coalesce(busy.running, 0) AS running, coalesce(busy.works_on, '{}') AS works_on
         FROM worker LEFT JOIN busy ON busy.claimed_by = worker.id
         ORDER BY state = 'live' DESC, CASE WHEN state = 'live' THEN worker.name END, heartbeat_at DESC LIMIT 200",
    )
    .fetch_all(conn)
    .await
}

/// A queue: what waits in it, who serves it, and its limits.
#[derive(Debug, sqlx::FromRow)]
pub struct Queue {
    pub name: String,
    pub paused: bool,
    pub capacity: Option<i32>,
    pub rate_per_second: Option<f64>,
    pub available: i64,
    pub scheduled: i64,
    pub running: i64,
    pub parked: i64,
    /// Since when the step has been due that has waited longest.
    pub waiting_since: Option<DateTime<Utc>>,
    pub workers: i64,
}

/// Every queue that has unfinished steps, workers or limits.
pub async fn queues(conn: &mut PgConnection) -> sqlx::Result<Vec<Queue>> {
    sqlx::query_as(
        "WITH due AS (SELECT queue, count(*) AS steps, min(run_at) AS since FROM job WHERE state = 'available' GROUP BY queue),
              later AS (SELECT queue, count(*) AS steps FROM job WHERE state = 'scheduled' GROUP BY queue),
              busy AS (SELECT queue, count(*) AS steps FROM job WHERE state = 'running' GROUP BY queue),
              stuck AS (SELECT queue, count(*) AS steps FROM job WHERE state = 'parked' GROUP BY queue),
              served AS (SELECT queue, count(*) AS workers FROM worker, unnest(queues) AS queue WHERE state = 'live' GROUP BY queue),
              names AS (SELECT queue FROM due UNION SELECT queue FROM later UNION SELECT queue FROM busy UNION SELECT queue FROM stuck
                        UNION SELECT queue FROM served UNION SELECT name FROM queue)
         SELECT names.queue AS name, coalesce(q.paused, false) AS paused, q.capacity, q.rate_per_second,
                coalesce(due.steps, 0) AS available, coalesce(later.steps, 0) AS scheduled, coalesce(busy.steps, 0) AS running,
                coalesce(stuck.steps, 0) AS parked, due.since AS waiting_since, coalesce(served.workers, 0) AS workers
         FROM names
         LEFT JOIN queue q ON q.name = names.queue
         LEFT JOIN due ON due.queue = names.queue LEFT JOIN later ON later.queue = names.queue
         LEFT JOIN busy ON busy.queue = names.queue LEFT JOIN stuck ON stuck.queue = names.queue
         LEFT JOIN served ON served.queue = names.queue
         ORDER BY name",
    )
    .fetch_all(conn)
    .await
}

/// Something an operator did.
#[derive(Debug, sqlx::FromRow)]
pub struct OperatorAction {
    pub operator: String,
    pub action: String,
    pub target: String,
    pub reason: String,
    pub after: Option<Value>,
    pub created_at: DateTime<Utc>,
}

/// The newest actions first.
pub async fn operator_actions(conn: &mut PgConnection) -> sqlx::Result<Vec<OperatorAction>> {
    sqlx::query_as(
        "SELECT operator, action, target, reason, after, created_at FROM operator_action ORDER BY id DESC LIMIT 200",
    )
    .fetch_all(conn)
    .await
}
