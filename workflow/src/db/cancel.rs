//! Cancelling jobs with everything below them.

use sqlx::PgConnection;

use super::sql::{notify, tell_flows};

/// Cancels jobs and everything below them that has not ended; running handlers are told, and so are flows that wait for what
/// was cancelled. Answers how many.
///
/// Repeats until nothing is left: a flow that was about to sleep may start children between our look at the tree and our lock
/// on the flow. Once it is cancelled, it cannot any more.
pub async fn cancel_unfinished(
    conn: &mut PgConnection,
    keys: &[&str],
    reason: &str,
) -> sqlx::Result<i64> {
    let mut cancelled = 0;
    loop {
        let (more, _): (i64, Option<String>) = sqlx::query_as(concat!(
            "WITH RECURSIVE tree(id, parent_id) AS (
                 SELECT id, parent_id FROM job WHERE key = ANY($1)
                 UNION SELECT job.id, job.parent_id FROM job JOIN tree ON job.parent_id = tree.id
             ), locked AS MATERIALIZED (
                 SELECT id, queue, state, claimed_by FROM job
                 WHERE finished_at IS NULL AND id IN (
                     SELECT id FROM tree UNION SELECT parent_id FROM tree
                     UNION SELECT flow_id FROM shared_job WHERE job_id IN (SELECT id FROM tree))
                 ORDER BY id FOR NO KEY UPDATE
             ), ended AS (
                 UPDATE job SET state = 'cancelled', error = $2, finished_at = now(), claimed_by = NULL
                 FROM locked WHERE job.id = locked.id AND job.id IN (SELECT id FROM tree) AND job.finished_at IS NULL
                 RETURNING job.id, job.attempt, job.parent_id, job.wakes, job.join_id, job.queue, job.state, job.claimed_at,
                           locked.claimed_by AS worker_id, locked.state AS before,
                           CASE locked.state WHEN 'running' THEN pg_notify('assize_cancel', job.id || ':' || job.attempt)::text END
             ), kept AS (
                 INSERT INTO attempt (job_id, attempt, worker_id, started_at, outcome, error)
                 SELECT id, attempt, worker_id, claimed_at, 'cancelled', $2 FROM ended WHERE before = 'running'
             ), ",
            tell_flows!(),
            " SELECT (SELECT count(*) FROM ended), ",
            notify!("notices")
        ))
        .bind(keys)
        .bind(reason)
        .fetch_one(&mut *conn)
        .await?;
        if more == 0 {
            return Ok(cancelled);
        }
        cancelled += more;
    }
}
