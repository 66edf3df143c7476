//! Handler of `fingerprint_prompt`.

use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use url::Url;
use workflow::{
    engine::{Handler, Outcome, StepContext},
    round::steps::{FingerprintPrompt, FingerprintPromptInput, PromptFingerprint},
};

use crate::clients::prompt_images::PromptImages;

/// Fetches a prompt's image. Only reads, so running it twice is safe; the first recorded digest stands.
pub struct FingerprintPromptHandler {
    /// Prompt images.
    pub prompt_images: Arc<dyn PromptImages>,
}

#[async_trait]
impl Handler<FingerprintPrompt> for FingerprintPromptHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: FingerprintPromptInput,
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<PromptFingerprint>> {
        let url = Url::parse(&input.prompt.url)
            .with_context(|| format!("the prompt {} is no URL", input.prompt.url))?;
        let bytes = self.prompt_images.fetch(&url).await?;
        Ok(Outcome::Done(PromptFingerprint {
            sha256: hex::encode(Sha256::digest(&bytes)),
            size_bytes: bytes.len() as u64,
            fetched_at: chrono::Utc::now(),
        }))
    }
}
