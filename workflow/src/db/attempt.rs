//! Queries on the `attempt` table: history, one row a try that ended.

use std::collections::HashMap;

use sqlx::PgConnection;

use crate::engine::commit::{End, Ending};

/// Keeps one row for each ended attempt of a batch.
pub async fn insert(conn: &mut PgConnection, worker: i64, live: &[&Ending], inline: &HashMap<String, i64>) -> sqlx::Result<()> {
    let mut rows = Vec::with_capacity(live.len());
    for ending in live {
        let (outcome, error) = match &ending.end {
            End::Completed { .. } => ("completed", None),
            End::Suspended { .. } => ("suspended", None),
            End::Snoozed(_) => ("snoozed", None),
            End::Errored { error, .. } | End::Parked(error) | End::Failed(error) => ("errored", Some(error.as_str())),
            End::Released => ("released", None),
        };
        let job = match &ending.inline {
            None => (ending.claim.id, ending.claim.attempt),
            Some(job) => match inline.get(&job.key) {
                Some(id) => (*id, 1),
                None => continue,
            },
        };
        rows.push((job, ending.ran.as_secs_f64(), outcome, error));
    }
    sqlx::query(
        "INSERT INTO attempt (job_id, attempt, worker_id, started_at, outcome, error)
         SELECT job_id, attempt, $6, now() - make_interval(secs => ran), outcome, error
         FROM unnest($1::bigint[], $2::int[], $3::float8[], $4::text[], $5::text[]) AS t(job_id, attempt, ran, outcome, error)",
    )
    .bind(rows.iter().map(|(job, ..)| job.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|(job, ..)| job.1).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, ran, ..)| *ran).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, _, outcome, _)| *outcome).collect::<Vec<_>>())
    .bind(rows.iter().map(|(.., error)| *error).collect::<Vec<_>>())
    .bind(worker)
    .execute(conn)
    .await
    .map(drop)
}
