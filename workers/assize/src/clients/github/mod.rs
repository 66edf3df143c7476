//! GitHub Actions: the runs that build miners' images, and their jobs.

mod fake;
mod http;
mod pages;

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::wire::ExchangeError;

pub use fake::FakeActions;
pub(crate) use http::read_pages;
pub use http::{ActionsSettings, HttpActions};

/// Reads workflow runs and jobs of the state repository.
///
/// Whatever goes wrong is an error and never an empty list: a build that could not be asked for is not a build that does
/// not exist (generation, W1, W2).
#[async_trait]
pub trait Actions: Send + Sync {
    /// All runs that fit `query`, newest first. Empty when GitHub has none yet.
    ///
    /// # Errors
    ///
    /// [`GithubError`]
    async fn runs(&self, query: &RunQuery) -> Result<Vec<WorkflowRun>, GithubError>;

    /// All jobs of the newest attempt of run `run_id`, all pages.
    ///
    /// A run that is not completed may still lack jobs: a matrix appears only after the job that computes it.
    ///
    /// # Errors
    ///
    /// [`GithubError`], also when fewer jobs came than GitHub said there are.
    async fn jobs(&self, run_id: u64) -> Result<Vec<WorkflowJob>, GithubError>;
}

/// Which runs are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunQuery {
    /// How the message of the run's head commit ends, such as `submissions for round 6`.
    pub message_suffix: String,
    /// The commit the run was started for; asks GitHub for its runs only. Without it all recent runs are searched.
    pub head_sha: Option<String>,
    /// File name of the workflow, such as `build-and-push.yml`; a second workflow on the same commit is no build.
    pub workflow_file: Option<String>,
}

/// A run of a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowRun {
    /// GitHub's id of the run.
    pub id: u64,
    /// The commit it was started for.
    pub head_sha: String,
    /// Whether it can still change.
    pub completed: bool,
    /// `success`, `failure` and so on; none before it is completed.
    pub conclusion: Option<String>,
    /// Counts re-runs from 1.
    pub attempt: u64,
}

/// A job of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowJob {
    /// GitHub's id of the job.
    pub id: u64,
    /// Its display name, such as `Bake and push images to Google Cloud (5Gg…)`.
    pub name: String,
    /// `queued`, `in_progress`, `completed` and so on.
    pub status: String,
    /// `success`, `failure`, `cancelled` and so on; none before it is completed.
    pub conclusion: Option<String>,
}

/// Why GitHub could not be read. Always ours, always worth another try.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GithubError {
    /// No connection, or an answer that broke, took too long or was too large.
    #[error("GitHub cannot be reached")]
    Unreachable(#[source] ExchangeError),

    /// Too many requests.
    #[error("GitHub's rate limit is used up, asked to wait {} s", retry_after.as_secs())]
    RateLimited {
        /// How long to wait.
        retry_after: Duration,
    },

    /// The token is refused.
    #[error(
        "GitHub refuses the token (status {status}); check GITHUB_TOKEN and its right to read Actions"
    )]
    Unauthorized {
        /// The HTTP status.
        status: u16,
    },

    /// Another status.
    #[error("GitHub answered status {status} for {path}: {message}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// What was asked for.
        path: String,
        /// The start of what it said.
        message: String,
    },

    /// The answer is not what the interface promises.
    #[error("GitHub answered {path} with {problem}")]
    Malformed {
        /// What was asked for.
        path: String,
        /// What is wrong.
        problem: String,
    },

    /// The pages did not add up: the list changed while it was read, or is longer than is read.
    #[error("GitHub listed {received} of {announced} entries for {path}")]
    Incomplete {
        /// What was asked for.
        path: String,
        /// Entries received.
        received: usize,
        /// Entries there are.
        announced: usize,
    },
}
