//! What the service answers.

use axum::Json;
use axum::extract::rejection::BytesRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::metrics::ServiceMetrics;
use crate::failure::Stage;
use crate::renderer::{RenderError, RenderTimings, Rendering};

/// A request that will never be right: 4xx, not retried.
#[derive(Debug)]
pub struct ClientError {
    status: StatusCode,
    message: String,
}

impl ClientError {
    /// 400 with a sentence.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            message: message.into(),
        }
    }

    /// 403 with a sentence.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            message: message.into(),
        }
    }

    /// 424 with a sentence: somebody else's server failed, asking us again does not help.
    pub fn upstream(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::FAILED_DEPENDENCY,
            message: message.into(),
        }
    }

    /// A body that is too large, or did not come.
    pub fn unreadable(error: &BytesRejection) -> Self {
        Self {
            status: error.status(),
            message: error.body_text(),
        }
    }

    /// The status it is answered with.
    #[cfg(test)]
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }
}

impl IntoResponse for ClientError {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.message }))).into_response()
    }
}

/// The answer to a module without pictures. Rejections are 422, everything else but a full queue is our fault.
pub fn failed(figures: &ServiceMetrics, error: &RenderError) -> Response {
    match error {
        RenderError::Rejected { failures, metrics } => {
            figures.rejected(failures);
            let is_static = failures
                .iter()
                .all(|failure| failure.stage <= Stage::StaticAnalysis);
            let body = if is_static {
                json!({ "error": "validation_failed", "failures": failures })
            } else {
                json!({ "error": "post_validation_failed", "failures": failures, "metrics": metrics })
            };
            (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response()
        }
        RenderError::Busy { retry_after } => {
            let headers = [(
                header::RETRY_AFTER,
                retry_after.as_secs().max(1).to_string(),
            )];
            let body = json!({ "error": "the renderer is busy" });
            (StatusCode::SERVICE_UNAVAILABLE, headers, Json(body)).into_response()
        }
        RenderError::BadRequest(message) => {
            ClientError::bad_request(message.as_str()).into_response()
        }
        error @ RenderError::Timeout(_) => {
            tracing::error!(%error, "a module was not rendered");
            (
                StatusCode::GATEWAY_TIMEOUT,
                Json(json!({ "error": error.to_string() })),
            )
                .into_response()
        }
        error => internal(error),
    }
}

/// 500 with a sentence, logged.
pub fn internal(error: &impl std::error::Error) -> Response {
    tracing::error!(%error, "a module was not rendered");
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        Json(json!({ "error": error.to_string() })),
    )
        .into_response()
}

/// All pictures and figures of a module as one tar: `white/{view}.png`, `gray/{view}.png`, `grid.png`, `metadata.json`.
pub fn tar_of(rendering: &Rendering) -> std::io::Result<Vec<u8>> {
    let metadata = json!({
        "metrics": rendering.metrics,
        "document_sha256": rendering.document_sha256,
        "renderer_version": rendering.renderer_version,
    });
    let mut archive = tar::Builder::new(Vec::new());
    let mut add = |name: String, bytes: &[u8]| {
        let mut head = tar::Header::new_gnu();
        head.set_size(bytes.len() as u64);
        head.set_mode(0o644);
        archive.append_data(&mut head, name, bytes)
    };
    for (folder, views) in [("white", &rendering.white), ("gray", &rendering.gray)] {
        for (name, png) in views {
            add(format!("{folder}/{name}.png"), png)?;
        }
    }
    add("grid.png".to_owned(), &rendering.grid)?;
    add("metadata.json".to_owned(), metadata.to_string().as_bytes())?;
    archive.into_inner()
}

/// The steps of a module as a `Server-Timing` header.
pub fn server_timing(timings: &RenderTimings) -> String {
    let steps: Vec<String> = timings
        .steps()
        .iter()
        .map(|(step, ms)| format!("{step};dur={ms:.1}"))
        .collect();
    steps.join(", ")
}
