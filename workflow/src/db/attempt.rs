//! Queries on the `attempt` table: history, one row a try that ended. Rows are written by the statements that end attempts.

use std::collections::HashMap;

use sqlx::PgConnection;

/// How these attempts of `worker` (job id, attempt) were recorded.
pub async fn outcomes(
    conn: &mut PgConnection,
    worker: i64,
    attempts: &[(i64, i32)],
) -> sqlx::Result<HashMap<(i64, i32), String>> {
    if attempts.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(i64, i32, String)> = sqlx::query_as(
        "SELECT job_id, attempt, outcome FROM attempt JOIN unnest($2::bigint[], $3::int[]) AS t(job_id, attempt) USING (job_id, attempt)
         WHERE worker_id = $1",
    )
    .bind(worker)
    .bind(attempts.iter().map(|(job, _)| *job).collect::<Vec<_>>())
    .bind(attempts.iter().map(|(_, attempt)| *attempt).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(job, attempt, outcome)| ((job, attempt), outcome))
        .collect())
}

/// How often a job has failed on our side, ever: an operator's retry does not clear it.
pub async fn failures(conn: &mut PgConnection, key: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "SELECT count(*) FROM attempt JOIN job ON job.id = job_id WHERE job.key = $1 AND outcome = 'errored'",
    )
    .bind(key)
    .fetch_one(conn)
    .await
}

/// The looks of a step that looks again and again, before the attempt under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Looks {
    /// Those after which there was more to look at.
    pub went_well: i64,
    /// Those that failed since the last one that went well.
    pub failed_since: i64,
}

/// How the looks of a step went so far.
///
/// # Errors
///
/// Whatever the database says.
pub async fn looks(conn: &mut PgConnection, key: &str) -> sqlx::Result<Looks> {
    sqlx::query_as(
        "WITH looks AS (
             SELECT attempt.attempt AS place, outcome FROM attempt JOIN job ON job.id = job_id WHERE job.key = $1
         ), good AS (
             SELECT count(*) AS went_well, coalesce(max(place), 0) AS last FROM looks WHERE outcome = 'snoozed'
         )
         SELECT went_well, (SELECT count(*) FROM looks WHERE outcome = 'errored' AND place > last) AS failed_since FROM good",
    )
    .bind(key)
    .fetch_one(conn)
    .await
}

/// For how many seconds nobody has looked at a step that looks again and again: pauses between its attempts beyond `usual`
/// seconds, and attempts that were lost with their worker. What happened outside meanwhile took at least that much less.
pub async fn unattended_seconds(
    conn: &mut PgConnection,
    key: &str,
    usual: f64,
) -> sqlx::Result<f64> {
    sqlx::query_scalar(
        "WITH looks AS (
             SELECT CASE outcome WHEN 'lost' THEN ended_at ELSE started_at END AS began, ended_at, attempt.attempt AS place
             FROM attempt JOIN job ON job.id = job_id WHERE job.key = $1
             UNION ALL
             SELECT claimed_at, claimed_at, attempt FROM job WHERE key = $1 AND state = 'running'
         ), pauses AS (
             SELECT extract(epoch FROM began - lag(ended_at) OVER (ORDER BY place))::float8 - $2 AS beyond FROM looks
         )
         SELECT coalesce(sum(beyond) FILTER (WHERE beyond > 0), 0)::float8 FROM pauses",
    )
    .bind(key)
    .bind(usual)
    .fetch_one(conn)
    .await
}
