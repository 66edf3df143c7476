//! The render service over HTTP: the existing service's routes, and `/views`.

mod query;
mod respond;

use std::future::Future;
use std::io;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::renderer::Renderer;
use query::Query;
use respond::{ClientError, failed, tar_of};

/// Largest request body: a source of 1 MiB in which every byte is escaped.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

/// Serves until `shutdown` resolves, then finishes what is being answered.
///
/// Routes: `POST /views`, `POST /render`, `POST /render/grid`, `GET /health`, `GET /ping`. See the crate's README.
///
/// # Errors
///
/// What the listener says.
pub async fn serve(
    listener: TcpListener,
    renderer: Arc<Renderer>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, routes(renderer))
        .with_graceful_shutdown(shutdown)
        .await
}

fn routes(renderer: Arc<Renderer>) -> Router {
    Router::new()
        .route("/views", post(all_views))
        .route("/render", post(render))
        .route("/render/grid", post(grid))
        .route("/health", get(|| async { Json(json!({ "status": "ok" })) }))
        .route("/ping", get(|| async { StatusCode::OK }))
        .fallback(|| async { (StatusCode::NOT_FOUND, Json(json!({ "error": "not found" }))) })
        .method_not_allowed_fallback(|| async {
            (StatusCode::NOT_FOUND, Json(json!({ "error": "not found" })))
        })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(renderer)
}

async fn all_views(
    State(renderer): State<Arc<Renderer>>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let size = match Query::parse(query.as_deref()).and_then(|query| query.view_size()) {
        Ok(size) => size,
        Err(error) => return error.into_response(),
    };
    let source = match source_of(&body) {
        Ok(source) => source,
        Err(error) => return error.into_response(),
    };
    match renderer.views(&source, size).await {
        Ok(rendering) => match tar_of(&rendering) {
            Ok(tar) => ([(header::CONTENT_TYPE, "application/x-tar")], tar).into_response(),
            Err(error) => respond::internal(&error),
        },
        Err(error) => failed(error),
    }
}

async fn render(
    State(renderer): State<Arc<Renderer>>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let (request, source) = match Query::parse(query.as_deref())
        .and_then(|query| query.pictures())
        .and_then(|request| Ok((request, source_of(&body)?)))
    {
        Ok(parsed) => parsed,
        Err(error) => return error.into_response(),
    };
    let size = request.size;
    match renderer.picture(&source, request).await {
        Ok(pngs) => match pngs.as_slice() {
            [png] => ([(header::CONTENT_TYPE, "image/png")], png.clone()).into_response(),
            pngs => {
                let images: Vec<String> = pngs
                    .iter()
                    .map(|png| base64::engine::general_purpose::STANDARD.encode(png))
                    .collect();
                Json(json!({ "count": images.len(), "images": images, "img_size": size }))
                    .into_response()
            }
        },
        Err(error) => failed(error),
    }
}

async fn grid(
    State(renderer): State<Arc<Renderer>>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let (request, gap, source) = match Query::parse(query.as_deref())
        .and_then(|query| Ok((query.pictures()?, query.gap()?)))
        .and_then(|(request, gap)| Ok((request, gap, source_of(&body)?)))
    {
        Ok(parsed) => parsed,
        Err(error) => return error.into_response(),
    };
    match renderer.grid(&source, request, gap).await {
        Ok(png) => ([(header::CONTENT_TYPE, "image/png")], png).into_response(),
        Err(error) => failed(error),
    }
}

/// The module of a request body `{"source": "…"}`.
fn source_of(body: &[u8]) -> Result<String, ClientError> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|error| ClientError::bad_request(format!("the body is not JSON: {error}")))?;
    match body.get("source") {
        Some(Value::String(source)) if !source.is_empty() => Ok(source.clone()),
        Some(Value::String(_)) | None => Err(ClientError::bad_request(
            "the body needs a non-empty `source`",
        )),
        Some(_) => Err(ClientError::bad_request("`source` must be a string")),
    }
}
