#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::{Query, Request};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::*;
use crate::clients::testing::{self, Raw, serve, serve_raw, unused_address};

const RUNS: &str = "/repos/o/r/actions/runs";
const JOBS: &str = "/repos/o/r/actions/runs/5/jobs";

fn actions(base_url: Url) -> HttpActions {
    let settings = ActionsSettings {
        base_url,
        repository: "o/r".to_owned(),
        token: "word".into(),
        deadline: Duration::from_millis(500),
    };
    HttpActions::new(testing::egress(), settings)
}

fn run(id: u64, message: &str, path: &str) -> Value {
    json!({"id": id, "head_sha": "abc", "status": "in_progress", "conclusion": null, "run_attempt": 2,
        "path": path, "head_commit": {"message": message}})
}

fn job(id: u64) -> Value {
    json!({"id": id, "name": format!("Bake ({id})"), "status": "completed", "conclusion": "success"})
}

/// `total` jobs in pages, of which the first `delivered` are handed out.
async fn paged_jobs(total: u64, delivered: u64) -> Url {
    let answer = move |Query(query): Query<HashMap<String, usize>>| async move {
        let all: Vec<Value> = (1..=delivered).map(job).collect();
        let rows: Vec<&Value> = all
            .iter()
            .skip((query["page"] - 1) * query["per_page"])
            .take(query["per_page"])
            .collect();
        Json(json!({"total_count": total, "jobs": rows}))
    };
    serve(Router::new().route(JOBS, get(answer))).await
}

async fn refused(answer: impl IntoResponse + Clone + Send + Sync + 'static) -> GithubError {
    let base = serve(Router::new().fallback(move || async move { answer })).await;
    actions(base).jobs(5).await.unwrap_err()
}

#[tokio::test]
async fn the_runs_of_the_commit_and_workflow_are_found_newest_first() {
    let answer = |request: Request| async move {
        assert_eq!(
            request.uri().query(),
            Some("head_sha=abc&per_page=100&page=1")
        );
        assert_eq!(request.headers()["authorization"], "Bearer word");
        assert_eq!(request.headers()["x-github-api-version"], "2022-11-28");
        let wanted = "Seed, prompts and submissions for round 6";
        let build = ".github/workflows/build-and-push.yml";
        Json(json!({"total_count": 6, "workflow_runs": [
            run(1, wanted, build),
            run(4, wanted, "other/lint.yml"),
            run(3, wanted, ".github/workflows/build-and-push.yml@refs/heads/main"),
            run(5, "submissions for round 66", build),
            {"id": 6, "head_sha": "abc", "head_commit": null},
            {"id": 7, "head_sha": "def", "head_commit": {"message": wanted}, "path": build},
        ]}))
    };
    let base = serve(Router::new().route(RUNS, get(answer))).await;
    let query = RunQuery {
        message_suffix: "submissions for round 6".to_owned(),
        head_sha: Some("abc".to_owned()),
        workflow_file: Some("build-and-push.yml".to_owned()),
    };
    let runs = actions(base).runs(&query).await.unwrap();
    assert_eq!(runs.iter().map(|run| run.id).collect::<Vec<_>>(), [3, 1]);
    assert_eq!((runs[0].completed, runs[0].attempt), (false, 2));
}

#[tokio::test]
async fn jobs_are_paged_to_the_end() {
    let jobs = actions(paged_jobs(257, 257).await).jobs(5).await.unwrap();
    assert_eq!(jobs.len(), 257);
    assert_eq!(
        jobs[256],
        WorkflowJob {
            id: 257,
            name: "Bake (257)".to_owned(),
            status: "completed".to_owned(),
            conclusion: Some("success".to_owned()),
        }
    );
    assert_eq!(actions(paged_jobs(0, 0).await).jobs(5).await.unwrap(), []);
    assert_eq!(
        actions(paged_jobs(200, 200).await)
            .jobs(5)
            .await
            .unwrap()
            .len(),
        200
    );
}

#[tokio::test]
async fn a_list_that_lacks_entries_is_an_error() {
    let error = actions(paged_jobs(23, 0).await).jobs(5).await.unwrap_err();
    assert!(
        matches!(
            error,
            GithubError::Incomplete {
                received: 0,
                announced: 23,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_unchanged_page_is_answered_from_memory() {
    let fresh = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&fresh);
    let answer = move |headers: HeaderMap| async move {
        if headers
            .get("if-none-match")
            .is_some_and(|etag| etag == "\"1\"")
        {
            return StatusCode::NOT_MODIFIED.into_response();
        }
        counted.fetch_add(1, Ordering::SeqCst);
        (
            [("etag", "\"1\"")],
            Json(json!({"total_count": 1, "jobs": [job(1)]})),
        )
            .into_response()
    };
    let actions = actions(serve(Router::new().route(JOBS, get(answer))).await);
    let first = actions.jobs(5).await.unwrap();
    assert_eq!(actions.jobs(5).await.unwrap(), first);
    assert_eq!(fresh.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_used_up_rate_limit_says_how_long_to_wait() {
    let limited =
        |headers: [(&'static str, &'static str); 1], status: StatusCode| refused((status, headers));
    let error = limited([("retry-after", "9")], StatusCode::FORBIDDEN).await;
    assert!(
        matches!(error, GithubError::RateLimited { retry_after } if retry_after.as_secs() == 9),
        "{error:?}"
    );
    let error = limited([("x-ratelimit-remaining", "0")], StatusCode::FORBIDDEN).await;
    assert!(
        matches!(error, GithubError::RateLimited { .. }),
        "{error:?}"
    );
    let error = limited(
        [("x-ratelimit-reset", "4102444800")],
        StatusCode::TOO_MANY_REQUESTS,
    )
    .await;
    assert!(
        matches!(error, GithubError::RateLimited { retry_after } if retry_after.as_secs() == 3600),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_refused_token_a_missing_run_and_a_failing_server_are_told_apart() {
    for status in [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN] {
        assert!(
            matches!(refused(status).await, GithubError::Unauthorized { .. }),
            "{status}"
        );
    }
    for status in [
        StatusCode::NOT_FOUND,
        StatusCode::BAD_GATEWAY,
        StatusCode::NOT_MODIFIED,
    ] {
        assert!(
            matches!(refused(status).await, GithubError::Status { .. }),
            "{status}"
        );
    }
}

#[tokio::test]
async fn garbage_is_an_error_and_never_an_empty_list() {
    for body in [
        "",
        "[]",
        "{}",
        r#"{"total_count":0}"#,
        r#"{"jobs":[]}"#,
        r#"{"total_count":1,"jobs":[{"id":"x"}]}"#,
    ] {
        let error = refused(body).await;
        assert!(
            matches!(error, GithubError::Malformed { .. }),
            "{body}: {error:?}"
        );
    }
    let deep = "[".repeat(200_000);
    let base = serve(Router::new().fallback(move || async move { deep })).await;
    assert!(matches!(
        actions(base).jobs(5).await,
        Err(GithubError::Malformed { .. })
    ));
}

#[tokio::test]
async fn silence_and_absence_are_errors() {
    for base in [
        serve_raw(Raw::Silent).await,
        unused_address().await,
        serve_raw(Raw::Then(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")).await,
    ] {
        let error = actions(base).jobs(5).await.unwrap_err();
        assert!(matches!(error, GithubError::Unreachable(_)), "{error:?}");
    }
}
