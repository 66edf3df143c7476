//! Handler of `deploy-pod`.

use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use workflow::{
    engine::{Handler, Outcome, StepContext},
    round::steps::{DeployPod, DeployPodInput, DeployPodOutput, Pod},
};

use super::RoundSettings;
use crate::clients::{
    clouds::GpuCloud,
    pod::{PodAddress, PodState, Pods},
};

/// Waits for an ordered pod, a look at a time. Safe to run twice: it only looks.
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
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<DeployPodOutput>> {
        let cloud = self
            .clouds
            .iter()
            .find(|cloud| cloud.kind().as_str() == input.pod.provider)
            .with_context(|| {
                format!(
                    "{} was ordered from {}; add it to GPU_PROVIDERS",
                    input.pod.name, input.pod.provider
                )
            })?;
        let waited = (chrono::Utc::now() - input.since)
            .to_std()
            .unwrap_or_default();
        let pods = cloud.list().await?;
        let listed = pods
            .into_iter()
            .filter(|pod| pod.name == input.pod.name)
            .find_map(|pod| Some((pod.id, pod.url?)));
        let Some((id, url)) = listed else {
            // One that never appears is the cloud's failure, whatever its reason.
            return Ok(if waited > self.settings.pod_visibility_timeout {
                Outcome::Done(lost(&format!(
                    "{} did not show the pod in time",
                    input.pod.provider
                )))
            } else {
                Outcome::Snooze(self.settings.check_pod_interval)
            });
        };
        let address = PodAddress {
            url: url.clone(),
            token: cloud.pod_token().cloned(),
        };
        let limit = self.settings.pod_visibility_timeout + self.settings.pod_warmup_timeout;
        Ok(
            match self.look(&address, input.replacements_remaining).await {
                Some(PodState::Ready) => Outcome::Done(DeployPodOutput::Ready {
                    pod: Pod {
                        provider: input.pod.provider,
                        id,
                        name: input.pod.name,
                        url: url.to_string(),
                    },
                }),
                Some(PodState::Replace) => Outcome::Done(not_ready(
                    "the pod asked to be replaced before it was ready",
                )),
                _ if waited > limit => Outcome::Done(not_ready("the pod was not ready in time")),
                _ => Outcome::Snooze(self.settings.check_pod_interval),
            },
        )
    }
}

fn not_ready(reason: &str) -> DeployPodOutput {
    DeployPodOutput::NotReady {
        reason: reason.to_owned(),
    }
}

fn lost(reason: &str) -> DeployPodOutput {
    DeployPodOutput::Lost {
        reason: reason.to_owned(),
    }
}

impl DeployPodHandler {
    /// The pod's state once it answers; a pod that answers nothing or nonsense is still starting.
    async fn look(&self, address: &PodAddress, replacements_remaining: u32) -> Option<PodState> {
        self.pods.health(address).await.ok()?;
        self.pods
            .status(address, replacements_remaining)
            .await
            .ok()
            .map(|status| status.state)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use chrono::{TimeDelta, Utc};
    use schema::{Hotkey, RoundNumber, Side};
    use tokio_util::sync::CancellationToken;
    use workflow::{
        round::steps::{OrderPod, OrderPodInput, ReleasePods, ReleasePodsInput},
        rules::regeneration::first_pod,
    };

    use super::{
        super::{OrderPodHandler, ReleasePodsHandler},
        *,
    };
    use crate::clients::{
        clouds::{CloudError, CloudKind, CloudPod, FakeCloud, PodSpec},
        pod::{FakePods, PodError},
    };

    const NAME: &str = "miner-06-leader-0";

    fn context(attempt: i32) -> StepContext {
        StepContext {
            key: "key".to_owned(),
            attempt,
            failures: 0,
            cancelled: CancellationToken::new(),
        }
    }

    fn cloud() -> Arc<FakeCloud> {
        Arc::new(FakeCloud::new(
            CloudKind::Targon,
            "http://pod.example".parse().unwrap(),
        ))
    }

    fn order() -> OrderPodInput {
        OrderPodInput {
            round: RoundNumber(6),
            side: Side::Leader,
            image: "image".to_owned(),
            index: 0,
            order: 0,
        }
    }

    async fn ordered(cloud: &Arc<FakeCloud>) -> workflow::round::steps::OrderedPod {
        let handler = OrderPodHandler {
            clouds: vec![cloud.clone()],
            settings: RoundSettings::default(),
        };
        match Handler::<OrderPod>::run(&handler, order(), &context(1))
            .await
            .unwrap()
        {
            Outcome::Done(pod) => pod,
            Outcome::Snooze(wait) => panic!("snoozes for {wait:?}"),
        }
    }

    async fn deploy(
        cloud: Arc<dyn GpuCloud>,
        pods: FakePods,
        waited: Duration,
    ) -> Outcome<DeployPodOutput> {
        let handler = DeployPodHandler {
            clouds: vec![cloud],
            pods: Arc::new(pods),
            settings: RoundSettings::default(),
        };
        let input = DeployPodInput {
            round: RoundNumber(6),
            side: Side::Leader,
            index: 0,
            order: 0,
            pod: workflow::round::steps::OrderedPod {
                provider: "targon".to_owned(),
                name: NAME.to_owned(),
            },
            replacements_remaining: 3,
            since: Utc::now() - TimeDelta::from_std(waited).unwrap(),
        };
        handler.run(input, &context(1)).await.unwrap()
    }

    fn warming_up() -> FakePods {
        let pods = FakePods::default();
        pods.healths.push(Err(PodError::Status {
            operation: "health",
            status: 503,
            message: String::new(),
        }));
        pods
    }

    #[tokio::test]
    async fn ordering_twice_orders_once() {
        let cloud = cloud();
        let first = ordered(&cloud).await;
        assert_eq!(ordered(&cloud).await, first);
        assert_eq!((first.name.as_str(), cloud.creates.count()), (NAME, 1));
    }

    #[tokio::test]
    async fn a_pod_that_its_cloud_never_shows_is_lost_and_not_the_images_failure() {
        let empty = cloud();
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let early = deploy(empty.clone(), FakePods::default(), minutes(29)).await;
        assert!(matches!(early, Outcome::Snooze(_)), "{early:?}");
        let late = deploy(empty, FakePods::default(), minutes(31)).await;
        assert!(
            matches!(late, Outcome::Done(DeployPodOutput::Lost { .. })),
            "{late:?}"
        );
    }

    #[tokio::test]
    async fn a_pod_has_four_hours_from_its_order_to_warm_up_and_is_not_deleted_by_looking() {
        let hours = |hours: f64| Duration::from_secs_f64(3600.0 * hours);
        let cloud = cloud();
        ordered(&cloud).await;
        let early = deploy(cloud.clone(), warming_up(), hours(3.9)).await;
        assert!(matches!(early, Outcome::Snooze(_)), "{early:?}");
        let late = deploy(cloud.clone(), warming_up(), hours(4.1)).await;
        assert!(
            matches!(late, Outcome::Done(DeployPodOutput::NotReady { .. })),
            "{late:?}"
        );
        let ready = deploy(cloud.clone(), FakePods::default(), hours(4.1)).await;
        assert!(
            matches!(ready, Outcome::Done(DeployPodOutput::Ready { .. })),
            "{ready:?}"
        );
        assert_eq!(cloud.pods().len(), 1);
    }

    /// A cloud in which an order arrives after the first look.
    struct LateCloud(FakeCloud, tokio::sync::Mutex<u32>);

    #[async_trait]
    impl GpuCloud for LateCloud {
        fn kind(&self) -> CloudKind {
            self.0.kind()
        }

        async fn list(&self) -> Result<Vec<CloudPod>, CloudError> {
            let mut looks = self.1.lock().await;
            *looks += 1;
            if *looks == 1 {
                Ok(Vec::new())
            } else {
                self.0.list().await
            }
        }

        async fn create(&self, spec: &PodSpec) -> Result<String, CloudError> {
            self.0.create(spec).await
        }

        async fn delete(&self, id: &str) -> Result<(), CloudError> {
            self.0.delete(id).await
        }
    }

    #[tokio::test]
    async fn giving_back_a_miners_pods_leaves_those_of_one_whose_hotkey_begins_alike() {
        let cloud = cloud();
        let sides = ["5Abcdefghi1", "5aBCDEFGHI2"].map(Side::from);
        let submissions: Vec<Hotkey> = sides
            .iter()
            .filter_map(|side| side.hotkey().cloned())
            .collect();
        let [first, second] = sides.each_ref().map(|side| first_pod(side, &submissions));
        let orders = OrderPodHandler {
            clouds: vec![cloud.clone()],
            settings: RoundSettings::default(),
        };
        for (side, index) in sides.iter().zip([first, second]) {
            let order = OrderPodInput {
                side: side.clone(),
                index,
                ..order()
            };
            Handler::<OrderPod>::run(&orders, order, &context(1))
                .await
                .unwrap();
        }
        assert_eq!(cloud.creates.count(), 2, "neither is taken for the other");
        let releases = ReleasePodsHandler {
            clouds: vec![cloud.clone()],
            look_every: Duration::from_secs(30),
        };
        for (side, first_pod, left) in [(&sides[1], second, 1), (&sides[0], first, 0)] {
            let input = ReleasePodsInput {
                round: RoundNumber(6),
                side: side.clone(),
                pod: None,
                first_pod,
                statistics: Vec::new(),
                occasion: "end".to_owned(),
            };
            Handler::<ReleasePods>::run(&releases, input, &context(1))
                .await
                .unwrap();
            assert_eq!(cloud.pods().len(), left);
        }
    }

    #[tokio::test]
    async fn an_order_that_arrives_after_its_release_began_is_released_too() {
        let cloud = cloud();
        ordered(&cloud).await;
        let cloud = Arc::into_inner(cloud).unwrap();
        let late = Arc::new(LateCloud(cloud, tokio::sync::Mutex::new(0)));
        let handler = ReleasePodsHandler {
            clouds: vec![late.clone()],
            look_every: Duration::from_secs(30),
        };
        let input = ReleasePodsInput {
            round: RoundNumber(6),
            side: Side::Leader,
            pod: None,
            first_pod: 0,
            statistics: Vec::new(),
            occasion: "cancelled/0".to_owned(),
        };
        let mut looks = 0;
        loop {
            looks += 1;
            let look = Handler::<ReleasePods>::run(&handler, input.clone(), &context(looks)).await;
            if look.unwrap() == Outcome::Done(()) {
                break;
            }
        }
        // One finds nothing, one the pod, one that it is gone.
        assert_eq!((looks, late.0.pods().len()), (3, 0));
    }
}
