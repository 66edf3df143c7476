//! What people put into the state repository: read, checked, stored, and told to whom it concerns.

use std::sync::Arc;

use anyhow::Context as _;
use schema::{
    Document, RoundNumber, Stage, StateFile as _,
    files::State,
    paths::{self, StatePath},
};
use sqlx::{PgConnection, PgPool};
use workflow::{
    db,
    engine::NewJob,
    round::{
        flows::{Round, tournament_key},
        steps::RoundInput,
    },
};

use crate::repository::{FetchOutcome, FileChange, MirrorRepository};

/// Larger files (reports) are not kept in the database.
const LARGEST_KEPT_BYTES: usize = 4 * 1024 * 1024;

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
                    db::state_file::write(&mut transaction, path, content, "repository").await?;
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

/// Every state file that is small enough to keep, of all rounds but for the miners' own folders.
fn small_files(mirror: &MirrorRepository) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for path in mirror.list("")? {
        let wanted = path.split('/').count() <= 3 && paths::classify(&path).is_some();
        if let Some(content) = wanted.then(|| mirror.read(&path)).transpose()?.flatten()
            && content.len() <= LARGEST_KEPT_BYTES
        {
            files.push((path, content));
        }
    }
    Ok(files)
}

/// Stores what foreign commits changed and acknowledges them.
pub(super) async fn store_foreign(
    pool: &PgPool,
    mirror: &Arc<MirrorRepository>,
    fetched: FetchOutcome,
) -> anyhow::Result<()> {
    let Some(tip) = fetched.tip else {
        return Ok(());
    };
    if fetched.commits.is_empty() {
        return Ok(());
    }
    let mut transaction = pool.begin().await?;
    for commit in &fetched.commits {
        for change in &commit.changes {
            store(&mut transaction, change, &commit.author_name).await?;
        }
    }
    transaction.commit().await?;
    let repository = mirror.clone();
    tokio::task::spawn_blocking(move || repository.acknowledge(tip)).await??;
    Ok(())
}

/// Takes one edit over. An edit that cannot be read is refused: the last valid version stays in force.
async fn store(conn: &mut PgConnection, change: &FileChange, author: &str) -> anyhow::Result<()> {
    let (Some(kind), Some(content)) = (paths::classify(&change.path), &change.after) else {
        return Ok(());
    };
    if content.len() > LARGEST_KEPT_BYTES {
        return Ok(());
    }
    if let Err(error) = Document::parse(&change.path, content) {
        tracing::error!(mirror.path = %change.path, author, error = %error,
            "an edit of the state repository is refused; the last valid version stays in force");
        return Ok(());
    }
    if !db::state_file::write(conn, &change.path, content, "repository").await? {
        return Ok(());
    }
    tracing::info!(mirror.path = %change.path, author, "an edit of the state repository is in force");
    match kind {
        StatePath::State => apply_stage(conn, content, author).await?,
        other => {
            if let Some(round) = other.round() {
                db::wake(conn, &[tournament_key(round)]).await?;
            }
        }
    }
    Ok(())
}

/// A person set the stage: PAUSED stops the round at the next step boundary, anything else lets it go on.
async fn apply_stage(conn: &mut PgConnection, content: &[u8], author: &str) -> anyhow::Result<()> {
    let state = State::parse(&paths::state(), content)?;
    let round = state.current_round.0 as i32;
    let operator = db::operator::Operator {
        name: author,
        reason: "state.json was edited in the state repository",
    };
    let filter = db::operator::Filter {
        round: Some(round),
        ..db::operator::Filter::default()
    };
    let changed = if state.stage == Stage::Paused {
        db::operator::pause(conn, &filter, &operator).await?
    } else {
        db::operator::resume(conn, &filter, &operator).await?
    };
    tracing::info!(round.number = round, stage = %state.stage, jobs = changed, "the stage was set by hand");
    Ok(())
}
