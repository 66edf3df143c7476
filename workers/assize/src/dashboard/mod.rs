//! The dashboard: what operators, miners and auditors look at while a round runs.
//!
//! Pages are rendered here from the engine's tables and kept up to date by server-sent events that carry rendered parts
//! again whenever they changed; nothing is computed in the browser and there is no build step. Looking needs no account.
//! Acting (retry, cancel, pause) needs a name, which is kept with the reason in the record of operator actions, and the
//! token when one is set. See [`access`] for what else an action has to prove.

mod access;
mod args;
mod assets;
mod error;
mod format;
mod judged;
mod live;
mod pages;
mod pictures;
pub(crate) mod queries;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_match;
#[cfg(test)]
mod tests_repository;
mod webhook;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::map_response;
use axum::response::Response;
use secrecy::SecretString;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use args::{DashboardArgs, run};
pub use pictures::Pictures;

/// What the dashboard looks at and who may act.
#[derive(Debug, Clone)]
pub struct DashboardState {
    /// The engine's database.
    pub pool: PgPool,
    /// Asked of whoever wants to act. Without one, anybody who reaches the dashboard may act after giving a name: bind it to
    /// loopback then.
    pub token: Option<SecretString>,
    /// Where the public state can be seen, for links: an address or a path.
    pub repository: Option<String>,
    /// Signs the calls by which the repository's host says that the branch has moved; without one there is no such address.
    pub webhook_secret: Option<SecretString>,
    /// Where the pictures of entries and prompts come from; without it matches are shown without pictures.
    pub pictures: Option<Pictures>,
    /// Ends the live connections, which would otherwise keep a graceful stop waiting for ever.
    pub shutdown: CancellationToken,
}

impl DashboardState {
    /// A dashboard on `pool` without a token and without links to the repository.
    pub fn new(pool: PgPool) -> Self {
        Self {
            pool,
            token: None,
            repository: None,
            webhook_secret: None,
            pictures: None,
            shutdown: CancellationToken::new(),
        }
    }
}

/// Every page, action and file of the dashboard.
pub fn router(state: DashboardState) -> Router {
    pages::routes()
        .merge(assets::routes())
        .layer(map_response(harden))
        .with_state(Arc::new(state))
}

/// Serves the dashboard until `state.shutdown` is cancelled.
///
/// # Errors
///
/// If the listener fails.
pub async fn serve(listener: TcpListener, state: DashboardState) -> std::io::Result<()> {
    let shutdown = state.shutdown.clone();
    axum::serve(listener, router(state))
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await
}

/// Only our own files run here, nobody may frame the pages, and nothing but files is kept by browsers.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    // Pictures have a stricter one.
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; \
                 frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
            ),
        );
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
