//! What the benchmarks run: steps that do nothing, or wait.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::engine::{
    Flow, FlowDefinition, FlowError, Handler, OnFailure, Outcome, Registry, Step, StepContext,
};

pub(super) const QUEUE: &str = "work";

/// Inputs and keys as long as real ones.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Nothing {
    pub(super) round: u32,
    pub(super) place: usize,
}

impl Nothing {
    fn key(&self, what: &str) -> String {
        format!(
            "round/{}/{what}/5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY/{:08}",
            self.round, self.place
        )
    }
}

macro_rules! step {
    ($(#[$doc:meta])* $name:ident, $stored:literal, inline: $inline:literal, input: $input:ty) => {
        $(#[$doc])*
        pub(super) struct $name;
        impl Step for $name {
            const NAME: &'static str = $stored;
            const QUEUE: &'static str = QUEUE;
            const INLINE: bool = $inline;
            type Input = $input;
            type Output = u32;
            fn key(input: &$input) -> String {
                input.key($stored)
            }
            fn round(input: &$input) -> Option<u32> {
                Some(input.round)
            }
        }
    };
}

step!(/// A queued no-op.
    Noop, "noop", inline: false, input: Nothing);
step!(/// A recorded no-op inside a pass.
    Recorded, "recorded", inline: true, input: Nothing);
step!(/// A queued no-op, child of a join.
    FanOutChild, "fan_out_child", inline: false, input: Nothing);
step!(/// Takes its time.
    Wait, "wait", inline: false, input: Moment);

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Moment {
    round: u32,
    place: usize,
    ms: u64,
}

impl Moment {
    fn key(&self, what: &str) -> String {
        Nothing {
            round: self.round,
            place: self.place,
        }
        .key(what)
    }
}

impl Wait {
    pub(super) fn at_once(place: usize) -> Moment {
        Moment {
            round: 3,
            place,
            ms: 0,
        }
    }

    pub(super) fn a_moment(place: usize) -> Moment {
        Moment {
            round: 4,
            place,
            ms: 50,
        }
    }
}

/// Counts and times what runs.
#[derive(Clone, Default)]
pub(super) struct Toys {
    pub(super) runs: Arc<AtomicUsize>,
    durations: Arc<Mutex<Vec<Duration>>>,
    last_start: Arc<Mutex<Option<Instant>>>,
}

impl Toys {
    pub(super) fn registry(&self) -> Registry {
        // Flows are functions without a self: what a pass times reaches the report by this.
        *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.clone());
        Registry::new()
            .step::<Noop, _>(self.clone())
            .step::<Recorded, _>(self.clone())
            .step::<FanOutChild, _>(self.clone())
            .step::<Wait, _>(self.clone())
            .flow::<TenSteps>()
            .flow::<FanOut>()
    }

    pub(super) fn take_durations(&self) -> Vec<Duration> {
        std::mem::take(
            &mut *self
                .durations
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    fn took(&self, duration: Duration) {
        self.durations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(duration);
    }

    /// Keeps how long after `told` the last handler started.
    pub(super) fn since(&self, told: Instant) {
        let started = *self
            .last_start
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.took(started.map_or(Duration::ZERO, |started| {
            started.saturating_duration_since(told)
        }));
    }
}

static CURRENT: Mutex<Option<Toys>> = Mutex::new(None);

macro_rules! noop_handler {
    ($($step:ty),*) => {$(
        #[async_trait]
        impl Handler<$step> for Toys {
            type Error = std::convert::Infallible;
            async fn run(&self, _input: Nothing, _context: &StepContext) -> Result<Outcome<u32>, Self::Error> {
                self.runs.fetch_add(1, Ordering::Relaxed);
                Ok(Outcome::Done(1))
            }
        }
    )*};
}
noop_handler!(Noop, Recorded, FanOutChild);

#[async_trait]
impl Handler<Wait> for Toys {
    type Error = std::convert::Infallible;
    async fn run(
        &self,
        input: Moment,
        _context: &StepContext,
    ) -> Result<Outcome<u32>, Self::Error> {
        *self
            .last_start
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.runs.fetch_add(1, Ordering::Relaxed);
        if input.ms > 0 {
            tokio::time::sleep(Duration::from_millis(input.ms)).await;
        }
        Ok(Outcome::Done(1))
    }
}

/// Ten recorded steps, one after the other.
pub(super) struct TenSteps;

impl TenSteps {
    pub(super) const STEPS: usize = 10;
}

#[async_trait]
impl FlowDefinition for TenSteps {
    const NAME: &'static str = "ten_steps";
    type Input = Nothing;
    type Output = u32;
    fn key(input: &Nothing) -> String {
        input.key("ten_steps")
    }
    fn round(input: &Nothing) -> Option<u32> {
        Some(input.round)
    }
    async fn run(flow: &Flow, input: Nothing) -> Result<u32, FlowError> {
        let mut sum = 0;
        for place in 0..Self::STEPS {
            // A flow reads no clock; this one is only here to be timed.
            let started = Instant::now();
            sum += flow
                .step::<Recorded>(Nothing {
                    place: input.place * Self::STEPS + place,
                    ..input
                })
                .await?;
            if let Some(toys) = &*CURRENT.lock().unwrap_or_else(PoisonError::into_inner) {
                toys.took(started.elapsed());
            }
        }
        Ok(sum)
    }
}

/// `place` children, joined.
pub(super) struct FanOut;

#[async_trait]
impl FlowDefinition for FanOut {
    const NAME: &'static str = "fan_out";
    type Input = Nothing;
    type Output = usize;
    fn key(input: &Nothing) -> String {
        input.key("fan_out")
    }
    async fn run(flow: &Flow, input: Nothing) -> Result<usize, FlowError> {
        let children = (0..input.place).map(|place| Nothing {
            round: input.place as u32,
            place,
        });
        Ok(flow
            .join_steps::<FanOutChild>(children, OnFailure::Fail)
            .await?
            .len())
    }
}
