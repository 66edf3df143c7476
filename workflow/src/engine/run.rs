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
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::Instrument as _;

use crate::engine::{
    commit::{Claim, End, Ending},
    committer::Committer,
    effects::Effects,
    flow::{Flow, FlowError},
    inline::InlineRunner,
    probe::{Point, Probes},
    registry::{ErasedFlow, ErasedStep, Pass, Registry},
    step::{OnExhausted, Outcome, Retry, StepContext},
};

/// What one worker runs attempts with.
#[derive(Clone)]
pub(crate) struct Runner {
    pub(crate) registry: Registry,
    pub(crate) committer: Committer,
    pub(crate) pool: PgPool,
    pub(crate) probes: Probes,
    pub(crate) current_trace: Option<fn() -> Option<String>>,
}

/// Waits of a step or flow for a worker that knows it, during a deploy; they grow, so that one which waits for ever writes
/// little history.
const UNKNOWN_NAME_WAIT: Retry = Retry::doubling(Duration::from_secs(10), Duration::from_secs(600));
/// A pass only decides; one that takes longer hangs.
const PASS_DEADLINE: Duration = Duration::from_secs(300);
/// How long a cancelled handler may take to stop by itself.
const CANCEL_GRACE: Duration = Duration::from_secs(5);
/// Longest error chain kept, in characters.
const ERROR_LIMIT: usize = 4000;

/// How an attempt ran.
pub(crate) enum Ran {
    Ended(End),
    /// Our side failed.
    Errored(anyhow::Error),
}

impl Runner {
    /// Runs the claimed job and answers how its attempt ended; `None` if somebody else has taken the job away.
    pub(crate) async fn run(&self, claim: Claim, cancelled: CancellationToken) -> Option<Ending> {
        let span = tracing::info_span!("attempt", job.key = %claim.key, job.step = %claim.name, job.attempt = claim.attempt);
        async {
            let started = Instant::now();
            let end = match claim.kind.as_str() {
                "flow" => self.run_flow(&claim, &cancelled).await,
                _ => Some(self.run_step(&claim, &cancelled).await),
            };
            let end = match end {
                Some(end @ (End::Completed { .. } | End::Suspended { .. })) => end,
                // A handler that stopped because it was told to has not failed.
                _ if cancelled.is_cancelled() => End::Released,
                Some(end) => end,
                None => return None,
            };
            let trace = self.trace();
            Some(Ending {
                claim,
                inline: None,
                end,
                ran: started.elapsed(),
                trace,
            })
        }
        .instrument(span)
        .await
    }

    /// The trace we are in, for the history.
    pub(crate) fn trace(&self) -> Option<String> {
        self.current_trace.and_then(|current| current())
    }

    async fn run_step(&self, claim: &Claim, cancelled: &CancellationToken) -> End {
        let Some(step) = self.registry.find_step(&claim.name) else {
            return declined(
                claim,
                format!("this build has no handler for the step {}", claim.name),
            );
        };
        let policy = step.policy();
        let context = StepContext {
            key: claim.key.clone(),
            attempt: claim.attempt,
            failures: u16::try_from(claim.failures).unwrap_or(0),
            cancelled: cancelled.clone(),
        };
        match self
            .attempt(step, claim.input.clone(), &context, policy.deadline)
            .await
        {
            Ran::Ended(end) => end,
            Ran::Errored(error) => {
                let fail = policy.on_exhausted == OnExhausted::Fail;
                failure(
                    error,
                    claim.failures,
                    claim.max_failures,
                    policy.retry,
                    fail,
                )
            }
        }
    }

    /// Runs one attempt of a step within its deadline. It has a task of its own: a handler that blocks its thread cannot keep
    /// us from noticing, and a panic is our failure like any other.
    pub(crate) async fn attempt(
        &self,
        step: Arc<dyn ErasedStep>,
        input: Value,
        context: &StepContext,
        deadline: Duration,
    ) -> Ran {
        self.probes
            .reached(Point::BeforeHandler, &context.key)
            .await;
        let (its_context, span) = (context.clone(), tracing::Span::current());
        let handler =
            tokio::spawn(async move { step.run(input, &its_context).await }.instrument(span));
        let mut handler = AbortOnDropHandle::new(handler);
        let answer = tokio::select! {
            answer = &mut handler => answer,
            () = tokio::time::sleep(deadline) => {
                let seconds = deadline.as_secs_f64();
                return Ran::Errored(anyhow!("the handler did not end within its deadline of {seconds} s and was stopped"));
            }
            // Handlers get a moment to stop by themselves, then are dropped.
            () = async { context.cancelled.cancelled().await; tokio::time::sleep(CANCEL_GRACE).await } => {
                return Ran::Errored(anyhow!("the attempt was cancelled"));
            }
        };
        self.probes.reached(Point::AfterHandler, &context.key).await;
        match answer {
            Ok(Ok(Outcome::Done((output, effects)))) => {
                Ran::Ended(End::Completed { output, effects })
            }
            Ok(Ok(Outcome::Snooze(wait))) => Ran::Ended(End::Snoozed(wait)),
            Ok(Err(error)) => Ran::Errored(error),
            Err(error) => Ran::Errored(match error.try_into_panic() {
                Ok(panic) => anyhow!("the handler panicked: {}", panic_text(&*panic)),
                Err(_) => anyhow!("the handler's task was cancelled"),
            }),
        }
    }

    async fn run_flow(&self, claim: &Claim, cancelled: &CancellationToken) -> Option<End> {
        let Some(definition) = self.registry.find_flow(&claim.name) else {
            return Some(declined(
                claim,
                format!("this build does not know the flow {}", claim.name),
            ));
        };
        if claim.version > definition.version() {
            return Some(declined(
                claim,
                format!(
                    "a newer build has started the flow {} as version {}, this one has version {}",
                    claim.name,
                    claim.version,
                    definition.version()
                ),
            ));
        }
        if !definition.continues(claim.version) {
            return Some(End::Parked(format!(
                "the flow {} was started as version {}, which this build (version {}) does not continue; deploy a build that \
                 does, or cancel the flow and start it anew",
                claim.name,
                claim.version,
                definition.version()
            )));
        }
        let pass = AssertUnwindSafe(tokio::time::timeout(
            PASS_DEADLINE,
            self.pass(definition, claim, cancelled),
        ));
        let error = match pass.catch_unwind().await {
            Ok(Ok(Ok(end))) => return end,
            Ok(Ok(Err(error))) => error,
            Ok(Err(_)) => anyhow!(
                "the pass took longer than {} s: a flow must only decide",
                PASS_DEADLINE.as_secs()
            ),
            Err(panic) => anyhow!("the flow panicked: {}", panic_text(&*panic)),
        };
        Some(failure(
            error,
            claim.failures,
            claim.max_failures,
            Retry::DEFAULT,
            false,
        ))
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
        let mut claim = claim.clone();
        let history = std::mem::take(&mut claim.history);
        let input = claim.input.clone();
        let inline = InlineRunner {
            runner: self.clone(),
            claim,
            cancelled: cancelled.clone(),
        };
        let flow = Flow::new(Arc::new(inline), history);
        let ended = {
            let mut deciding = pin!(definition.pass(&flow, input));
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
            Some(Err(FlowError::Interrupted { .. })) => Ok(None),
            Some(Err(error)) => Err(error.into()),
            None => {
                let mut state = flow.lock();
                if !state.awaits {
                    return Err(anyhow!(
                        "the flow waits for something that is not a step: flows must not do I/O or sleep"
                    ));
                }
                let starts = std::mem::take(&mut state.starts);
                Ok(Some(End::Suspended {
                    starts,
                    moot: Vec::new(),
                    effects: Effects::default(),
                }))
            }
        }
    }

    async fn look(&self, definition: Arc<dyn ErasedFlow>, claim: &Claim) -> anyhow::Result<End> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .execute(&mut *transaction)
            .await?;
        let pass = definition
            .look(&mut transaction, claim.input.clone())
            .await?;
        transaction.commit().await?;
        Ok(match pass {
            Pass::Ended(output, effects) => End::Completed { output, effects },
            Pass::Watching {
                mut starts,
                moot,
                effects,
            } => {
                starts
                    .iter_mut()
                    .for_each(|job| job.round = job.round.or(claim.round));
                End::Suspended {
                    starts,
                    moot,
                    effects,
                }
            }
        })
    }
}

/// The end of an attempt of something that another build knows.
fn declined(claim: &Claim, what: String) -> End {
    let because = format!("{what}; left to workers of another build");
    tracing::warn!("{because}");
    let tries = u16::try_from(claim.attempt).unwrap_or(u16::MAX);
    let wait = UNKNOWN_NAME_WAIT.wait(tries, rand::random());
    End::Declined { because, wait }
}

/// The end of an attempt that failed on our side.
pub(crate) fn failure(
    error: anyhow::Error,
    failures: i16,
    max_failures: i16,
    retry: Retry,
    fail: bool,
) -> End {
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
