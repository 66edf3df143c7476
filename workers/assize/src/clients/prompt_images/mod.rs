//! Prompt images: the pictures miners are asked to model. Ours to fetch, and ours to fetch again.

mod fake;
mod http;

use async_trait::async_trait;
use bytes::Bytes;
use url::Url;

use super::png::PngError;
use super::wire::ExchangeError;

pub use fake::FakePromptImages;
pub use http::HttpPromptImages;

/// Fetches a prompt's image.
#[async_trait]
pub trait PromptImages: Send + Sync {
    /// The bytes of the PNG file at `url`, decoded once to make sure that it is whole.
    ///
    /// # Errors
    ///
    /// [`PromptImageError`]. None of them is a miner's fault: a prompt whose image cannot be had costs nobody anything
    /// until it is there (collection and rounds, W7; generation, W15).
    async fn fetch(&self, url: &Url) -> Result<Bytes, PromptImageError>;
}

/// Why there is no prompt image. The step is tried again; what stays needs an operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PromptImageError {
    /// The host could not be reached, or its answer broke or was too large.
    #[error("prompt image {url} was not fetched")]
    Unreachable {
        /// The image.
        url: String,
        /// What broke.
        #[source]
        source: ExchangeError,
    },

    /// The host answered with another status than 200.
    #[error("prompt image {url} was answered with status {status}")]
    Status {
        /// The image.
        url: String,
        /// The HTTP status.
        status: u16,
    },

    /// What came is no whole PNG file.
    #[error("prompt image {url} is no usable picture")]
    NotAPicture {
        /// The image.
        url: String,
        /// What is wrong with it.
        #[source]
        source: PngError,
    },
}
