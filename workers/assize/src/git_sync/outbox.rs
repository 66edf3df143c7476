//! From outbox rows to commits on the remote.

use std::{collections::HashMap, sync::Arc};

use anyhow::Context as _;
use schema::messages;
use sqlx::{PgConnection, PgPool};
use workflow::{
    db::{self, conflict::HeldChange, mirror::PendingChange},
    engine::MirrorChange,
};

use crate::repository::{
    ATTEMPT_TRAILER, Change, Conflict, Contested, HeldBecause, MirrorRepository, Oid, Owner,
    PublishOutcome, PushOutcome, STEP_TRAILER, Touched,
};

/// Outbox rows looked at in one push.
const ROWS: i64 = 500;
/// Steps that may share a commit: each is named in a trailer.
const STEPS_PER_COMMIT: usize = 40;
/// Pushes before the loop takes a breath.
const PUSH_TRIES: usize = 5;
/// Commits of the remote that are looked at for steps whose push was not acknowledged: more than one push makes.
const COMMITS_LOOKED_AT: usize = 300;

/// The changes of some steps that travel in one commit.
#[derive(Default)]
pub(super) struct Group {
    rows: Vec<i64>,
    changes: Vec<(Step, Change)>,
    messages: Vec<String>,
    steps: Vec<Step>,
    urgent: bool,
}

/// Key and attempt of a step.
type Step = (String, i32);

impl Group {
    /// The changes of one step without outbox rows.
    pub(super) fn of_step(step: &str, message: String, changes: Vec<Change>) -> Self {
        let step = (step.to_owned(), 1);
        Self {
            changes: changes
                .into_iter()
                .map(|change| (step.clone(), change))
                .collect(),
            messages: vec![message],
            steps: vec![step],
            ..Self::default()
        }
    }
}

/// What became of a push.
pub(super) struct Pushed {
    /// Outbox rows with the commit in which they are on the remote.
    commits: Vec<(Vec<i64>, Oid)>,
    /// Changes that were held, with the step they are from.
    held: Vec<(Step, Conflict)>,
    /// What the mirror protects now.
    contested: Vec<Contested>,
    /// Others had pushed: their commits wait to be read.
    pub(super) met_others: bool,
}

/// Pushes the oldest rows; `None` when there are none. What it did is to be recorded by [`acknowledge`].
///
/// # Errors
///
/// If the database or the remote fails. Then the rows are still waiting.
pub(super) async fn push_batch(
    pool: &PgPool,
    mirror: &Arc<MirrorRepository>,
) -> anyhow::Result<Option<Pushed>> {
    let pending = db::mirror::pending(&mut *pool.acquire().await?, ROWS).await?;
    if pending.is_empty() {
        return Ok(None);
    }
    let mut groups = group(pending);
    // A push ends with an urgent commit: the image build is found by the last message of a push.
    if let Some(urgent) = groups.iter().position(|group| group.urgent) {
        groups.truncate(urgent + 1);
    }
    push(mirror, groups).await.map(Some)
}

/// Commits the groups and pushes them.
///
/// # Errors
///
/// If the remote fails.
pub(super) async fn push(
    mirror: &Arc<MirrorRepository>,
    groups: Vec<Group>,
) -> anyhow::Result<Pushed> {
    let repository = mirror.clone();
    tokio::task::spawn_blocking(move || commit_and_push(&repository, groups)).await?
}

/// Records what a push did: rows on the remote, changes that wait.
pub(super) async fn acknowledge(conn: &mut PgConnection, pushed: &Pushed) -> anyhow::Result<()> {
    for (rows, commit) in &pushed.commits {
        db::mirror::mark_mirrored(conn, rows, &commit.to_string()).await?;
    }
    for (step, conflict) in &pushed.held {
        hold(conn, step, conflict, &pushed.contested).await?;
    }
    Ok(())
}

/// Acknowledges rows that an interrupted run has pushed without learning of it. Their steps stand in the trailers of the
/// remote; to commit an old one again would undo what a later one has changed since.
///
/// # Errors
///
/// If the clone or the database cannot be read.
pub(super) async fn acknowledge_published(
    pool: &PgPool,
    mirror: &Arc<MirrorRepository>,
) -> anyhow::Result<()> {
    let pending = db::mirror::pending(&mut *pool.acquire().await?, ROWS).await?;
    if pending.is_empty() {
        return Ok(());
    }
    let recovered_from = db::recovered::recovered_from(&mut *pool.acquire().await?)
        .await?
        .map(|commit| Oid::from_str(&commit))
        .transpose()
        .context("the commit that the database was recovered from is none")?;
    let repository = mirror.clone();
    let published = tokio::task::spawn_blocking(move || {
        repository.published_steps(COMMITS_LOOKED_AT, recovered_from)
    })
    .await??;
    let contested = mirror.contested();
    let mut transaction = pool.begin().await?;
    let mut found = 0;
    for row in pending {
        let step = (row.step, row.attempt);
        let Some(commit) = published.get(&step) else {
            continue;
        };
        let change = change(row.change);
        // A held change of the step did not travel with it, and what was held may not have been recorded.
        if mirror.would_hold(&change) {
            let conflict = Conflict {
                path: change.path().to_owned(),
                owner: Owner::Assize,
                because: HeldBecause::EditedByOthers,
                change,
                ours: None,
                theirs: None,
                commit: None,
            };
            hold(&mut transaction, &step, &conflict, &contested).await?;
        }
        db::mirror::mark_mirrored(&mut transaction, &[row.id], &commit.to_string()).await?;
        found += 1;
    }
    transaction.commit().await?;
    if found > 0 {
        tracing::info!(
            mirror.files = found,
            "the remote had received what an interrupted push sent"
        );
    }
    Ok(())
}

/// Steps are never torn apart. Urgent ones (stage changes) have a commit of their own; the others share.
fn group(pending: Vec<PendingChange>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut open: HashMap<(i64, i32), usize> = HashMap::new();
    for row in pending {
        let step = (row.step, row.attempt);
        let place = match open.get(&(row.job_id, row.attempt)) {
            Some(place) => *place,
            None => {
                let shares = groups.last().is_some_and(|last| {
                    !last.urgent && !row.urgent && last.steps.len() < STEPS_PER_COMMIT
                });
                if !shares {
                    groups.push(Group {
                        urgent: row.urgent,
                        ..Group::default()
                    });
                }
                let place = groups.len() - 1;
                groups[place].steps.push(step.clone());
                open.insert((row.job_id, row.attempt), place);
                place
            }
        };
        groups[place].rows.push(row.id);
        groups[place].messages.push(row.message);
        groups[place].changes.push((step, change(row.change)));
    }
    groups
}

fn change(change: MirrorChange) -> Change {
    match change {
        MirrorChange::Put { path, content } => Change::Put { path, content },
        MirrorChange::MergeEntry { path, key, value } => Change::MergeEntry { path, key, value },
        MirrorChange::MatrixRow {
            path,
            left,
            right,
            margin,
        } => Change::MatrixRow {
            path,
            left,
            right,
            margin,
        },
        MirrorChange::AppendLine { path, line } => Change::AppendLine { path, line },
    }
}

fn commit_and_push(mirror: &MirrorRepository, groups: Vec<Group>) -> anyhow::Result<Pushed> {
    // What an interrupted run left is made again from the rows.
    mirror.drop_unpushed()?;
    let mut commits: Vec<(Vec<i64>, Option<Oid>)> = Vec::new();
    let mut conflicts = Vec::new();
    let mut sources: Vec<(Step, Change)> = Vec::new();
    for mut group in groups {
        super::ledger::complete(mirror, &group.steps, &mut group.changes)?;
        let trailers: Vec<(String, String)> = group
            .steps
            .into_iter()
            .flat_map(|(step, attempt)| {
                [
                    (STEP_TRAILER.to_owned(), step),
                    (ATTEMPT_TRAILER.to_owned(), attempt.to_string()),
                ]
            })
            .collect();
        let changes: Vec<Change> = group
            .changes
            .iter()
            .map(|(_, change)| change.clone())
            .collect();
        let committed = mirror.commit(&changes, &messages::joined(group.messages), &trailers)?;
        conflicts.extend(committed.conflicts);
        commits.push((group.rows, committed.commit.map(|commit| commit.oid)));
        sources.extend(group.changes);
    }
    let published = mirror.publish(PUSH_TRIES)?;
    if published.push == PushOutcome::Rejected {
        mirror.drop_unpushed()?;
        anyhow::bail!(
            "others keep pushing to the state repository; the outbox waits and is tried again"
        );
    }
    let rebased = published.rebased.iter();
    conflicts.extend(rebased.flat_map(|rebased| rebased.conflicts.clone()));
    let tip = mirror
        .head()
        .context("the pushed commit is not in the local clone")?;
    let commits = commits
        .into_iter()
        .map(|(rows, commit)| {
            let stands_in = commit.and_then(|commit| after(&published, commit));
            (rows, stands_in.unwrap_or(tip))
        })
        .collect();
    let held = conflicts
        .into_iter()
        .map(|conflict| {
            let source = sources
                .iter()
                .position(|(_, change)| *change == conflict.change)
                .map(|index| sources.remove(index).0);
            (source.unwrap_or_default(), conflict)
        })
        .collect();
    Ok(Pushed {
        commits,
        held,
        contested: mirror.contested(),
        met_others: published.fetched.is_some(),
    })
}

/// The commit with which the changes of `commit` stand in the history after the rebases of lost races.
fn after(published: &PublishOutcome, commit: Oid) -> Option<Oid> {
    published
        .rebased
        .iter()
        .flat_map(|rebased| &rebased.commits)
        .try_fold(commit, |now, rebased| {
            if rebased.before == now {
                rebased.stands_in
            } else {
                Some(now)
            }
        })
}

/// Keeps a change until somebody has decided about the edit in its way.
async fn hold(
    conn: &mut PgConnection,
    step: &Step,
    conflict: &Conflict,
    contested: &[Contested],
) -> anyhow::Result<()> {
    tracing::warn!(mirror.path = %conflict.path, owner = ?conflict.owner, because = ?conflict.because, job.step = %step.0,
        "a change waits because somebody else edited the same part of the file");
    let id = match db::conflict::of_path(conn, &conflict.path).await? {
        Some(id) => id,
        // Edits of our files are recorded when they are read. This one is of a file that people own, or the file has long been
        // unreadable: there is no earlier version to go back to.
        None => {
            let known = contested
                .iter()
                .find(|contested| contested.path == conflict.path)
                .cloned();
            let protected = known.unwrap_or_else(|| Contested {
                path: conflict.path.clone(),
                owner: conflict.owner,
                commit: "0".repeat(40),
                touched: Touched::WholeFile,
                before: None,
            });
            let edit = db::conflict::Edit {
                path: &conflict.path,
                owner: match conflict.owner {
                    Owner::People => "people",
                    Owner::Assize => "assize",
                },
                author: "unknown",
                commit_sha: &protected.commit,
                contested: serde_json::to_value(&protected)?,
                before: conflict.theirs.as_deref(),
                theirs: conflict.theirs.as_deref(),
            };
            db::conflict::open(conn, &edit).await?
        }
    };
    let because = match &conflict.because {
        HeldBecause::EditedByOthers => "somebody else edited the same part of the file".to_owned(),
        HeldBecause::Unreadable(expected) => format!("the file cannot be patched: {expected}"),
    };
    let held = HeldChange {
        step: step.0.clone(),
        attempt: step.1,
        because,
        change: conflict.change.kind().to_owned(),
        content: conflict.change.content(),
    };
    db::conflict::hold(conn, id, &held).await?;
    Ok(())
}
