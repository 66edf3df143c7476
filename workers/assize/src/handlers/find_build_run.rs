//! Handler of `find_build_run`.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use schema::{RoundNumber, messages};
use workflow::{
    engine::{Handler, Outcome, StepContext},
    round::steps::{BuildRun, FindBuildRun, FindBuildRunInput},
};

use crate::clients::github::{Actions, GithubError, RunQuery, WorkflowRun};

/// Asks GitHub for the run until there is one, without any limit. Only reads, so running it twice is safe.
pub struct FindBuildRunHandler {
    /// GitHub.
    pub actions: Arc<dyn Actions>,
    /// Between questions: twice `CHECK_BUILD_INTERVAL`.
    pub interval: Duration,
}

#[async_trait]
impl Handler<FindBuildRun> for FindBuildRunHandler {
    type Error = GithubError;

    async fn run(
        &self,
        input: FindBuildRunInput,
        _context: &StepContext,
    ) -> Result<Outcome<BuildRun>, GithubError> {
        Ok(match build_run(&*self.actions, input.round).await? {
            Some(run) => Outcome::Done(BuildRun {
                id: run.id,
                found_at: chrono::Utc::now(),
            }),
            None => Outcome::Snooze(self.interval),
        })
    }
}

/// The newest run that the round's submissions set off.
pub(super) async fn build_run(
    actions: &dyn Actions,
    round: RoundNumber,
) -> Result<Option<WorkflowRun>, GithubError> {
    let query = RunQuery {
        message_suffix: messages::submissions_suffix(round),
        ..RunQuery::default()
    };
    Ok(actions.runs(&query).await?.into_iter().next())
}
