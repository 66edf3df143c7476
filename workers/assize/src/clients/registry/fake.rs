//! Answers from a script, then with a digest made of the image's name; remembers what it was asked.

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use super::{ImageRegistry, RegistryError};
use crate::clients::script::Script;

/// A registry that has every image, unless told otherwise.
#[derive(Debug, Default)]
pub struct FakeRegistry {
    /// Answers to give first, and the images.
    pub script: Script<String, Result<String, RegistryError>>,
}

impl FakeRegistry {
    /// The digest of `image` here.
    pub fn digest_of(image: &str) -> String {
        format!("sha256:{}", hex::encode(Sha256::digest(image)))
    }
}

#[async_trait]
impl ImageRegistry for FakeRegistry {
    async fn digest(&self, image: &str) -> Result<String, RegistryError> {
        self.script
            .ask(image.to_owned())
            .unwrap_or_else(|| Ok(Self::digest_of(image)))
    }
}
