//! Queries on the `event` table and the waits for moments, events and blocks.

use serde_json::Value;
use sqlx::PgConnection;

/// Fires an event; the first payload of a name stays. Answers the queues that have work.
pub async fn fire(conn: &mut PgConnection, name: &str, payload: &Value) -> sqlx::Result<Vec<String>> {
    sqlx::query("INSERT INTO event (name, payload) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
        .bind(name)
        .bind(payload)
        .execute(&mut *conn)
        .await?;
    let ended: Vec<i64> = sqlx::query_scalar(
        "UPDATE job SET state = 'completed', finished_at = now(), output = event.payload
         FROM event WHERE event.name = $1 AND job.wait_event = $1 AND job.state = 'waiting' RETURNING job.id",
    )
    .bind(name)
    .fetch_all(&mut *conn)
    .await?;
    super::job::wake_parents_of(conn, &ended).await
}

/// What became due, and when the next thing does.
#[derive(Debug, Default)]
pub struct Promoted {
    /// Queues that have work.
    pub queues: Vec<String>,
    /// Seconds until the next scheduled job, if any.
    pub next_seconds: Option<f64>,
}

/// Makes scheduled jobs available whose time has come, and ends waits whose moment, event or block has come.
pub async fn promote(conn: &mut PgConnection) -> sqlx::Result<Promoted> {
    let moved: Vec<(i64, String, String)> = sqlx::query_as(
        "WITH due AS (
             SELECT id FROM job WHERE state = 'scheduled' AND run_at <= now()
             UNION ALL
             SELECT job.id FROM job JOIN event ON event.name = job.wait_event WHERE job.state = 'waiting' AND job.wait_event IS NOT NULL
             UNION ALL
             SELECT job.id FROM job JOIN chain_head h ON job.wait_block <= h.block WHERE job.state = 'waiting' AND job.wait_block IS NOT NULL
         ), locked AS (
             SELECT job.id FROM job JOIN due USING (id)
             WHERE job.state IN ('scheduled', 'waiting') ORDER BY job.id LIMIT 5000 FOR UPDATE OF job SKIP LOCKED
         )
         UPDATE job SET
             state = CASE WHEN kind = 'wait' THEN 'completed' ELSE 'available' END,
             finished_at = CASE WHEN kind = 'wait' THEN now() END,
             output = CASE WHEN wait_event IS NOT NULL THEN (SELECT payload FROM event WHERE name = wait_event)
                           WHEN wait_block IS NOT NULL THEN (SELECT to_jsonb(block) FROM chain_head)
                           ELSE output END
         FROM locked WHERE job.id = locked.id RETURNING job.id, job.state, job.queue",
    )
    .fetch_all(&mut *conn)
    .await?;
    let ended: Vec<i64> = moved.iter().filter(|(_, state, _)| state == "completed").map(|(id, ..)| *id).collect();
    let mut queues = super::job::wake_parents_of(conn, &ended).await?;
    queues.extend(moved.into_iter().filter(|(_, state, _)| state == "available").map(|(.., queue)| queue));
    queues.sort_unstable();
    queues.dedup();
    super::notify_jobs(conn, queues.clone()).await?;
    let next_seconds: Option<f64> = sqlx::query_scalar(
        "SELECT extract(epoch FROM min(run_at) - now())::float8 FROM job WHERE state = 'scheduled'",
    )
    .fetch_one(conn)
    .await?;
    Ok(Promoted { queues, next_seconds })
}
