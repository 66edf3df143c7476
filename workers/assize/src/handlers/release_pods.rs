//! Handler of `release-pods`.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use schema::files::PodStats;
use workflow::{
    engine::{Handler, Outcome, StepContext},
    round::steps::{ReleasePods, ReleasePodsInput},
    rules::regeneration::PODS_OF_ONE_SIDE,
};

use crate::clients::clouds::GpuCloud;

/// Deletes pods by name, and ends at a look that finds none. Looks at least twice: an order that was cancelled on its way may
/// still arrive. Safe to run twice: a pod that is gone counts as deleted.
pub struct ReleasePodsHandler {
    /// Where GPUs are rented.
    pub clouds: Vec<Arc<dyn GpuCloud>>,
    /// Between two looks.
    pub look_every: Duration,
}

#[async_trait]
impl Handler<ReleasePods> for ReleasePodsHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: ReleasePodsInput,
        context: &StepContext,
    ) -> anyhow::Result<Outcome<()>> {
        // `miner-06-5ggpgadxzt-0` without its number: the dash keeps other names that begin alike, the number those of miners
        // whose hotkeys do.
        let own = PodStats::pod_name(input.round, &input.side, 0);
        let own = own.trim_end_matches('0');
        let numbers = input.first_pod..input.first_pod + PODS_OF_ONE_SIDE;
        let goes = |name: &str| match &input.pod {
            Some(pod) => name == pod,
            None => name
                .strip_prefix(own)
                .and_then(|number| number.parse().ok())
                .is_some_and(|number| numbers.contains(&number)),
        };
        let mut is_sure = context.attempt > 1;
        for cloud in &self.clouds {
            for pod in cloud
                .list()
                .await?
                .into_iter()
                .filter(|pod| goes(&pod.name))
            {
                cloud.delete(&pod.id).await?;
                is_sure = false;
            }
        }
        if is_sure {
            Ok(Outcome::Done(()))
        } else {
            Ok(Outcome::Snooze(self.look_every))
        }
    }
}
