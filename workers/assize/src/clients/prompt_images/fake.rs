//! Answers from a script, then with a one-pixel picture; remembers what it was asked.

use async_trait::async_trait;
use bytes::Bytes;
use url::Url;

use super::{PromptImageError, PromptImages};
use crate::clients::png;
use crate::clients::script::Script;

/// A host that has every prompt image, unless told otherwise.
#[derive(Debug, Default)]
pub struct FakePromptImages {
    /// Answers to give first, and the questions.
    pub script: Script<Url, Result<Bytes, PromptImageError>>,
}

#[async_trait]
impl PromptImages for FakePromptImages {
    async fn fetch(&self, url: &Url) -> Result<Bytes, PromptImageError> {
        self.script
            .ask(url.clone())
            .unwrap_or_else(|| Ok(png::one_pixel([128, 128, 128]).into()))
    }
}
