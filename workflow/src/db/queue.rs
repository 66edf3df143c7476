//! Queries on the `queue` table: pauses and limits that all replicas share.

use sqlx::PgConnection;

/// How many jobs may be claimed from limited queues now, and promotion of what has become due.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Allowance {
    /// Queue.
    pub name: String,
    /// Jobs that may start now.
    pub allowed: i32,
}

/// Locks the limited queues among `queues` until the transaction ends and answers what each may start now. Queues without
/// a row have no limit and are not in the answer.
pub async fn allowances(conn: &mut PgConnection, queues: &[String], wanted: &[i32]) -> sqlx::Result<Vec<Allowance>> {
    sqlx::query_as(
        "WITH limited AS (
             SELECT q.*, w.most FROM queue q JOIN unnest($1::text[], $2::int[]) AS w(name, most) ON w.name = q.name
             ORDER BY q.name FOR UPDATE OF q
         ), filled AS (
             SELECT limited.*,
                    CASE WHEN rate_per_second IS NULL THEN NULL
                         ELSE least(greatest(rate_per_second, 1),
                                    tokens + rate_per_second * extract(epoch FROM clock_timestamp() - refilled_at)) END AS bucket,
                    (SELECT count(*) FROM job WHERE job.queue = limited.name AND job.state = 'running')::int AS running
             FROM limited
         ), granted AS (
             SELECT name, bucket, CASE WHEN paused THEN 0 ELSE
                        least(most, greatest(coalesce(capacity - running, most), 0), floor(coalesce(bucket, most))::int) END AS allowed
             FROM filled
         ), spent AS (
             UPDATE queue SET tokens = g.bucket - g.allowed, refilled_at = clock_timestamp()
             FROM granted g WHERE queue.name = g.name AND g.bucket IS NOT NULL
         )
         SELECT name, allowed FROM granted",
    )
    .bind(queues)
    .bind(wanted)
    .fetch_all(conn)
    .await
}

/// Which of the queues have a row at all.
pub async fn limited(conn: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("SELECT name FROM queue WHERE paused OR capacity IS NOT NULL OR rate_per_second IS NOT NULL")
        .fetch_all(conn)
        .await
}

/// Sets a queue's limits over all replicas.
pub async fn limit(conn: &mut PgConnection, name: &str, capacity: Option<i32>, rate_per_second: Option<f64>) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO queue (name, capacity, rate_per_second) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET capacity = excluded.capacity, rate_per_second = excluded.rate_per_second",
    )
    .bind(name)
    .bind(capacity)
    .bind(rate_per_second)
    .execute(conn)
    .await
    .map(drop)
}

/// Gives tokens of the rate limit back that a claim did not use.
pub async fn give_back(conn: &mut PgConnection, name: &str, tokens: i32) -> sqlx::Result<()> {
    sqlx::query("UPDATE queue SET tokens = tokens + $2 WHERE name = $1 AND rate_per_second IS NOT NULL")
        .bind(name)
        .bind(f64::from(tokens))
        .execute(conn)
        .await
        .map(drop)
}
