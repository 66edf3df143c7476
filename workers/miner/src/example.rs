//! A generator that shows the way: it downloads the prompt image, then answers with one fixed module.

use async_trait::async_trait;

use crate::{Generator, ImageFetcher};

/// A valid module with groups, a lathe, instances and a data texture: `modules/lighthouse.js`.
pub const EXAMPLE_MODULE: &str = include_str!("../modules/lighthouse.js");

/// Answers every prompt with [`EXAMPLE_MODULE`] after downloading its image, so that a pod can be tried end to end
/// without a model. A prompt whose image cannot be downloaded fails, as it would with a model.
#[derive(Debug, Clone, Default)]
pub struct ExampleGenerator {
    images: ImageFetcher,
}

#[async_trait]
impl Generator for ExampleGenerator {
    async fn generate(&self, _stem: &str, image_url: &str, _seed: u64) -> Result<String, String> {
        self.images.fetch(image_url).await?;
        Ok(EXAMPLE_MODULE.to_owned())
    }
}
