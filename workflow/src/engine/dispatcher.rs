//! The dispatcher: claims due jobs in batches, as many as there are free slots, and hands them to the worker loop.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::PgPool;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    db,
    engine::{commit::Claim, listener::Hints},
};

/// How often to look for work although nobody said there is some.
const POLL_EVERY: Duration = Duration::from_secs(10);

/// A claimed job with its slot, on its way to a handler.
pub(crate) struct Claimed {
    pub(crate) claim: Claim,
    pub(crate) cancelled: CancellationToken,
    pub(crate) slot: Slot,
}

/// Frees its place when dropped.
pub(crate) struct Slot {
    job: i64,
    queue: String,
    running: Running,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.running.free(self.job, &self.queue);
    }
}

/// The jobs this worker runs now.
#[derive(Clone)]
pub(crate) struct Running(Arc<RunningInner>);

struct RunningInner {
    /// Free slots by queue, and the tokens of running jobs.
    slots: Mutex<(HashMap<String, i32>, HashMap<i64, CancellationToken>)>,
    hints: Arc<Hints>,
    stop: CancellationToken,
}

impl Running {
    pub(crate) fn new(capacity: &HashMap<String, usize>, hints: Arc<Hints>, stop: CancellationToken) -> Self {
        let free = capacity.iter().map(|(queue, slots)| (queue.clone(), i32::try_from(*slots).unwrap_or(i32::MAX))).collect();
        Self(Arc::new(RunningInner { slots: Mutex::new((free, HashMap::new())), hints, stop }))
    }

    fn occupy(&self, claim: &Claim) -> (Slot, CancellationToken) {
        let token = self.0.stop.child_token();
        let mut slots = self.0.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(free) = slots.0.get_mut(&claim.queue) {
            *free -= 1;
        }
        slots.1.insert(claim.id, token.clone());
        (Slot { job: claim.id, queue: claim.queue.clone(), running: self.clone() }, token)
    }

    fn free(&self, job: i64, queue: &str) {
        let mut slots = self.0.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(free) = slots.0.get_mut(queue) {
            *free += 1;
        }
        slots.1.remove(&job);
        drop(slots);
        self.0.hints.changed.notify_one();
    }

    /// Tells the handler of a job that the job is no longer this worker's.
    pub(crate) fn cancel(&self, job: i64) {
        if let Some(token) = self.0.slots.lock().unwrap_or_else(PoisonError::into_inner).1.get(&job) {
            token.cancel();
        }
    }

    fn free_slots(&self) -> HashMap<String, i32> {
        self.0.slots.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// How many jobs run.
    pub(crate) fn count(&self) -> usize {
        self.0.slots.lock().unwrap_or_else(PoisonError::into_inner).1.len()
    }
}

/// Claims until `stop`; ending drops `sender`, which ends the worker loop once its jobs are done.
pub(crate) async fn run(
    pool: PgPool,
    worker: i64,
    running: Running,
    hints: Arc<Hints>,
    sender: mpsc::Sender<Claimed>,
    stop: CancellationToken,
) {
    let mut empty_at: HashMap<String, u64> = HashMap::new();
    loop {
        let told = hints.snapshot();
        let wanted: Vec<(String, i32)> = running
            .free_slots()
            .into_iter()
            .filter(|(queue, free)| *free > 0 && told.get(queue) != empty_at.get(queue))
            .collect();
        if !wanted.is_empty() {
            match claim(&pool, worker, &wanted).await {
                Ok(claims) => {
                    for (queue, asked) in &wanted {
                        let got = claims.iter().filter(|claim| claim.queue == *queue).count();
                        if got < usize::try_from(*asked).unwrap_or(0) {
                            // Empty as of what had been said when the claim began; anything said since is news.
                            empty_at.insert(queue.clone(), told.get(queue).copied().unwrap_or(0));
                        }
                    }
                    for claim in claims {
                        let (slot, cancelled) = running.occupy(&claim);
                        if sender.send(Claimed { claim, cancelled, slot }).await.is_err() {
                            return;
                        }
                    }
                    if stop.is_cancelled() {
                        return;
                    }
                    continue;
                }
                Err(error) => {
                    tracing::warn!(error = %error, "cannot claim work now");
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(Duration::from_millis(300)) => continue,
                    }
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = hints.changed.notified() => {}
            () = tokio::time::sleep(POLL_EVERY) => hints.tell_all(),
        }
    }
}

async fn claim(pool: &PgPool, worker: i64, wanted: &[(String, i32)]) -> sqlx::Result<Vec<Claim>> {
    let queues: Vec<String> = wanted.iter().map(|(queue, _)| queue.clone()).collect();
    let mut limits: Vec<i32> = wanted.iter().map(|(_, free)| *free).collect();
    let mut transaction = pool.begin().await?;
    let allowances = db::queue::allowances(&mut transaction, &queues, &limits).await?;
    for allowance in &allowances {
        if let Some(place) = queues.iter().position(|queue| *queue == allowance.name) {
            limits[place] = allowance.allowed;
        }
    }
    let mut claims = db::job::claim(&mut transaction, worker, &queues, &limits).await?;
    for allowance in &allowances {
        let used = claims.iter().filter(|claim| claim.queue == allowance.name).count();
        let unused = allowance.allowed - i32::try_from(used).unwrap_or(i32::MAX);
        if unused > 0 {
            db::queue::give_back(&mut transaction, &allowance.name, unused).await?;
        }
    }
    let flows: Vec<i64> = claims.iter().filter(|claim| claim.kind == "flow" && claim.attempt > 1).map(|claim| claim.id).collect();
    if !flows.is_empty() {
        let mut histories = db::job::histories(&mut transaction, &flows).await?;
        for claim in &mut claims {
            claim.history = histories.remove(&claim.id).unwrap_or_default();
        }
    }
    transaction.commit().await?;
    Ok(claims)
}
