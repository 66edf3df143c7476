//! Queries on the `event` table, and what time brings: due work and waits that are over.

use serde_json::Value;
use sqlx::PgConnection;

use super::sql::{notify, tell_flows};

/// Fires an event; the first payload of a name stays. Answers the queues that have work.
pub async fn fire(
    conn: &mut PgConnection,
    name: &str,
    payload: &Value,
) -> sqlx::Result<Vec<String>> {
    sqlx::query("INSERT INTO event (name, payload) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
        .bind(name)
        .bind(payload)
        .execute(&mut *conn)
        .await?;
    sqlx::query_scalar(concat!(
        "WITH due AS MATERIALIZED (
             SELECT id, parent_id FROM job WHERE state = 'waiting' AND wait_event = $1
         ), locked AS MATERIALIZED (
             SELECT id, queue, state FROM job WHERE id IN (SELECT id FROM due UNION SELECT parent_id FROM due)
             ORDER BY id FOR NO KEY UPDATE
         ), ended AS (
             UPDATE job SET state = 'completed', finished_at = now(), output = event.payload
             FROM event WHERE event.name = $1 AND job.id IN (SELECT id FROM due) AND job.state = 'waiting'
                          AND (SELECT count(*) FROM locked) > 0
             RETURNING job.id, job.parent_id, job.wakes, job.join_id, job.queue, job.state
         ), ",
        tell_flows!(),
        " SELECT queue FROM notices"
    ))
    .bind(name)
    .fetch_all(conn)
    .await
}

/// Corrects an event that was fired: whoever asks from now on is told this payload. Who was told another before keeps it, and
/// an event that was not fired yet will be by whoever comes to it.
pub async fn correct(conn: &mut PgConnection, name: &str, payload: &Value) -> sqlx::Result<()> {
    sqlx::query("UPDATE event SET payload = $2 WHERE name = $1")
        .bind(name)
        .bind(payload)
        .execute(conn)
        .await
        .map(drop)
}

/// What became due, and when the next thing does.
#[derive(Debug, Default, sqlx::FromRow)]
pub struct Promoted {
    /// How many jobs became available or ended.
    pub jobs: i64,
    /// Seconds until the next scheduled job, if any.
    pub next_seconds: Option<f64>,
}

/// Most jobs that one [`promote`] moves.
pub const PROMOTED_AT_ONCE: i64 = 5000;

/// Makes scheduled jobs available whose time has come, and ends waits whose moment, event or block has come. A single
/// statement.
///
/// Also repairs what two transactions missed of each other because neither saw the other's rows yet: a wait inserted while
/// its event fired or its block came, a shared job that ended while a second flow asked for it.
pub async fn promote(conn: &mut PgConnection) -> sqlx::Result<Promoted> {
    sqlx::query_as(concat!(
        "WITH untold AS (
             UPDATE shared_job SET told = true FROM job
             WHERE NOT shared_job.told AND job.id = shared_job.job_id AND job.finished_at IS NOT NULL
             RETURNING shared_job.flow_id
         ), due AS MATERIALIZED (
             SELECT id, parent_id FROM (
                 SELECT id, parent_id FROM job WHERE state = 'scheduled' AND run_at <= now()
                 UNION ALL
                 SELECT job.id, parent_id FROM job JOIN event ON event.name = job.wait_event
                 WHERE job.state = 'waiting' AND job.wait_event IS NOT NULL
                 UNION ALL
                 SELECT job.id, parent_id FROM job JOIN chain_head ON job.wait_block <= chain_head.block
                 WHERE job.state = 'waiting' AND job.wait_block IS NOT NULL) d LIMIT $1
         ), locked AS MATERIALIZED (
             SELECT id, queue, state FROM job
             WHERE id IN (SELECT id FROM due UNION SELECT parent_id FROM due UNION SELECT flow_id FROM untold)
             ORDER BY id FOR NO KEY UPDATE
         ), repaired AS (
             UPDATE job SET woken = true, state = CASE state WHEN 'waiting' THEN 'available' ELSE state END
             WHERE id IN (SELECT flow_id FROM untold) AND finished_at IS NULL AND (SELECT count(*) FROM locked) > 0
             RETURNING queue, state
         ), ended AS (
             UPDATE job SET
                 state = CASE kind WHEN 'wait' THEN 'completed' ELSE 'available' END,
                 finished_at = CASE kind WHEN 'wait' THEN now() END,
                 output = CASE WHEN wait_event IS NOT NULL THEN (SELECT payload FROM event WHERE name = wait_event)
                               WHEN wait_block IS NOT NULL THEN (SELECT to_jsonb(block) FROM chain_head)
                               ELSE output END
             WHERE id IN (SELECT id FROM due) AND (SELECT count(*) FROM locked) > 0
               AND (state = 'waiting' OR state = 'scheduled' AND run_at <= now())
             RETURNING id, parent_id, wakes, join_id, queue, state
         ), ",
        tell_flows!(),
        ", everywhere AS (
             SELECT queue FROM notices UNION SELECT queue FROM repaired WHERE state = 'available'
         )
         SELECT (SELECT count(*) FROM ended) AS jobs,
                (SELECT extract(epoch FROM min(run_at) - now())::float8 FROM job WHERE state = 'scheduled' AND run_at > now())
                    AS next_seconds, ",
        notify!("everywhere"),
        " AS notified"
    ))
    .bind(PROMOTED_AT_ONCE)
    .fetch_one(conn)
    .await
}
