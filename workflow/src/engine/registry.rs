//! The registry: which handlers, flows and reconcilers this build knows, with their types erased.

use std::{collections::HashMap, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use serde_json::Value;
use sqlx::PgConnection;

use crate::engine::{
    effects::Effects,
    flow::{Flow, FlowDefinition, FlowError, NewJob},
    reconciler::{Decision, Reconciler},
    step::{Handler, OnExhausted, Outcome, Retry, Step, StepContext},
};

/// What this build can run.
#[derive(Default, Clone)]
pub struct Registry {
    steps: HashMap<&'static str, Arc<dyn ErasedStep>>,
    flows: HashMap<&'static str, Arc<dyn ErasedFlow>>,
}

impl Registry {
    /// Knows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a step with its handler. The last one added for a name counts.
    #[must_use]
    pub fn step<S: Step, H: Handler<S>>(mut self, handler: H) -> Self {
        self.steps.insert(
            S::NAME,
            Arc::new(StepEntry::<S, H> {
                handler,
                step: std::marker::PhantomData,
            }),
        );
        self
    }

    /// Adds a flow.
    #[must_use]
    pub fn flow<F: FlowDefinition>(mut self) -> Self {
        self.flows
            .insert(F::NAME, Arc::new(FlowEntry::<F>(std::marker::PhantomData)));
        self
    }

    /// Adds a reconciler.
    #[must_use]
    pub fn reconciler<R: Reconciler>(mut self) -> Self {
        self.flows.insert(
            R::NAME,
            Arc::new(ReconcilerEntry::<R>(std::marker::PhantomData)),
        );
        self
    }

    /// The stored names of all steps, in order.
    pub fn steps(&self) -> Vec<&'static str> {
        sorted(self.steps.keys())
    }

    /// The stored names of all flows and reconcilers, in order.
    pub fn flows(&self) -> Vec<&'static str> {
        sorted(self.flows.keys())
    }

    pub(crate) fn find_step(&self, name: &str) -> Option<Arc<dyn ErasedStep>> {
        self.steps.get(name).cloned()
    }

    pub(crate) fn find_flow(&self, name: &str) -> Option<Arc<dyn ErasedFlow>> {
        self.flows.get(name).cloned()
    }
}

fn sorted<'a>(names: impl Iterator<Item = &'a &'static str>) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = names.copied().collect();
    names.sort_unstable();
    names
}

/// What the engine needs to know of a step without its types.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepPolicy {
    pub(crate) deadline: Duration,
    pub(crate) retry: Retry,
    pub(crate) on_exhausted: OnExhausted,
}

#[async_trait]
pub(crate) trait ErasedStep: Send + Sync {
    fn policy(&self) -> StepPolicy;
    async fn run(
        &self,
        input: Value,
        context: &StepContext,
    ) -> anyhow::Result<Outcome<(Value, Effects)>>;
}

/// How a pass of a flow ended when it did not suspend.
pub(crate) enum Pass {
    Ended(Value, Effects),
    /// A reconciler's pass: start these, stay.
    Watching {
        starts: Vec<NewJob>,
        moot: Vec<(String, String)>,
        effects: Effects,
    },
}

#[async_trait]
pub(crate) trait ErasedFlow: Send + Sync {
    /// The version this build starts.
    fn version(&self) -> i32;
    /// Whether a flow that was started as `version` may go on in this build.
    fn continues(&self, version: i32) -> bool;
    /// Whether it decides from its children's results (a flow) or from a fresh look (a reconciler).
    fn remembers(&self) -> bool;
    async fn pass(&self, flow: &Flow, input: Value) -> Result<Pass, FlowError>;
    async fn look(&self, conn: &mut PgConnection, input: Value) -> anyhow::Result<Pass>;
}

struct StepEntry<S, H> {
    handler: H,
    step: std::marker::PhantomData<fn() -> S>,
}

#[async_trait]
impl<S: Step, H: Handler<S>> ErasedStep for StepEntry<S, H> {
    fn policy(&self) -> StepPolicy {
        StepPolicy {
            deadline: S::DEADLINE,
            retry: S::RETRY,
            on_exhausted: S::ON_EXHAUSTED,
        }
    }

    async fn run(
        &self,
        input: Value,
        context: &StepContext,
    ) -> anyhow::Result<Outcome<(Value, Effects)>> {
        let input: S::Input = serde_json::from_value(input).with_context(|| {
            format!(
                "the stored input of {} does not have the shape this build expects",
                context.key
            )
        })?;
        match self
            .handler
            .run(input.clone(), context)
            .await
            .map_err(Into::into)?
        {
            Outcome::Snooze(wait) => Ok(Outcome::Snooze(wait)),
            Outcome::Done(output) => {
                let effects = S::effects(&input, &output);
                let output = serde_json::to_value(output)
                    .context("the step's output cannot be written as JSON")?;
                Ok(Outcome::Done((output, effects)))
            }
        }
    }
}

struct FlowEntry<F>(std::marker::PhantomData<fn() -> F>);

#[async_trait]
impl<F: FlowDefinition> ErasedFlow for FlowEntry<F> {
    fn version(&self) -> i32 {
        F::VERSION
    }

    fn continues(&self, version: i32) -> bool {
        version == F::VERSION || F::CONTINUES.contains(&version)
    }

    fn remembers(&self) -> bool {
        true
    }

    async fn pass(&self, flow: &Flow, input: Value) -> Result<Pass, FlowError> {
        let shape = |what| {
            move |source| FlowError::Shape {
                what,
                key: F::NAME.to_owned(),
                source,
            }
        };
        let input: F::Input = serde_json::from_value(input).map_err(shape("input"))?;
        let output = F::run(flow, input.clone()).await?;
        let effects = F::effects(&input, &output);
        Ok(Pass::Ended(
            serde_json::to_value(output).map_err(shape("output"))?,
            effects,
        ))
    }

    async fn look(&self, _conn: &mut PgConnection, _input: Value) -> anyhow::Result<Pass> {
        Err(anyhow!("{} is a flow, not a reconciler", F::NAME))
    }
}

struct ReconcilerEntry<R>(std::marker::PhantomData<fn() -> R>);

#[async_trait]
impl<R: Reconciler> ErasedFlow for ReconcilerEntry<R> {
    fn version(&self) -> i32 {
        i32::MAX
    }

    fn continues(&self, _version: i32) -> bool {
        true
    }

    fn remembers(&self) -> bool {
        false
    }

    async fn pass(&self, _flow: &Flow, _input: Value) -> Result<Pass, FlowError> {
        Err(FlowError::Other(format!(
            "{} is a reconciler, not a flow",
            R::NAME
        )))
    }

    async fn look(&self, conn: &mut PgConnection, input: Value) -> anyhow::Result<Pass> {
        let input: R::Input = serde_json::from_value(input)
            .context("the stored input of the reconciler has another shape")?;
        let observation = R::observe(conn, &input).await?;
        let Decision {
            starts,
            moot,
            effects,
            end,
        } = R::decide(&input, observation)?;
        match end {
            Some(output) => Ok(Pass::Ended(serde_json::to_value(output)?, effects)),
            None => Ok(Pass::Watching {
                starts,
                moot,
                effects,
            }),
        }
    }
}
