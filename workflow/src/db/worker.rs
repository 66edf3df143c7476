//! Queries on the `worker` table: the leases that hold all claims.

use sqlx::PgConnection;

/// Registers a worker process with a fresh lease.
pub async fn register(
    conn: &mut PgConnection,
    name: &str,
    host: &str,
    pid: i32,
    queues: &[String],
    lease_seconds: f64,
) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "INSERT INTO worker (name, host, pid, queues, lease_expires_at)
         VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5)) RETURNING id",
    )
    .bind(name)
    .bind(host)
    .bind(pid)
    .bind(queues)
    .bind(lease_seconds)
    .fetch_one(conn)
    .await
}

/// Renews the lease; false if the worker has been declared lost.
pub async fn heartbeat(conn: &mut PgConnection, worker: i64, lease_seconds: f64) -> sqlx::Result<bool> {
    let updated = sqlx::query(
        "UPDATE worker SET heartbeat_at = now(), lease_expires_at = now() + make_interval(secs => $2)
         WHERE id = $1 AND state = 'live'",
    )
    .bind(worker)
    .bind(lease_seconds)
    .execute(conn)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// Live workers of a host, with their process ids.
pub async fn live_on_host(conn: &mut PgConnection, host: &str) -> sqlx::Result<Vec<(i64, i32)>> {
    sqlx::query_as("SELECT id, pid FROM worker WHERE state = 'live' AND host = $1").bind(host).fetch_all(conn).await
}

/// Ends the leases of workers known to be dead; the next sweep gives their jobs to others.
pub async fn expire(conn: &mut PgConnection, workers: &[i64]) -> sqlx::Result<()> {
    sqlx::query("UPDATE worker SET lease_expires_at = now() - interval '1 ms' WHERE id = ANY($1) AND state = 'live'")
        .bind(workers)
        .execute(conn)
        .await
        .map(drop)
}

/// Signs a stopping worker off.
pub async fn stop(conn: &mut PgConnection, worker: i64) -> sqlx::Result<()> {
    sqlx::query("UPDATE worker SET state = 'stopped', lease_expires_at = now() WHERE id = $1 AND state = 'live'")
        .bind(worker)
        .execute(conn)
        .await
        .map(drop)
}

/// What one sweep found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Workers whose lease had expired.
    pub lost_workers: Vec<i64>,
    /// Queues that have work again.
    pub queues: Vec<String>,
}

/// Declares workers lost whose lease expired, and gives their running jobs to others. A lost attempt counts as one
/// failure of ours; a step that has none left is parked, so that a job that kills its process ends.
pub async fn sweep(conn: &mut PgConnection) -> sqlx::Result<Swept> {
    let lost: Vec<i64> = sqlx::query_scalar(
        "UPDATE worker SET state = 'lost'
         WHERE id IN (SELECT id FROM worker WHERE state = 'live' AND lease_expires_at < now() FOR UPDATE SKIP LOCKED)
         RETURNING id",
    )
    .fetch_all(&mut *conn)
    .await?;
    // Also jobs of workers that stopped or were declared lost while a claim of theirs was still committing.
    let queues: Vec<String> = sqlx::query_scalar(
        "WITH orphan AS (
             SELECT job.id FROM job JOIN worker ON worker.id = job.claimed_by
             WHERE job.state = 'running' AND worker.state <> 'live'
             ORDER BY job.id FOR UPDATE OF job SKIP LOCKED
         ), freed AS (
             UPDATE job
             SET state = CASE WHEN failures + 1 >= max_failures THEN 'parked' ELSE 'available' END,
                 failures = failures + 1, claimed_by = NULL,
                 error = 'the worker that ran it stopped answering and lost its lease'
             FROM orphan WHERE job.id = orphan.id
             RETURNING job.id, job.attempt, job.claimed_at, job.queue, job.state
         ), kept AS (
             INSERT INTO attempt (job_id, attempt, started_at, outcome, error)
             SELECT id, attempt, claimed_at, 'lost', 'the worker stopped answering and lost its lease' FROM freed
             ON CONFLICT DO NOTHING
         )
         SELECT DISTINCT queue FROM freed WHERE state = 'available'",
    )
    .fetch_all(&mut *conn)
    .await?;
    super::notify_jobs(conn, queues.clone()).await?;
    Ok(Swept { lost_workers: lost, queues })
}
