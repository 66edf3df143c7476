//! Commits: the one place where attempts end.
//!
//! Ends travel in batches, each batch one transaction of a few statements. The transaction first locks every row it will
//! touch in ascending id (the jobs it ends, the flows its inline steps belong to, the parents it wakes), which is both the
//! fence and the lock order. An end whose attempt is no longer the current one changes nothing ([`Verdict::Fenced`]); one
//! that the database already shows (the answer to a COMMIT was lost) is [`Verdict::Applied`] again without a second write.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};

use crate::{
    db,
    engine::{
        effects::Effects,
        flow::{ChildState, NewJob},
    },
};

/// A job that a worker holds.
#[derive(Debug, Clone)]
pub struct Claim {
    /// `job.id`.
    pub id: i64,
    /// Fencing token.
    pub attempt: i32,
    /// `flow` or `step`.
    pub kind: String,
    /// Stored name.
    pub name: String,
    /// Flow version.
    pub version: i32,
    /// Stored key.
    pub key: String,
    /// The flow that asked for it.
    pub parent_id: Option<i64>,
    /// Competition round.
    pub round: Option<i32>,
    /// Queue it came from.
    pub queue: String,
    /// Failures so far.
    pub failures: i16,
    /// Failures before parking.
    pub max_failures: i16,
    /// JSON.
    pub input: Value,
    /// The database's time of the claim.
    pub claimed_at: DateTime<Utc>,
    /// Children, for a flow that has run before.
    pub history: HashMap<String, ChildState>,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub enum End {
    /// With a result.
    Completed {
        /// The result.
        output: Value,
        /// What commits with it.
        effects: Effects,
    },
    /// A flow's pass waits for children.
    Suspended {
        /// Work to start.
        starts: Vec<NewJob>,
        /// Unfinished children nobody needs: key and reason.
        moot: Vec<(String, String)>,
        /// Whether it waits for a join.
        joins: bool,
        /// What commits with it (reconcilers).
        effects: Effects,
    },
    /// Not now; costs nothing.
    Snoozed(Duration),
    /// Our failure; due again after the wait.
    Errored {
        /// The error chain.
        error: String,
        /// Backoff.
        wait: Duration,
    },
    /// Our failure, and failures ran out.
    Parked(String),
    /// Failures ran out, and the flow is told.
    Failed(String),
    /// Given back by a stopping worker; costs nothing.
    Released,
}

/// One end to commit.
#[derive(Debug, Clone)]
pub struct Ending {
    /// The job, or for an inline step the flow whose pass ran it.
    pub claim: Claim,
    /// The inline step to insert, ended; `None` when `claim` itself ends.
    pub inline: Option<NewJob>,
    /// How.
    pub end: End,
    /// How long the attempt ran, by the worker's monotonic clock.
    pub ran: Duration,
}

/// What became of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is in the database, exactly once.
    Applied,
    /// The attempt was no longer the current one: nothing was changed.
    Fenced,
}

/// Commits a batch of ends; one verdict each, in order.
///
/// # Errors
///
/// Whatever the database says; then nothing of the batch is committed, or all of it was and the answer got lost. Calling
/// again with the same batch is always right.
pub async fn commit(pool: &PgPool, worker: i64, batch: &[Ending]) -> sqlx::Result<Vec<Verdict>> {
    let mut transaction = pool.begin().await?;
    let verdicts = apply(&mut transaction, worker, batch).await?;
    transaction.commit().await?;
    Ok(verdicts)
}

/// Applies a batch inside the caller's transaction.
///
/// # Errors
///
/// Whatever the database says.
pub async fn apply(conn: &mut PgConnection, worker: i64, batch: &[Ending]) -> sqlx::Result<Vec<Verdict>> {
    let current = lock(conn, batch).await?;
    let recorded = recorded_inline(conn, batch).await?;
    let mut verdicts = Vec::with_capacity(batch.len());
    let mut live = Vec::with_capacity(batch.len());
    for ending in batch {
        let holds = current.get(&ending.claim.id).filter(|row| row.attempt == ending.claim.attempt && row.claimed_by == Some(worker));
        let verdict = match (holds, &ending.inline) {
            (Some(row), None) if row.state == "running" => {
                live.push(ending);
                Verdict::Applied
            }
            // Only an end of this very attempt leaves the worker's name on a row that no longer runs.
            (Some(_), None) => Verdict::Applied,
            (Some(row), Some(job)) if row.state == "running" => {
                if !recorded.contains(&job.key) {
                    live.push(ending);
                }
                Verdict::Applied
            }
            (_, Some(job)) if recorded.contains(&job.key) => Verdict::Applied,
            _ => Verdict::Fenced,
        };
        verdicts.push(verdict);
    }
    if live.is_empty() {
        return Ok(verdicts);
    }

    let inserted = db::job::insert_inline(conn, worker, &live).await?;
    db::job::end(conn, &live).await?;
    db::attempt::insert(conn, worker, &live, &inserted).await?;
    let mut queues = db::job::wake_parents(conn, &live).await?;
    queues.extend(suspend(conn, &live).await?);
    for ending in &live {
        if let End::Completed { effects, .. } | End::Suspended { effects, .. } = &ending.end
            && !effects.is_empty()
        {
            let job = inserted.get(ending.inline.as_ref().map_or("", |job| job.key.as_str())).copied();
            queues.extend(apply_effects(conn, ending, job.unwrap_or(ending.claim.id), effects).await?);
        }
        if matches!(ending.end, End::Released) || matches!(ending.end, End::Snoozed(wait) if wait.is_zero()) {
            queues.push(ending.claim.queue.clone());
        }
    }
    db::notify_jobs(conn, queues).await?;
    Ok(verdicts)
}

async fn lock(conn: &mut PgConnection, batch: &[Ending]) -> sqlx::Result<HashMap<i64, db::job::Held>> {
    let mut ids: Vec<i64> = Vec::with_capacity(batch.len() * 2);
    for ending in batch {
        ids.push(ending.claim.id);
        let ends = matches!(ending.end, End::Completed { .. } | End::Failed(_)) && ending.inline.is_none();
        ids.extend(ending.claim.parent_id.filter(|_| ends));
    }
    ids.sort_unstable();
    ids.dedup();
    db::job::lock(conn, &ids).await
}

/// Keys of inline steps that an earlier try of this batch has already recorded.
async fn recorded_inline(conn: &mut PgConnection, batch: &[Ending]) -> sqlx::Result<std::collections::HashSet<String>> {
    let keys: Vec<&str> = batch.iter().filter_map(|ending| ending.inline.as_ref().map(|job| job.key.as_str())).collect();
    if keys.is_empty() {
        return Ok(std::collections::HashSet::new());
    }
    db::job::existing_keys(conn, &keys).await
}

async fn suspend(conn: &mut PgConnection, live: &[&Ending]) -> sqlx::Result<Vec<String>> {
    let mut starts: Vec<(Option<i64>, &NewJob)> = Vec::new();
    let mut flows = Vec::new();
    for ending in live {
        if let End::Suspended { starts: new, moot, joins, .. } = &ending.end {
            starts.extend(new.iter().map(|job| (Some(ending.claim.id), job)));
            for (key, reason) in moot {
                db::job::cancel_unfinished(conn, key, reason).await?;
            }
            flows.push((ending.claim.id, *joins));
        }
    }
    if flows.is_empty() {
        return Ok(Vec::new());
    }
    let inserted = db::job::insert(conn, &starts).await?;
    let mut queues = db::job::suspend(conn, &flows, &inserted.ended_parents).await?;
    queues.extend(inserted.queues);
    Ok(queues)
}

async fn apply_effects(conn: &mut PgConnection, ending: &Ending, job_id: i64, effects: &Effects) -> sqlx::Result<Vec<String>> {
    for record in &effects.records {
        record.write(conn).await?;
    }
    if let Some(publication) = &effects.publication {
        let step = ending.inline.as_ref().map_or(ending.claim.key.as_str(), |job| job.key.as_str());
        let attempt = if ending.inline.is_some() { 1 } else { ending.claim.attempt };
        db::mirror::publish(conn, job_id, attempt, step, ending.claim.round, publication).await?;
    }
    let mut queues = Vec::new();
    for (name, payload) in &effects.events {
        queues.extend(db::event::fire(conn, name, payload).await?);
    }
    let starts: Vec<(Option<i64>, &NewJob)> = effects.starts.iter().map(|job| (None, job)).collect();
    queues.extend(db::job::insert(conn, &starts).await?.queues);
    queues.extend(db::job::wake_by_key(conn, &effects.wakes).await?);
    Ok(queues)
}
