//! Queries on the `queue` table: pauses and limits that all replicas share.
//!
//! A limited queue is a named resource (`vlm`). Whoever claims from it holds its row until the claim commits, so the count of
//! running jobs that the claim goes by cannot change under it except downwards.

use sqlx::PgConnection;

/// How many jobs may start from a limited queue now.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Allowance {
    /// Queue.
    pub name: String,
    /// Jobs that may start now.
    pub allowed: i32,
    /// Tokens in the bucket of a rate limit before any of them starts.
    pub bucket: Option<f64>,
    /// Seconds until the rate limit allows one more, if it is what holds jobs back.
    pub again_seconds: Option<f64>,
}

/// Locks the limited queues among `queues` until the transaction ends and answers what each may start now. Queues without
/// a row have no limit and are not in the answer.
pub async fn allowances(
    conn: &mut PgConnection,
    queues: &[String],
    wanted: &[i32],
) -> sqlx::Result<Vec<Allowance>> {
    // A statement of its own: the next one must see what others committed while this one waited.
    sqlx::query("SELECT FROM queue WHERE name = ANY($1) ORDER BY name FOR UPDATE")
        .bind(queues)
        .execute(&mut *conn)
        .await?;
    sqlx::query_as(
        "WITH filled AS (
             SELECT q.*, w.most,
                    least(greatest(rate_per_second, 1),
                          tokens + rate_per_second * greatest(extract(epoch FROM clock_timestamp() - refilled_at), 0)::float8) AS bucket,
                    (SELECT count(*) FROM job WHERE job.queue = q.name AND job.state = 'running')::int AS running
             FROM queue q JOIN unnest($1::text[], $2::int[]) AS w(name, most) ON w.name = q.name
         ), room AS (
             SELECT *, CASE WHEN paused THEN 0 ELSE least(most, greatest(coalesce(capacity - running, most), 0)) END AS room FROM filled
         )
         SELECT name, least(room, floor(coalesce(bucket, room))::int) AS allowed, bucket,
                CASE WHEN floor(bucket)::int < room THEN (floor(bucket) + 1 - bucket) / rate_per_second END AS again_seconds
         FROM room",
    )
    .bind(queues)
    .bind(wanted)
    .fetch_all(conn)
    .await
}

/// Takes tokens out of the bucket of a rate limit.
pub async fn spend(
    conn: &mut PgConnection,
    allowance: &Allowance,
    started: i32,
) -> sqlx::Result<()> {
    sqlx::query("UPDATE queue SET tokens = $2, refilled_at = clock_timestamp() WHERE name = $1")
        .bind(&allowance.name)
        .bind(allowance.bucket.map(|bucket| bucket - f64::from(started)))
        .execute(conn)
        .await
        .map(drop)
}

/// Which queues have a row: they are claimed from one transaction at a time.
pub async fn limited(conn: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("SELECT name FROM queue")
        .fetch_all(conn)
        .await
}

/// Sets the capacity that the configuration names; a rate and a pause are left to operators. Workers are told only of a change.
pub async fn configure(conn: &mut PgConnection, name: &str, capacity: i32) -> sqlx::Result<()> {
    sqlx::query(
        "WITH changed AS (
             INSERT INTO queue (name, capacity) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET capacity = excluded.capacity WHERE queue.capacity IS DISTINCT FROM excluded.capacity
             RETURNING name
         )
         SELECT pg_notify($3, '*') FROM changed",
    )
    .bind(name)
    .bind(capacity)
    .bind(super::JOB_CHANNEL)
    .execute(conn)
    .await
    .map(drop)
}

/// Sets a queue's limits over all replicas.
pub async fn limit(
    conn: &mut PgConnection,
    name: &str,
    capacity: Option<i32>,
    rate_per_second: Option<f64>,
) -> sqlx::Result<()> {
    sqlx::query(
        "WITH changed AS (
             INSERT INTO queue (name, capacity, rate_per_second) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET capacity = excluded.capacity, rate_per_second = excluded.rate_per_second
         )
         SELECT pg_notify($4, '*')",
    )
    .bind(name)
    .bind(capacity)
    .bind(rate_per_second)
    .bind(super::JOB_CHANNEL)
    .execute(conn)
    .await
    .map(drop)
}
