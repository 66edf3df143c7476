//! How GitHub says no.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

const DOCUMENTATION: &str = "https://docs.github.com/rest";

/// An answer that ends the handling of a request early.
pub(super) struct Refusal(Box<Response>);

impl From<Response> for Refusal {
    fn from(response: Response) -> Self {
        Self(Box::new(response))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        *self.0
    }
}

pub(super) fn problem(status: StatusCode, message: &str) -> Response {
    let body =
        json!({"message": message, "documentation_url": DOCUMENTATION, "status": status.as_str()});
    (status, Json(body)).into_response()
}

pub(super) fn not_found() -> Response {
    problem(StatusCode::NOT_FOUND, "Not Found")
}

pub(super) fn unprocessable(message: &str) -> Response {
    problem(StatusCode::UNPROCESSABLE_ENTITY, message)
}

/// The world itself failed.
pub(super) fn broken(message: &str) -> Response {
    tracing::warn!(error = message, "the rehearsal's GitHub failed");
    problem(StatusCode::INTERNAL_SERVER_ERROR, message)
}

/// A libgit2 error in a place where it means the repository is broken.
#[allow(clippy::needless_pass_by_value)]
pub(super) fn git_failed(error: git2::Error) -> Response {
    broken(&error.to_string())
}
