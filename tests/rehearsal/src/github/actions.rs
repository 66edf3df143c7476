//! Actions: runs and jobs in pages.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::workflow::{Conclusion, Job, JobState, Run};
use super::{GitHub, reply};

#[derive(Deserialize)]
pub(super) struct Page {
    #[serde(rename = "per_page")]
    size: Option<usize>,
    #[serde(rename = "page")]
    number: Option<usize>,
    head_sha: Option<String>,
}

impl Page {
    /// Of all items those of this page: 30 by default, at most 100.
    fn of<T>(&self, items: Vec<T>) -> Vec<T> {
        let size = self.size.unwrap_or(30).clamp(1, 100);
        let skipped = self
            .number
            .unwrap_or(1)
            .max(1)
            .saturating_sub(1)
            .saturating_mul(size);
        items.into_iter().skip(skipped).take(size).collect()
    }
}

/// `GET actions/runs`, newest first.
pub(super) async fn runs(State(github): State<GitHub>, Query(page): Query<Page>) -> Response {
    let workflow = &github.inner.workflow;
    let mut runs = workflow.runs();
    runs.retain(|run| {
        page.head_sha
            .as_ref()
            .is_none_or(|sha| *sha == run.head_sha)
    });
    let total = runs.len();
    let runs: Vec<Value> = page
        .of(runs)
        .iter()
        .map(|run| run_json(run, &workflow.jobs(run)))
        .collect();
    Json(json!({"total_count": total, "workflow_runs": runs})).into_response()
}

/// `GET actions/runs/{id}`.
pub(super) async fn run(State(github): State<GitHub>, Path(id): Path<u64>) -> Response {
    let workflow = &github.inner.workflow;
    match workflow.runs().into_iter().find(|run| run.id == id) {
        Some(run) => Json(run_json(&run, &workflow.jobs(&run))).into_response(),
        None => reply::not_found(),
    }
}

/// `GET actions/runs/{id}/jobs`.
pub(super) async fn jobs(
    State(github): State<GitHub>,
    Path(id): Path<u64>,
    Query(page): Query<Page>,
) -> Response {
    let workflow = &github.inner.workflow;
    let Some(run) = workflow.runs().into_iter().find(|run| run.id == id) else {
        return reply::not_found();
    };
    let jobs = workflow.jobs(&run);
    let total = jobs.len();
    let jobs: Vec<Value> = page
        .of(jobs)
        .iter()
        .map(|job| job_json(&run, job))
        .collect();
    Json(json!({"total_count": total, "jobs": jobs})).into_response()
}

fn run_json(run: &Run, jobs: &[Job]) -> Value {
    let created = time(run.created_at_ms);
    let failed = jobs.iter().any(|job| {
        matches!(job.state, JobState::Ended { conclusion, .. } if conclusion != Conclusion::Success)
    });
    // The matrix is not there before the set-up has ended: one job alone never ends a run of submissions.
    let all_there = jobs.len() == run.hotkeys.len() + 1;
    let ended = all_there
        && jobs
            .iter()
            .all(|job| matches!(job.state, JobState::Ended { .. }));
    let conclusion = ended.then_some(if failed { "failure" } else { "success" });
    json!({
        "id": run.id,
        "name": "Build and push",
        "display_title": run.message.lines().next().unwrap_or_default(),
        "path": ".github/workflows/build-and-push.yml",
        "head_branch": "main",
        "head_sha": run.head_sha,
        "head_commit": {"id": run.head_sha, "message": run.message, "timestamp": created},
        "event": "push",
        "run_number": run.number,
        "run_attempt": 1,
        "status": if ended { "completed" } else { "in_progress" },
        "conclusion": conclusion,
        "created_at": created,
        "run_started_at": created,
        "updated_at": created,
    })
}

fn job_json(run: &Run, job: &Job) -> Value {
    let (status, conclusion, started, completed) = match job.state {
        JobState::Queued => ("queued", None, None, None),
        JobState::Running { started_at_ms } => {
            ("in_progress", None, Some(time(started_at_ms)), None)
        }
        JobState::Ended {
            started_at_ms,
            ended_at_ms,
            conclusion,
        } => (
            "completed",
            Some(conclusion.name()),
            Some(time(started_at_ms)),
            Some(time(ended_at_ms)),
        ),
    };
    json!({
        "id": job.id,
        "run_id": run.id,
        "run_attempt": 1,
        "head_sha": run.head_sha,
        "name": job.name,
        "status": status,
        "conclusion": conclusion,
        "started_at": started,
        "completed_at": completed,
    })
}

fn time(unix_ms: u64) -> String {
    let time = chrono::DateTime::from_timestamp_millis(unix_ms as i64).unwrap_or_default();
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
