//! Miners' CDNs: the modules of the cast, each under its own host.

use std::sync::Arc;

use async_trait::async_trait;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::{CDN_DOMAIN, HostRequest, OutsideHost, percent_decoded, stem_of};
use crate::miners::{Cast, CastMiner};

pub(crate) struct MinerCdns {
    cast: Arc<Cast>,
}

impl MinerCdns {
    pub(crate) fn new(cast: Arc<Cast>) -> Self {
        Self { cast }
    }

    /// Where a miner says its modules of a round are.
    pub(crate) fn url(miner: &CastMiner, round: u32) -> String {
        format!("https://{}.{CDN_DOMAIN}/round-{round}", short(miner))
    }
}

#[async_trait]
impl OutsideHost for MinerCdns {
    fn claims(&self, host: &str, _: &str) -> bool {
        host.strip_suffix(CDN_DOMAIN)
            .is_some_and(|name| name.ends_with('.'))
    }

    async fn answer(&self, request: HostRequest) -> Response {
        let name = request.host.split('.').next().unwrap_or_default();
        let path = percent_decoded(&request.path);
        let miner = self.cast.miners().iter().find(|miner| short(miner) == name);
        let module = miner
            .zip(stem_of(&path, ".js"))
            .and_then(|(miner, stem)| self.cast.submitted_module(&miner.hotkey, stem));
        match module {
            Some(module) => ([(CONTENT_TYPE, "application/javascript")], module).into_response(),
            None => (StatusCode::NOT_FOUND, "not found").into_response(),
        }
    }
}

/// The first ten characters of the hotkey in lower case, as image and host names have them.
pub(crate) fn short(miner: &CastMiner) -> String {
    miner
        .hotkey
        .chars()
        .take(10)
        .collect::<String>()
        .to_ascii_lowercase()
}
