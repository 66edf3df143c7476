//! Queries on the `worker` table: the leases that hold all claims.

use sqlx::PgConnection;

use super::sql::notify;

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
pub async fn heartbeat(
    conn: &mut PgConnection,
    worker: i64,
    lease_seconds: f64,
) -> sqlx::Result<bool> {
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

/// A worker that the database takes for alive.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Live {
    /// `worker.id`.
    pub id: i64,
    /// Machine and process namespace.
    pub host: String,
    /// Process id there.
    pub pid: i32,
}

/// Every worker whose lease runs.
pub async fn live(conn: &mut PgConnection) -> sqlx::Result<Vec<Live>> {
    sqlx::query_as("SELECT id, host, pid FROM worker WHERE state = 'live'")
        .fetch_all(conn)
        .await
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

/// Lost attempts that a job may have beyond its failures: its neighbours die with a job that kills its process, and all of them
/// in every outage of ours, through no fault of their own.
const LOST_FORGIVEN: i32 = 10;

/// Declares workers lost whose lease expired, and gives the running jobs of workers that are not live to others. A lost
/// attempt counts as one failure of ours; a job that has had [`LOST_FORGIVEN`] more than it may have is parked, so that one that
/// kills its process comes to an end. A single statement; answers the workers it declared lost.
pub async fn sweep(conn: &mut PgConnection) -> sqlx::Result<Vec<i64>> {
    let (lost, _): (Vec<i64>, Option<String>) = sqlx::query_as(concat!(
        "WITH lost AS (
             UPDATE worker SET state = 'lost'
             WHERE id IN (SELECT id FROM worker WHERE state = 'live' AND lease_expires_at < now() FOR UPDATE SKIP LOCKED)
             RETURNING id
         ), orphan AS MATERIALIZED (
             -- Also jobs whose claim was still committing when its worker stopped or was declared lost.
             SELECT job.id, job.claimed_by AS worker_id FROM job JOIN worker ON worker.id = job.claimed_by
             WHERE job.state = 'running' AND (worker.state <> 'live' OR worker.id IN (SELECT id FROM lost))
             ORDER BY job.id FOR UPDATE OF job SKIP LOCKED
         ), freed AS (
             UPDATE job
             SET state = CASE WHEN failures + 1 >= max_failures + $1 THEN 'parked' ELSE 'available' END,
                 failures = failures + 1, claimed_by = NULL,
                 error = 'the worker that ran it stopped answering and lost its lease'
             FROM orphan WHERE job.id = orphan.id
             RETURNING job.id, job.attempt, job.claimed_at, job.queue, job.error, orphan.worker_id
         ), kept AS (
             INSERT INTO attempt (job_id, attempt, worker_id, started_at, outcome, error)
             SELECT id, attempt, worker_id, claimed_at, 'lost', error FROM freed
         ), notices AS (
             SELECT queue FROM freed
         )
         SELECT array(SELECT id FROM lost), ",
        notify!("notices")
    ))
    .bind(LOST_FORGIVEN)
    .fetch_one(conn)
    .await?;
    Ok(lost)
}

/// Gives back running jobs that the worker holds in the database without knowing of them: the answer to a claim got lost.
/// A single statement; answers how many.
pub async fn release_unknown(
    conn: &mut PgConnection,
    worker: i64,
    known: &[(i64, i32)],
) -> sqlx::Result<i64> {
    let (released, _): (i64, Option<String>) = sqlx::query_as(concat!(
        "WITH unknown AS MATERIALIZED (
             SELECT id FROM job
             WHERE claimed_by = $1 AND state = 'running'
               AND NOT EXISTS (SELECT FROM unnest($2::bigint[], $3::int[]) AS known(id, attempt)
                               WHERE known.id = job.id AND known.attempt = job.attempt)
             ORDER BY id FOR UPDATE SKIP LOCKED
         ), freed AS (
             UPDATE job SET state = 'available', claimed_by = NULL FROM unknown WHERE job.id = unknown.id
             RETURNING job.id, job.attempt, job.claimed_at, job.queue
         ), kept AS (
             INSERT INTO attempt (job_id, attempt, worker_id, started_at, outcome, error)
             SELECT id, attempt, $1, claimed_at, 'released', 'the answer to the claim was lost' FROM freed
         ), notices AS (
             SELECT queue FROM freed
         )
         SELECT (SELECT count(*) FROM freed), ",
        notify!("notices")
    ))
    .bind(worker)
    .bind(known.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind(known.iter().map(|(_, attempt)| *attempt).collect::<Vec<_>>())
    .fetch_one(conn)
    .await?;
    Ok(released)
}

/// The running attempts that the worker holds in the database: job id and attempt.
pub async fn held_by(conn: &mut PgConnection, worker: i64) -> sqlx::Result<Vec<(i64, i32)>> {
    sqlx::query_as("SELECT id, attempt FROM job WHERE claimed_by = $1 AND state = 'running'")
        .bind(worker)
        .fetch_all(conn)
        .await
}
