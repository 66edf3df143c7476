//! Container registries: which image a name stands for right now.
//!
//! A tag can be moved; the digest of a manifest cannot. The digest is written into the ledger when a build is decided, and
//! pods are ordered by it, so that the image that is audited is the one that was built (generation, W33).

mod challenge;
mod fake;
mod http;
mod name;

use std::time::Duration;

use async_trait::async_trait;

use super::wire::ExchangeError;

pub use fake::FakeRegistry;
pub(crate) use http::read_answer;
pub use http::{HttpRegistry, RegistrySettings};
pub(crate) use name::is_digest;
pub use name::{ImageName, NameError};

/// Asks a container registry. One method: the one thing the steps need.
#[async_trait]
pub trait ImageRegistry: Send + Sync {
    /// The digest of the manifest (or the index of manifests) that `image` names, as `sha256:…`.
    ///
    /// # Errors
    ///
    /// [`RegistryError`]. Always ours or the registry's, never a miner's fault.
    async fn digest(&self, image: &str) -> Result<String, RegistryError>;
}

/// Why a registry told no digest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The text names no image.
    #[error("{image:?} names no image")]
    Name {
        /// What was asked for.
        image: String,
        /// What is wrong with it.
        #[source]
        source: NameError,
    },

    /// No connection, or an answer that broke, took too long or was too large.
    #[error("the registry {host} cannot be reached")]
    Unreachable {
        /// The registry.
        host: String,
        /// What broke.
        #[source]
        source: ExchangeError,
    },

    /// Reading needs rights that nobody without a password has. Asking again does not help.
    #[error("the registry {host} lets nobody read the image without a password (status {status})")]
    Refused {
        /// The registry.
        host: String,
        /// The HTTP status.
        status: u16,
    },

    /// There is no such image, or not yet.
    #[error("the registry {host} has no image {image}")]
    NotFound {
        /// The registry.
        host: String,
        /// What was asked for.
        image: String,
    },

    /// Too many requests.
    #[error("the registry {host} asks to wait {} s", retry_after.as_secs())]
    RateLimited {
        /// The registry.
        host: String,
        /// How long to wait.
        retry_after: Duration,
    },

    /// Another status.
    #[error("the registry {host} answered status {status}: {message}")]
    Status {
        /// The registry.
        host: String,
        /// The HTTP status.
        status: u16,
        /// The start of what it said.
        message: String,
    },

    /// The answer is no manifest, or not the one it says it is.
    #[error("the registry {host} answered with {problem}")]
    Malformed {
        /// The registry.
        host: String,
        /// What is wrong.
        problem: String,
    },
}

impl RegistryError {
    /// Whether asking again may help.
    pub fn is_passing(&self) -> bool {
        !matches!(self, Self::Name { .. } | Self::Refused { .. })
    }
}
