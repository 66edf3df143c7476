//! Handler of `verify-build`.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use schema::{RoundNumber, files::Builds};
use tokio::sync::Mutex;
use workflow::{
    engine::{Handler, Outcome, StepContext},
    round::steps::{VerifyBuild, VerifyBuildInput, VerifyBuildOutput},
    rules::builds::{Job, RunView, pending_build, update_builds},
};

use super::{RoundSettings, find_build_run::build_run};
use crate::clients::{
    github::{Actions, GithubError},
    registry::{ImageRegistry, RegistryError},
};

/// How often in a row something may fail before a build counts without its image's digest: about a minute. Only the proof is
/// poorer for it; pods then pull the image by its tag.
const PATIENCE_WITH_REGISTRY: u16 = 6;

/// Asks GitHub how a build stands, and the registry what it brought. Only reads, so running it twice is safe.
pub struct VerifyBuildHandler {
    actions: Arc<dyn Actions>,
    registry: Arc<dyn ImageRegistry>,
    image_format: String,
    interval: Duration,
    timeout: Duration,
    /// What GitHub said last, shared by the steps of all miners: one question serves them all.
    seen: Mutex<HashMap<RoundNumber, (Instant, RunView)>>,
}

impl VerifyBuildHandler {
    /// A handler with the operator's intervals.
    pub fn new(
        actions: Arc<dyn Actions>,
        registry: Arc<dyn ImageRegistry>,
        settings: &RoundSettings,
    ) -> Self {
        Self {
            actions,
            registry,
            image_format: settings.docker_image_format.clone(),
            interval: settings.check_build_interval,
            timeout: settings.build_timeout,
            seen: Mutex::default(),
        }
    }

    async fn run_view(&self, round: RoundNumber) -> Result<RunView, GithubError> {
        let mut seen = self.seen.lock().await;
        if let Some((at, view)) = seen.get(&round)
            && at.elapsed() < self.interval / 2
        {
            return Ok(view.clone());
        }
        let view = self.ask(round).await?;
        seen.insert(round, (Instant::now(), view.clone()));
        Ok(view)
    }

    /// What the image's tag points to, if the registry tells within our patience.
    async fn digest(
        &self,
        image: &str,
        context: &StepContext,
    ) -> Result<Option<String>, RegistryError> {
        match self.registry.digest(image).await {
            Ok(digest) => Ok(Some(digest)),
            Err(error) if error.is_passing() && context.failures < PATIENCE_WITH_REGISTRY => {
                Err(error)
            }
            Err(error) => {
                tracing::warn!(
                    image,
                    error = format!("{:#}", anyhow::Error::from(error)),
                    "the image's digest is not known; its pods will pull it by its tag"
                );
                Ok(None)
            }
        }
    }

    async fn ask(&self, round: RoundNumber) -> Result<RunView, GithubError> {
        let Some(run) = build_run(&*self.actions, round).await? else {
            return Ok(RunView::Unknown);
        };
        let jobs = self.actions.jobs(run.id).await?;
        let jobs = jobs.into_iter().map(|job| Job {
            name: job.name,
            status: job.status,
            conclusion: job.conclusion,
        });
        Ok(RunView::Jobs {
            jobs: jobs.collect(),
            run_complete: run.completed,
        })
    }
}

#[async_trait]
impl Handler<VerifyBuild> for VerifyBuildHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: VerifyBuildInput,
        context: &StepContext,
    ) -> anyhow::Result<Outcome<VerifyBuildOutput>> {
        let view = self.run_view(input.round).await?;
        let waited = (chrono::Utc::now() - input.found_at)
            .to_std()
            .unwrap_or_default();
        let pending: Builds = [(input.hotkey.clone(), pending_build(&input.submission))]
            .into_iter()
            .collect();
        let builds = update_builds(&pending, &view, waited > self.timeout, &self.image_format);
        match builds.0.into_iter().next() {
            Some((_, build)) if build.status.is_terminal() => {
                let digest = match build.runnable_image() {
                    Some(image) => self.digest(image, context).await?,
                    None => None,
                };
                Ok(Outcome::Done(VerifyBuildOutput { build, digest }))
            }
            _ => Ok(Outcome::Snooze(self.interval)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use chrono::{TimeDelta, Utc};
    use schema::files::BuildStatus;
    use tokio_util::sync::CancellationToken;
    use workflow::round::steps::{FindBuildRun, FindBuildRunInput};

    use super::*;
    use crate::{
        clients::{
            github::{FakeActions, WorkflowJob, WorkflowRun},
            registry::FakeRegistry,
        },
        handlers::FindBuildRunHandler,
    };

    const HOTKEY: &str = "5GcxZ5AGM8LFE3ThBwjyavoRHHayfTySArfZtn8zmkyy7sxy";
    const ROUND: RoundNumber = RoundNumber(3);

    fn run() -> WorkflowRun {
        WorkflowRun {
            id: 11,
            head_sha: String::new(),
            completed: false,
            conclusion: None,
            attempt: 1,
        }
    }

    fn building() -> WorkflowJob {
        WorkflowJob {
            id: 1,
            name: format!("Bake and push images to Google Cloud ({HOTKEY})"),
            status: "in_progress".to_owned(),
            conclusion: None,
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

    fn input(found_ago: Duration) -> VerifyBuildInput {
        VerifyBuildInput {
            round: ROUND,
            hotkey: HOTKEY.parse().unwrap(),
            submission: serde_json::from_value(serde_json::json!({
                "repo": "miner/solution",
                "commit": "0123456789abcdef0123456789abcdef01234567",
                "cdn_url": "https://cdn.example",
                "revealed_at_block": 7,
                "round": "mesh-3",
            }))
            .unwrap(),
            found_at: Utc::now() - TimeDelta::from_std(found_ago).unwrap(),
        }
    }

    async fn verify(
        actions: FakeActions,
        found_ago: Duration,
    ) -> anyhow::Result<Outcome<VerifyBuildOutput>> {
        let settings = RoundSettings::default();
        VerifyBuildHandler::new(
            Arc::new(actions),
            Arc::new(FakeRegistry::default()),
            &settings,
        )
        .run(input(found_ago), &context())
        .await
    }

    #[tokio::test]
    async fn the_time_limit_begins_when_the_run_is_found_however_late() {
        let actions = Arc::new(FakeActions::default());
        let handler = FindBuildRunHandler {
            actions: actions.clone(),
            interval: Duration::from_secs(240),
        };
        let find = async || {
            let input = FindBuildRunInput { round: ROUND };
            Handler::<FindBuildRun>::run(&handler, input, &context()).await
        };
        assert!(matches!(find().await.unwrap(), Outcome::Snooze(wait) if wait.as_secs() == 240));
        actions.runs.push(Ok(vec![run()]));
        let before = Utc::now();
        let Outcome::Done(found) = find().await.unwrap() else {
            panic!("the run is there")
        };
        assert_eq!(found.id, 11);
        assert!(found.found_at >= before);
        let suffixes = actions
            .runs
            .asked()
            .into_iter()
            .map(|query| query.message_suffix);
        assert!(suffixes.eq(["submissions for round 3"; 2]));
    }

    #[tokio::test]
    async fn a_build_still_running_at_the_limit_is_timed_out_and_not_before() {
        let still_building = || {
            let actions = FakeActions::default();
            actions.runs.push(Ok(vec![run()]));
            actions.jobs.push(Ok(vec![building()]));
            actions
        };
        let limit = RoundSettings::default().build_timeout;
        let early = verify(
            still_building(),
            limit.saturating_sub(Duration::from_secs(60)),
        )
        .await;
        assert!(matches!(early.unwrap(), Outcome::Snooze(_)));
        let Outcome::Done(late) = verify(still_building(), limit + Duration::from_secs(60))
            .await
            .unwrap()
        else {
            panic!("three hours are over")
        };
        assert_eq!(late.build.status, BuildStatus::TimedOut);
    }

    #[tokio::test]
    async fn an_outage_of_github_times_nobody_out() {
        let limit = RoundSettings::default().build_timeout;
        let actions = FakeActions::default();
        actions.runs.push(Err(GithubError::RateLimited {
            retry_after: Duration::from_secs(60),
        }));
        assert!(verify(actions, limit * 2).await.is_err());
        assert!(matches!(
            verify(FakeActions::default(), limit * 2).await.unwrap(),
            Outcome::Snooze(_)
        ));
    }

    /// The step for a build that ended so, after so many failures.
    async fn decided(
        registry: &Arc<FakeRegistry>,
        conclusion: &str,
        failures: u16,
    ) -> anyhow::Result<Outcome<VerifyBuildOutput>> {
        let actions = FakeActions::default();
        actions.runs.push(Ok(vec![run()]));
        actions.jobs.push(Ok(vec![WorkflowJob {
            status: "completed".to_owned(),
            conclusion: Some(conclusion.to_owned()),
            ..building()
        }]));
        let context = StepContext {
            failures,
            ..context()
        };
        VerifyBuildHandler::new(
            Arc::new(actions),
            registry.clone(),
            &RoundSettings::default(),
        )
        .run(input(Duration::ZERO), &context)
        .await
    }

    fn digest(outcome: Outcome<VerifyBuildOutput>) -> Option<String> {
        match outcome {
            Outcome::Done(output) => output.digest,
            Outcome::Snooze(_) => panic!("the build is decided"),
        }
    }

    #[tokio::test]
    async fn a_build_brings_the_digest_of_the_image_it_pushed() {
        let registry = Arc::new(FakeRegistry::default());
        let told = decided(&registry, "success", 0).await.unwrap();
        let image =
            "europe-west3-docker.pkg.dev/gen-456515/active-competition/5gcxz5agm8:0123456-mesh-3";
        assert_eq!(registry.script.asked(), [image]);
        assert_eq!(digest(told), Some(FakeRegistry::digest_of(image)));
    }

    #[tokio::test]
    async fn a_build_that_failed_has_no_image_to_ask_for() {
        let registry = Arc::new(FakeRegistry::default());
        let told = decided(&registry, "failure", 0).await.unwrap();
        assert_eq!((digest(told), registry.script.count()), (None, 0));
    }

    #[tokio::test]
    async fn a_registry_that_is_away_is_asked_again_and_in_the_end_costs_only_the_digest() {
        let away = || RegistryError::Status {
            host: "registry.example".to_owned(),
            status: 502,
            message: String::new(),
        };
        let registry = Arc::new(FakeRegistry::default());
        for _ in 0..2 {
            registry.script.push(Err(away()));
        }
        assert!(decided(&registry, "success", 0).await.is_err());
        let patient = decided(&registry, "success", PATIENCE_WITH_REGISTRY).await;
        let Outcome::Done(output) = patient.unwrap() else {
            panic!("the build is decided");
        };
        assert_eq!(
            (output.build.status.as_str(), output.digest),
            ("success", None)
        );
    }

    #[tokio::test]
    async fn a_registry_that_wants_a_password_is_not_asked_again() {
        let registry = Arc::new(FakeRegistry::default());
        registry.script.push(Err(RegistryError::Refused {
            host: "registry.example".to_owned(),
            status: 403,
        }));
        let told = decided(&registry, "success", 0).await.unwrap();
        assert_eq!(digest(told), None);
    }
}
