//! The four routes. An `Authorization` header is accepted and not looked at: not every provider sends one.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::Inner;
use super::machine::{Accepted, Refused, StatusBody};
use super::request::{Batch, Invalid};
use super::worker::run_batch;

/// The size of the pieces an archive is sent in.
const CHUNK_BYTES: usize = 65_536;

pub(super) fn router(inner: Arc<Inner>) -> Router {
    Router::new()
        .route("/health", get(|| async { Json(json!({"status": "ok"})) }))
        .route("/status", get(status))
        .route("/generate", post(generate))
        .route("/results", get(results))
        .with_state(inner)
}

#[derive(Deserialize)]
struct StatusQuery {
    #[serde(default)]
    replacements_remaining: Option<String>,
}

async fn status(
    State(inner): State<Arc<Inner>>,
    Query(query): Query<StatusQuery>,
) -> Result<Json<StatusBody>, Response> {
    let remaining = match query.replacements_remaining {
        None => 0,
        Some(text) => text.trim().parse().map_err(|_| {
            let location = [json!("query"), json!("replacements_remaining")];
            unprocessable(&Invalid::new(&location, "not an integer"))
        })?,
    };
    Ok(Json(inner.machine().status(remaining)))
}

async fn generate(State(inner): State<Arc<Inner>>, body: Bytes) -> Result<Response, Response> {
    let batch =
        Batch::parse(&body, inner.options.max_batch).map_err(|invalid| unprocessable(&invalid))?;
    let accepted = {
        let mut machine = inner.machine();
        if inner.stopping.is_cancelled() {
            let body = json!({"detail": "the pod is stopping"});
            return Err((StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response());
        }
        machine
            .accept(batch.clone())
            .map_err(|Refused { current_status }| {
                let body =
                    json!({"detail": "Cannot accept batch", "current_status": current_status});
                (StatusCode::CONFLICT, Json(body)).into_response()
            })?
    };
    let prompts = match accepted {
        Accepted::Known { prompts } => prompts,
        Accepted::New { number, prompts } => {
            inner
                .tasks
                .spawn(run_batch(Arc::clone(&inner), number, batch));
            prompts
        }
    };
    Ok(Json(json!({"accepted": prompts})).into_response())
}

async fn results(State(inner): State<Arc<Inner>>) -> Result<Response, Response> {
    let (archive, sha256, batch_id, number) = inner.machine().results().map_err(
        |Refused { current_status }| {
            let body =
                json!({"detail": format!("No results: the pod is {current_status}, not complete")});
            (StatusCode::CONFLICT, Json(body)).into_response()
        },
    )?;
    // Without a length the answer is chunked, as published; the last piece marks the batch as handed over.
    let pieces = futures::stream::unfold((inner, archive), move |(inner, mut rest)| async move {
        if rest.is_empty() {
            inner.machine().downloaded(number);
            inner.delivered.notify_one();
            return None;
        }
        let piece = rest.split_to(rest.len().min(CHUNK_BYTES));
        Some((Ok::<_, std::convert::Infallible>(piece), (inner, rest)))
    });
    let mut response = Response::builder()
        .header(header::CONTENT_TYPE, "application/zip")
        .header(header::ETAG, format!("\"{sha256}\""));
    if let Some(id) = batch_id {
        response = response.header("x-batch-id", id);
    }
    response.body(Body::from_stream(pieces)).map_err(|error| {
        (
            StatusCode::INTERNAL_SERVER_ERROR,
            Json(json!({"detail": error.to_string()})),
        )
            .into_response()
    })
}

fn unprocessable(invalid: &Invalid) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, Json(invalid.body())).into_response()
}
