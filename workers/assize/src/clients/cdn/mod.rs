//! Miners' CDNs: where a submitted module is fetched from.

mod fake;
mod http;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};

pub use fake::FakeModuleSource;
pub use http::{CdnSettings, HttpModuleSource, MAX_MODULE_BYTES};

/// Fetches a miner's module. One method: the one thing the step `download` needs.
#[async_trait]
pub trait ModuleSource: Send + Sync {
    /// Fetches `{cdn_url}/{stem}.js`.
    ///
    /// # Errors
    ///
    /// [`FetchError::TheirFault`] when the miner's server or address is why there is no module, [`FetchError::Ours`]
    /// when it may be us: that one is tried again, for as long as it takes.
    async fn fetch(&self, cdn_url: &str, stem: &str) -> Result<Fetched, FetchError>;
}

/// A module as the miner's server gave it, with what an auditor wants to know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The module, not judged in any way: may be empty, may be no JavaScript.
    pub bytes: Bytes,
    /// SHA-256 of `bytes`, lower-case hexadecimal.
    pub sha256: String,
    /// The server's `ETag`, as far as it is printable and short.
    pub etag: Option<String>,
    /// The server's `Last-Modified`, as text, as far as it is printable and short.
    pub last_modified: Option<String>,
    /// When the last byte arrived, by this machine's clock.
    pub fetched_at: DateTime<Utc>,
}

/// Why there is no module.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The miner's server or address. Not tried again; `reason` is published as `failure_reason`.
    #[error("miner's file not delivered: {reason}")]
    TheirFault {
        /// `js_too_large`, `js_fetch_failed: HTTP {code}` or `js_fetch_failed: {class}`.
        reason: String,
    },

    /// Our machine, our network or the rehearsal host. Says nothing about the miner.
    #[error("could not try to fetch a miner's file: {what}")]
    Ours {
        /// What of ours is not working.
        what: String,
        /// The error behind it.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}
