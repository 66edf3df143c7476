//! A job that does not exist yet.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::engine::{
    commit::End,
    flow::{FLOW_QUEUE, FlowDefinition},
    reconciler::Reconciler,
    step::Step,
};

/// A job to insert.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// `flow`, `step` or `wait`.
    pub kind: &'static str,
    /// Stored name.
    pub name: String,
    /// Flow version; 1 for steps.
    pub version: i32,
    /// Unique key.
    pub key: String,
    /// Competition round; a flow's children have its round unless they name one.
    pub round: Option<i32>,
    /// Queue.
    pub queue: String,
    /// Lower first.
    pub priority: i16,
    /// Takes turns by this key.
    pub fair_key: Option<String>,
    /// Failures before it is parked.
    pub max_failures: i16,
    /// Effect of its end on the parent.
    pub wakes: &'static str,
    /// The join it counts down, when it wakes the parent as the last.
    pub join_id: Option<i64>,
    /// JSON.
    pub input: Value,
    /// For a wait on a moment.
    pub run_at: Option<DateTime<Utc>>,
    /// For a wait on an event.
    pub wait_event: Option<String>,
    /// For a wait on a block.
    pub wait_block: Option<i64>,
}

/// Failures a flow pass may have before it is parked: a pass only decides, so a failing one is a defect to be shown soon.
const FLOW_MAX_FAILURES: i16 = 5;
/// Before flows, which it feeds.
const RECONCILER_PRIORITY: i16 = 50;
/// The priority of flows and steps that name none: those started by a flow get the flow's.
pub(crate) const DEFAULT_PRIORITY: i16 = 100;

impl NewJob {
    fn new(kind: &'static str, name: &str, key: String, queue: &str, input: Value) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            version: 1,
            key,
            round: None,
            queue: queue.to_owned(),
            priority: 0,
            fair_key: None,
            max_failures: 1,
            wakes: "each",
            join_id: None,
            input,
            run_at: None,
            wait_event: None,
            wait_block: None,
        }
    }

    /// A step.
    ///
    /// # Errors
    ///
    /// If the input cannot be written as JSON.
    pub fn step<S: Step>(input: &S::Input) -> Result<Self, serde_json::Error> {
        Ok(Self {
            round: S::round(input).map(|round| round as i32),
            priority: S::priority(input),
            fair_key: S::fair_key(input),
            max_failures: i16::try_from(S::max_failures(input)).unwrap_or(i16::MAX),
            ..Self::new(
                "step",
                S::NAME,
                S::key(input),
                S::QUEUE,
                serde_json::to_value(input)?,
            )
        })
    }

    /// A flow.
    ///
    /// # Errors
    ///
    /// If the input cannot be written as JSON.
    pub fn flow<F: FlowDefinition>(input: &F::Input) -> Result<Self, serde_json::Error> {
        Ok(Self {
            version: F::VERSION,
            round: F::round(input).map(|round| round as i32),
            priority: F::PRIORITY,
            max_failures: FLOW_MAX_FAILURES,
            ..Self::new(
                "flow",
                F::NAME,
                F::key(input),
                FLOW_QUEUE,
                serde_json::to_value(input)?,
            )
        })
    }

    /// A reconciler.
    ///
    /// # Errors
    ///
    /// If the input cannot be written as JSON.
    pub fn reconciler<R: Reconciler>(input: &R::Input) -> Result<Self, serde_json::Error> {
        Ok(Self {
            round: R::round(input).map(|round| round as i32),
            priority: RECONCILER_PRIORITY,
            max_failures: FLOW_MAX_FAILURES,
            ..Self::new(
                "flow",
                R::NAME,
                R::key(input),
                FLOW_QUEUE,
                serde_json::to_value(input)?,
            )
        })
    }

    pub(crate) fn wait(key: String) -> Self {
        Self::new("wait", "wait", key, "wait", Value::Null)
    }

    /// Whether the first attempt's end leaves it due at once.
    pub(crate) fn is_due(&self, end: &End) -> bool {
        matches!(end, End::Released) || matches!(end, End::Snoozed(wait) if wait.is_zero())
    }
}
