//! One attempt: from a claim to how it ended. Nothing here writes.

use std::{
    panic::AssertUnwindSafe,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use futures::FutureExt as _;
use serde_json::Value;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::engine::{
    commit::{Claim, End, Ending},
    committer::Committer,
    flow::Flow,
    inline::InlineRunner,
    registry::{ErasedFlow, ErasedStep, Pass, Registry},
    step::{OnExhausted, Outcome, Retry, StepContext},
};

/// What one worker runs attempts with.
#[derive(Clone)]
pub(crate) struct Runner {
    pub(crate) registry: Registry,
    pub(crate) committer: Committer,
    pub(crate) pool: PgPool,
}

/// How long an unknown step or flow waits for a worker that knows it, during a deploy.
const UNKNOWN_NAME_WAIT: Duration = Duration::from_secs(10);
/// A pass only decides; one that takes longer hangs.
const PASS_DEADLINE: Duration = Duration::from_secs(300);

/// How an attempt ran.
pub(crate) enum Ran {
    Ended(End),
    /// Our side failed.
    Errored(anyhow::Error),
}

impl Runner {
    /// Runs the claimed job and answers how its attempt ended; `None` if somebody else has taken the job away.
    pub(crate) async fn run(&self, claim: Claim, cancelled: CancellationToken) -> Option<Ending> {
        let started = Instant::now();
        let end = match claim.kind.as_str() {
            "flow" => self.run_flow(&claim, &cancelled).await,
            _ => self.run_step(&claim, &cancelled).await,
        };
        if cancelled.is_cancelled() && !matches!(end, Some(End::Completed { .. } | End::Suspended { .. })) {
            // A handler that stopped because it was told to has not failed.
            return Some(Ending { claim, inline: None, end: End::Released, ran: started.elapsed() });
        }
        end.map(|end| Ending { claim, inline: None, end, ran: started.elapsed() })
    }

    async fn run_step(&self, claim: &Claim, cancelled: &CancellationToken) -> Option<End> {
        let Some(step) = self.registry.find_step(&claim.name) else {
            tracing::warn!(job.key = %claim.key, job.step = %claim.name, "this build has no handler for the step; left to others");
            return Some(End::Snoozed(UNKNOWN_NAME_WAIT));
        };
        let policy = step.policy();
        let context = StepContext {
            key: claim.key.clone(),
            attempt: claim.attempt,
            failures: u16::try_from(claim.failures).unwrap_or(0),
            cancelled: cancelled.clone(),
        };
        Some(match attempt(step, claim.input.clone(), &context, policy.deadline).await {
            Ran::Ended(end) => end,
            Ran::Errored(error) => {
                let fail = policy.on_exhausted == OnExhausted::Fail;
                failure(error, claim.failures, claim.max_failures, policy.retry, fail)
            }
        })
    }

    async fn run_flow(&self, claim: &Claim, cancelled: &CancellationToken) -> Option<End> {
        let Some(definition) = self.registry.find_flow(&claim.name) else {
            tracing::warn!(job.key = %claim.key, "this build does not know the flow; left to others");
            return Some(End::Snoozed(UNKNOWN_NAME_WAIT));
        };
        if !definition.continues(claim.version) {
            let error = anyhow!(
                "the flow {} was started as version {}, which this build does not continue; deploy a build that lists it, or \
                 cancel the flow and start it anew",
                claim.name, claim.version
            );
            return Some(End::Parked(format!("{error:#}")));
        }
        let pass = AssertUnwindSafe(tokio::time::timeout(PASS_DEADLINE, self.pass(definition, claim, cancelled)));
        let error = match pass.catch_unwind().await {
            Ok(Ok(Ok(end))) => return end,
            Ok(Ok(Err(error))) => error,
            Ok(Err(_)) => anyhow!("the pass took longer than {} s: a flow must only decide", PASS_DEADLINE.as_secs()),
            Err(panic) => anyhow!("the flow panicked: {}", panic_text(&*panic)),
        };
        Some(failure(error, claim.failures, claim.max_failures, Retry::DEFAULT, false))
    }

    async fn pass(
        &self,
        definition: Arc<dyn ErasedFlow>,
        claim: &Claim,
        cancelled: &CancellationToken,
    ) -> anyhow::Result<Option<End>> {
        if !definition.remembers() {
            return self.look(definition, claim).await.map(Some);
        }
        let inline = Arc::new(InlineRunner {
            registry: self.registry.clone(),
            committer: self.committer.clone(),
            claim: claim.clone(),
            cancelled: cancelled.clone(),
        });
        let flow = Flow::new(claim.key.clone(), claim.round, claim.history.clone(), inline);
        let ended = {
            let mut deciding = pin!(definition.pass(&flow, claim.input.clone()));
            std::future::poll_fn(|context| match deciding.as_mut().poll(context) {
                Poll::Ready(ended) => Poll::Ready(Some(ended)),
                // Nothing runs inside the pass any more: what it waits for is in the database.
                Poll::Pending if flow.lock().inline_running == 0 => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            })
            .await
        };
        match ended {
            Some(Ok(Pass::Ended(output, mut effects))) => {
                // Children that were started and not waited for.
                effects.starts.append(&mut flow.lock().starts);
                Ok(Some(End::Completed { output, effects }))
            }
            Some(Ok(Pass::Watching { .. })) => Err(anyhow!("a flow cannot watch")),
            Some(Err(crate::engine::flow::FlowError::Interrupted { .. })) => Ok(None),
            Some(Err(error)) => Err(error.into()),
            None => {
                let mut state = flow.lock();
                if !state.awaits {
                    return Err(anyhow!("the flow waits for something that is not a step: flows must not do I/O or sleep"));
                }
                Ok(Some(End::Suspended {
                    starts: std::mem::take(&mut state.starts),
                    moot: Vec::new(),
                    joins: !state.joined.is_empty(),
                    effects: crate::engine::Effects::default(),
                }))
            }
        }
    }

    async fn look(&self, definition: Arc<dyn ErasedFlow>, claim: &Claim) -> anyhow::Result<End> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY").execute(&mut *transaction).await?;
        let pass = definition.look(&mut transaction, claim.input.clone()).await?;
        transaction.commit().await?;
        Ok(match pass {
            Pass::Ended(output, effects) => End::Completed { output, effects },
            Pass::Watching { starts, moot, effects } => End::Suspended { starts, moot, joins: false, effects },
        })
    }
}

/// Runs one attempt of a step within its deadline; a panic is our failure like any other.
pub(crate) async fn attempt(step: Arc<dyn ErasedStep>, input: Value, context: &StepContext, deadline: Duration) -> Ran {
    let run = AssertUnwindSafe(tokio::time::timeout(deadline, step.run(input, context))).catch_unwind();
    let ran = tokio::select! {
        ran = run => ran,
        // Handlers get a moment to stop by themselves, then are dropped.
        () = async { context.cancelled.cancelled().await; tokio::time::sleep(CANCEL_GRACE).await } => {
            return Ran::Errored(anyhow!("the attempt was cancelled"));
        }
    };
    match ran {
        Ok(Ok(Ok(Outcome::Done((output, effects))))) => Ran::Ended(End::Completed { output, effects }),
        Ok(Ok(Ok(Outcome::Snooze(wait)))) => Ran::Ended(End::Snoozed(wait)),
        Ok(Ok(Err(error))) => Ran::Errored(error),
        Ok(Err(_)) => Ran::Errored(anyhow!(
            "the handler did not end within its deadline of {} s and was stopped",
            deadline.as_secs_f64()
        )),
        Err(panic) => Ran::Errored(anyhow!("the handler panicked: {}", panic_text(&*panic))),
    }
}

/// How long a cancelled handler may take to stop by itself.
const CANCEL_GRACE: Duration = Duration::from_secs(5);
/// Longest error chain kept, in characters.
const ERROR_LIMIT: usize = 4000;

/// The end of an attempt that failed on our side.
pub(crate) fn failure(error: anyhow::Error, failures: i16, max_failures: i16, retry: Retry, fail: bool) -> End {
    let mut text = format!("{error:#}").replace('\0', "\u{fffd}");
    if let Some((cut, _)) = text.char_indices().nth(ERROR_LIMIT) {
        text.truncate(cut);
    }
    let failed = failures.saturating_add(1);
    if failed < max_failures {
        let wait = retry.wait(u16::try_from(failed).unwrap_or(u16::MAX), rand::random());
        End::Errored { error: text, wait }
    } else if fail {
        End::Failed(text)
    } else {
        End::Parked(text)
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
