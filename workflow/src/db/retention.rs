//! Retention: history goes when its round is over for everybody.

use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use super::operator::{self, Operator, OperatorError};

/// What a [`prune`] removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Rows of `job`.
    pub jobs: u64,
    /// Rows of `attempt`.
    pub attempts: u64,
    /// Rows of the outbox.
    pub mirror_files: u64,
}

/// Why the history of a round must stay.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PruneError {
    /// The round goes on, or is not known.
    #[error("round {0} is not closed: only the history of a closed round can be removed")]
    NotClosed(u32),
    /// The public repository does not have everything yet.
    #[error(
        "{files} state file changes of round {round} are not in the repository yet; wait for git-sync, then prune again"
    )]
    NotMirrored {
        /// Round.
        round: u32,
        /// Changes that wait.
        files: i64,
    },
    /// Something of the round may still run.
    #[error("{jobs} jobs of round {round} have not ended; cancel or retry them, then prune again")]
    Unfinished {
        /// Round.
        round: u32,
        /// How many.
        jobs: i64,
    },
    /// Nobody said why.
    #[error(transparent)]
    Refused(#[from] OperatorError),
    /// The database failed.
    #[error("the database did not answer as expected")]
    Database(#[from] sqlx::Error),
}

/// Jobs in one statement: the lock on each is short, and an interrupted prune goes on where it stopped.
const CHUNK: i64 = 10_000;

/// Removes the jobs, attempts and outbox rows of a round that is closed, mirrored and has nothing left to run. What the round
/// recorded (submissions, entries, matches) stays. Keys of the round may be started again afterwards: nothing remembers them.
///
/// # Errors
///
/// [`PruneError`]; then nothing was removed, or what was removed was prunable.
pub async fn prune(
    conn: &mut PgConnection,
    round: u32,
    operator: &Operator<'_>,
) -> Result<Pruned, PruneError> {
    operator::check(operator)?;
    let number = i32::try_from(round).unwrap_or(i32::MAX);
    let (closed, files, jobs): (bool, i64, i64) = sqlx::query_as(
        "SELECT EXISTS (SELECT FROM round WHERE round = $1 AND closed_at IS NOT NULL),
                (SELECT count(*) FROM mirror_file WHERE round = $1 AND mirrored_at IS NULL),
                (SELECT count(*) FROM job WHERE round = $1 AND finished_at IS NULL)",
    )
    .bind(number)
    .fetch_one(&mut *conn)
    .await?;
    if !closed {
        return Err(PruneError::NotClosed(round));
    }
    if files > 0 {
        return Err(PruneError::NotMirrored { round, files });
    }
    if jobs > 0 {
        return Err(PruneError::Unfinished { round, jobs });
    }
    let mut pruned = Pruned::default();
    loop {
        let (jobs, attempts): (i64, i64) = sqlx::query_as(
            "WITH old AS (
                 DELETE FROM job WHERE id IN (SELECT id FROM job WHERE round = $1 AND finished_at IS NOT NULL LIMIT $2) RETURNING id
             ), attempts AS (
                 DELETE FROM attempt USING old WHERE attempt.job_id = old.id RETURNING attempt
             ), joins AS (
                 DELETE FROM open_join USING old WHERE open_join.flow_id = old.id
             ), shared AS (
                 DELETE FROM shared_job USING old WHERE shared_job.job_id = old.id OR shared_job.flow_id = old.id
             )
             SELECT (SELECT count(*) FROM old), (SELECT count(*) FROM attempts)",
        )
        .bind(number)
        .bind(CHUNK)
        .fetch_one(&mut *conn)
        .await?;
        if jobs == 0 {
            break;
        }
        pruned.jobs += u64::try_from(jobs).unwrap_or(0);
        pruned.attempts += u64::try_from(attempts).unwrap_or(0);
    }
    let files = sqlx::query("DELETE FROM mirror_file WHERE round = $1 AND mirrored_at IS NOT NULL")
        .bind(number)
        .execute(&mut *conn)
        .await?;
    pruned.mirror_files = files.rows_affected();
    forget_workers(conn).await?;
    let mut transaction = conn.begin().await?;
    let after = json!({ "jobs": pruned.jobs, "attempts": pruned.attempts, "mirror_files": pruned.mirror_files });
    operator::keep(
        &mut transaction,
        operator,
        "prune",
        &operator::Target::other(&format!("round {round}")),
        None,
        Some(after),
    )
    .await?;
    transaction.commit().await?;
    Ok(pruned)
}

/// Removes workers that are long gone and that no attempt names any more.
async fn forget_workers(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query(
        "DELETE FROM worker WHERE state <> 'live' AND lease_expires_at < now() - interval '1 day'
             AND id NOT IN (SELECT worker_id FROM attempt WHERE worker_id IS NOT NULL)
             AND id NOT IN (SELECT claimed_by FROM job WHERE claimed_by IS NOT NULL)",
    )
    .execute(conn)
    .await
    .map(drop)
}
