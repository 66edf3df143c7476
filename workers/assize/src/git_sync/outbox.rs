//! From outbox rows to commits on the remote.

use std::{collections::HashMap, sync::Arc};

use anyhow::Context as _;
use schema::messages;
use sqlx::PgPool;
use workflow::{
    db::{self, mirror::PendingChange},
    engine::MirrorChange,
};

use crate::repository::{Change, Conflict, MirrorRepository, Oid, PublishOutcome, PushOutcome};

/// Outbox rows looked at in one push.
const ROWS: i64 = 500;
/// Steps that may share a commit: each is named in a trailer.
const STEPS_PER_COMMIT: usize = 40;
/// Pushes before the loop takes a breath.
const PUSH_TRIES: usize = 5;

/// The rows of some steps that travel in one commit.
#[derive(Default)]
struct Group {
    rows: Vec<i64>,
    changes: Vec<Change>,
    messages: Vec<String>,
    steps: Vec<(String, i32)>,
    urgent: bool,
}

/// Pushes the oldest rows; false when there are none.
///
/// # Errors
///
/// If the database or the remote fails. Then the rows are still waiting.
pub(super) async fn push_batch(
    pool: &PgPool,
    mirror: &Arc<MirrorRepository>,
) -> anyhow::Result<bool> {
    let pending = db::mirror::pending(&mut *pool.acquire().await?, ROWS).await?;
    if pending.is_empty() {
        return Ok(false);
    }
    let mut groups = group(pending);
    // A push ends with an urgent commit: the image build is found by the last message of a push.
    if let Some(urgent) = groups.iter().position(|group| group.urgent) {
        groups.truncate(urgent + 1);
    }
    let repository = mirror.clone();
    let mirrored =
        tokio::task::spawn_blocking(move || commit_and_push(&repository, groups)).await??;
    let mut transaction = pool.begin().await?;
    for (rows, commit) in mirrored.commits {
        db::mirror::mark_mirrored(&mut transaction, &rows, &commit.to_string()).await?;
    }
    for conflict in &mirrored.conflicts {
        keep_conflict(&mut transaction, conflict).await?;
    }
    transaction.commit().await?;
    Ok(true)
}

struct Mirrored {
    commits: Vec<(Vec<i64>, Oid)>,
    conflicts: Vec<Conflict>,
}

/// Steps are never torn apart. Urgent ones (stage changes) have a commit of their own; the others share.
fn group(pending: Vec<PendingChange>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut open: HashMap<(i64, i32), usize> = HashMap::new();
    for row in pending {
        let step = (row.job_id, row.attempt);
        let place = match open.get(&step) {
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
                groups[place].steps.push((row.step.clone(), row.attempt));
                open.insert(step, place);
                place
            }
        };
        groups[place].rows.push(row.id);
        groups[place].messages.push(row.message);
        groups[place].changes.push(change(row.change));
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

fn commit_and_push(mirror: &MirrorRepository, groups: Vec<Group>) -> anyhow::Result<Mirrored> {
    // What an interrupted run left is made again from the rows.
    mirror.drop_unpushed()?;
    let mut commits: Vec<(Vec<i64>, Option<Oid>)> = Vec::new();
    let mut conflicts = Vec::new();
    for group in groups {
        let trailers: Vec<(String, String)> = group
            .steps
            .into_iter()
            .flat_map(|(step, attempt)| {
                [
                    ("Assize-Step".to_owned(), step),
                    ("Assize-Attempt".to_owned(), attempt.to_string()),
                ]
            })
            .collect();
        let committed =
            mirror.commit(&group.changes, &messages::joined(group.messages), &trailers)?;
        conflicts.extend(committed.conflicts);
        commits.push((group.rows, committed.commit.map(|commit| commit.oid)));
    }
    let published = mirror.publish(PUSH_TRIES)?;
    if published.push == PushOutcome::Rejected {
        mirror.drop_unpushed()?;
        anyhow::bail!(
            "others keep pushing to the state repository; the outbox waits and is tried again"
        );
    }
    conflicts.extend(
        published
            .rebased
            .iter()
            .flat_map(|rebased| rebased.conflicts.clone()),
    );
    let tip = mirror
        .head()
        .context("the pushed commit is not in the local clone")?;
    let commits = commits
        .into_iter()
        .map(|(rows, commit)| (rows, commit.map_or(tip, |commit| after(&published, commit))))
        .collect();
    Ok(Mirrored { commits, conflicts })
}

/// What a commit became by the rebases of lost races.
fn after(published: &PublishOutcome, commit: Oid) -> Oid {
    published
        .rebased
        .iter()
        .flat_map(|rebased| &rebased.commits)
        .fold(commit, |now, rebased| {
            if rebased.before == now {
                rebased.after.as_ref().map_or(now, |commit| commit.oid)
            } else {
                now
            }
        })
}

async fn keep_conflict(conn: &mut sqlx::PgConnection, conflict: &Conflict) -> sqlx::Result<()> {
    tracing::warn!(mirror.path = %conflict.path, owner = ?conflict.owner, because = ?conflict.because,
        "a change was held because somebody else edited the same part of the file");
    sqlx::query(
        "INSERT INTO mirror_conflict (path, owner, because, ours, theirs, commit_sha) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&conflict.path)
    .bind(format!("{:?}", conflict.owner).to_lowercase())
    .bind(format!("{:?}", conflict.because))
    .bind(&conflict.ours)
    .bind(&conflict.theirs)
    .bind(conflict.commit.map(|commit| commit.to_string()))
    .execute(conn)
    .await
    .map(drop)
}
