//! How the service behaves.

use std::time::Duration;

use crate::renderer::number;

/// Limits of the HTTP service.
#[derive(Debug, Clone)]
pub struct ServiceConfig {
    /// Hosts `url` bodies may name. Empty: `url` bodies are refused.
    pub url_hosts: Vec<String>,
    /// Whether those hosts may have private addresses and speak plain HTTP. For closed networks and tests.
    pub allow_private_hosts: bool,
    /// Longest one request may take, waiting included.
    pub request_timeout: Duration,
    /// Bytes of documents and pictures kept for the next request of the same module, in all.
    pub kept_bytes: usize,
    /// Longest a stop waits for requests that are being answered.
    pub stop_timeout: Duration,
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self {
            url_hosts: Vec::new(),
            allow_private_hosts: false,
            request_timeout: Duration::from_secs(240),
            kept_bytes: 256 << 20,
            stop_timeout: Duration::from_secs(30),
        }
    }
}

impl ServiceConfig {
    /// The configuration of the environment: `RENDER_URL_HOSTS` (comma separated, none by default),
    /// `RENDER_REQUEST_TIMEOUT_MS` (240000), `RENDER_STOP_TIMEOUT_MS` (30000), `RENDER_KEPT_MEGABYTES` (256; 0 keeps
    /// nothing).
    pub fn from_env() -> Self {
        let default = Self::default();
        let milliseconds = |name, default: Duration| {
            number(name, default.as_millis() as u64).map_or(default, Duration::from_millis)
        };
        let hosts = std::env::var("RENDER_URL_HOSTS").unwrap_or_default();
        Self {
            url_hosts: hosts
                .split(',')
                .map(str::trim)
                .filter(|host| !host.is_empty())
                .map(str::to_owned)
                .collect(),
            request_timeout: milliseconds("RENDER_REQUEST_TIMEOUT_MS", default.request_timeout),
            kept_bytes: match std::env::var("RENDER_KEPT_MEGABYTES").as_deref() {
                Ok("0") => 0,
                _ => number("RENDER_KEPT_MEGABYTES", (default.kept_bytes >> 20) as u64)
                    .map_or(default.kept_bytes, |megabytes| (megabytes as usize) << 20),
            },
            stop_timeout: milliseconds("RENDER_STOP_TIMEOUT_MS", default.stop_timeout),
            ..default
        }
    }
}
