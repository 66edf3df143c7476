//! Handler of `regenerate`.

use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use schema::storage::Layout;
use sha2::{Digest as _, Sha256};
use workflow::{
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

/// Runs a batch, a look at a time. Safe to run twice: a pod that works on these prompts, or has done them, takes the
/// request again as a repetition; modules are stored under keys that come from the input.
pub struct RegenerateHandler {
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
}

#[async_trait]
impl Handler<Regenerate> for RegenerateHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: RegenerateInput,
        context: &StepContext,
    ) -> anyhow::Result<Outcome<RegenerateOutput>> {
        let elapsed = (chrono::Utc::now() - input.since)
            .to_std()
            .unwrap_or_default();
        if elapsed > self.settings.batch_time_limit {
            return Ok(replace("batch_time_limit", None));
        }
        let address = self.address(&input)?;
        let prompts: Vec<PodPrompt> = input
            .prompts
            .iter()
            .map(|prompt| PodPrompt {
                stem: prompt.stem.as_str().to_owned(),
                image_url: prompt.url.clone(),
            })
            .collect();
        if let Err(error) = self
            .pods
            .generate(&address, &prompts, u64::from(input.seed))
            .await
        {
            return unless_spent(error, context, "submission_failed");
        }
        match self
            .pods
            .status(&address, input.replacements_remaining)
            .await
        {
            Ok(status) if status.state == PodState::Complete => {}
            Ok(status) if status.state == PodState::Replace => {
                return Ok(replace("requested", status.payload.map(Into::into)));
            }
            Ok(_) => return Ok(Outcome::Snooze(self.settings.status_check_interval)),
            Err(error) => return unless_spent(error, context, "unreachable"),
        }
        let results = match self.pods.results(&address).await {
            Ok(results) => results,
            Err(error) => return unless_spent(error, context, "download_failed"),
        };
        let seconds = (chrono::Utc::now() - input.since).as_seconds_f64();
        let modules = self.store_modules(&input, &results).await?;
        Ok(Outcome::Done(RegenerateOutput::Done { modules, seconds }))
    }
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
