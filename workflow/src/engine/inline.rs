//! Inline steps: the first attempt of a short step runs inside the pass that asked for it.
//!
//! Its result is recorded before the pass goes on, in one transaction with the results of other passes. If our side fails,
//! the step goes to the queue with one failure counted, and the flow sleeps until it ends.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::engine::{
    commit::{Claim, End, Ending, Verdict},
    committer::Committer,
    flow::{ChildState, NewJob},
    registry::Registry,
    run::{self, Ran},
    step::{Retry, StepContext},
};

/// Runs inline steps for one pass.
pub(crate) struct InlineRunner {
    pub(crate) registry: Registry,
    pub(crate) committer: Committer,
    pub(crate) claim: Claim,
    pub(crate) cancelled: CancellationToken,
}

/// The pass was fenced or the worker stops: whatever the step did will be asked for again.
pub(crate) struct Interrupted;

impl InlineRunner {
    pub(crate) async fn run(
        self: &Arc<Self>,
        job: NewJob,
        deadline: Duration,
        retry: Retry,
        fail_when_exhausted: bool,
    ) -> Result<ChildState, Interrupted> {
        let started = Instant::now();
        let Some(step) = self.registry.find_step(&job.name) else {
            // Another worker has its handler: the queue finds it.
            return self.record(job, End::Snoozed(Duration::ZERO), started).await;
        };
        let context =
            StepContext { key: job.key.clone(), attempt: 1, failures: 0, cancelled: self.cancelled.child_token() };
        let end = match run::attempt(step, job.input.clone(), &context, deadline).await {
            Ran::Ended(end) => end,
            Ran::Errored(error) => run::failure(error, 0, job.max_failures, retry, fail_when_exhausted),
        };
        self.record(job, end, started).await
    }

    async fn record(&self, job: NewJob, end: End, started: Instant) -> Result<ChildState, Interrupted> {
        let child = match &end {
            End::Completed { output, .. } => child("completed", Some(output.clone()), None),
            End::Failed(error) => child("failed", None, Some(error.clone())),
            _ => child("scheduled", None, None),
        };
        let ending = Ending { claim: self.claim.clone(), inline: Some(job), end, ran: started.elapsed() };
        match self.committer.commit(ending).await {
            Some(Verdict::Applied) => Ok(child),
            Some(Verdict::Fenced) | None => Err(Interrupted),
        }
    }
}

fn child(state: &str, output: Option<Value>, error: Option<String>) -> ChildState {
    ChildState { state: state.to_owned(), output, error }
}
