//! Queries on the `job` table: starting, claiming, waking, looking.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, Row as _, types::Json};

use crate::engine::{
    commit::Claim,
    flow::{ChildState, NewJob},
};

/// What an insert brought about.
#[derive(Debug, Default)]
pub struct Inserted {
    /// Queues that have new work.
    pub queues: Vec<String>,
    /// Flows that asked for something that had already ended: an event that had fired, a block that was reached, a job of
    /// somebody else.
    pub told: HashSet<i64>,
    /// Jobs that did not exist before.
    pub count: usize,
}

/// Most rows in one statement; more travel in several.
const CHUNK: usize = 10_000;

/// Inserts jobs, each for the flow that asked for it; a key that exists is left as it is.
pub async fn insert(
    conn: &mut PgConnection,
    jobs: &[(Option<i64>, &NewJob)],
) -> sqlx::Result<Inserted> {
    let mut inserted = Inserted::default();
    for chunk in jobs.chunks(CHUNK) {
        let (count, queues, told) = insert_chunk(conn, chunk).await?;
        inserted.count += usize::try_from(count).unwrap_or(0);
        inserted.queues.extend(queues);
        inserted.told.extend(told);
        let asked: Vec<(i64, &str)> = chunk
            .iter()
            .filter_map(|(flow, job)| Some(((*flow)?, job.key.as_str())))
            .collect();
        if usize::try_from(count).unwrap_or(0) < chunk.len() {
            inserted.told.extend(share(conn, &asked).await?);
        }
    }
    Ok(inserted)
}

/// Jobs with a fairness key get a rank: the rank that is served now in their queue and priority, or one more than their
/// key's last, then one more each, so that keys take turns however many jobs one of them has.
async fn insert_chunk(
    conn: &mut PgConnection,
    jobs: &[(Option<i64>, &NewJob)],
) -> sqlx::Result<(i64, Vec<String>, Vec<i64>)> {
    let column = |pick: fn(&NewJob) -> &str| -> Vec<&str> {
        jobs.iter().map(|(_, job)| pick(job)).collect()
    };
    sqlx::query_as(
        "WITH new AS (
             SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::bigint[], $6::int[], $7::text[], $8::smallint[],
                                  $9::text[], $10::smallint[], $11::text[], $12::bigint[], $13::jsonb[], $14::timestamptz[],
                                  $15::text[], $16::bigint[])
                  WITH ORDINALITY
                  AS t(kind, name, version, key, parent_id, round, queue, priority, fair_key, max_failures, wakes, join_id, input,
                       run_at, wait_event, wait_block, place)
         ), fair AS (
             SELECT queue, priority, fair_key, greatest(
                        (SELECT coalesce(max(j.fair_rank) + 1, 0) FROM job j
                         WHERE j.queue = n.queue AND j.fair_key = n.fair_key AND j.state = 'available'),
                        (SELECT coalesce(min(j.fair_rank), 0) FROM job j
                         WHERE j.queue = n.queue AND j.priority = n.priority AND j.state = 'available')) AS base
             FROM (SELECT DISTINCT queue, priority, fair_key FROM new WHERE fair_key IS NOT NULL) n
         ), ready AS (
             SELECT new.*, e.payload, (e.name IS NOT NULL OR coalesce(new.wait_block <= h.block, false)) AS ended, h.block AS head,
                    coalesce(fair.base + row_number() OVER (PARTITION BY new.queue, new.priority, new.fair_key ORDER BY place) - 1, 0)
                        AS rank
             FROM new
             LEFT JOIN event e ON e.name = new.wait_event
             LEFT JOIN chain_head h ON new.wait_block IS NOT NULL
             LEFT JOIN fair USING (queue, priority, fair_key)
         ), inserted AS (
             INSERT INTO job (kind, name, version, key, parent_id, round, queue, priority, fair_key, fair_rank, max_failures, wakes,
                              join_id, input, run_at, wait_event, wait_block, state, output, finished_at)
             SELECT kind, name, version, key, parent_id, round, queue, priority, fair_key, rank, max_failures, wakes,
                    join_id, input, coalesce(run_at, now()), wait_event, wait_block,
                    CASE WHEN ended THEN 'completed'
                         WHEN wait_event IS NOT NULL OR wait_block IS NOT NULL THEN 'waiting'
                         WHEN run_at IS NOT NULL THEN 'scheduled'
                         ELSE 'available' END,
                    CASE WHEN ended THEN coalesce(payload, to_jsonb(head)) END,
                    CASE WHEN ended THEN now() END
             FROM ready ORDER BY place
             ON CONFLICT (key) DO NOTHING
             RETURNING queue, state, parent_id, join_id
         ), joins AS (
             INSERT INTO open_join (flow_id, join_id, open)
             SELECT parent_id, join_id, count(*) FROM inserted WHERE join_id IS NOT NULL GROUP BY parent_id, join_id
             ON CONFLICT (flow_id, join_id) DO UPDATE SET open = open_join.open + excluded.open
         )
         SELECT count(*), coalesce(array_agg(DISTINCT queue) FILTER (WHERE state = 'available'), '{}'),
                coalesce(array_agg(DISTINCT parent_id) FILTER (WHERE state = 'completed' AND parent_id IS NOT NULL), '{}')
         FROM inserted",
    )
    .bind(column(|job| job.kind))
    .bind(column(|job| &job.name))
    .bind(jobs.iter().map(|(_, job)| job.version).collect::<Vec<_>>())
    .bind(column(|job| &job.key))
    .bind(jobs.iter().map(|(parent, _)| *parent).collect::<Vec<_>>())
    .bind(jobs.iter().map(|(_, job)| job.round).collect::<Vec<_>>())
    .bind(column(|job| &job.queue))
    .bind(jobs.iter().map(|(_, job)| job.priority).collect::<Vec<_>>())
    .bind(jobs.iter().map(|(_, job)| job.fair_key.as_deref()).collect::<Vec<_>>())
    .bind(jobs.iter().map(|(_, job)| job.max_failures).collect::<Vec<_>>())
    .bind(column(|job| job.wakes))
    .bind(jobs.iter().map(|(_, job)| job.join_id).collect::<Vec<_>>())
    .bind(jobs.iter().map(|(_, job)| Json(&job.input)).collect::<Vec<_>>())
    .bind(jobs.iter().map(|(_, job)| job.run_at).collect::<Vec<_>>())
    .bind(jobs.iter().map(|(_, job)| job.wait_event.as_deref()).collect::<Vec<_>>())
    .bind(jobs.iter().map(|(_, job)| job.wait_block).collect::<Vec<_>>())
    .fetch_one(conn)
    .await
}

/// Lets flows share jobs that existed when they asked for them and that are not their children: from now on they are told of
/// the job's end as its parent is. Answers the flows whose job has already ended.
pub(crate) async fn share(
    conn: &mut PgConnection,
    asked: &[(i64, &str)],
) -> sqlx::Result<Vec<i64>> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query_scalar(
        "WITH shared AS (
             INSERT INTO shared_job (job_id, flow_id, told)
             SELECT DISTINCT job.id, t.flow_id, job.finished_at IS NOT NULL
             FROM unnest($1::bigint[], $2::text[]) AS t(flow_id, key) JOIN job ON job.key = t.key
             WHERE job.parent_id IS DISTINCT FROM t.flow_id
             ON CONFLICT DO NOTHING
             RETURNING flow_id, told
         )
         SELECT flow_id FROM shared WHERE told",
    )
    .bind(asked.iter().map(|(flow, _)| *flow).collect::<Vec<_>>())
    .bind(asked.iter().map(|(_, key)| *key).collect::<Vec<_>>())
    .fetch_all(conn)
    .await
}

/// What is known of jobs, by key.
pub(crate) async fn states(
    conn: &mut PgConnection,
    keys: &[&str],
) -> sqlx::Result<HashMap<String, ChildState>> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, String, Option<Value>, Option<String>)> =
        sqlx::query_as("SELECT key, state, output, error FROM job WHERE key = ANY($1)")
            .bind(keys)
            .fetch_all(conn)
            .await?;
    Ok(rows
        .into_iter()
        .map(|(key, state, output, error)| {
            (
                key,
                ChildState {
                    state,
                    output,
                    error,
                },
            )
        })
        .collect())
}

/// What a claim took.
#[derive(Debug, Default)]
pub struct Taken {
    /// Jobs to run now.
    pub claims: Vec<Claim>,
    /// How many jobs of each queue were looked at, those included that turned out to be paused.
    pub taken: HashMap<String, usize>,
}

/// Claims due jobs: at most `limit` of each queue, by priority, then turn of the fairness key, then age. A single statement.
/// Callers never wait for each other: rows locked by one are skipped by the rest. Jobs that a pause matches become `paused`.
///
/// Queues with limits are claimed from only if `limited` says that the caller holds their rows. A worker that was declared lost
/// and does not know yet gets nothing.
pub async fn claim(
    conn: &mut PgConnection,
    worker: i64,
    queues: &[String],
    limits: &[i32],
    limited: bool,
) -> sqlx::Result<Taken> {
    let rows = sqlx::query(
        "WITH due AS MATERIALIZED (
             SELECT j.id, (SELECT count(*) FROM pause) > 0 AND is_paused(j.id) AS paused
             FROM unnest($2::text[], $3::int[]) AS want(queue, most)
             CROSS JOIN LATERAL (
                 SELECT id FROM job
                 WHERE job.queue = want.queue AND job.state = 'available'
                 ORDER BY priority, fair_rank, id
                 LIMIT want.most FOR NO KEY UPDATE SKIP LOCKED
             ) j
             WHERE ($4 OR NOT EXISTS (SELECT FROM queue WHERE queue.name = want.queue))
               AND (SELECT state FROM worker WHERE id = $1) = 'live'
         )
         UPDATE job SET state = CASE WHEN due.paused THEN 'paused' ELSE 'running' END,
                        attempt = CASE WHEN due.paused THEN job.attempt ELSE job.attempt + 1 END,
                        claimed_by = CASE WHEN due.paused THEN job.claimed_by ELSE $1 END,
                        claimed_at = CASE WHEN due.paused THEN job.claimed_at ELSE now() END,
                        woken = false
         FROM due WHERE job.id = due.id
         RETURNING due.paused, job.id, job.attempt, job.kind, job.name, job.version, job.key, job.parent_id, job.round, job.queue,
                   job.priority, job.failures, job.max_failures, job.input, job.claimed_at",
    )
    .bind(worker)
    .bind(queues)
    .bind(limits)
    .bind(limited)
    .fetch_all(conn)
    .await?;
    let mut taken = Taken::default();
    for row in &rows {
        let queue: String = row.try_get("queue")?;
        *taken.taken.entry(queue.clone()).or_default() += 1;
        if row.try_get("paused")? {
            continue;
        }
        taken.claims.push(Claim {
            id: row.try_get("id")?,
            attempt: row.try_get("attempt")?,
            kind: row.try_get("kind")?,
            name: row.try_get("name")?,
            version: row.try_get("version")?,
            key: row.try_get("key")?,
            parent_id: row.try_get("parent_id")?,
            round: row.try_get("round")?,
            queue,
            priority: row.try_get("priority")?,
            failures: row.try_get("failures")?,
            max_failures: row.try_get("max_failures")?,
            input: row.try_get("input")?,
            claimed_at: row.try_get("claimed_at")?,
            history: HashMap::new(),
        });
    }
    Ok(taken)
}

/// The children of flows, and the jobs they share: what a pass remembers.
pub async fn histories(
    conn: &mut PgConnection,
    flows: &[i64],
) -> sqlx::Result<HashMap<i64, HashMap<String, ChildState>>> {
    let rows: Vec<(i64, String, String, Option<Value>, Option<String>)> = sqlx::query_as(
        "SELECT parent_id, key, state, output, error FROM job WHERE parent_id = ANY($1)
         UNION ALL
         SELECT shared_job.flow_id, key, state, output, error FROM shared_job JOIN job ON job.id = shared_job.job_id
         WHERE shared_job.flow_id = ANY($1)",
    )
    .bind(flows)
    .fetch_all(conn)
    .await?;
    let mut histories: HashMap<i64, HashMap<String, ChildState>> = HashMap::new();
    for (flow, key, state, output, error) in rows {
        histories.entry(flow).or_default().insert(
            key,
            ChildState {
                state,
                output,
                error,
            },
        );
    }
    Ok(histories)
}

/// Wakes flows by key, because something they look at has changed. Answers the queues that have work.
pub async fn wake_by_key(conn: &mut PgConnection, keys: &[String]) -> sqlx::Result<Vec<String>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query_scalar(
        "WITH locked AS MATERIALIZED (
             SELECT id FROM job WHERE key = ANY($1) AND kind = 'flow' AND finished_at IS NULL ORDER BY id FOR NO KEY UPDATE
         ), woken AS (
             UPDATE job SET woken = true, state = CASE state WHEN 'waiting' THEN 'available' ELSE state END
             FROM locked WHERE job.id = locked.id RETURNING queue, state
         )
         SELECT DISTINCT queue FROM woken WHERE state = 'available'",
    )
    .bind(keys)
    .fetch_all(conn)
    .await
}

/// A job as people and tests look at it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct JobRow {
    /// Id.
    pub id: i64,
    /// `flow`, `step` or `wait`.
    pub kind: String,
    /// Stored name.
    pub name: String,
    /// Unique key.
    pub key: String,
    /// State.
    pub state: String,
    /// Claims so far.
    pub attempt: i32,
    /// Failures so far.
    pub failures: i16,
    /// Result.
    pub output: Option<Value>,
    /// Last error chain.
    pub error: Option<String>,
    /// When it is due.
    pub run_at: DateTime<Utc>,
}

/// Finds a job by key.
pub async fn find(conn: &mut PgConnection, key: &str) -> sqlx::Result<Option<JobRow>> {
    sqlx::query_as("SELECT id, kind, name, key, state, attempt, failures, output, error, run_at FROM job WHERE key = $1")
        .bind(key)
        .fetch_optional(conn)
        .await
}
