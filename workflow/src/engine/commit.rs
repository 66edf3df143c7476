//! Commits: the one place where attempts end.
//!
//! Ends travel in batches. A batch of plain ends, or of plain inline steps, is one statement; everything else is one
//! transaction that first locks all it will touch. Both lock in ascending id, and every write names the attempt it belongs
//! to: an end whose attempt is no longer the current one changes nothing ([`Verdict::Fenced`]), and one that the database
//! already has (the answer to a COMMIT was lost) is not written again.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

use crate::{
    db::{
        self,
        ending::{Held, Recorded, Touched},
    },
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
    /// Lower first; children that name none of their own have it too.
    pub priority: i16,
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
        /// What commits with it (reconcilers).
        effects: Effects,
    },
    /// Not now; costs nothing.
    Snoozed(Duration),
    /// This build cannot run it; left to others and kept with the reason. Costs nothing.
    Declined {
        /// What this build lacks.
        because: String,
        /// When to offer it again.
        wait: Duration,
    },
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
    /// The trace it ran in.
    pub trace: Option<String>,
}

impl Ending {
    fn effects(&self) -> Option<&Effects> {
        match &self.end {
            End::Completed { effects, .. } | End::Suspended { effects, .. } => {
                Some(effects).filter(|effects| !effects.is_empty())
            }
            _ => None,
        }
    }

    /// Which endings it can share a statement with.
    pub(crate) fn company(&self) -> Company {
        match (&self.end, &self.inline) {
            (End::Suspended { .. }, _) => Company::Any,
            _ if self.effects().is_some() => Company::Any,
            (_, Some(_)) => Company::Inline,
            (_, None) => Company::Plain,
        }
    }
}

/// Which endings travel together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Company {
    /// One statement ends them all.
    Plain,
    /// One statement records them all.
    Inline,
    /// A transaction of several statements.
    Any,
}

/// What became of an end.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It is in the database, exactly once.
    Applied,
    /// The attempt was no longer the current one: nothing was changed.
    Fenced,
    /// The inline step was there before; this is what the flow goes on with.
    Known(ChildState),
    /// The database refused the result; the attempt has failed instead.
    Refused,
}

/// Commits a batch of ends; one verdict each, in order.
///
/// # Errors
///
/// Whatever the database says; then nothing of the batch is committed, or all of it was and the answer got lost. Calling
/// again with the same batch is always right.
pub async fn commit(
    conn: &mut PgConnection,
    worker: i64,
    batch: &[Ending],
) -> sqlx::Result<Vec<Verdict>> {
    if batch
        .iter()
        .all(|ending| ending.company() == Company::Plain)
        || batch
            .iter()
            .all(|ending| ending.company() == Company::Inline)
    {
        return apply(conn, worker, batch, &HashMap::new()).await;
    }
    let mut transaction = conn.begin().await?;
    let locked = db::ending::lock(&mut transaction, &touched(batch)).await?;
    let verdicts = apply(&mut transaction, worker, batch, &locked).await?;
    transaction.commit().await?;
    Ok(verdicts)
}

async fn apply(
    conn: &mut PgConnection,
    worker: i64,
    batch: &[Ending],
    locked: &HashMap<i64, Held>,
) -> sqlx::Result<Vec<Verdict>> {
    let is_asleep =
        |ending: &&Ending| ending.inline.is_none() && matches!(ending.end, End::Suspended { .. });
    let plain: Vec<&Ending> = batch
        .iter()
        .filter(|ending| ending.inline.is_none() && !is_asleep(ending))
        .collect();
    let inline: Vec<(&Ending, &NewJob)> = batch
        .iter()
        .filter_map(|ending| Some((ending, ending.inline.as_ref()?)))
        .collect();
    let asleep: Vec<&Ending> = batch
        .iter()
        .filter(is_asleep)
        .filter(|ending| holds(worker, ending, locked))
        .collect();

    let mut ended = db::ending::end(conn, worker, &plain).await?;
    let mut recorded = db::ending::record_inline(conn, worker, &inline)
        .await?
        .into_iter();
    let mut queues = suspend(conn, worker, &asleep).await?;
    ended.extend(asleep.iter().map(|ending| ending.claim.id));
    let late: Vec<(i64, i32)> = batch
        .iter()
        .filter(|ending| ending.inline.is_none() && !ended.contains(&ending.claim.id))
        .map(|ending| (ending.claim.id, ending.claim.attempt))
        .collect();
    let outcomes = db::attempt::outcomes(conn, worker, &late).await?;

    let mut verdicts = Vec::with_capacity(batch.len());
    let mut new_rows = HashSet::new();
    for ending in batch {
        let (verdict, row) = match &ending.inline {
            Some(job) => match recorded.next() {
                Some(Recorded::New(id)) => {
                    if job.is_due(&ending.end) {
                        queues.push(job.queue.clone());
                    }
                    // The same step asked for twice in one breath is one row with one set of effects.
                    (Verdict::Applied, new_rows.insert(id).then_some(id))
                }
                Some(Recorded::Before(state)) => (Verdict::Known(state), None),
                Some(Recorded::Fenced) | None => (Verdict::Fenced, None),
            },
            None if ended.contains(&ending.claim.id) => (Verdict::Applied, Some(ending.claim.id)),
            // The answer to an earlier commit of this end was lost.
            None if outcomes
                .get(&(ending.claim.id, ending.claim.attempt))
                .is_some_and(|kept| kept == db::ending::outcome(&ending.end)) =>
            {
                (Verdict::Applied, None)
            }
            None => (Verdict::Fenced, None),
        };
        if let (Some(row), Some(effects)) = (row, ending.effects()) {
            queues.extend(apply_effects(conn, ending, row, effects).await?);
        }
        verdicts.push(verdict);
    }
    // Locking a due job made claims skip it.
    queues.extend(
        locked
            .values()
            .filter(|held| held.state == "available")
            .map(|held| held.queue.clone()),
    );
    db::notify_jobs(conn, queues).await?;
    Ok(verdicts)
}

fn holds(worker: i64, ending: &Ending, locked: &HashMap<i64, Held>) -> bool {
    locked.get(&ending.claim.id).is_some_and(|held| {
        held.state == "running"
            && held.attempt == ending.claim.attempt
            && held.claimed_by == Some(worker)
    })
}

/// Everything that a batch will lock, so that it is locked in one order.
fn touched(batch: &[Ending]) -> Touched<'_> {
    let mut touched = Touched::default();
    for ending in batch {
        touched.ids.push(ending.claim.id);
        touched
            .ids
            .extend(ending.claim.parent_id.filter(|_| ending.inline.is_none()));
        if let End::Suspended { moot, .. } = &ending.end {
            touched
                .moot
                .extend(moot.iter().map(|(key, _)| key.as_str()));
        }
        if let Some(effects) = ending.effects() {
            touched
                .wakes
                .extend(effects.wakes.iter().map(String::as_str));
            touched
                .events
                .extend(effects.events.iter().map(|(name, _)| name.as_str()));
        }
    }
    touched
}

async fn suspend(
    conn: &mut PgConnection,
    worker: i64,
    asleep: &[&Ending],
) -> sqlx::Result<Vec<String>> {
    if asleep.is_empty() {
        return Ok(Vec::new());
    }
    let mut asked: Vec<(Option<i64>, &NewJob)> = Vec::new();
    for ending in asleep {
        if let End::Suspended { starts, moot, .. } = &ending.end {
            asked.extend(starts.iter().map(|job| (Some(ending.claim.id), job)));
            for (key, reason) in moot {
                db::cancel::cancel_unfinished(conn, &[key], reason).await?;
            }
        }
    }
    let inserted = db::job::insert(conn, &asked).await?;
    let mut queues = db::ending::suspend(conn, worker, asleep, &inserted.told).await?;
    queues.extend(inserted.queues);
    Ok(queues)
}

async fn apply_effects(
    conn: &mut PgConnection,
    ending: &Ending,
    job_id: i64,
    effects: &Effects,
) -> sqlx::Result<Vec<String>> {
    for record in &effects.records {
        record.write(conn).await?;
    }
    if let Some(publication) = &effects.publication {
        let (step, attempt) = match &ending.inline {
            Some(job) => (job.key.as_str(), 1),
            None => (ending.claim.key.as_str(), ending.claim.attempt),
        };
        db::mirror::publish(conn, job_id, attempt, step, ending.claim.round, publication).await?;
    }
    let mut queues = Vec::new();
    for (name, payload) in &effects.events {
        queues.extend(db::event::fire(conn, name, payload).await?);
    }
    let starts: Vec<(Option<i64>, &NewJob)> =
        effects.starts.iter().map(|job| (None, job)).collect();
    queues.extend(db::job::insert(conn, &starts).await?.queues);
    queues.extend(db::job::wake_by_key(conn, &effects.wakes).await?);
    Ok(queues)
}
