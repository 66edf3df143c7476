//! Handler of `verify-build`.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use schema::{RoundNumber, files::Builds, messages};
use tokio::sync::Mutex;
use workflow::{
    engine::{Handler, Outcome, StepContext},
    round::steps::{VerifyBuild, VerifyBuildInput, VerifyBuildOutput},
    rules::builds::{Job, RunView, pending_build, update_builds},
};

use super::RoundSettings;
use crate::clients::github::{Actions, GithubError, RunQuery};

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
        let query = RunQuery {
            message_suffix: messages::submissions_suffix(round),
            ..RunQuery::default()
        };
        let Some(run) = self.actions.runs(&query).await?.into_iter().next() else {
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
        let waited = (chrono::Utc::now() - input.since)
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
