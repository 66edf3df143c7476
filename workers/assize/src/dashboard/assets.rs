//! The files that pages refer to, embedded in the binary. Their addresses carry a digest of their content, so browsers may
//! keep them for ever.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

use super::DashboardState;

/// htmx 2.0.11 as npm delivered it.
const HTMX: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../node_modules/htmx.org/dist/htmx.min.js"
));
/// Its extension for server-sent events, 2.2.4.
const HTMX_SSE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../node_modules/htmx-ext-sse/dist/sse.min.js"
));
const SCRIPT: &str = include_str!("assets/dashboard.js");
const STYLE: &str = include_str!("assets/dashboard.css");
const ICON: &str = include_str!("assets/icon.svg");

struct Asset {
    name: &'static str,
    kind: &'static str,
    content: &'static str,
    address: String,
}

impl Asset {
    fn new(name: &'static str, kind: &'static str, content: &'static str) -> Self {
        let digest = hex::encode(&Sha256::digest(content)[..6]);
        Self {
            name,
            kind,
            content,
            address: format!("/assets/{digest}/{name}"),
        }
    }
}

static ASSETS: LazyLock<[Asset; 5]> = LazyLock::new(|| {
    [
        Asset::new("htmx.js", "text/javascript; charset=utf-8", HTMX),
        Asset::new("sse.js", "text/javascript; charset=utf-8", HTMX_SSE),
        Asset::new("dashboard.js", "text/javascript; charset=utf-8", SCRIPT),
        Asset::new("dashboard.css", "text/css; charset=utf-8", STYLE),
        Asset::new("icon.svg", "image/svg+xml", ICON),
    ]
});

pub(super) fn routes() -> Router<Arc<DashboardState>> {
    Router::new().route("/assets/{digest}/{name}", get(asset))
}

/// The address of an embedded file, for templates.
pub(super) fn address(name: &str) -> &'static str {
    ASSETS
        .iter()
        .find(|asset| asset.name == name)
        .map_or("/assets", |asset| &asset.address)
}

/// An older page may still ask for the older digest: it gets today's file, but must not keep it under that name.
async fn asset(Path((digest, name)): Path<(String, String)>) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let is_current = asset.address.split('/').nth(2) == Some(digest.as_str());
    let keep = if is_current {
        "public, max-age=31536000, immutable"
    } else {
        "no-store"
    };
    let headers = [
        (header::CONTENT_TYPE, asset.kind),
        (header::CACHE_CONTROL, keep),
    ];
    (headers, asset.content).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_scripts_are_the_pinned_ones() {
        let digests = [HTMX, HTMX_SSE].map(|content| hex::encode(Sha256::digest(content)));
        assert_eq!(
            digests,
            [
                "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717",
                "98a46496de0c3605fbffdce9167ba427bdd9553184f83f149c261891a92c0136",
            ]
        );
    }
}
