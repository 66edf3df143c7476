//! Handler of `regenerate`.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use async_trait::async_trait;
use schema::storage::Layout;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use workflow::{
    db::{self, attempt::Looks},
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
    pod::{BatchResults, PodAddress, PodError, PodPrompt, PodState, PodStatus, Pods, StemResult},
};

/// Longest that a pod may keep us in one attempt. One that trickles its answers would otherwise run into the step's deadline
/// each time, which counts as our failure and in the end waits for an operator.
pub const HEARD_WITHIN: Duration = Duration::from_mins(10);

/// Pauses between looks up to this are usual, whatever their cause: a pod that does not answer must not gain time by it.
const LONGEST_PAUSE: Duration = Duration::from_secs(45);

/// Runs a batch, a look at a time. Safe to run twice: a pod that works on these prompts, or has done them, takes the
/// request again as a repetition; modules are stored under keys that come from the input. Only a request whose answer was
/// lost is repeated, and one that the pod has forgotten: not every miner's pod knows a repetition when it sees one.
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
        let before = self.before(context).await?;
        self.look(input, before).await
    }
}

/// The batch so far.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    looks: Looks,
    /// Seconds in which nobody looked although somebody should have: our outages, not the miner's time.
    unattended: f64,
}

impl RegenerateHandler {
    async fn before(&self, context: &StepContext) -> sqlx::Result<Before> {
        let mut conn = self.pool.acquire().await?;
        let usual = self.settings.status_check_interval.max(LONGEST_PAUSE);
        Ok(Before {
            looks: db::attempt::looks(&mut conn, &context.key).await?,
            unattended: db::attempt::unattended_seconds(
                &mut conn,
                &context.key,
                usual.as_secs_f64(),
            )
            .await?,
        })
    }

    /// One look.
    async fn look(
        &self,
        input: RegenerateInput,
        before: Before,
    ) -> anyhow::Result<Outcome<RegenerateOutput>> {
        let address = self.address(&input)?;
        let hearing = self.hear(&input, &address, before);
        let (results, seconds) = match tokio::time::timeout(self.heard_within, hearing).await {
            Ok(Ok(Heard::Results { results, seconds })) => (results, seconds),
            Ok(Ok(Heard::Working)) => {
                return Ok(Outcome::Snooze(self.settings.status_check_interval));
            }
            Ok(Ok(Heard::Unfit { reason, payload })) => return Ok(replace(reason, payload)),
            Ok(Err((error, call))) => return self.unless_spent(error, call, before.looks),
            Err(_) => return Ok(replace(Call::Download.failed(), None)),
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

/// What a pod was asked when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Submit,
    Status,
    Download,
}

impl Call {
    /// `termination_reason` of a pod that does not answer it.
    fn failed(self) -> &'static str {
        match self {
            Self::Submit => "submission_failed",
            Self::Status => "unreachable",
            Self::Download => "download_failed",
        }
    }
}

impl RegenerateHandler {
    /// A pod that fails in a way that may pass is asked again some times in a row; then, or if it cannot pass, it is replaced. A
    /// status that cannot be had or read may always be another one the next time (generation, section 5.5).
    fn unless_spent(
        &self,
        error: PodError,
        call: Call,
        looks: Looks,
    ) -> anyhow::Result<Outcome<RegenerateOutput>> {
        let warming_up = matches!(
            error,
            PodError::Conflict {
                current: Some(PodState::WarmingUp),
                ..
            }
        );
        let may_pass = call == Call::Status || error.is_retryable() || warming_up;
        // The look that fails now is one more.
        if may_pass && looks.failed_since + 1 < i64::from(self.settings.max_unhealthy) {
            Err(error.into())
        } else {
            Ok(replace(call.failed(), None))
        }
    }

    /// Asks the pod for the batch, how it stands, and for the results when they are there. An error goes with what was asked.
    async fn hear(
        &self,
        input: &RegenerateInput,
        address: &PodAddress,
        before: Before,
    ) -> Result<Heard, (PodError, Call)> {
        let unattended = before.unattended;
        // A look that went well has told that the pod took the batch.
        if before.looks.went_well == 0 {
            self.submit(input, address).await?;
        }
        let mut status = self.status(input, address).await?;
        if status.state == PodState::Ready && before.looks.went_well > 0 {
            // It was started again and knows of no batch (generation, weakness W22).
            self.submit(input, address).await?;
            status = self.status(input, address).await?;
        }
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
            .map_err(|error| (error, Call::Download))?;
        // What ended while nobody of ours looked may have ended long ago.
        let seconds = (seconds_since(input) - unattended).max(0.0);
        Ok(Heard::Results { results, seconds })
    }

    async fn submit(
        &self,
        input: &RegenerateInput,
        address: &PodAddress,
    ) -> Result<(), (PodError, Call)> {
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
            .map_err(|error| (error, Call::Submit))
    }

    async fn status(
        &self,
        input: &RegenerateInput,
        address: &PodAddress,
    ) -> Result<PodStatus, (PodError, Call)> {
        self.pods
            .status(address, input.replacements_remaining)
            .await
            .map_err(|error| (error, Call::Status))
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
mod tests;
