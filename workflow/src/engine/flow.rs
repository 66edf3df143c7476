//! Flows: durable async functions of named steps.
//!
//! A flow runs again from the top whenever something it waits for ends. Its children's results are its memory: an awaited
//! step that has ended answers at once, one that has not suspends the flow. Outside its steps a flow does no I/O, reads no
//! clock and draws no randomness.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

pub use crate::engine::new_job::NewJob;
use crate::engine::{
    effects::Effects,
    inline::InlineRunner,
    new_job::DEFAULT_PRIORITY,
    reconciler::Reconciler,
    step::{OnExhausted, Step},
};

/// The queue flow passes run in.
pub const FLOW_QUEUE: &str = "flow";

/// A durable async function.
///
/// `NAME`, `key` and the JSON of input and output are stored: a contract, as for steps.
#[async_trait]
pub trait FlowDefinition: Send + Sync + 'static {
    /// The stored name.
    const NAME: &'static str;
    /// Recorded when a flow starts. A build refuses to continue a flow whose version it does not list in `CONTINUES`.
    const VERSION: i32 = 1;
    /// Older versions whose open flows this code continues correctly.
    const CONTINUES: &'static [i32] = &[];
    /// Lower runs first. A flow that names none has the priority of the flow that starts it, and so have its steps.
    const PRIORITY: i16 = DEFAULT_PRIORITY;

    /// What the flow is started with.
    type Input: Serialize + DeserializeOwned + Send + Sync + Clone;
    /// What it ends with.
    type Output: Serialize + DeserializeOwned + Send + Sync + Clone;

    /// Identifies the flow for ever: starting twice with one key is starting once.
    fn key(input: &Self::Input) -> String;

    /// The competition round it belongs to.
    fn round(_input: &Self::Input) -> Option<u32> {
        None
    }

    /// Decides. Runs from the top on every pass.
    ///
    /// # Errors
    ///
    /// [`FlowError`]; the pass counts as our failure, backs off and is tried again, then parked.
    async fn run(flow: &Flow, input: Self::Input) -> Result<Self::Output, FlowError>;

    /// What commits together with the flow's end.
    fn effects(_input: &Self::Input, _output: &Self::Output) -> Effects {
        Effects::default()
    }
}

/// Why a pass failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlowError {
    /// A child whose policy says "tell the flow" ran out of attempts.
    #[error("{key} failed: {error}")]
    ChildFailed {
        /// The child's key.
        key: String,
        /// Its error chain.
        error: String,
    },
    /// An operator cancelled a child.
    #[error("{key} was cancelled")]
    ChildCancelled {
        /// The child's key.
        key: String,
    },
    /// A stored value no longer has the shape the code expects.
    #[error("the stored {what} of {key} does not have the shape this build expects")]
    Shape {
        /// `input` or `output`.
        what: &'static str,
        /// Whose.
        key: String,
        /// What the decoder said.
        #[source]
        source: serde_json::Error,
    },
    /// A step that runs inside the pass could not be recorded: the pass was fenced, or the worker stops.
    #[error("the pass ended before {key} could be recorded")]
    Interrupted {
        /// The step's key.
        key: String,
    },
    /// The flow itself found something impossible.
    #[error("{0}")]
    Other(String),
}

/// What the database knows of a child.
#[derive(Debug, Clone, PartialEq)]
pub struct ChildState {
    /// Its `job.state`.
    pub state: String,
    /// Its output once completed.
    pub output: Option<Value>,
    /// Its error once failed.
    pub error: Option<String>,
}

/// What a pass has asked for so far.
#[derive(Debug, Default)]
pub(crate) struct PassState {
    history: HashMap<String, ChildState>,
    pub(crate) starts: Vec<NewJob>,
    started: HashSet<String>,
    joins: i64,
    /// Whether anything is awaited.
    pub(crate) awaits: bool,
    pub(crate) inline_running: usize,
}

/// What to do about a failed child in a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The first failed child fails the join.
    Fail,
    /// Failures are results beside the others.
    Collect,
}

/// The handle a flow decides with.
#[derive(Clone)]
pub struct Flow {
    key: String,
    round: Option<i32>,
    priority: i16,
    attempt: i32,
    state: Arc<Mutex<PassState>>,
    inline: Arc<InlineRunner>,
}

impl Flow {
    /// A pass over this history.
    pub(crate) fn new(inline: Arc<InlineRunner>, history: HashMap<String, ChildState>) -> Self {
        let state = PassState {
            history,
            ..PassState::default()
        };
        let claim = &inline.claim;
        Self {
            key: claim.key.clone(),
            round: claim.round,
            priority: claim.priority,
            attempt: claim.attempt,
            state: Arc::new(Mutex::new(state)),
            inline,
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, PassState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The priority of the flow's own job.
    pub fn priority(&self) -> i16 {
        self.priority
    }

    /// Runs a step, or answers with what it answered before.
    ///
    /// # Errors
    ///
    /// [`FlowError::ChildFailed`] only for steps that say so by `ON_EXHAUSTED`; [`FlowError::ChildCancelled`].
    pub async fn step<S: Step>(&self, input: S::Input) -> Result<S::Output, FlowError> {
        let key = S::key(&input);
        if !S::INLINE {
            self.ask(&key, || NewJob::step::<S>(&input))?;
        } else if !self.knows(&key) {
            self.run_inline::<S>(&key, &input).await?;
        }
        decode(&key, self.ended(&key).await?)
    }

    /// Runs the steps of a fan-out in the queue and waits for all of them. The flow is woken once, by the last.
    ///
    /// # Errors
    ///
    /// As [`Self::step`]; with [`OnFailure::Collect`] failures are in the list instead.
    pub async fn join_steps<S: Step>(
        &self,
        inputs: impl IntoIterator<Item = S::Input>,
        on_failure: OnFailure,
    ) -> Result<Vec<Result<S::Output, FlowError>>, FlowError> {
        let jobs = inputs.into_iter().map(|input| NewJob::step::<S>(&input));
        self.join(S::NAME, jobs, on_failure).await
    }

    /// Runs child flows and waits for all of them. The flow is woken once, by the last.
    ///
    /// # Errors
    ///
    /// As [`Self::join_steps`].
    pub async fn join_flows<F: FlowDefinition>(
        &self,
        inputs: impl IntoIterator<Item = F::Input>,
        on_failure: OnFailure,
    ) -> Result<Vec<Result<F::Output, FlowError>>, FlowError> {
        let jobs = inputs.into_iter().map(|input| NewJob::flow::<F>(&input));
        self.join(F::NAME, jobs, on_failure).await
    }

    /// Runs a child flow.
    ///
    /// # Errors
    ///
    /// As [`Self::step`].
    pub async fn flow<F: FlowDefinition>(&self, input: F::Input) -> Result<F::Output, FlowError> {
        let key = self.start_flow::<F>(&input)?;
        decode(&key, self.ended(&key).await?)
    }

    /// Runs a reconciler.
    ///
    /// # Errors
    ///
    /// As [`Self::step`].
    pub async fn reconciler<R: Reconciler>(&self, input: R::Input) -> Result<R::Output, FlowError> {
        let key = R::key(&input);
        self.ask(&key, || NewJob::reconciler::<R>(&input))?;
        decode(&key, self.ended(&key).await?)
    }

    /// Starts a child flow without waiting for it; [`Self::flow`] with the same input waits later.
    ///
    /// # Errors
    ///
    /// If the input cannot be written as JSON.
    pub fn start_flow<F: FlowDefinition>(&self, input: &F::Input) -> Result<String, FlowError> {
        let key = F::key(input);
        self.ask(&key, || NewJob::flow::<F>(input))?;
        Ok(key)
    }

    /// Waits until the database's clock reaches `moment`.
    ///
    /// # Errors
    ///
    /// [`FlowError::ChildCancelled`].
    pub async fn until(&self, name: &str, moment: DateTime<Utc>) -> Result<(), FlowError> {
        let mut wait = NewJob::wait(format!("{}/until/{name}", self.key));
        wait.run_at = Some(moment);
        self.wait(wait).await.map(drop)
    }

    /// Waits until the chain has reached `block`.
    ///
    /// # Errors
    ///
    /// [`FlowError::ChildCancelled`].
    pub async fn until_block(&self, block: u64) -> Result<(), FlowError> {
        let mut wait = NewJob::wait(format!("{}/block/{block}", self.key));
        wait.wait_block = Some(i64::try_from(block).unwrap_or(i64::MAX));
        self.wait(wait).await.map(drop)
    }

    /// Waits for an event and answers its payload. Events keep their first payload for ever.
    ///
    /// # Errors
    ///
    /// [`FlowError::ChildCancelled`].
    pub async fn event(&self, name: &str) -> Result<Value, FlowError> {
        let mut wait = NewJob::wait(format!("{}/event/{name}", self.key));
        wait.wait_event = Some(name.to_owned());
        self.wait(wait).await
    }

    async fn wait(&self, wait: NewJob) -> Result<Value, FlowError> {
        let key = wait.key.clone();
        self.ask(&key, || Ok(wait))?;
        self.ended(&key).await
    }

    async fn join<Output: DeserializeOwned>(
        &self,
        name: &str,
        jobs: impl Iterator<Item = serde_json::Result<NewJob>>,
        on_failure: OnFailure,
    ) -> Result<Vec<Result<Output, FlowError>>, FlowError> {
        // Children of one join of one pass count down together, so that joins in different branches end each on their own.
        let join_id = {
            let mut state = self.lock();
            state.joins += 1;
            (i64::from(self.attempt) << 16) + state.joins
        };
        let mut results = Vec::new();
        let mut is_open = false;
        for job in jobs {
            let mut job = job.map_err(|source| shape("input", name, source))?;
            let known = self
                .lock()
                .history
                .get(&job.key)
                .map(|child| ended(&job.key, child));
            match known {
                Some(Some(Err(error))) if on_failure == OnFailure::Fail => return Err(error),
                Some(Some(ended)) => {
                    results.push(ended.and_then(|output| decode(&job.key, output)))
                }
                Some(None) => is_open = true,
                None => {
                    is_open = true;
                    (job.wakes, job.join_id) = ("last", Some(join_id));
                    self.start(job);
                }
            }
        }
        if is_open {
            self.lock().awaits = true;
            std::future::pending::<()>().await;
        }
        Ok(results)
    }

    /// Whether the child was there before this pass.
    fn knows(&self, key: &str) -> bool {
        self.lock().history.contains_key(key)
    }

    /// Starts a child that was not there before this pass.
    fn ask(
        &self,
        key: &str,
        job: impl FnOnce() -> serde_json::Result<NewJob>,
    ) -> Result<(), FlowError> {
        if !self.knows(key) {
            self.start(job().map_err(|source| shape("input", key, source))?);
        }
        Ok(())
    }

    fn start(&self, mut job: NewJob) {
        self.inherit(&mut job);
        let mut state = self.lock();
        if state.started.insert(job.key.clone()) {
            state.starts.push(job);
        }
    }

    /// What a child has of its flow unless it names its own.
    fn inherit(&self, job: &mut NewJob) {
        job.round = job.round.or(self.round);
        if job.priority == DEFAULT_PRIORITY {
            job.priority = self.priority;
        }
    }

    /// The child's output, or suspension until it ends.
    async fn ended(&self, key: &str) -> Result<Value, FlowError> {
        let ended = {
            let mut state = self.lock();
            let ended = state.history.get(key).and_then(|child| ended(key, child));
            state.awaits |= ended.is_none();
            ended
        };
        match ended {
            Some(ended) => ended,
            None => std::future::pending().await,
        }
    }

    /// The first attempt of a step, here and now.
    async fn run_inline<S: Step>(&self, key: &str, input: &S::Input) -> Result<(), FlowError> {
        let mut job = NewJob::step::<S>(input).map_err(|source| shape("input", key, source))?;
        self.inherit(&mut job);
        self.lock().inline_running += 1;
        let recorded = self
            .inline
            .run(
                job,
                S::DEADLINE,
                S::RETRY,
                S::ON_EXHAUSTED == OnExhausted::Fail,
            )
            .await;
        let mut state = self.lock();
        state.inline_running -= 1;
        let child = recorded.map_err(|_| FlowError::Interrupted {
            key: key.to_owned(),
        })?;
        state.history.insert(key.to_owned(), child);
        Ok(())
    }
}

fn shape(what: &'static str, key: &str, source: serde_json::Error) -> FlowError {
    FlowError::Shape {
        what,
        key: key.to_owned(),
        source,
    }
}

fn decode<T: DeserializeOwned>(key: &str, output: Value) -> Result<T, FlowError> {
    serde_json::from_value(output).map_err(|source| shape("output", key, source))
}

fn ended(key: &str, child: &ChildState) -> Option<Result<Value, FlowError>> {
    match child.state.as_str() {
        "completed" => Some(Ok(child.output.clone().unwrap_or(Value::Null))),
        "failed" => Some(Err(FlowError::ChildFailed {
            key: key.to_owned(),
            error: child.error.clone().unwrap_or_default(),
        })),
        "cancelled" => Some(Err(FlowError::ChildCancelled {
            key: key.to_owned(),
        })),
        _ => None,
    }
}
