//! Handler of `release-pods`.

use std::sync::Arc;

use async_trait::async_trait;
use schema::files::PodStats;
use workflow::{
    engine::{Handler, Outcome, StepContext},
    round::steps::{ReleasePods, ReleasePodsInput},
};

use crate::clients::clouds::GpuCloud;

/// Deletes pods by name. Safe to run twice: a pod that is gone counts as deleted.
pub struct ReleasePodsHandler {
    /// Where GPUs are rented.
    pub clouds: Vec<Arc<dyn GpuCloud>>,
}

#[async_trait]
impl Handler<ReleasePods> for ReleasePodsHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: ReleasePodsInput,
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<()>> {
        // `miner-06-5ggpgadxzt-0` without its index: the dash keeps other names that begin alike.
        let own = PodStats::pod_name(input.round, &input.side, 0);
        let own = own.trim_end_matches('0');
        let goes = |name: &str| match &input.pod {
            Some(pod) => name == pod,
            None => name
                .strip_prefix(own)
                .is_some_and(|index| index.parse::<u32>().is_ok()),
        };
        for cloud in &self.clouds {
            for pod in cloud
                .list()
                .await?
                .into_iter()
                .filter(|pod| goes(&pod.name))
            {
                cloud.delete(&pod.id).await?;
            }
        }
        Ok(Outcome::Done(()))
    }
}
