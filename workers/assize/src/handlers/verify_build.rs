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
use crate::clients::github::{Actions, GithubError};

/// Asks GitHub how a build stands. Only reads, so running it twice is safe.
pub struct VerifyBuildHandler {
    actions: Arc<dyn Actions>,
    image_format: String,
    interval: Duration,
    timeout: Duration,
    /// What GitHub said last, shared by the steps of all miners: one question serves them all.
    seen: Mutex<HashMap<RoundNumber, (Instant, RunView)>>,
}

impl VerifyBuildHandler {
    /// A handler with the operator's intervals.
    pub fn new(actions: Arc<dyn Actions>, settings: &RoundSettings) -> Self {
        Self {
            actions,
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
        _context: &StepContext,
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
                Ok(Outcome::Done(VerifyBuildOutput {
                    build,
                    digest: None,
                }))
            }
            _ => Ok(Outcome::Snooze(self.interval)),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use schema::files::BuildStatus;
    use tokio_util::sync::CancellationToken;
    use workflow::round::steps::{FindBuildRun, FindBuildRunInput};

    use super::*;
    use crate::{
        clients::github::{FakeActions, WorkflowJob, WorkflowRun},
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
        VerifyBuildHandler::new(Arc::new(actions), &settings)
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
        let early = verify(still_building(), limit - Duration::from_secs(60)).await;
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
}
