//! The start: a database that knows nothing yet takes over what the repository holds.

use std::sync::Arc;

use anyhow::Context as _;
use schema::{RoundNumber, Stage, StateFile as _, files::State, paths};
use sqlx::PgPool;
use workflow::{
    db::{self, hand_edit::EditOutcome},
    engine::NewJob,
    round::{flows::Round, steps::RoundInput},
};

use super::{
    LARGEST_KEPT_BYTES,
    check::{Checked, check},
};
use crate::repository::MirrorRepository;

/// Why the current round cannot be started from a repository.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A file that every state repository has is not there.
    #[error("{remote} is not a state repository: it has no {path}")]
    NotAStateRepository {
        /// Where.
        remote: String,
        /// What is missing.
        path: String,
    },
    /// The round is under way and the database knows nothing of it.
    #[error(
        "round {round} is in stage {stage} and the database knows nothing of it; rebuild it with `assize recover`"
    )]
    UnderWay {
        /// Round.
        round: RoundNumber,
        /// Stage.
        stage: Stage,
    },
}

/// Stores the files people own and, unless the database knows the round already, starts its flow. Answers the round and
/// its stage in the repository.
///
/// # Errors
///
/// [`StartError`], or if the repository or the database cannot be read.
pub async fn start_current_round(
    pool: &PgPool,
    mirror: &Arc<MirrorRepository>,
    remote: &str,
) -> anyhow::Result<State> {
    let repository = mirror.clone();
    let files = tokio::task::spawn_blocking(move || small_files(&repository)).await??;
    for path in [paths::state(), paths::config(), paths::leader()] {
        if !files.iter().any(|(known, _)| *known == path) {
            return Err(StartError::NotAStateRepository {
                remote: remote.to_owned(),
                path,
            }
            .into());
        }
    }
    let (_, state) = files
        .iter()
        .find(|(path, _)| *path == paths::state())
        .context("state.json was just seen")?;
    let state = State::parse(&paths::state(), state)?;
    let round = state.current_round;

    let mut transaction = pool.begin().await?;
    let flow = NewJob::flow::<Round>(&RoundInput { round })?;
    let known = db::job::find(&mut transaction, &flow.key).await?.is_some();
    if !known {
        match state.stage {
            Stage::Open => {
                for (path, content) in &files {
                    take_over(&mut transaction, path, content).await?;
                }
                db::start(&mut transaction, &[flow]).await?;
            }
            Stage::Finished => {}
            stage => return Err(StartError::UnderWay { round, stage }.into()),
        }
    }
    transaction.commit().await?;
    Ok(state)
}

/// Keeps one file. What people wrote is checked as any edit is: rows that cannot be read are set aside and reported.
pub(crate) async fn take_over(
    conn: &mut sqlx::PgConnection,
    path: &str,
    content: &[u8],
) -> anyhow::Result<()> {
    let people_own_it = paths::classify(path).is_some_and(|kind| kind.is_made_by_people());
    let (kept, outcome, problems) = if people_own_it {
        match check(path, Some(content), None) {
            Checked::Whole(content) => (Some(content), EditOutcome::InForce, Vec::new()),
            Checked::Partly { content, problems } => {
                (Some(content), EditOutcome::PartlyInForce, problems)
            }
            Checked::Refused(problems) => {
                // Nothing else is in force: a start needs these.
                if path == paths::config() || path == paths::prompt_pool() {
                    anyhow::bail!("{}", problems.join("; "));
                }
                (None, EditOutcome::Refused, problems)
            }
        }
    } else {
        (Some(content.to_vec()), EditOutcome::InForce, Vec::new())
    };
    if let Some(kept) = kept {
        db::state_file::write(conn, path, &kept, "repository").await?;
    }
    if !problems.is_empty() {
        db::hand_edit::record(conn, path, "start", "unknown", outcome, &problems).await?;
    }
    Ok(())
}

/// Whether a file is kept in the database: state files but those in the miners' own folders.
pub(crate) fn is_kept(path: &str) -> bool {
    path.split('/').count() <= 3 && paths::classify(path).is_some()
}

/// Every state file that is small enough to keep, of all rounds but for the miners' own folders.
fn small_files(mirror: &MirrorRepository) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for path in mirror.list("")? {
        if let Some(content) = is_kept(&path)
            .then(|| mirror.read(&path))
            .transpose()?
            .flatten()
            && content.len() <= LARGEST_KEPT_BYTES
        {
            files.push((path, content));
        }
    }
    Ok(files)
}
