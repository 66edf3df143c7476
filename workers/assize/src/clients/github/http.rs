//! The GitHub REST API (generation §3.2).

use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::pages::{Pages, parse_page};
use super::{Actions, GithubError, RunQuery, WorkflowJob, WorkflowRun};
use crate::egress::Egress;

/// Where the state repository is on GitHub.
#[derive(Debug, Clone)]
pub struct ActionsSettings {
    /// `https://api.github.com`, or a rehearsal's.
    pub base_url: Url,
    /// `GITHUB_REPO`: `owner/name`.
    pub repository: String,
    /// `GITHUB_TOKEN`.
    pub token: SecretString,
    /// Total deadline of one request. 30 s.
    pub deadline: Duration,
}

/// GitHub.
#[derive(Debug)]
pub struct HttpActions {
    pages: Pages,
    repository: String,
}

#[derive(Deserialize)]
struct RunRow {
    id: u64,
    #[serde(default)]
    head_sha: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    conclusion: Option<String>,
    #[serde(default)]
    run_attempt: Option<u64>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    head_commit: Option<HeadCommit>,
}

#[derive(Deserialize)]
struct HeadCommit {
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
struct JobRow {
    id: u64,
    name: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    conclusion: Option<String>,
}

impl HttpActions {
    /// A client of the repository `settings.repository`.
    pub fn new(egress: Egress, settings: ActionsSettings) -> Self {
        let repository = settings.repository.clone();
        Self {
            pages: Pages::new(egress, settings),
            repository,
        }
    }
}

#[async_trait]
impl Actions for HttpActions {
    async fn runs(&self, query: &RunQuery) -> Result<Vec<WorkflowRun>, GithubError> {
        let path = format!("repos/{}/actions/runs", self.repository);
        let filter: Vec<(&str, &str)> = query
            .head_sha
            .iter()
            .map(|sha| ("head_sha", sha.as_str()))
            .collect();
        // Runs come newest first. Without a commit to ask for, the first page with a run that fits is enough; a list
        // longer than is read is no error, because only recent runs can be meant.
        let enough = |row: &RunRow| query.head_sha.is_none() && row.fits(query);
        let rows: Vec<RunRow> = self
            .pages
            .list(&path, &filter, "workflow_runs", enough)
            .await?
            .rows;
        let mut runs: Vec<WorkflowRun> = rows
            .into_iter()
            .filter(|row| row.fits(query))
            .map(RunRow::into_run)
            .collect();
        runs.sort_by_key(|run| std::cmp::Reverse(run.id));
        runs.dedup_by_key(|run| run.id);
        Ok(runs)
    }

    async fn jobs(&self, run_id: u64) -> Result<Vec<WorkflowJob>, GithubError> {
        let path = format!("repos/{}/actions/runs/{run_id}/jobs", self.repository);
        let listed = self
            .pages
            .list::<JobRow>(&path, &[], "jobs", |_| false)
            .await?;
        let mut rows = listed.rows;
        rows.sort_by_key(|row| row.id);
        rows.dedup_by_key(|row| row.id);
        if rows.len() < listed.announced {
            let (received, announced) = (rows.len(), listed.announced);
            return Err(GithubError::Incomplete {
                path,
                received,
                announced,
            });
        }
        Ok(rows.into_iter().map(JobRow::into_job).collect())
    }
}

/// Reads a page of runs and one of jobs, for whoever only wants to know that they can be read.
pub(crate) fn read_pages(body: &[u8]) {
    let query = RunQuery {
        message_suffix: "submissions for round 0".to_owned(),
        head_sha: Some("0".repeat(40)),
        workflow_file: Some("build-and-push.yml".to_owned()),
    };
    if let Ok((rows, _)) = parse_page::<RunRow>("runs", body, "workflow_runs") {
        for row in rows {
            row.fits(&query);
            row.into_run();
        }
    }
    if let Ok((rows, _)) = parse_page::<JobRow>("jobs", body, "jobs") {
        drop(rows.into_iter().map(JobRow::into_job).collect::<Vec<_>>());
    }
}

impl RunRow {
    fn fits(&self, query: &RunQuery) -> bool {
        let message = self
            .head_commit
            .as_ref()
            .and_then(|commit| commit.message.as_deref());
        let file = self
            .path
            .as_deref()
            .map(|path| path.split('@').next().unwrap_or(path));
        message.is_some_and(|message| message.trim_end().ends_with(&query.message_suffix))
            && query
                .head_sha
                .as_ref()
                .is_none_or(|sha| *sha == self.head_sha)
            && query.workflow_file.as_ref().is_none_or(|wanted| {
                file.is_none_or(|file| file.rsplit('/').next() == Some(wanted.as_str()))
            })
    }

    fn into_run(self) -> WorkflowRun {
        WorkflowRun {
            id: self.id,
            head_sha: self.head_sha,
            completed: self.status.as_deref() == Some("completed"),
            conclusion: self.conclusion,
            attempt: self.run_attempt.unwrap_or(1),
        }
    }
}

impl JobRow {
    fn into_job(self) -> WorkflowJob {
        WorkflowJob {
            id: self.id,
            name: self.name,
            status: self.status.unwrap_or_default(),
            conclusion: self.conclusion,
        }
    }
}

#[cfg(test)]
mod tests;
