//! Inline steps: the first attempt of a short step runs inside the pass that asked for it.
//!
//! Its result is recorded before the pass goes on, in one transaction with the results of other passes. If our side fails,
//! the step goes to the queue with one failure counted, and the flow sleeps until it ends. Inline attempts belong to their
//! pass: a pause of the flow or of its round holds them back, limits of the step's queue do not.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use crate::engine::{
    commit::{Claim, End, Ending, Verdict},
    flow::{ChildState, NewJob},
    run::{self, Ran, Runner},
    step::{Retry, StepContext},
};

/// Runs inline steps for one pass.
pub(crate) struct InlineRunner {
    pub(crate) runner: Runner,
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
        let context = StepContext {
            key: job.key.clone(),
            attempt: 1,
            failures: 0,
            cancelled: self.cancelled.child_token(),
        };
        let end = match self.runner.registry.find_step(&job.name) {
            // Another worker has its handler: the queue finds it.
            None => End::Released,
            Some(step) => match self
                .runner
                .attempt(step, job.input.clone(), &context, deadline)
                .await
            {
                Ran::Ended(end) => end,
                // A handler that stopped because it was told to has not failed.
                Ran::Errored(_) if self.cancelled.is_cancelled() => return Err(Interrupted),
                Ran::Errored(error) => {
                    run::failure(error, 0, job.max_failures, retry, fail_when_exhausted)
                }
            },
        };
        let child = match &end {
            End::Completed { output, .. } => child("completed", Some(output.clone()), None),
            End::Failed(error) => child("failed", None, Some(error.clone())),
            _ => child("scheduled", None, None),
        };
        let ending = Ending {
            claim: self.claim.clone(),
            inline: Some(job),
            end,
            ran: started.elapsed(),
            trace: self.runner.trace(),
        };
        match self.runner.committer.commit(ending).await {
            Some(Verdict::Applied) => Ok(child),
            Some(Verdict::Known(child)) => Ok(child),
            Some(Verdict::Refused) => Ok(self::child("scheduled", None, None)),
            Some(Verdict::Fenced) | None => Err(Interrupted),
        }
    }
}

fn child(state: &str, output: Option<serde_json::Value>, error: Option<String>) -> ChildState {
    ChildState {
        state: state.to_owned(),
        output,
        error,
    }
}
