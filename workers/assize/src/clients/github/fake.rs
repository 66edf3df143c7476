//! Answers from a script, then with nothing found; remembers what it was asked.

use async_trait::async_trait;

use super::{Actions, GithubError, RunQuery, WorkflowJob, WorkflowRun};
use crate::clients::script::Script;

/// A repository without runs, unless told otherwise.
#[derive(Debug, Default)]
pub struct FakeActions {
    /// Runs to answer with, and the queries.
    pub runs: Script<RunQuery, Result<Vec<WorkflowRun>, GithubError>>,
    /// Jobs to answer with, and the run ids.
    pub jobs: Script<u64, Result<Vec<WorkflowJob>, GithubError>>,
}

#[async_trait]
impl Actions for FakeActions {
    async fn runs(&self, query: &RunQuery) -> Result<Vec<WorkflowRun>, GithubError> {
        self.runs
            .ask(query.clone())
            .unwrap_or_else(|| Ok(Vec::new()))
    }

    async fn jobs(&self, run_id: u64) -> Result<Vec<WorkflowJob>, GithubError> {
        self.jobs.ask(run_id).unwrap_or_else(|| Ok(Vec::new()))
    }
}
