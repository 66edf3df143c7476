//! Handler of `regenerate`.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use async_trait::async_trait;
use schema::storage::Layout;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use workflow::{
    db,
    engine::{Handler, Outcome, StepContext},
    round::{
        entry::{EntryId, ModuleRef},
        steps::{Regenerate, RegenerateInput, RegenerateOutput, RegeneratedModule},
    },
};

use super::{RoundSettings, render};
use crate::clients::{
    clouds::GpuCloud,
    object_store::{Object, ObjectStore},
    pod::{BatchResults, PodAddress, PodError, PodPrompt, PodState, Pods, StemResult},
};

/// How many looks in a row may fail before a pod counts as unreachable (`MAX_CONSECUTIVE_UNHEALTHY`).
const MAX_UNHEALTHY: u16 = 18;

/// Longest that a pod may keep us in one attempt. One that trickles its answers would otherwise run into the step's deadline
/// each time, which counts as our failure and in the end waits for an operator.
pub const HEARD_WITHIN: Duration = Duration::from_mins(10);

/// Pauses between looks up to this are usual, whatever their cause: a pod that does not answer must not gain time by it.
const LONGEST_PAUSE: Duration = Duration::from_secs(45);

/// Runs a batch, a look at a time. Safe to run twice: a pod that works on these prompts, or has done them, takes the
/// request again as a repetition; modules are stored under keys that come from the input.
pub struct RegenerateHandler {
    /// Our database, for the times at which we looked.
    pub pool: PgPool,
    /// Where GPUs are rented, for the pods' tokens.
    pub clouds: Vec<Arc<dyn GpuCloud>>,
    /// Miners' pods.
    pub pods: Arc<dyn Pods>,
    /// Our object store.
    pub store: Arc<dyn ObjectStore>,
    /// Where in it things lie.
    pub layout: Layout,
    /// Limits and intervals.
    pub settings: RoundSettings,
    /// Longest that a pod may keep us: [`HEARD_WITHIN`].
    pub heard_within: Duration,
}

#[async_trait]
impl Handler<Regenerate> for RegenerateHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: RegenerateInput,
        context: &StepContext,
    ) -> anyhow::Result<Outcome<RegenerateOutput>> {
        let unattended = self.unattended_seconds(context).await?;
        self.look(input, context, unattended).await
    }
}

impl RegenerateHandler {
    /// One look. `unattended`: seconds of the batch in which there was none although there should have been.
    async fn look(
        &self,
        input: RegenerateInput,
        context: &StepContext,
        unattended: f64,
    ) -> anyhow::Result<Outcome<RegenerateOutput>> {
        let address = self.address(&input)?;
        let hearing = self.hear(&input, &address, unattended);
        let (results, seconds) = match tokio::time::timeout(self.heard_within, hearing).await {
            Ok(Ok(Heard::Results { results, seconds })) => (results, seconds),
            Ok(Ok(Heard::Working)) => {
                return Ok(Outcome::Snooze(self.settings.status_check_interval));
            }
            Ok(Ok(Heard::Unfit { reason, payload })) => return Ok(replace(reason, payload)),
            Ok(Err((error, reason))) => return unless_spent(error, context, reason),
            Err(_) => return Ok(replace("download_failed", None)),
        };
        let modules = self.store_modules(&input, &results).await?;
        Ok(Outcome::Done(RegenerateOutput::Done { modules, seconds }))
    }
}

/// What a pod had to say.
enum Heard {
    /// The batch goes on.
    Working,
    /// The batch is complete.
    Results { results: BatchResults, seconds: f64 },
    /// The pod has to be replaced.
    Unfit {
        reason: &'static str,
        payload: Option<serde_json::Value>,
    },
}

/// Since the batch began.
fn seconds_since(input: &RegenerateInput) -> f64 {
    (chrono::Utc::now() - input.since).as_seconds_f64()
}

fn replace(reason: &str, payload: Option<serde_json::Value>) -> Outcome<RegenerateOutput> {
    Outcome::Done(RegenerateOutput::Replace {
        reason: reason.to_owned(),
        payload,
    })
}

/// A pod that fails in a way that may pass is asked again some times; then, or if it cannot pass, it is replaced.
fn unless_spent(
    error: PodError,
    context: &StepContext,
    reason: &str,
) -> anyhow::Result<Outcome<RegenerateOutput>> {
    let warming_up = matches!(
        error,
        PodError::Conflict {
            current: Some(PodState::WarmingUp),
            ..
        }
    );
    if (error.is_retryable() || warming_up) && context.failures < MAX_UNHEALTHY {
        Err(error.into())
    } else {
        Ok(replace(reason, None))
    }
}

impl RegenerateHandler {
    /// Time of the batch that is ours, not the miner's: our outages.
    async fn unattended_seconds(&self, context: &StepContext) -> anyhow::Result<f64> {
        let mut conn = self.pool.acquire().await?;
        let usual = self.settings.status_check_interval.max(LONGEST_PAUSE);
        Ok(db::attempt::unattended_seconds(&mut conn, &context.key, usual.as_secs_f64()).await?)
    }

    /// Asks the pod for the batch, how it stands, and for the results when they are there. An error goes with the reason that
    /// it becomes when it does not pass.
    async fn hear(
        &self,
        input: &RegenerateInput,
        address: &PodAddress,
        unattended: f64,
    ) -> Result<Heard, (PodError, &'static str)> {
        let prompts: Vec<PodPrompt> = input
            .prompts
            .iter()
            .map(|prompt| PodPrompt {
                stem: prompt.stem.as_str().to_owned(),
                image_url: prompt.url.clone(),
            })
            .collect();
        self.pods
            .generate(address, &prompts, u64::from(input.seed))
            .await
            .map_err(|error| (error, "submission_failed"))?;
        let status = self
            .pods
            .status(address, input.replacements_remaining)
            .await
            .map_err(|error| (error, "unreachable"))?;
        let limit = self.settings.batch_time_limit.as_secs_f64();
        match status.state {
            PodState::Complete => {}
            PodState::Replace => {
                return Ok(Heard::Unfit {
                    reason: "requested",
                    payload: status.payload.map(Into::into),
                });
            }
            _ if seconds_since(input) - unattended > limit => {
                return Ok(Heard::Unfit {
                    reason: "batch_time_limit",
                    payload: None,
                });
            }
            _ => return Ok(Heard::Working),
        }
        let results = self
            .pods
            .results(address)
            .await
            .map_err(|error| (error, "download_failed"))?;
        // What ended while nobody of ours looked may have ended long ago.
        let seconds = (seconds_since(input) - unattended).max(0.0);
        Ok(Heard::Results { results, seconds })
    }

    fn address(&self, input: &RegenerateInput) -> anyhow::Result<PodAddress> {
        let url = input
            .pod
            .url
            .parse()
            .with_context(|| format!("the pod {} has no usable address", input.pod.name))?;
        let cloud = self
            .clouds
            .iter()
            .find(|cloud| cloud.kind().as_str() == input.pod.provider);
        Ok(PodAddress {
            url,
            token: cloud.and_then(|cloud| cloud.pod_token().cloned()),
        })
    }

    async fn store_modules(
        &self,
        input: &RegenerateInput,
        results: &BatchResults,
    ) -> anyhow::Result<Vec<RegeneratedModule>> {
        let mut objects = Vec::new();
        let mut modules = Vec::new();
        for prompt in &input.prompts {
            let (module, failure_reason) = match results.of(prompt.stem.as_str()) {
                StemResult::Failed(reason) => (None, Some(reason)),
                StemResult::Module(bytes) => {
                    let entry = EntryId {
                        round: input.round,
                        side: input.side.clone(),
                        repeat: input.repeat,
                        stem: prompt.stem.clone(),
                    };
                    let files = render::files(&self.layout, &entry);
                    let module = ModuleRef {
                        key: files.module_key.clone(),
                        url: files.module_url,
                        size_bytes: bytes.len() as u64,
                        sha256: hex::encode(Sha256::digest(&bytes)),
                        fetched_at: Some(chrono::Utc::now()),
                    };
                    objects.push(Object {
                        key: files.module_key,
                        content_type: "text/javascript",
                        bytes,
                    });
                    (Some(module), None)
                }
            };
            modules.push(RegeneratedModule {
                stem: prompt.stem.clone(),
                module,
                failure_reason,
            });
        }
        self.store
            .put_all(objects)
            .await
            .context("the modules were not stored")?;
        Ok(modules)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use chrono::{TimeDelta, Utc};
    use schema::{RoundNumber, Side};
    use tokio_util::sync::CancellationToken;
    use workflow::round::{entry::Prompt, steps::Pod};

    use super::*;
    use crate::clients::{
        object_store::FakeObjectStore,
        pod::{FakePods, PodStatus},
    };

    fn handler(pods: impl Pods + 'static) -> RegenerateHandler {
        RegenerateHandler {
            pool: PgPool::connect_lazy("postgres://nobody@localhost/nothing").unwrap(),
            clouds: Vec::new(),
            pods: Arc::new(pods),
            store: Arc::new(FakeObjectStore::new("https://store.example")),
            layout: Layout::default(),
            settings: RoundSettings::default(),
            heard_within: HEARD_WITHIN,
        }
    }

    /// A batch of one prompt that began so many seconds ago.
    fn batch(seconds: i64) -> RegenerateInput {
        RegenerateInput {
            round: RoundNumber(6),
            side: Side::Leader,
            repeat: 1,
            batch: 0,
            pod: Pod {
                provider: "targon".to_owned(),
                id: "id".to_owned(),
                name: "miner-06-leader-0".to_owned(),
                url: "http://pod.example".to_owned(),
            },
            replacements_remaining: 3,
            prompts: vec![Prompt::of_url("https://prompts.example/chair.png")],
            seed: 1,
            since: Utc::now() - TimeDelta::seconds(seconds),
        }
    }

    fn context() -> StepContext {
        StepContext {
            key: "key".to_owned(),
            attempt: 1,
            failures: 0,
            cancelled: CancellationToken::new(),
        }
    }

    fn generating() -> FakePods {
        let pods = FakePods::default();
        pods.statuses.push(Ok(PodStatus {
            state: PodState::Generating,
            progress: None,
            total: None,
            payload: None,
        }));
        pods
    }

    fn replaced(outcome: &Outcome<RegenerateOutput>) -> Option<&str> {
        match outcome {
            Outcome::Done(RegenerateOutput::Replace { reason, .. }) => Some(reason),
            _ => None,
        }
    }

    #[tokio::test]
    async fn our_outage_is_not_time_of_the_miners_batch() {
        let two_hours = batch(7200);
        let late = handler(generating())
            .look(two_hours.clone(), &context(), 0.0)
            .await;
        assert_eq!(replaced(&late.unwrap()), Some("batch_time_limit"));
        let attended = handler(generating())
            .look(two_hours.clone(), &context(), 5000.0)
            .await;
        assert!(matches!(attended.unwrap(), Outcome::Snooze(_)));

        // Complete is complete, and what counts is the time in which somebody could have seen it.
        let complete = handler(FakePods::default())
            .look(two_hours, &context(), 7000.0)
            .await;
        match complete.unwrap() {
            Outcome::Done(RegenerateOutput::Done { modules, seconds }) => {
                assert_eq!(modules.len(), 1);
                assert!((199.0..230.0).contains(&seconds), "{seconds}");
            }
            other => panic!("{other:?}"),
        }
    }

    /// A pod that sends its results byte by byte, for ever.
    struct Trickling(FakePods);

    #[async_trait]
    impl Pods for Trickling {
        async fn health(&self, pod: &PodAddress) -> Result<(), PodError> {
            self.0.health(pod).await
        }

        async fn status(&self, pod: &PodAddress, remaining: u32) -> Result<PodStatus, PodError> {
            self.0.status(pod, remaining).await
        }

        async fn generate(
            &self,
            pod: &PodAddress,
            prompts: &[PodPrompt],
            seed: u64,
        ) -> Result<(), PodError> {
            self.0.generate(pod, prompts, seed).await
        }

        async fn results(&self, _pod: &PodAddress) -> Result<BatchResults, PodError> {
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn a_pod_that_trickles_is_replaced_before_the_step_would_be_cut_off() {
        assert!(HEARD_WITHIN < <Regenerate as workflow::engine::Step>::DEADLINE);
        let handler = RegenerateHandler {
            heard_within: Duration::from_millis(10),
            ..handler(Trickling(FakePods::default()))
        };
        let outcome = handler.look(batch(1), &context(), 0.0).await.unwrap();
        assert_eq!(replaced(&outcome), Some("download_failed"));
    }
}
