//! GitHub's REST API, as far as the competition's services use it, over the bare git remote.
//!
//! Commits, raw contents, the git data API and Actions. Times run on the world's clock. Reads need no token, as for a
//! public repository; writes need the world's.

mod actions;
mod database;
mod reads;
mod reply;
#[cfg(test)]
mod tests;
mod workflow;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use git2::Repository;

use crate::git::Remote;
pub use workflow::{BuildTimes, Conclusion};
pub(crate) use workflow::{Conclusions, Workflow};

/// GitHub's limit of a blob, with room for its encoding.
const LARGEST_BODY_BYTES: usize = 140 * 1024 * 1024;

/// What the API serves.
#[derive(Clone)]
pub(crate) struct GitHub {
    inner: Arc<Inner>,
}

struct Inner {
    repository: String,
    token: String,
    remote: Remote,
    workflow: Workflow,
}

impl GitHub {
    /// The API of `repository` (`owner/name`), whose writes need `token`.
    pub(crate) fn new(repository: &str, token: &str, remote: Remote, workflow: Workflow) -> Self {
        let inner = Inner {
            repository: repository.to_owned(),
            token: token.to_owned(),
            remote,
            workflow,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    pub(crate) fn router(&self) -> Router {
        let repository = format!("/repos/{}", self.inner.repository);
        let routes = Router::new()
            .route("/commits/{*reference}", get(reads::commit))
            .route("/contents/{*path}", get(reads::contents))
            .route("/git/blobs", post(database::create_blob))
            .route("/git/commits/{sha}", get(database::read_commit))
            .route("/git/commits", post(database::create_commit))
            .route("/git/trees/{sha}", get(database::read_tree))
            .route("/git/trees", post(database::create_tree))
            .route("/git/ref/{*name}", get(database::read_reference))
            .route("/git/refs/{*name}", patch(database::move_reference))
            .route("/actions/runs", get(actions::runs))
            .route("/actions/runs/{id}", get(actions::run))
            .route("/actions/runs/{id}/jobs", get(actions::jobs));
        Router::new()
            .nest(&repository, routes)
            .fallback(|| async { reply::not_found() })
            .layer(from_fn_with_state(self.clone(), check_token))
            .layer(DefaultBodyLimit::max(LARGEST_BODY_BYTES))
            .with_state(self.clone())
    }

    /// Runs `work` on the repository, off the async threads.
    async fn with_repository(
        &self,
        work: impl FnOnce(&Repository, &Inner) -> Result<Response, reply::Refusal> + Send + 'static,
    ) -> Response {
        let inner = self.inner.clone();
        let worked = tokio::task::spawn_blocking(move || match inner.remote.repository() {
            Ok(repository) => work(&repository, &inner).into_response(),
            Err(error) => reply::broken(&format!("{error:#}")),
        });
        worked
            .await
            .unwrap_or_else(|error| reply::broken(&error.to_string()))
    }
}

async fn check_token(State(github): State<GitHub>, request: Request, next: Next) -> Response {
    let given = bearer(request.headers());
    if given.is_some_and(|token| token != github.inner.token) {
        return reply::problem(StatusCode::UNAUTHORIZED, "Bad credentials");
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if given.is_none() && !reads {
        return reply::problem(StatusCode::UNAUTHORIZED, "Requires authentication");
    }
    let mut response = next.run(request).await.into_response();
    let limits = [
        ("x-ratelimit-limit", "5000"),
        ("x-ratelimit-remaining", "4999"),
        ("x-ratelimit-resource", "core"),
    ];
    for (name, value) in limits {
        response
            .headers_mut()
            .insert(name, axum::http::HeaderValue::from_static(value));
    }
    response
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    Some(
        value
            .strip_prefix("Bearer ")
            .or_else(|| value.strip_prefix("token "))
            .unwrap_or(value),
    )
}
