//! Handler of `deploy-pod`.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use schema::files::PodStats;
use secrecy::SecretString;
use workflow::{
    engine::{Handler, Outcome, StepContext},
    round::steps::{DeployPod, DeployPodInput, DeployPodOutput, Pod},
};

use super::RoundSettings;
use crate::clients::{
    clouds::{CloudPod, GpuCloud, PodSpec},
    pod::{PodAddress, PodState, Pods},
};

/// Orders a pod and waits for it, a look at a time. Safe to run twice: the pod's name comes from the input, and a pod of
/// that name is found before another one is ordered.
pub struct DeployPodHandler {
    /// Where GPUs are rented.
    pub clouds: Vec<Arc<dyn GpuCloud>>,
    /// Miners' pods.
    pub pods: Arc<dyn Pods>,
    /// Limits and intervals.
    pub settings: RoundSettings,
}

#[async_trait]
impl Handler<DeployPod> for DeployPodHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: DeployPodInput,
        context: &StepContext,
    ) -> anyhow::Result<Outcome<DeployPodOutput>> {
        let name = PodStats::pod_name(input.round, &input.side, input.index);
        let Some((cloud, pod)) = self.find(&name).await? else {
            // Each failure moves on to the next cloud, so that one without free GPUs does not hold the round.
            let turn =
                (input.index as usize + usize::from(context.failures)) % self.clouds.len().max(1);
            let cloud = self
                .clouds
                .get(turn)
                .context("no GPU cloud is configured; set GPU_PROVIDERS")?;
            cloud.create(&self.specification(&input, &name)).await?;
            return Ok(Outcome::Snooze(self.settings.check_pod_interval));
        };
        let waited = (chrono::Utc::now() - input.since)
            .to_std()
            .unwrap_or_default();
        let Some(url) = pod.url.clone() else {
            return self.invisible(cloud, &pod, waited).await;
        };
        let address = PodAddress {
            url: url.clone(),
            token: cloud.pod_token().cloned(),
        };
        match self.look(&address, input.replacements_remaining).await {
            Some(PodState::Ready) => {
                let provider = cloud.kind().as_str().to_owned();
                let pod = Pod {
                    provider,
                    id: pod.id,
                    name,
                    url: url.to_string(),
                };
                Ok(Outcome::Done(DeployPodOutput::Ready { pod }))
            }
            Some(PodState::Replace) => {
                cloud.delete(&pod.id).await?;
                Ok(Outcome::Done(not_ready(
                    "the pod asked to be replaced before it was ready",
                )))
            }
            _ if waited
                > self.settings.pod_visibility_timeout + self.settings.pod_warmup_timeout =>
            {
                cloud.delete(&pod.id).await?;
                Ok(Outcome::Done(not_ready("the pod was not ready in time")))
            }
            _ => Ok(Outcome::Snooze(self.settings.check_pod_interval)),
        }
    }
}

fn not_ready(reason: &str) -> DeployPodOutput {
    DeployPodOutput::NotReady {
        reason: reason.to_owned(),
    }
}

impl DeployPodHandler {
    async fn find(&self, name: &str) -> anyhow::Result<Option<(&Arc<dyn GpuCloud>, CloudPod)>> {
        for cloud in &self.clouds {
            if let Some(pod) = cloud.list().await?.into_iter().find(|pod| pod.name == name) {
                return Ok(Some((cloud, pod)));
            }
        }
        Ok(None)
    }

    /// A pod that never appears is the cloud's failure: it is deleted and ordered again elsewhere.
    async fn invisible(
        &self,
        cloud: &Arc<dyn GpuCloud>,
        pod: &CloudPod,
        waited: Duration,
    ) -> anyhow::Result<Outcome<DeployPodOutput>> {
        if waited <= self.settings.pod_visibility_timeout {
            return Ok(Outcome::Snooze(self.settings.check_pod_interval));
        }
        cloud.delete(&pod.id).await?;
        Err(anyhow!(
            "{} did not show the pod {} in time",
            cloud.kind(),
            pod.name
        ))
    }

    /// The pod's state once it answers; a pod that answers nothing or nonsense is still starting.
    async fn look(&self, address: &PodAddress, replacements_remaining: u32) -> Option<PodState> {
        self.pods.health(address).await.ok()?;
        self.pods
            .status(address, replacements_remaining)
            .await
            .ok()
            .map(|status| status.state)
    }

    fn specification(&self, input: &DeployPodInput, name: &str) -> PodSpec {
        let env: Vec<(String, SecretString)> = self
            .settings
            .hf_token
            .iter()
            .map(|token| ("HF_TOKEN".to_owned(), token.clone()))
            .collect();
        PodSpec {
            name: name.to_owned(),
            image: input.image.clone(),
            port: self.settings.generation_port,
            gpu_type: self.settings.gpu_type.clone(),
            gpu_count: self.settings.gpu_count,
            env,
        }
    }
}
