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
    free: HashMap<String, i32>,
    held: HashMap<(i64, i32), CancellationToken>,
}

/// A place for a handler; free again when dropped.
pub(crate) struct Slot {
    queue: String,
    running: Running,
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(free) = self.running.lock().free.get_mut(&self.queue) {
            *free += 1;
        }
        self.running.0.hints.changed.notify_one();
    }
}

/// An attempt that this worker knows it holds, from its claim until its end is committed.
pub(crate) struct Holding {
    job: i64,
    attempt: i32,
    running: Running,
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.running.lock().held.remove(&(self.job, self.attempt));
    }
}

impl Running {
    /// Handlers are told to stop when `stop` is cancelled.
    pub(crate) fn new(
        capacity: &HashMap<String, usize>,
        hints: Arc<Hints>,
        stop: CancellationToken,
    ) -> Self {
        let free = capacity
            .iter()
            .map(|(queue, slots)| (queue.clone(), i32::try_from(*slots).unwrap_or(i32::MAX)))
            .collect();
        Self(Arc::new(Inner {
            state: Mutex::new(State {
                free,
                held: HashMap::new(),
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
        if let Some(free) = state.free.get_mut(&claim.queue) {
            *free -= 1;
        }
        state.held.insert((claim.id, claim.attempt), token.clone());
        let slot = Slot {
            queue: claim.queue.clone(),
            running: self.clone(),
        };
        (
            slot,
            Holding {
                job: claim.id,
                attempt: claim.attempt,
                running: self.clone(),
            },
            token,
        )
    }

    /// Tells the handler that its attempt is no longer this worker's.
    pub(crate) fn cancel(&self, job: i64, attempt: i32) {
        if let Some(token) = self.lock().held.get(&(job, attempt)) {
            token.cancel();
        }
    }

    pub(crate) fn free_slots(&self) -> HashMap<String, i32> {
        self.lock().free.clone()
    }

    /// The attempts this worker knows it holds.
    pub(crate) fn held(&self) -> Vec<(i64, i32)> {
        self.lock().held.keys().copied().collect()
    }
}
