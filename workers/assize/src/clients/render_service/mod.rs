//! The render service: one module in, all its pictures out.

pub(crate) mod bundle;
mod cached;
mod fake;
mod http;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::wire::ExchangeError;

pub use cached::CachedRenderService;
pub use fake::FakeRenderService;
pub use http::{HttpRenderService, RenderSettings};

/// Renders a module: the one thing the step `render` needs.
#[async_trait]
pub trait RenderService: Send + Sync {
    /// Validates `source` and draws its 12 views and its grid, in one execution.
    ///
    /// - `source`: the module's text.
    /// - `view_size`: width and height of a view in pixels; 1024 in a live round.
    ///
    /// # Errors
    ///
    /// [`RenderServiceError::Rejected`] is the module's fault and stays so. Everything else is ours.
    async fn views(
        &self,
        source: &str,
        view_size: u32,
    ) -> Result<RenderedBundle, RenderServiceError>;

    /// What the pictures depend on besides the module: the `renderer_version` of what would be drawn now.
    ///
    /// # Errors
    ///
    /// [`RenderServiceError`], never a rejection.
    async fn version(&self) -> Result<String, RenderServiceError>;
}

/// The pictures of one module.
#[derive(Debug, Clone, PartialEq)]
pub struct RenderedBundle {
    /// White background, all eight views by name, in the order of the specification.
    pub white: IndexMap<String, Bytes>,
    /// Gray background, the first four views by name.
    pub gray: IndexMap<String, Bytes>,
    /// The 2×2 grid.
    pub grid: Bytes,
    /// What was measured: vertices, draw calls and so on, as the validator names them.
    pub metrics: serde_json::Value,
    /// SHA-256 of the scene document that was drawn, lower-case hexadecimal.
    pub document_sha256: String,
    /// The renderer that drew it. Pictures of two versions are not compared.
    pub renderer_version: String,
}

/// One rule that a module broke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleFailure {
    /// The phase: `parse`, `static_analysis`, `module_load`, `execution`, `post_validation` or `render`.
    pub stage: String,
    /// The rule, such as `TIMEOUT_EXCEEDED`.
    pub rule: String,
    /// What was found, for the miner.
    #[serde(default)]
    pub detail: String,
}

/// Why there are no pictures.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderServiceError {
    /// The module broke rules. It will break them again: not tried again.
    #[error("module rejected by rule {}", failures.first().map_or("unknown", |failure| &failure.rule))]
    Rejected {
        /// The rules, at least one, in the order they were found.
        failures: Vec<ModuleFailure>,
    },

    /// All render slots are taken. Costs no attempt.
    #[error("render service is busy, asked to wait {} s", retry_after.as_secs_f32())]
    Busy {
        /// How long it asked to wait.
        retry_after: Duration,
    },

    /// It could not be reached, or its answer broke, took too long or was too large.
    #[error("render service did not answer")]
    Unavailable(#[source] ExchangeError),

    /// It failed, or refused for a reason that is not the module's.
    #[error("render service answered status {status}: {message}")]
    Failed {
        /// The HTTP status.
        status: u16,
        /// The start of what it said.
        message: String,
    },

    /// It answered with something that is no bundle of pictures.
    #[error("render service answered with {problem}")]
    BadBundle {
        /// What is wrong.
        problem: String,
    },
}
