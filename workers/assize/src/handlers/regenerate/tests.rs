#![allow(clippy::unwrap_used)]

use chrono::{TimeDelta, Utc};
use schema::{RoundNumber, Side};
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

/// A batch that the pod has taken, then so many looks that failed in a row.
fn taken(failed_since: i64) -> Before {
    let went_well = 1;
    Before {
        looks: Looks {
            went_well,
            failed_since,
        },
        unattended: 0.0,
    }
}

fn unattended(unattended: f64) -> Before {
    Before {
        unattended,
        ..taken(0)
    }
}

fn status(state: PodState) -> PodStatus {
    PodStatus {
        state,
        progress: None,
        total: None,
        payload: None,
    }
}

fn generating() -> FakePods {
    let pods = FakePods::default();
    pods.statuses.push(Ok(status(PodState::Generating)));
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
        .look(two_hours.clone(), unattended(0.0))
        .await;
    assert_eq!(replaced(&late.unwrap()), Some("batch_time_limit"));
    let attended = handler(generating())
        .look(two_hours.clone(), unattended(5000.0))
        .await;
    assert!(matches!(attended.unwrap(), Outcome::Snooze(_)));

    // Complete is complete, and what counts is the time in which somebody could have seen it.
    let complete = handler(FakePods::default())
        .look(two_hours, unattended(7000.0))
        .await;
    match complete.unwrap() {
        Outcome::Done(RegenerateOutput::Done { modules, seconds }) => {
            assert_eq!(modules.len(), 1);
            assert!((199.0..230.0).contains(&seconds), "{seconds}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_batch_is_submitted_once_and_again_only_to_a_pod_that_has_forgotten_it() {
    let submissions = async |before, states: &[PodState]| {
        let pods = Arc::new(FakePods::default());
        for state in states {
            pods.statuses.push(Ok(status(*state)));
        }
        let outcome = handler(Shared(pods.clone())).look(batch(1), before).await;
        assert!(matches!(outcome.unwrap(), Outcome::Snooze(_)));
        pods.batches.count()
    };
    let (working, ready) = (PodState::Generating, PodState::Ready);
    assert_eq!(submissions(Before::default(), &[working]).await, 1);
    // Whether the pod took it is not known when a look failed: it is asked for again.
    let lost = Before {
        looks: Looks {
            went_well: 0,
            failed_since: 1,
        },
        unattended: 0.0,
    };
    assert_eq!(submissions(lost, &[working]).await, 1);
    assert_eq!(submissions(taken(0), &[working]).await, 0);
    assert_eq!(submissions(taken(0), &[ready, working]).await, 1);
}

#[tokio::test]
async fn a_pod_is_unreachable_after_eighteen_bad_answers_in_a_row() {
    let look = async |failed_since, error: PodError| {
        let pods = FakePods::default();
        pods.statuses.push(Err(error));
        handler(pods).look(batch(1), taken(failed_since)).await
    };
    let nonsense = || PodError::BadStatus {
        problem: "no known state".to_owned(),
    };
    let not_found = || PodError::Status {
        operation: "/status",
        status: 404,
        message: String::new(),
    };
    for failed_since in [0, 16] {
        assert!(look(failed_since, nonsense()).await.is_err());
        assert!(look(failed_since, not_found()).await.is_err());
    }
    for error in [nonsense(), not_found()] {
        assert_eq!(
            replaced(&look(17, error).await.unwrap()),
            Some("unreachable")
        );
    }
}

#[tokio::test]
async fn a_batch_that_is_refused_for_good_is_not_submitted_again() {
    let pods = FakePods::default();
    pods.batches.push(Err(PodError::Status {
        operation: "/generate",
        status: 422,
        message: String::new(),
    }));
    let outcome = handler(pods).look(batch(1), Before::default()).await;
    assert_eq!(replaced(&outcome.unwrap()), Some("submission_failed"));
}

/// Pods that a test looks at afterwards.
struct Shared(Arc<FakePods>);

#[async_trait]
impl Pods for Shared {
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

    async fn results(&self, pod: &PodAddress) -> Result<BatchResults, PodError> {
        self.0.results(pod).await
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
    let outcome = handler.look(batch(1), Before::default()).await.unwrap();
    assert_eq!(replaced(&outcome), Some("download_failed"));
}
