//! Steps that do what their input tells them, and what their handlers see.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use workflow::engine::{Effects, Handler, OnExhausted, Outcome, Retry, Step, StepContext};

use super::PATIENCE;

/// What one attempt does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Act {
    /// Ends with this.
    Answer(i64),
    /// Our side fails.
    Fail(String),
    /// Not now: milliseconds.
    Snooze(u64),
    Panic,
    /// Never ends, but lets others run.
    Hang,
    /// Blocks its thread for so many milliseconds, then answers 0.
    Block(u64),
    /// Answers 0 when the gate is open.
    Gate(String),
    /// Answers 0 when told to stop.
    UntilCancelled,
    /// Opens a gate, then answers 0.
    Open(String),
}

/// An answer whose effects the database refuses.
pub const POISON: i64 = -77;

/// A step that does one act an attempt, the last one over and over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    pub name: String,
    pub acts: Vec<Act>,
    #[serde(default)]
    pub fair: Option<String>,
    #[serde(default)]
    pub round: Option<u32>,
    /// Fires this event when it ends.
    #[serde(default)]
    pub fires: Option<String>,
}

impl Task {
    pub fn new(name: impl Into<String>, acts: impl IntoIterator<Item = Act>) -> Self {
        Self {
            name: name.into(),
            acts: acts.into_iter().collect(),
            fair: None,
            round: None,
            fires: None,
        }
    }

    pub fn answer(name: impl Into<String>, value: i64) -> Self {
        Self::new(name, [Act::Answer(value)])
    }
}

macro_rules! toy_step {
    ($name:ident, $stored:literal, $queue:literal $(, $constant:ident: $type:ty = $value:expr)*) => {
        pub struct $name;
        impl Step for $name {
            const NAME: &'static str = $stored;
            const QUEUE: &'static str = $queue;
            const MAX_FAILURES: u16 = 3;
            $(const $constant: $type = $value;)*
            type Input = Task;
            type Output = i64;
            fn key(task: &Task) -> String {
                format!("{}/{}", $stored, task.name)
            }
            fn round(task: &Task) -> Option<u32> {
                task.round
            }
            fn fair_key(task: &Task) -> Option<String> {
                task.fair.clone()
            }
            fn effects(task: &Task, output: &i64) -> Effects {
                Effects {
                    events: task
                        .fires
                        .iter()
                        .cloned()
                        .chain((*output == POISON).then(|| "\0".to_owned()))
                        .map(|event| (event, (*output).into()))
                        .collect(),
                    ..Effects::default()
                }
            }
        }
        #[async_trait]
        impl Handler<$name> for Toys {
            type Error = anyhow::Error;
            async fn run(&self, task: Task, context: &StepContext) -> Result<Outcome<i64>, anyhow::Error> {
                self.act(task, context).await
            }
        }
    };
}

/// Soon again.
const SOON: Retry = Retry::doubling(Duration::from_millis(5), Duration::from_millis(20));

toy_step!(Work, "work", "work", RETRY: Retry = SOON);
toy_step!(Inline, "inline", "work", RETRY: Retry = SOON, INLINE: bool = true);
toy_step!(Hasty, "hasty", "work", RETRY: Retry = SOON, DEADLINE: Duration = Duration::from_millis(50));
toy_step!(Doomed, "doomed", "work", RETRY: Retry = SOON, ON_EXHAUSTED: OnExhausted = OnExhausted::Fail);
toy_step!(Urgent, "urgent", "work", RETRY: Retry = SOON, PRIORITY: i16 = 10);
toy_step!(Limited, "limited", "vlm", RETRY: Retry = SOON);
toy_step!(Patient, "patient", "work", RETRY: Retry = Retry::doubling(Duration::from_secs(3600), Duration::from_secs(3600)));

/// What a handler saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub key: String,
    pub attempt: i32,
    pub cancelled: bool,
}

#[derive(Default)]
struct Seen {
    started: Vec<Run>,
    starts_at: Vec<Instant>,
    ended: Vec<Run>,
    open_gates: Vec<String>,
    inside: usize,
    most_inside: usize,
}

/// The handlers' outside world.
#[derive(Clone, Default)]
pub struct Toys {
    seen: Arc<Mutex<Seen>>,
    changed: Arc<Notify>,
}

impl Toys {
    async fn act(&self, task: Task, context: &StepContext) -> Result<Outcome<i64>, anyhow::Error> {
        let run = Run {
            key: context.key.clone(),
            attempt: context.attempt,
            cancelled: false,
        };
        let place = {
            let mut seen = self.seen.lock().unwrap();
            let place = seen
                .started
                .iter()
                .filter(|earlier| earlier.key == run.key)
                .count();
            seen.started.push(run.clone());
            seen.starts_at.push(Instant::now());
            seen.inside += 1;
            seen.most_inside = seen.most_inside.max(seen.inside);
            place
        };
        self.changed.notify_waiters();
        let _leaves = Leaves(self.clone());
        let act = task
            .acts
            .get(place)
            .or(task.acts.last())
            .cloned()
            .unwrap_or(Act::Answer(0));
        let outcome = match act {
            Act::Answer(value) => Ok(Outcome::Done(value)),
            Act::Fail(text) => Err(anyhow::anyhow!(text)),
            Act::Snooze(ms) => Ok(Outcome::Snooze(Duration::from_millis(ms))),
            Act::Panic => panic!("the toy broke"),
            Act::Hang => std::future::pending().await,
            Act::Block(ms) => {
                std::thread::sleep(Duration::from_millis(ms));
                Ok(Outcome::Done(0))
            }
            Act::Gate(gate) => {
                self.until(|seen| seen.open_gates.contains(&gate)).await;
                Ok(Outcome::Done(0))
            }
            Act::Open(gate) => {
                self.open(&gate);
                Ok(Outcome::Done(0))
            }
            Act::UntilCancelled => {
                context.cancelled.cancelled().await;
                Ok(Outcome::Done(0))
            }
        };
        self.seen.lock().unwrap().ended.push(Run {
            cancelled: context.cancelled.is_cancelled(),
            ..run
        });
        self.changed.notify_waiters();
        outcome
    }

    async fn until(&self, mut is_so: impl FnMut(&Seen) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if is_so(&self.seen.lock().unwrap()) {
                return;
            }
            changed.await;
        }
    }

    pub fn open(&self, gate: &str) {
        self.seen.lock().unwrap().open_gates.push(gate.to_owned());
        self.changed.notify_waiters();
    }

    pub fn started(&self) -> Vec<Run> {
        self.seen.lock().unwrap().started.clone()
    }

    pub fn starts_at(&self) -> Vec<Instant> {
        self.seen.lock().unwrap().starts_at.clone()
    }

    pub fn ended(&self) -> Vec<Run> {
        self.seen.lock().unwrap().ended.clone()
    }

    /// Most handlers that ran at one time.
    pub fn most_inside(&self) -> usize {
        self.seen.lock().unwrap().most_inside
    }

    pub async fn until_started(&self, key: &str, times: usize) {
        let enough =
            self.until(|seen| seen.started.iter().filter(|run| run.key == key).count() >= times);
        tokio::time::timeout(PATIENCE, enough)
            .await
            .unwrap_or_else(|_| panic!("{key} did not start {times} times"));
    }

    pub async fn until_running(&self, count: usize) {
        let enough = self.until(|seen| seen.inside >= count);
        tokio::time::timeout(PATIENCE, enough)
            .await
            .unwrap_or_else(|_| panic!("never {count} handlers at one time"));
    }
}

struct Leaves(Toys);
impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.seen.lock().unwrap().inside -= 1;
        self.0.changed.notify_waiters();
    }
}
