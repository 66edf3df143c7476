//! Prompt images of the world, drawn by our own renderer.

use anyhow::Context as _;
use async_trait::async_trait;
use bytes::Bytes;
use rehearsal::{gateway::PromptImages, prompts::PromptHost};

/// The world's prompt host over the rehearsal's renderer.
pub(super) struct DrawnPrompts(pub(super) PromptHost);

#[async_trait]
impl PromptImages for DrawnPrompts {
    async fn png(&self, stem: &str) -> anyhow::Result<Bytes> {
        self.0
            .image(stem)
            .await
            .context("the prompt image cannot be drawn now")
    }
}
