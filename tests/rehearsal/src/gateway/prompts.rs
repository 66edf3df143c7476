//! Prompt images: any other host's `…/{stem}.png` is the picture of that stem's hidden scene.

use std::sync::Arc;

use async_trait::async_trait;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::{HostRequest, OutsideHost, percent_decoded, stem_of};

/// Makes prompt images.
#[async_trait]
pub trait PromptImages: Send + Sync + 'static {
    /// The PNG of a prompt: the same bytes each time.
    ///
    /// # Errors
    ///
    /// When the picture cannot be drawn now.
    async fn png(&self, stem: &str) -> anyhow::Result<Bytes>;
}

#[async_trait]
impl PromptImages for crate::prompts::PromptHost {
    async fn png(&self, stem: &str) -> anyhow::Result<Bytes> {
        Ok(self.image(stem).await?)
    }
}

/// Every host that serves pictures.
pub(crate) struct PromptHosts {
    images: Arc<dyn PromptImages>,
}

impl PromptHosts {
    pub(crate) fn new(images: Arc<dyn PromptImages>) -> Self {
        Self { images }
    }
}

#[async_trait]
impl OutsideHost for PromptHosts {
    fn claims(&self, _: &str, path: &str) -> bool {
        stem_of(path, ".png").is_some()
    }

    async fn answer(&self, request: HostRequest) -> Response {
        let path = percent_decoded(&request.path);
        let Some(stem) = stem_of(&path, ".png") else {
            return StatusCode::NOT_FOUND.into_response();
        };
        match self.images.png(stem).await {
            Ok(png) => ([(CONTENT_TYPE, "image/png")], png).into_response(),
            Err(error) => {
                tracing::warn!(
                    prompt.stem = stem,
                    error = format!("{error:#}"),
                    "no picture of the prompt"
                );
                (StatusCode::SERVICE_UNAVAILABLE, format!("{error:#}")).into_response()
            }
        }
    }
}
