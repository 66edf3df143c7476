//! How many calls run at once, how long each takes, and the account of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// What the model has been asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VlmStatistics {
    /// Calls answered, by the name of their response schema.
    pub answered: BTreeMap<String, u64>,
    /// Calls answered with an HTTP error, by status.
    pub errors: BTreeMap<u16, u64>,
    /// Calls spoilt by an injected fault.
    pub faults: u64,
    /// Calls being worked on.
    pub in_flight: usize,
    /// Calls waiting for capacity.
    pub queued: usize,
    /// The most calls that were worked on at once.
    pub peak_in_flight: usize,
    /// From the start of the first call to the end of the latest one.
    pub span: Duration,
    /// The sum over all calls of the time they were worked on.
    pub busy: Duration,
}

impl VlmStatistics {
    /// All calls answered with a completion.
    pub fn calls(&self) -> u64 {
        self.answered.values().sum()
    }

    /// The share of `capacity` that was used between the first call's start and the last one's end.
    pub fn utilisation(&self, capacity: usize) -> f64 {
        let available = self.span.as_secs_f64() * capacity as f64;
        if available > 0.0 {
            self.busy.as_secs_f64() / available
        } else {
            0.0
        }
    }
}

#[derive(Debug)]
pub(super) struct Capacity {
    slots: Semaphore,
    latency: Duration,
    account: Mutex<Account>,
}

#[derive(Debug, Default)]
struct Account {
    statistics: VlmStatistics,
    first_start: Option<Instant>,
}

/// One call being worked on; gives its slot back when dropped.
#[derive(Debug)]
pub(super) struct Slot<'a> {
    capacity: &'a Capacity,
    started: Instant,
    _permit: Option<SemaphorePermit<'a>>,
}

/// Takes a caller out of the queue also when it goes away while waiting.
struct Queued<'a>(&'a Capacity);

impl Capacity {
    pub fn new(slots: usize, latency: Duration) -> Self {
        let slots = Semaphore::new(slots.clamp(1, Semaphore::MAX_PERMITS));
        Self {
            slots,
            latency,
            account: Mutex::default(),
        }
    }

    /// Waits for a free slot.
    pub async fn enter(&self) -> Slot<'_> {
        self.account().statistics.queued += 1;
        let queued = Queued(self);
        // The semaphore is never closed; without a permit the call would only not be limited.
        let permit = self.slots.acquire().await.ok();
        drop(queued);
        let started = Instant::now();
        let mut account = self.account();
        account.first_start.get_or_insert(started);
        let statistics = &mut account.statistics;
        statistics.in_flight += 1;
        statistics.peak_in_flight = statistics.peak_in_flight.max(statistics.in_flight);
        Slot {
            capacity: self,
            started,
            _permit: permit,
        }
    }

    pub fn answered(&self, schema: &str) {
        *self
            .account()
            .statistics
            .answered
            .entry(schema.to_owned())
            .or_default() += 1;
    }

    pub fn failed(&self, status: u16) {
        *self.account().statistics.errors.entry(status).or_default() += 1;
    }

    pub fn spoilt(&self) {
        self.account().statistics.faults += 1;
    }

    pub fn statistics(&self) -> VlmStatistics {
        self.account().statistics.clone()
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot<'_> {
    /// Waits until the call has taken its time.
    pub async fn take_time(&self) {
        tokio::time::sleep_until(self.started + self.capacity.latency).await;
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut account = self.capacity.account();
        let first_start = account.first_start.unwrap_or(now);
        let statistics = &mut account.statistics;
        statistics.in_flight -= 1;
        statistics.busy += now - self.started;
        statistics.span = now - first_start;
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.account().statistics.queued -= 1;
    }
}
