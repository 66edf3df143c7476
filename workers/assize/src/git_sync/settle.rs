//! What operators decided about edits of our files, carried out: on the remote first, then in the database.

use std::sync::Arc;

use anyhow::Context as _;
use serde_json::json;
use sqlx::PgPool;
use workflow::db::{
    self,
    conflict::{ConflictRow, HeldChange},
    operator::Operator,
};

use super::{
    adopt::adopt,
    edits::shown,
    outbox::{self, Group, Pushed},
};
use crate::repository::{Change, Contested, MirrorRepository, after_acceptance, after_rejection};

/// Carries out the oldest decision that is not yet. `None` when there is none. What the push did is to be recorded by
/// [`record`].
///
/// Safe to repeat after a crash at any point: the file is made as decided, then the held changes are made, and both leave
/// alone what already is so.
///
/// # Errors
///
/// If the remote or the database fails. Then the decision is still to be carried out.
pub(super) async fn carry_out(
    pool: &PgPool,
    mirror: &Arc<MirrorRepository>,
) -> anyhow::Result<Option<(ConflictRow, Pushed)>> {
    let mut conn = pool.acquire().await?;
    let decided = db::conflict::unsettled(&mut conn)
        .await?
        .into_iter()
        .find(|conflict| conflict.decision.is_some());
    let Some(conflict) = decided else {
        return Ok(None);
    };
    let contested: Contested = serde_json::from_value(conflict.contested.clone())
        .with_context(|| format!("conflict {} cannot be read back", conflict.id))?;
    let held = db::conflict::held(&mut conn, conflict.id)
        .await?
        .into_iter()
        .map(|held| change(&conflict.path, held))
        .collect::<anyhow::Result<Vec<Change>>>()?;
    drop(conn);

    let repository = mirror.clone();
    let row = conflict.clone();
    let (message, changes) = tokio::task::spawn_blocking(move || {
        repository.drop_unpushed()?;
        let now = repository.read(&row.path)?;
        // From here on our changes go through; a restart protects the file again until this is recorded.
        repository.resolve(&row.path)?;
        anyhow::Ok(decided_changes(&row, &contested, held, now.as_deref()))
    })
    .await??;
    let group = Group::of_step(&format!("conflict/{}", conflict.id), message, changes);
    let pushed = outbox::push(mirror, vec![group]).await?;
    Ok(Some((conflict, pushed)))
}

/// Records a decision that was carried out: an accepted edit is what the round knows from now on.
///
/// # Errors
///
/// If the database fails, or an accepted file cannot be read.
pub(super) async fn record(
    pool: &PgPool,
    mirror: &Arc<MirrorRepository>,
    conflict: &ConflictRow,
    pushed: &Pushed,
) -> anyhow::Result<()> {
    let path = conflict.path.clone();
    let repository = mirror.clone();
    let now = tokio::task::spawn_blocking(move || repository.read(&path)).await??;
    let decision = conflict.decision.as_deref().unwrap_or_default();
    let mut transaction = pool.begin().await?;
    if decision == "accepted" {
        let before = conflict.before.as_deref();
        adopt(&mut transaction, &conflict.path, before, now.as_deref()).await?;
    }
    if let (Some(name), Some(reason)) = (&conflict.decided_by, &conflict.reason) {
        let operator = Operator { name, reason };
        let action = if decision == "accepted" {
            "accept-edit"
        } else {
            "reject-edit"
        };
        let mut before = shown(conflict.before.as_deref());
        if decision != "accepted" {
            before = shown(conflict.theirs.as_deref());
        }
        let mut after = shown(now.as_deref());
        if after.is_object() {
            after["edited_by"] = json!(conflict.author);
            after["commit"] = json!(conflict.commit_sha);
        }
        db::operator::record(
            &mut transaction,
            &operator,
            action,
            &conflict.path,
            before,
            after,
        )
        .await?;
    }
    db::conflict::settle(&mut transaction, conflict.id).await?;
    // What is held now met yet another edit: it waits for that one's decision.
    outbox::acknowledge(&mut transaction, pushed).await?;
    transaction.commit().await?;
    tracing::info!(mirror.path = %conflict.path, conflict = conflict.id, decision, "an edit was decided upon");
    Ok(())
}

/// What makes the file as decided, with the commit's message.
fn decided_changes(
    conflict: &ConflictRow,
    contested: &Contested,
    held: Vec<Change>,
    now: Option<&[u8]>,
) -> (String, Vec<Change>) {
    let path = &conflict.path;
    let theirs = conflict.theirs.as_deref();
    match conflict.decision.as_deref() {
        Some("accepted") => (
            format!("Go on after the accepted edit of {path}"),
            after_acceptance(contested, theirs, held),
        ),
        Some("rejected") => {
            let mut changes = after_rejection(contested, conflict.before.as_deref(), theirs, now);
            changes.extend(held);
            (format!("Take back the edit of {path}"), changes)
        }
        _ => (format!("Go on with {path}"), held),
    }
}

fn change(path: &str, held: HeldChange) -> anyhow::Result<Change> {
    Change::from_stored(&held.change, path, &held.content)
        .with_context(|| format!("a held change of step {} cannot be made", held.step))
}
