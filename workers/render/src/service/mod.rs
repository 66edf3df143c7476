//! The render service over HTTP: the existing service's routes, and `/views`, which does a module's whole work at once.
//!
//! | route | answer |
//! |---|---|
//! | `POST /views?img_size=1024` | 200 tar: `white/{view}.png`, `gray/{view}.png`, `grid.png`, `metadata.json` |
//! | `POST /render` | 200 PNG for one view, JSON with base64 PNGs for several |
//! | `POST /render/grid` | 200 PNG |
//! | `GET /health` | 200 while the process lives |
//! | `GET /ping` | 200 when a module would be taken now, else 204 |
//! | `GET /version` | 200 `{"renderer_version": "…"}`: what the pictures depend on besides the module |
//! | `GET /metrics` | Prometheus text |
//!
//! A rejected module is 422 with its failures, a wrong request another 4xx, a full queue 503 with `Retry-After`, a missed
//! deadline 504, and every other 5xx is our fault. When a caller goes away its module is taken off the queue, or off
//! its page.

mod config;
mod fetch;
mod metrics;
mod once;
mod query;
mod respond;
mod shared;

pub use config::ServiceConfig;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, RawQuery, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::renderer::{RenderError, Renderer};
use metrics::ServiceMetrics;
use once::Source;
pub(crate) use query::Query;
use respond::{ClientError, failed, server_timing, tar_of};
use shared::SharedRenderer;

/// Largest request body: a source of 1 MiB in which every byte is escaped, and a little more.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

/// Serves until `shutdown` resolves, then finishes what is being answered. Configured by the environment, see
/// [`ServiceConfig::from_env`].
///
/// # Errors
///
/// What the listener says.
pub async fn serve(
    listener: TcpListener,
    renderer: Arc<Renderer>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    serve_with(listener, renderer, ServiceConfig::from_env(), shutdown).await
}

/// [`serve`] with a configuration.
///
/// # Errors
///
/// What the listener says.
pub async fn serve_with(
    listener: TcpListener,
    renderer: Arc<Renderer>,
    config: ServiceConfig,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let stop_timeout = config.stop_timeout;
    let metrics = Arc::new(ServiceMetrics::default());
    let service = Arc::new(Service {
        shared: SharedRenderer::new(renderer.clone(), metrics.clone(), config.kept_bytes),
        renderer,
        config,
        metrics,
        stopping: AtomicBool::new(false),
    });
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let stopping = service.clone();
    let server = axum::serve(listener, routes(service)).with_graceful_shutdown(async move {
        shutdown.await;
        stopping.stopping.store(true, Ordering::Relaxed);
        let _ = stop.send(true);
    });
    let patience = async move {
        let _ = stopped.wait_for(|stopped| *stopped).await;
        tokio::time::sleep(stop_timeout).await;
    };
    tokio::select! {
        ended = server => ended,
        () = patience => {
            tracing::warn!("stopping although modules are still being answered");
            Ok(())
        }
    }
}

struct Service {
    renderer: Arc<Renderer>,
    shared: SharedRenderer,
    config: ServiceConfig,
    metrics: Arc<ServiceMetrics>,
    stopping: AtomicBool,
}

type Shared = State<Arc<Service>>;

/// A request's body, or why it was not read.
type Body = Result<Bytes, BytesRejection>;

fn routes(service: Arc<Service>) -> Router {
    let not_found = || async { (StatusCode::NOT_FOUND, Json(json!({ "error": "not found" }))) };
    Router::new()
        .route("/views", post(views))
        .route("/render", post(render))
        .route("/render/grid", post(grid))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .route_layer(from_fn_with_state(service.clone(), watched))
        .route("/health", get(|| async { Json(json!({ "status": "ok" })) }))
        .route("/ping", get(ping))
        .route("/version", get(version))
        .route("/metrics", get(scrape))
        .fallback(not_found)
        .method_not_allowed_fallback(not_found)
        .with_state(service)
}

/// Around every module: the deadline and the figures.
async fn watched(State(service): Shared, request: Request, next: Next) -> Response {
    let route = match request.uri().path() {
        "/views" => "views",
        "/render" => "render",
        _ => "grid",
    };
    let started = Instant::now();
    let deadline = service.config.request_timeout;
    let response = match tokio::time::timeout(deadline, next.run(request)).await {
        Ok(response) => response,
        Err(_) => failed(&service.metrics, &RenderError::Timeout(deadline)),
    };
    service
        .metrics
        .answered(route, response.status(), started.elapsed());
    response
}

async fn ping(State(service): Shared) -> StatusCode {
    if service.stopping.load(Ordering::Relaxed) || service.renderer.is_full() {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::OK
    }
}

async fn version(State(service): Shared) -> Response {
    match service.renderer.version().await {
        Ok(version) => Json(json!({ "renderer_version": version })).into_response(),
        Err(error) => failed(&service.metrics, &error),
    }
}

async fn scrape(State(service): Shared) -> Response {
    let text = service.metrics.text(&service.renderer);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

async fn views(State(service): Shared, RawQuery(query): RawQuery, body: Body) -> Response {
    let asked = async {
        let size = Query::parse(query.as_deref())?.view_size()?;
        Ok::<_, ClientError>((size, service.source_of(body).await?))
    };
    let (size, source) = match asked.await {
        Ok(asked) => asked,
        Err(error) => return error.into_response(),
    };
    match service.shared.views(&source, size).await {
        Ok((rendering, how)) => {
            let timing = match how {
                Source::Kept => "kept".to_owned(),
                Source::Made | Source::Joined => server_timing(&rendering.timings),
            };
            match tar_of(&rendering) {
                Ok(tar) => {
                    let headers = [
                        (
                            header::CONTENT_TYPE.as_str(),
                            "application/x-tar".to_owned(),
                        ),
                        ("server-timing", timing),
                    ];
                    (headers, tar).into_response()
                }
                Err(error) => respond::internal(&error),
            }
        }
        Err(error) => failed(&service.metrics, &error),
    }
}

async fn render(State(service): Shared, RawQuery(query): RawQuery, body: Body) -> Response {
    let asked = async {
        let request = Query::parse(query.as_deref())?.pictures()?;
        Ok::<_, ClientError>((request, service.source_of(body).await?))
    };
    let (request, source) = match asked.await {
        Ok(asked) => asked,
        Err(error) => return error.into_response(),
    };
    let size = request.size;
    match service.shared.picture(&source, request).await {
        Ok(pngs) => match pngs.as_slice() {
            [png] => ([(header::CONTENT_TYPE, "image/png")], png.clone()).into_response(),
            pngs => {
                let encode = |png| base64::engine::general_purpose::STANDARD.encode(png);
                let images: Vec<String> = pngs.iter().map(encode).collect();
                Json(json!({ "images": images, "count": images.len(), "img_size": size }))
                    .into_response()
            }
        },
        Err(error) => failed(&service.metrics, &error),
    }
}

async fn grid(State(service): Shared, RawQuery(query): RawQuery, body: Body) -> Response {
    let asked = async {
        let query = Query::parse(query.as_deref())?;
        Ok::<_, ClientError>((
            query.pictures()?,
            query.gap()?,
            service.source_of(body).await?,
        ))
    };
    let (request, gap, source) = match asked.await {
        Ok(asked) => asked,
        Err(error) => return error.into_response(),
    };
    match service.shared.grid(&source, request, gap).await {
        Ok(png) => ([(header::CONTENT_TYPE, "image/png")], png).into_response(),
        Err(error) => failed(&service.metrics, &error),
    }
}

impl Service {
    /// The module of a request body: `{"source": "…"}`, or `{"url": "…"}` where the service allows the host.
    async fn source_of(&self, body: Body) -> Result<String, ClientError> {
        let body = body.map_err(|error| ClientError::unreadable(&error))?;
        let body: Value = serde_json::from_slice(&body)
            .map_err(|error| ClientError::bad_request(format!("the body is not JSON: {error}")))?;
        match body.get("source") {
            Some(Value::String(source)) if !source.is_empty() => return Ok(source.clone()),
            Some(Value::String(_) | Value::Null) | None => {}
            Some(_) => return Err(ClientError::bad_request("`source` must be a string")),
        }
        match body.get("url") {
            Some(Value::String(url)) if !url.is_empty() => fetch::module(&self.config, url).await,
            _ => Err(ClientError::bad_request(
                "the body needs a non-empty `source`",
            )),
        }
    }
}
