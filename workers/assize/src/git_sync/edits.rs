//! What people put into the state repository: read, checked, stored as events, and told to whom it concerns.

use std::sync::Arc;

use anyhow::Context as _;
use schema::{
    Stage, StateFile as _,
    files::State,
    paths::{self, StatePath},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, PgPool};
use workflow::{
    db::{
        self,
        conflict::Edit,
        hand_edit::EditOutcome,
        operator::{Filter, Operator},
    },
    round::flows::tournament_key,
};

use super::{
    LARGEST_KEPT_BYTES,
    check::{Checked, check},
};
use crate::repository::{
    Contested, FetchOutcome, FileChange, ForeignCommit, MirrorRepository, Oid, Owner, says_paused,
};

/// Stores what foreign commits changed, in one transaction with the cursor, and acknowledges them. A crash in between repeats
/// all of it, which changes nothing.
pub(super) async fn store_foreign(
    pool: &PgPool,
    mirror: &Arc<MirrorRepository>,
    fetched: FetchOutcome,
) -> anyhow::Result<()> {
    let Some(tip) = fetched.tip else {
        return Ok(());
    };
    if fetched.rewritten {
        tracing::error!(mirror.tip = %tip,
            "the history of the state repository was replaced by somebody; what differs is read as one edit");
    }
    let mut transaction = pool.begin().await?;
    if !fetched.commits.is_empty() {
        let contested = mirror.contested();
        for commit in &fetched.commits {
            for change in &commit.changes {
                store(&mut transaction, commit, change, &contested).await?;
            }
        }
    }
    let waiting: Vec<String> = db::conflict::unsettled(&mut transaction)
        .await?
        .into_iter()
        .filter(|conflict| conflict.decision.as_deref() != Some("withdrawn"))
        .map(|conflict| conflict.path)
        .collect();
    db::hand_edit::move_cursor(&mut transaction, &tip.to_string()).await?;
    transaction.commit().await?;
    if !fetched.commits.is_empty() {
        let repository = mirror.clone();
        tokio::task::spawn_blocking(move || repository.acknowledge_but(tip, &waiting)).await??;
    }
    Ok(())
}

/// What the mirror has to remember when its clone is lost: up to where foreign changes are stored, and which files are
/// contested.
pub(super) async fn remembered(
    conn: &mut PgConnection,
) -> anyhow::Result<(Option<Oid>, Vec<Contested>)> {
    let seen = db::hand_edit::cursor(conn).await?;
    let mut contested = Vec::new();
    for conflict in db::conflict::unsettled(conn).await? {
        contested.push(
            serde_json::from_value(conflict.contested)
                .with_context(|| format!("conflict {} cannot be read back", conflict.id))?,
        );
    }
    let seen = seen
        .map(|seen| Oid::from_str(&seen))
        .transpose()
        .context("the recorded commit is none")?;
    Ok((seen, contested))
}

async fn store(
    conn: &mut PgConnection,
    commit: &ForeignCommit,
    change: &FileChange,
    contested: &[Contested],
) -> anyhow::Result<()> {
    let Some(kind) = paths::classify(&change.path) else {
        return Ok(());
    };
    match change.owner {
        Owner::People => take_over(conn, commit, change, &kind, contested).await,
        Owner::Assize => contest(conn, commit, change, contested).await,
    }
}

/// An edit of a file that Assize owns: visible until an operator decides.
async fn contest(
    conn: &mut PgConnection,
    commit: &ForeignCommit,
    change: &FileChange,
    contested: &[Contested],
) -> anyhow::Result<()> {
    if open_conflict(conn, commit, change, contested, "assize").await? {
        tracing::warn!(mirror.path = %change.path, mirror.commit = %commit.oid, author = commit.author_name,
            "a file that Assize owns was edited; an operator decides (assize conflict list)");
    } else {
        // It stands again as it stood before.
        db::conflict::withdraw(conn, &change.path).await?;
    }
    Ok(())
}

/// Records that our changes of the edited part wait; false when the mirror protects nothing of the file.
async fn open_conflict(
    conn: &mut PgConnection,
    commit: &ForeignCommit,
    change: &FileChange,
    contested: &[Contested],
    owner: &str,
) -> anyhow::Result<bool> {
    let Some(contested) = contested
        .iter()
        .find(|contested| contested.path == change.path)
    else {
        return Ok(false);
    };
    let edit = Edit {
        path: &change.path,
        owner,
        author: &commit.author_name,
        commit_sha: &commit.oid.to_string(),
        contested: serde_json::to_value(contested)?,
        before: change.before.as_deref(),
        theirs: change.after.as_deref(),
    };
    db::conflict::open(conn, &edit).await?;
    Ok(true)
}

/// An edit of a file that people own: in force when it is valid, as far as it is.
async fn take_over(
    conn: &mut PgConnection,
    commit: &ForeignCommit,
    change: &FileChange,
    kind: &StatePath,
    contested: &[Contested],
) -> anyhow::Result<()> {
    let path = &change.path;
    let in_force = db::state_file::read(conn, path).await?;
    let mut checked = check(path, change.after.as_deref(), in_force.as_deref());
    if change
        .after
        .as_ref()
        .is_some_and(|content| content.len() > LARGEST_KEPT_BYTES)
    {
        let most = LARGEST_KEPT_BYTES / (1024 * 1024);
        checked = Checked::Refused(vec![format!("{path}: expected at most {most} MiB")]);
    }
    if let (StatePath::State, Checked::Whole(content)) = (kind, &checked)
        && let Some(problem) = unfit_state(conn, content).await?
    {
        checked = Checked::Refused(vec![problem]);
    }
    let (content, outcome, problems) = match checked {
        Checked::Whole(content) => (Some(content), EditOutcome::InForce, Vec::new()),
        Checked::Partly { content, problems } => {
            (Some(content), EditOutcome::PartlyInForce, problems)
        }
        Checked::Refused(problems) => (None, EditOutcome::Refused, problems),
    };
    let sha = commit.oid.to_string();
    let author = &commit.author_name;
    let is_new = db::hand_edit::record(conn, path, &sha, author, outcome, &problems).await?;
    for problem in &problems {
        tracing::error!(mirror.path = %path, mirror.commit = %sha, author, problem,
            outcome = outcome.as_str(), "something in an edit of the state repository is not valid");
    }
    let Some(content) = content.filter(|_| is_new) else {
        return Ok(());
    };
    db::state_file::write(conn, path, &content, "repository").await?;
    tracing::info!(mirror.path = %path, mirror.commit = %sha, author, "an edit of the state repository is in force");
    let reason = commit.message.lines().next().unwrap_or_default().trim();
    let operator = Operator {
        name: author,
        reason: if reason.is_empty() {
            "edited by hand"
        } else {
            reason
        },
    };
    let (before, mut after) = (shown(in_force.as_deref()), shown(Some(&content)));
    after["commit"] = json!(sha);
    db::operator::record(conn, &operator, "edit", path, before, after).await?;
    if says_paused(&content) && *kind == StatePath::State {
        open_conflict(conn, commit, change, contested, "people").await?;
    }
    apply(conn, kind, &content, &operator).await
}

/// Lets the round know of a file that is now in force.
async fn apply(
    conn: &mut PgConnection,
    kind: &StatePath,
    content: &[u8],
    operator: &Operator<'_>,
) -> anyhow::Result<()> {
    if *kind == StatePath::State {
        return apply_stage(conn, content, operator).await;
    }
    if let Some(round) = kind.round() {
        db::wake(conn, &[tournament_key(round)]).await?;
    }
    Ok(())
}

/// Why a `state.json` that people own does not fit the round: only PAUSED, or the stage in which the round is, can be set.
/// Of the round before only what a person saw who edits while it ends: PAUSED, and FINALIZING to take that back.
async fn unfit_state(conn: &mut PgConnection, content: &[u8]) -> anyhow::Result<Option<String>> {
    let state = State::parse(&paths::state(), content)?;
    let round = state.current_round;
    let current: Option<(i32, String)> = sqlx::query_as(
        "SELECT round, stage FROM round WHERE stage <> 'closed' ORDER BY round DESC LIMIT 1",
    )
    .fetch_optional(conn)
    .await?;
    let Some((current, stage)) = current else {
        return Ok(None);
    };
    let has_just_ended = current == round.next().0 as i32
        && matches!(state.stage, Stage::Paused | Stage::Finalizing);
    if has_just_ended {
        return Ok(None);
    }
    if current != round.0 as i32 {
        return Ok(Some(format!(
            "state.json: expected current_round {current}, found {round}"
        )));
    }
    if state.stage != Stage::Paused && state.stage.to_string() != stage {
        return Ok(Some(format!(
            "state.json: expected stage `paused`, or `{stage}`, in which the round is; found `{}`",
            state.stage
        )));
    }
    Ok(None)
}

/// A person set the stage: PAUSED stops the round at the next step boundary, anything else lets it go on, with what was held
/// meanwhile.
async fn apply_stage(
    conn: &mut PgConnection,
    content: &[u8],
    operator: &Operator<'_>,
) -> anyhow::Result<()> {
    let state = State::parse(&paths::state(), content)?;
    let is_paused = says_paused(content);
    if !is_paused {
        db::conflict::withdraw(conn, &paths::state()).await?;
    }
    let mut changed = 0;
    for round in rounds_meant(conn, &state).await? {
        let filter = Filter {
            round: Some(round),
            ..Filter::default()
        };
        changed += if is_paused {
            db::operator::pause(conn, &filter, operator).await?
        } else {
            db::operator::resume(conn, &filter, operator).await?
        };
    }
    tracing::info!(round.number = %state.current_round, stage = %state.stage, jobs = changed, "the stage was set by hand");
    Ok(())
}

/// The round that a `state.json` names, and the next one if it has begun meanwhile: whoever pauses a round that ends wants the
/// competition to stand still.
async fn rounds_meant(conn: &mut PgConnection, state: &State) -> sqlx::Result<Vec<i32>> {
    let named = state.current_round.0 as i32;
    let begun: Option<i32> =
        sqlx::query_scalar("SELECT round FROM round WHERE round = $1 AND stage <> 'closed'")
            .bind(named + 1)
            .fetch_optional(conn)
            .await?;
    Ok([named].into_iter().chain(begun).collect())
}

/// A version of a file in the record of actions.
pub(super) fn shown(content: Option<&[u8]>) -> Value {
    match content {
        None => Value::Null,
        Some(content) => json!({
            "sha256": hex::encode(Sha256::digest(content)),
            "bytes": content.len(),
        }),
    }
}
