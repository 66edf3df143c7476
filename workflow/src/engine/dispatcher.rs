//! The dispatcher: claims due jobs in batches, as many as there are free slots, and hands them to the worker loop.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use sqlx::{Connection as _, PgConnection};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    db::{self, job::Taken},
    engine::{
        commit::Claim,
        connection::OwnConnection,
        listener::Hints,
        registry::Registry,
        running::{Holding, Running, Slot},
    },
};

/// How often to look for work although nobody said there is some.
const POLL_EVERY: Duration = Duration::from_secs(10);
/// Between tries while the database does not answer.
const AFTER_FAILURE: Duration = Duration::from_millis(300);
/// When to compare what is held with the database once more after something failed: a claim whose answer was lost may commit
/// after the first look.
const SOON: Duration = Duration::from_secs(1);

/// A claimed job with its slot, on its way to a handler.
pub(crate) struct Claimed {
    pub(crate) claim: Claim,
    pub(crate) cancelled: CancellationToken,
    pub(crate) slot: Slot,
    pub(crate) holding: Holding,
}

/// Claims for one life of a worker.
pub(crate) struct Dispatcher {
    pub(crate) connection: OwnConnection,
    pub(crate) worker: i64,
    pub(crate) registry: Registry,
    pub(crate) running: Running,
    pub(crate) hints: Arc<Hints>,
    pub(crate) claimed: mpsc::Sender<Claimed>,
}

/// What the dispatcher remembers between looks.
struct Memory {
    /// What had been said of a queue when a claim last found it empty: anything said since is news.
    empty_at: HashMap<String, u64>,
    /// Queues with limits, as of this many changes of limits.
    limited: HashSet<String>,
    limits_known: u64,
    /// When a rate limit allows more.
    again_at: HashMap<String, Instant>,
    /// When to look at everything again.
    poll_at: Instant,
    /// A claim failed. Perhaps it was committed and only its answer got lost; perhaps the server died and forgot earlier ones.
    in_doubt: bool,
}

impl Dispatcher {
    /// Claims until `stop`; ending drops the sender, which ends the worker loop once its jobs are done.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut memory = Memory {
            empty_at: HashMap::new(),
            limited: HashSet::new(),
            limits_known: 0,
            again_at: HashMap::new(),
            poll_at: Instant::now() + POLL_EVERY,
            in_doubt: false,
        };
        while !stop.is_cancelled() {
            if memory.in_doubt || memory.poll_at <= Instant::now() {
                self.hints.tell_all();
                // First: the number of a forgotten claim may come again, and its handler should be stopping by then.
                if let Err(error) = self.compare().await {
                    tracing::debug!(error = %error, "cannot compare what is held now");
                    memory.in_doubt = true;
                    until_later(&stop).await;
                    continue;
                }
                memory.poll_at = Instant::now() + if memory.in_doubt { SOON } else { POLL_EVERY };
                memory.in_doubt = false;
            }
            let (told, limits) = self.hints.snapshot();
            let wanted: Vec<(String, i32)> = self
                .running
                .free()
                .into_iter()
                .filter(|(queue, free)| *free > 0 && told.get(queue) != memory.empty_at.get(queue))
                .collect();
            if wanted.is_empty() {
                self.wait(&mut memory, &stop).await;
                continue;
            }
            match self.claim(&mut memory, &wanted, limits).await {
                Ok(taken) => {
                    for (queue, asked) in &wanted {
                        if taken.taken.get(queue).copied().unwrap_or(0)
                            < usize::try_from(*asked).unwrap_or(0)
                        {
                            memory
                                .empty_at
                                .insert(queue.clone(), told.get(queue).copied().unwrap_or(0));
                        }
                    }
                    for claim in taken.claims {
                        let (slot, holding, cancelled) = self.running.occupy(&claim);
                        if self
                            .claimed
                            .send(Claimed {
                                claim,
                                cancelled,
                                slot,
                                holding,
                            })
                            .await
                            .is_err()
                        {
                            return;
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!(error = %error, "cannot claim work now");
                    memory.in_doubt = true;
                    until_later(&stop).await;
                }
            }
        }
    }

    /// Until there may be something to do.
    async fn wait(&self, memory: &mut Memory, stop: &CancellationToken) {
        let again_at = memory.again_at.values().min().copied();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.hints.changed.notified() => {}
            () = tokio::time::sleep_until(again_at.unwrap_or(memory.poll_at).min(memory.poll_at)) => {}
        }
        let now = Instant::now();
        let due: Vec<String> = memory
            .again_at
            .extract_if(|_, at| *at <= now)
            .map(|(queue, _)| queue)
            .collect();
        if !due.is_empty() {
            self.hints.tell(due.iter().map(String::as_str));
        }
    }

    /// Compares what this worker knows it holds with what the database says: attempts that were taken away without our
    /// hearing of it are told to stop, and jobs claimed in our name without our hearing of it are given back.
    ///
    /// Nobody else claims for this worker, so what is unknown now stays unknown.
    async fn compare(&mut self) -> sqlx::Result<()> {
        let held = self.running.held();
        let worker = self.worker;
        let compared = self.connection.run(async |conn| {
            let ours: HashSet<(i64, i32)> = db::worker::held_by(conn, worker)
                .await?
                .into_iter()
                .collect();
            if ours.iter().any(|attempt| !held.contains(attempt)) {
                let released = db::worker::release_unknown(conn, worker, &held).await?;
                tracing::warn!(
                    jobs = released,
                    "gave back jobs whose claim was never answered"
                );
            }
            Ok(ours)
        });
        let ours = compared.await?;
        held.iter()
            .filter(|attempt| !ours.contains(attempt))
            .for_each(|(job, attempt)| self.running.cancel(*job, *attempt));
        Ok(())
    }

    async fn claim(
        &mut self,
        memory: &mut Memory,
        wanted: &[(String, i32)],
        limits: u64,
    ) -> sqlx::Result<Taken> {
        if memory.limits_known != limits {
            memory.limited = self
                .connection
                .run(async |conn| db::queue::limited(conn).await)
                .await?
                .into_iter()
                .collect();
            memory.limits_known = limits;
        }
        let (limited, free): (Vec<_>, Vec<_>) = wanted
            .iter()
            .cloned()
            .partition(|(queue, _)| memory.limited.contains(queue));
        let worker = self.worker;
        let mut taken = Taken::default();
        if !free.is_empty() {
            let (queues, most): (Vec<String>, Vec<i32>) = free.into_iter().unzip();
            taken = self
                .connection
                .run(async |conn| db::job::claim(conn, worker, &queues, &most, false).await)
                .await?;
        }
        if !limited.is_empty() {
            let (queues, most): (Vec<String>, Vec<i32>) = limited.into_iter().unzip();
            let claim = self
                .connection
                .run(async |conn| claim_limited(conn, worker, &queues, &most).await);
            // What the first claim took is ours already: a failure of the second must not lose it.
            match claim.await {
                Ok((more, again)) => {
                    taken.claims.extend(more.claims);
                    taken.taken.extend(more.taken);
                    memory.again_at.extend(
                        again
                            .into_iter()
                            .map(|(queue, wait)| (queue, Instant::now() + wait)),
                    );
                }
                Err(error) if taken.claims.is_empty() => return Err(error),
                Err(error) => self.put_off(memory, &queues, &error),
            }
        }
        self.remember(memory, &mut taken).await;
        Ok(taken)
    }

    fn put_off(&self, memory: &mut Memory, queues: &[String], error: &sqlx::Error) {
        tracing::warn!(error = %error, "cannot claim from limited queues now");
        memory.in_doubt = true;
        memory.again_at.extend(
            queues
                .iter()
                .map(|queue| (queue.clone(), Instant::now() + AFTER_FAILURE)),
        );
    }

    /// Gives claimed flows their memory. Flows that cannot have it are dropped: they are found again by [`Self::compare`].
    async fn remember(&mut self, memory: &mut Memory, taken: &mut Taken) {
        let is_asking = |claim: &Claim, registry: &Registry| {
            claim.kind == "flow"
                && claim.attempt > 1
                && registry
                    .find_flow(&claim.name)
                    .is_some_and(|flow| flow.remembers())
        };
        let flows: Vec<i64> = taken
            .claims
            .iter()
            .filter(|claim| is_asking(claim, &self.registry))
            .map(|claim| claim.id)
            .collect();
        if flows.is_empty() {
            return;
        }
        match self
            .connection
            .run(async |conn| db::job::histories(conn, &flows).await)
            .await
        {
            Ok(mut histories) => {
                for claim in &mut taken.claims {
                    claim.history = histories.remove(&claim.id).unwrap_or_default();
                }
            }
            Err(error) => {
                tracing::warn!(error = %error, "cannot read what flows remember now");
                taken.claims.retain(|claim| !flows.contains(&claim.id));
                memory.in_doubt = true;
            }
        }
    }
}

/// Waits before another try with a database that does not answer.
async fn until_later(stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(AFTER_FAILURE) => {}
    }
}

/// Claims from queues with limits, one transaction after the other over all replicas. Answers also which queues may give more
/// after how long.
async fn claim_limited(
    conn: &mut PgConnection,
    worker: i64,
    queues: &[String],
    most: &[i32],
) -> sqlx::Result<(Taken, Vec<(String, Duration)>)> {
    let mut transaction = conn.begin().await?;
    let allowances = db::queue::allowances(&mut transaction, queues, most).await?;
    let allowed = |(queue, most): (&String, &i32)| {
        allowances
            .iter()
            .find(|allowance| allowance.name == *queue)
            .map_or(*most, |allowance| allowance.allowed)
    };
    let most: Vec<i32> = queues.iter().zip(most).map(allowed).collect();
    let taken = db::job::claim(&mut transaction, worker, queues, &most, true).await?;
    for allowance in allowances
        .iter()
        .filter(|allowance| allowance.bucket.is_some())
    {
        let started = taken
            .claims
            .iter()
            .filter(|claim| claim.queue == allowance.name)
            .count();
        db::queue::spend(
            &mut transaction,
            allowance,
            i32::try_from(started).unwrap_or(i32::MAX),
        )
        .await?;
    }
    transaction.commit().await?;
    let again = allowances.into_iter().filter_map(|allowance| {
        Some((
            allowance.name,
            Duration::try_from_secs_f64(allowance.again_seconds?).ok()?,
        ))
    });
    Ok((taken, again.collect()))
}
