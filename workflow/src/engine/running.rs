//! The attempts this worker holds now, and how many more it may take.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

use crate::engine::{commit::Claim, listener::Hints};

/// Shared by everything in one life of a worker.
#[derive(Clone)]
pub(crate) struct Running(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    hints: Arc<Hints>,
    stop: CancellationToken,
}

struct State {
    queues: HashMap<String, Places>,
    /// By their serial numbers.
    held: HashMap<u64, Held>,
    last_serial: u64,
}

struct Held {
    job: i64,
    attempt: i32,
    token: CancellationToken,
}

/// How much of a queue this worker may take.
struct Places {
    /// Handlers that may start.
    free: i32,
    /// Attempts that may be held, those included whose results are being committed: handlers do not run ahead of the
    /// database without end.
    to_hold: i32,
}

/// Results of one queue that may wait for their commit, beside as many as it has slots.
const UNCOMMITTED: i32 = 250;

/// A place for a handler; free again when dropped.
pub(crate) struct Slot {
    queue: String,
    running: Running,
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(places) = self.running.lock().queues.get_mut(&self.queue) {
            places.free += 1;
        }
        self.running.0.hints.changed.notify_one();
    }
}

/// An attempt that this worker knows it holds, from its claim until its end is committed.
pub(crate) struct Holding {
    /// Of its own in this life of the worker. The number of an attempt is not: a server that died may give it out again while
    /// the handler of the claim it forgot still runs.
    pub(crate) serial: u64,
    queue: String,
    running: Running,
}

impl Drop for Holding {
    fn drop(&mut self) {
        let mut state = self.running.lock();
        state.held.remove(&self.serial);
        if let Some(places) = state.queues.get_mut(&self.queue) {
            places.to_hold += 1;
            // Until now it was full, and nobody will say so but us.
            if places.to_hold == 1 {
                self.running.0.hints.changed.notify_one();
            }
        }
    }
}

impl Running {
    /// Handlers are told to stop when `stop` is cancelled.
    pub(crate) fn new(
        capacity: &HashMap<String, usize>,
        hints: Arc<Hints>,
        stop: CancellationToken,
    ) -> Self {
        let places = |slots: usize| {
            let free = i32::try_from(slots).unwrap_or(i32::MAX);
            Places {
                free,
                to_hold: free.saturating_mul(2).saturating_add(UNCOMMITTED),
            }
        };
        let queues = capacity
            .iter()
            .map(|(queue, slots)| (queue.clone(), places(*slots)))
            .collect();
        Self(Arc::new(Inner {
            state: Mutex::new(State {
                queues,
                held: HashMap::new(),
                last_serial: 0,
            }),
            hints,
            stop,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn occupy(&self, claim: &Claim) -> (Slot, Holding, CancellationToken) {
        let token = self.0.stop.child_token();
        let mut state = self.lock();
        if let Some(places) = state.queues.get_mut(&claim.queue) {
            places.free -= 1;
            places.to_hold -= 1;
        }
        state.last_serial += 1;
        let serial = state.last_serial;
        let held = Held {
            job: claim.id,
            attempt: claim.attempt,
            token: token.clone(),
        };
        state.held.insert(serial, held);
        let slot = Slot {
            queue: claim.queue.clone(),
            running: self.clone(),
        };
        (
            slot,
            Holding {
                serial,
                queue: claim.queue.clone(),
                running: self.clone(),
            },
            token,
        )
    }

    /// Tells the handler that its attempt is no longer this worker's.
    pub(crate) fn cancel(&self, job: i64, attempt: i32) {
        self.lock()
            .held
            .values()
            .filter(|held| (held.job, held.attempt) == (job, attempt))
            .for_each(|held| held.token.cancel());
    }

    /// How many jobs of each queue may be claimed now.
    pub(crate) fn free(&self) -> Vec<(String, i32)> {
        self.lock()
            .queues
            .iter()
            .map(|(queue, places)| (queue.clone(), places.free.min(places.to_hold)))
            .collect()
    }

    /// The attempts this worker knows it holds.
    pub(crate) fn held(&self) -> Vec<(i64, i32)> {
        self.lock()
            .held
            .values()
            .map(|held| (held.job, held.attempt))
            .collect()
    }
}
