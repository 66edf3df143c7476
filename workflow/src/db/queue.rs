//! Queries on the `queue` table: pauses, limits and outages that all replicas share.
//!
//! While a resource is out, nothing is claimed from its queue but one job at a time, to see whether it is back: an outage
//! costs neither attempts nor a storm of tries.
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
    /// Seconds until the rate limit allows one more or the resource is tried again, if that is what holds jobs back.
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
                    -- Without a rate there is no bucket; `least` would answer whatever is not null.
                    CASE WHEN rate_per_second IS NOT NULL THEN
                        least(greatest(rate_per_second, 1),
                              tokens + rate_per_second * greatest(extract(epoch FROM clock_timestamp() - refilled_at), 0)::float8)
                    END AS bucket,
                    (SELECT count(*) FROM job WHERE job.queue = q.name AND job.state = 'running')::int AS running
             FROM queue q JOIN unnest($1::text[], $2::int[]) AS w(name, most) ON w.name = q.name
         ), room AS (
             SELECT *, extract(epoch FROM outage_until - clock_timestamp())::float8 AS out_seconds,
                    CASE WHEN paused OR outage_until > clock_timestamp() THEN 0
                         WHEN outage IS NOT NULL THEN least(most, greatest(1 - running, 0))
                         ELSE least(most, greatest(coalesce(capacity - running, most), 0)) END AS room
             FROM filled
         )
         SELECT name, least(room, floor(coalesce(bucket, room))::int) AS allowed, bucket,
                CASE WHEN out_seconds > 0 THEN out_seconds
                     WHEN floor(bucket)::int < room THEN (floor(bucket) + 1 - bucket) / rate_per_second END AS again_seconds
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

/// Notes that what a queue's jobs need is out of service, with a sentence for people. Nothing is claimed from the queue for
/// `wait`; without one for a quarter of the time that the outage lasts, 1 to 15 s. Then one job tries.
pub async fn note_outage(
    conn: &mut PgConnection,
    name: &str,
    because: &str,
    wait: Option<std::time::Duration>,
) -> sqlx::Result<()> {
    sqlx::query(
        "WITH noted AS (
             INSERT INTO queue AS q (name, outage, outage_since, outage_until)
             VALUES ($1, $2, clock_timestamp(), clock_timestamp() + make_interval(secs => coalesce($3, 1)))
             ON CONFLICT (name) DO UPDATE SET outage = excluded.outage,
                 outage_since = coalesce(q.outage_since, excluded.outage_since),
                 outage_until = clock_timestamp() + make_interval(secs => coalesce($3, least(15, greatest(1,
                     extract(epoch FROM clock_timestamp() - coalesce(q.outage_since, clock_timestamp())) / 4)))::float8)
         )
         SELECT pg_notify($4, '*')",
    )
    .bind(name)
    .bind(because)
    .bind(wait.map(|wait| wait.as_secs_f64()))
    .bind(super::JOB_CHANNEL)
    .execute(conn)
    .await
    .map(drop)
}

/// Notes that what a queue's jobs need answers again; answers whether it was out.
pub async fn end_outage(conn: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    let ended: Vec<String> = sqlx::query_scalar(
        "WITH ended AS (
             UPDATE queue SET outage = NULL, outage_since = NULL, outage_until = NULL
             WHERE name = $1 AND outage IS NOT NULL RETURNING name
         )
         SELECT pg_notify($2, '*')::text FROM ended",
    )
    .bind(name)
    .bind(super::JOB_CHANNEL)
    .fetch_all(conn)
    .await?;
    Ok(!ended.is_empty())
}

/// What is out of service.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Outage {
    /// The queue that waits.
    pub queue: String,
    /// A sentence for people.
    pub because: String,
    /// Since when.
    pub since: chrono::DateTime<chrono::Utc>,
}

/// All outages.
pub async fn outages(conn: &mut PgConnection) -> sqlx::Result<Vec<Outage>> {
    sqlx::query_as(
        "SELECT name AS queue, outage AS because, outage_since AS since FROM queue WHERE outage IS NOT NULL ORDER BY name",
    )
    .fetch_all(conn)
    .await
}
