//! Steps: the named units of outside work, and the three ways one can end.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Serialize, de::DeserializeOwned};
use tokio_util::sync::CancellationToken;

use crate::engine::{effects::Effects, new_job::DEFAULT_PRIORITY};

/// One named unit of outside work.
///
/// `NAME`, `key` and the JSON of input and output are stored and outlive a deploy: they are a contract. A new meaning is a
/// new name (`render_v2`).
pub trait Step: Send + Sync + 'static {
    /// The stored name.
    const NAME: &'static str;
    /// Which workers run it.
    const QUEUE: &'static str;
    /// How often our side may fail before the step is parked.
    const MAX_FAILURES: u16 = 8;
    /// How long one attempt may take. A hung handler is cut here and counted as our failure.
    const DEADLINE: Duration = Duration::from_secs(120);
    /// Lower runs first within a queue. A step that names none has the priority of the flow that asks for it.
    const PRIORITY: i16 = DEFAULT_PRIORITY;
    /// The first attempt runs inside the flow's own pass instead of the queue, and its result is recorded together with
    /// those of other flows. For short steps; retries come from the queue.
    const INLINE: bool = false;
    /// When failures run out: wait for an operator, or tell the flow.
    const ON_EXHAUSTED: OnExhausted = OnExhausted::Park;
    /// Waits between failures.
    const RETRY: Retry = Retry::DEFAULT;

    /// What the step is asked, stored as JSON.
    type Input: Serialize + DeserializeOwned + Send + Sync + Clone;
    /// What it answers, stored as JSON. A miner's fault is an answer.
    type Output: Serialize + DeserializeOwned + Send + Sync + Clone;

    /// Identifies the step for ever: asking twice with one key is asking once.
    fn key(input: &Self::Input) -> String;

    /// The competition round the step belongs to, for filters, pauses and retention.
    fn round(_input: &Self::Input) -> Option<u32> {
        None
    }

    /// Where the job stands in its queue: lower runs first. The same for all jobs of the step unless it says otherwise.
    fn priority(_input: &Self::Input) -> i16 {
        Self::PRIORITY
    }

    /// How often our side may fail at this job before it is parked.
    fn max_failures(_input: &Self::Input) -> u16 {
        Self::MAX_FAILURES
    }

    /// Steps of one queue and priority take turns by this key, so that one miner's work cannot starve the others'.
    fn fair_key(_input: &Self::Input) -> Option<String> {
        None
    }

    /// What else commits together with the output: rows, state files, events, new work.
    fn effects(_input: &Self::Input, _output: &Self::Output) -> Effects {
        Effects::default()
    }
}

/// Does the work of a step. Must be safe to run twice; its documentation says why it is.
#[async_trait]
pub trait Handler<S: Step>: Send + Sync + 'static {
    /// Our side's failures. A miner's fault is part of `S::Output` instead.
    type Error: Into<anyhow::Error> + Send;

    /// Runs one attempt.
    ///
    /// # Errors
    ///
    /// When our side failed: the attempt counts, the step backs off and is tried again.
    async fn run(
        &self,
        input: S::Input,
        context: &StepContext,
    ) -> Result<Outcome<S::Output>, Self::Error>;
}

/// How an attempt of a step ended, when our side did not fail.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome<Output> {
    /// Finished, with a result, even if the result is "this miner's module is broken".
    Done(Output),
    /// Not now: due again after this long. Costs no attempt.
    Snooze(Duration),
}

/// What a handler may know of the attempt it runs in.
#[derive(Debug, Clone)]
pub struct StepContext {
    /// The job's stored key.
    pub key: String,
    /// From 1; rises at every claim.
    pub attempt: i32,
    /// How often our side has failed at this step before.
    pub failures: u16,
    /// Cancelled when an operator cancels the step, the worker loses its lease, or the process stops.
    pub cancelled: CancellationToken,
}

/// What happens when a step's failures run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExhausted {
    /// The step is parked: kept, shown, and retried by an operator. Whoever waits for it goes on waiting.
    Park,
    /// The step has failed, and whoever waits for it is told.
    Fail,
}

/// Waits between failures: the first one, growing at each further failure up to a longest one, times 0.75 to 1.25 at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    first: Duration,
    cap: Duration,
    growth: Growth,
}

/// How waits grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Growth {
    Doubling,
    Linear,
}

impl Retry {
    /// 1 s, 2 s, 4 s, … 5 min.
    pub const DEFAULT: Retry = Retry::doubling(Duration::from_secs(1), Duration::from_secs(300));

    /// `first`, twice, four times `first`, … up to `cap`.
    pub const fn doubling(first: Duration, cap: Duration) -> Self {
        Self {
            first,
            cap,
            growth: Growth::Doubling,
        }
    }

    /// `first`, twice, three times `first`, … up to `cap`.
    pub const fn linear(first: Duration, cap: Duration) -> Self {
        Self {
            first,
            cap,
            growth: Growth::Linear,
        }
    }

    /// The wait after the `failures`-th failure (from 1), for `jitter` in `0.0..1.0`.
    pub fn wait(&self, failures: u16, jitter: f64) -> Duration {
        let times = match self.growth {
            Growth::Doubling => 2f64.powi(i32::from(failures.saturating_sub(1).min(30))),
            Growth::Linear => f64::from(failures.max(1)),
        };
        let plain = (self.first.as_secs_f64() * times).min(self.cap.as_secs_f64());
        Duration::from_secs_f64(plain * (0.75 + 0.5 * jitter.clamp(0.0, 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_or_add_up_to_the_cap() {
        let waits = |retry: Retry| -> Vec<f64> {
            (1..=6)
                .map(|failures| retry.wait(failures, 0.5).as_secs_f64())
                .collect()
        };
        let (first, cap) = (Duration::from_secs(1), Duration::from_secs(5));
        let doubling = Retry::doubling(first, cap);
        assert_eq!(waits(doubling), [1.0, 2.0, 4.0, 5.0, 5.0, 5.0]);
        let linear = Retry::linear(first, cap);
        assert_eq!(waits(linear), [1.0, 2.0, 3.0, 4.0, 5.0, 5.0]);
        for retry in [doubling, linear] {
            assert_eq!(retry.wait(u16::MAX, 1.0), Duration::from_secs_f64(6.25));
            assert_eq!(retry.wait(1, 0.0), Duration::from_secs_f64(0.75));
        }
    }
}
