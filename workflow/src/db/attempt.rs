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
