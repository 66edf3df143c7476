//! The one thing a miner writes: a prompt image in, a module out.

use async_trait::async_trait;

/// Makes one Three.js module from one prompt image.
///
/// The pod service calls it from several tasks at once when [`crate::PodOptions::parallel`] allows more than one
/// prompt in flight.
#[async_trait]
pub trait Generator: Send + Sync + 'static {
    /// Loads models. The pod says `warming_up` until this ends. Called again after an error.
    ///
    /// # Errors
    ///
    /// A short reason; while replacements remain the pod then asks for another machine.
    async fn warm_up(&self) -> Result<(), String> {
        Ok(())
    }

    /// Makes the module of one prompt.
    ///
    /// - `stem`: the prompt image's file name without its extension; UUIDs with hyphens occur.
    /// - `image_url`: where the image is; downloading it is the generator's work (see [`crate::ImageFetcher`]).
    /// - `seed`: the round's seed, the same for every batch and repeat.
    ///
    /// # Errors
    ///
    /// A short reason. It costs this prompt only, and is passed on in the archive's `_failed.json`.
    async fn generate(&self, stem: &str, image_url: &str, seed: u64) -> Result<String, String>;
}
