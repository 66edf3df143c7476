//! Handler of `order-pod`.

use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use schema::files::PodStats;
use secrecy::SecretString;
use workflow::{
    engine::{Handler, Outcome, StepContext},
    round::steps::{OrderPod, OrderPodInput, OrderedPod},
};

use super::RoundSettings;
use crate::clients::clouds::{GpuCloud, PodSpec};

/// Orders a pod. Safe to run twice: the pod's name comes from the input, and a pod of that name is found before another one
/// is ordered.
pub struct OrderPodHandler {
    /// Where GPUs are rented.
    pub clouds: Vec<Arc<dyn GpuCloud>>,
    /// What is ordered.
    pub settings: RoundSettings,
}

#[async_trait]
impl Handler<OrderPod> for OrderPodHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: OrderPodInput,
        context: &StepContext,
    ) -> anyhow::Result<Outcome<OrderedPod>> {
        let name = PodStats::pod_name(input.round, &input.side, input.index);
        let cloud = match self.cloud_that_has(&name).await? {
            Some(cloud) => cloud,
            None => {
                // Each failure moves on to the next cloud, so that one without free GPUs does not hold the round.
                let turn =
                    input.index as usize + input.order as usize + usize::from(context.failures);
                let cloud = self
                    .clouds
                    .get(turn % self.clouds.len().max(1))
                    .context("no GPU cloud is configured; set GPU_PROVIDERS")?;
                cloud.create(&self.specification(&input, &name)).await?;
                cloud
            }
        };
        Ok(Outcome::Done(OrderedPod {
            provider: cloud.kind().as_str().to_owned(),
            name,
        }))
    }
}

impl OrderPodHandler {
    async fn cloud_that_has(&self, name: &str) -> anyhow::Result<Option<&Arc<dyn GpuCloud>>> {
        for cloud in &self.clouds {
            if cloud.list().await?.iter().any(|pod| pod.name == name) {
                return Ok(Some(cloud));
            }
        }
        Ok(None)
    }

    fn specification(&self, input: &OrderPodInput, name: &str) -> PodSpec {
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
