//! Handler of `verify-build`.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use schema::{
    RoundNumber,
    files::{Build, BuildStatus, Builds},
};
use sqlx::PgPool;
use tokio::sync::Mutex;
use workflow::{
    db,
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
    pool: PgPool,
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
        pool: PgPool,
        actions: Arc<dyn Actions>,
        registry: Arc<dyn ImageRegistry>,
        settings: &RoundSettings,
    ) -> Self {
        Self {
            pool,
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
        let build = match self.decided_by_hand(&input).await? {
            Some(build) => build,
            None => self.at_github(&input).await?,
        };
        if build.status == input.seen {
            return Ok(Outcome::Snooze(self.interval));
        }
        let digest = match build.runnable_image() {
            Some(image) => self.digest(image, context).await?,
            None => None,
        };
        Ok(Outcome::Done(VerifyBuildOutput { build, digest }))
    }
}

impl VerifyBuildHandler {
    /// What an operator has put into `builds.json`: what is decided there is not asked of GitHub any more (generation,
    /// section 3.4).
    async fn decided_by_hand(&self, input: &VerifyBuildInput) -> anyhow::Result<Option<Build>> {
        let mut conn = self.pool.acquire().await?;
        let row = db::tournament::build_image(&mut conn, input.round, &input.hotkey).await?;
        let Some((status, docker_image)) = row else {
            return Ok(None);
        };
        let status: BuildStatus = serde_json::from_value(status.into())?;
        Ok(status.is_terminal().then(|| Build {
            status,
            docker_image,
            ..pending_build(&input.submission)
        }))
    }

    async fn at_github(&self, input: &VerifyBuildInput) -> anyhow::Result<Build> {
        let view = self.run_view(input.round).await?;
        let waited = (chrono::Utc::now() - input.found_at)
            .to_std()
            .unwrap_or_default();
        let known = Build {
            status: input.seen,
            ..pending_build(&input.submission)
        };
        let builds: Builds = [(input.hotkey.clone(), known.clone())]
            .into_iter()
            .collect();
        let builds = update_builds(&builds, &view, waited > self.timeout, &self.image_format);
        Ok(builds.0.into_values().next().unwrap_or(known))
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

    fn context() -> StepContext {
        StepContext {
            key: "key".to_owned(),
            attempt: 1,
            failures: 0,
            cancelled: CancellationToken::new(),
        }
    }

    fn input(found_ago: Duration) -> VerifyBuildInput {
        let submission = serde_json::json!({
            "repo": "miner/solution",
            "commit": "0123456789abcdef0123456789abcdef01234567",
            "cdn_url": "https://cdn.example",
            "revealed_at_block": 7,
            "round": "mesh-3",
        });
        VerifyBuildInput::new(
            ROUND,
            HOTKEY.parse().unwrap(),
            serde_json::from_value(submission).unwrap(),
            Utc::now() - TimeDelta::from_std(found_ago).unwrap(),
        )
    }

    fn handler(
        pool: &PgPool,
        actions: FakeActions,
        registry: Arc<FakeRegistry>,
    ) -> VerifyBuildHandler {
        let settings = RoundSettings::default();
        VerifyBuildHandler::new(pool.clone(), Arc::new(actions), registry, &settings)
    }

    async fn verify(
        pool: &PgPool,
        actions: FakeActions,
        input: VerifyBuildInput,
    ) -> anyhow::Result<Outcome<VerifyBuildOutput>> {
        handler(pool, actions, Arc::default())
            .run(input, &context())
            .await
    }

    /// A run whose job for the miner stands so.
    fn job(status: &str, conclusion: Option<&str>) -> FakeActions {
        let actions = FakeActions::default();
        actions.runs.push(Ok(vec![run()]));
        actions.jobs.push(Ok(vec![WorkflowJob {
            id: 1,
            name: format!("Bake and push images to Google Cloud ({HOTKEY})"),
            status: status.to_owned(),
            conclusion: conclusion.map(str::to_owned),
        }]));
        actions
    }

    fn status(outcome: anyhow::Result<Outcome<VerifyBuildOutput>>) -> Option<BuildStatus> {
        match outcome.unwrap() {
            Outcome::Done(output) => Some(output.build.status),
            Outcome::Snooze(_) => None,
        }
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

    #[sqlx::test(migrator = "workflow::db::MIGRATOR")]
    async fn a_build_is_told_when_it_begins_and_when_it_is_decided_and_not_in_between(
        pool: PgPool,
    ) {
        let first = || input(Duration::ZERO);
        let begun = || VerifyBuildInput {
            seen: BuildStatus::InProgress,
            change: 1,
            ..first()
        };
        let queued = verify(&pool, job("queued", None), first()).await;
        assert_eq!(status(queued), None);
        let running = verify(&pool, job("in_progress", None), first()).await;
        assert_eq!(status(running), Some(BuildStatus::InProgress));
        let still_running = verify(&pool, job("in_progress", None), begun()).await;
        assert_eq!(status(still_running), None);
        let done = verify(&pool, job("completed", Some("success")), begun()).await;
        assert_eq!(status(done), Some(BuildStatus::Success));
    }

    #[sqlx::test(migrator = "workflow::db::MIGRATOR")]
    async fn what_an_operator_has_decided_is_not_asked_of_github(pool: PgPool) {
        sqlx::query("INSERT INTO build (round, hotkey, status, docker_image) VALUES (3, $1, 'success', 'mended:by-hand')")
            .bind(HOTKEY)
            .execute(&pool)
            .await
            .unwrap();
        let failed = job("completed", Some("failure"));
        let Outcome::Done(output) = verify(&pool, failed, input(Duration::ZERO)).await.unwrap()
        else {
            panic!("it is decided")
        };
        assert_eq!(output.build.runnable_image(), Some("mended:by-hand"));
        assert_eq!(output.build.tag, "0123456-mesh-3");
    }

    #[sqlx::test(migrator = "workflow::db::MIGRATOR")]
    async fn a_build_still_running_at_the_limit_is_timed_out_and_not_before(pool: PgPool) {
        let limit = RoundSettings::default().build_timeout;
        let minute = Duration::from_secs(60);
        let at = async |found_ago| {
            let running = VerifyBuildInput {
                seen: BuildStatus::InProgress,
                change: 1,
                ..input(found_ago)
            };
            status(verify(&pool, job("in_progress", None), running).await)
        };
        assert_eq!(at(limit.saturating_sub(minute)).await, None);
        assert_eq!(at(limit + minute).await, Some(BuildStatus::TimedOut));
    }

    #[sqlx::test(migrator = "workflow::db::MIGRATOR")]
    async fn an_outage_of_github_times_nobody_out(pool: PgPool) {
        let late = || input(RoundSettings::default().build_timeout * 2);
        let actions = FakeActions::default();
        actions.runs.push(Err(GithubError::RateLimited {
            retry_after: Duration::from_secs(60),
        }));
        assert!(verify(&pool, actions, late()).await.is_err());
        let nothing = verify(&pool, FakeActions::default(), late()).await;
        assert_eq!(status(nothing), None);
    }

    /// The step for a build that ended so, after so many failures.
    async fn decided(
        pool: &PgPool,
        registry: &Arc<FakeRegistry>,
        conclusion: &str,
        failures: u16,
    ) -> anyhow::Result<Outcome<VerifyBuildOutput>> {
        let context = StepContext {
            failures,
            ..context()
        };
        let actions = job("completed", Some(conclusion));
        handler(pool, actions, registry.clone())
            .run(input(Duration::ZERO), &context)
            .await
    }

    fn digest(outcome: Outcome<VerifyBuildOutput>) -> Option<String> {
        match outcome {
            Outcome::Done(output) => output.digest,
            Outcome::Snooze(_) => panic!("the build is decided"),
        }
    }

    #[sqlx::test(migrator = "workflow::db::MIGRATOR")]
    async fn a_build_brings_the_digest_of_the_image_it_pushed(pool: PgPool) {
        let registry = Arc::new(FakeRegistry::default());
        let told = decided(&pool, &registry, "success", 0).await.unwrap();
        let image =
            "europe-west3-docker.pkg.dev/gen-456515/active-competition/5gcxz5agm8:0123456-mesh-3";
        assert_eq!(registry.script.asked(), [image]);
        assert_eq!(digest(told), Some(FakeRegistry::digest_of(image)));
    }

    #[sqlx::test(migrator = "workflow::db::MIGRATOR")]
    async fn a_build_that_failed_has_no_image_to_ask_for(pool: PgPool) {
        let registry = Arc::new(FakeRegistry::default());
        let told = decided(&pool, &registry, "failure", 0).await.unwrap();
        assert_eq!((digest(told), registry.script.count()), (None, 0));
    }

    #[sqlx::test(migrator = "workflow::db::MIGRATOR")]
    async fn a_registry_that_is_away_is_asked_again_and_in_the_end_costs_only_the_digest(
        pool: PgPool,
    ) {
        let away = || RegistryError::Status {
            host: "registry.example".to_owned(),
            status: 502,
            message: String::new(),
        };
        let registry = Arc::new(FakeRegistry::default());
        for _ in 0..2 {
            registry.script.push(Err(away()));
        }
        assert!(decided(&pool, &registry, "success", 0).await.is_err());
        let patient = decided(&pool, &registry, "success", PATIENCE_WITH_REGISTRY).await;
        let Outcome::Done(output) = patient.unwrap() else {
            panic!("the build is decided");
        };
        assert_eq!(
            (output.build.status.as_str(), output.digest),
            ("success", None)
        );
    }

    #[sqlx::test(migrator = "workflow::db::MIGRATOR")]
    async fn a_registry_that_wants_a_password_is_not_asked_again(pool: PgPool) {
        let registry = Arc::new(FakeRegistry::default());
        registry.script.push(Err(RegistryError::Refused {
            host: "registry.example".to_owned(),
            status: 403,
        }));
        let told = decided(&pool, &registry, "success", 0).await.unwrap();
        assert_eq!(digest(told), None);
    }
}
