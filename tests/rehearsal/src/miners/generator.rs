//! What runs in a miner's pod: its image, played by the cast.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use miner::Generator;

use super::Cast;
use crate::vlm::Fetch;

/// The generator of one pod. It counts how often it was asked for each prompt, so that repeats on the same pod can
/// differ where the miner's behaviour has them differ.
pub struct CastGenerator {
    cast: Arc<Cast>,
    /// `None` for the leader.
    hotkey: Option<String>,
    images: Option<Arc<dyn Fetch>>,
    asked: Mutex<HashMap<String, u64>>,
}

impl CastGenerator {
    pub(super) fn of_miner(cast: Arc<Cast>, hotkey: String) -> Self {
        Self {
            cast,
            hotkey: Some(hotkey),
            images: None,
            asked: Mutex::default(),
        }
    }

    pub(super) fn of_leader(cast: Arc<Cast>) -> Self {
        Self {
            cast,
            hotkey: None,
            images: None,
            asked: Mutex::default(),
        }
    }

    /// Downloads each prompt image before answering, as a model must; a failed download fails the prompt.
    #[must_use]
    pub fn with_images(mut self, images: Arc<dyn Fetch>) -> Self {
        self.images = Some(images);
        self
    }
}

#[async_trait]
impl Generator for CastGenerator {
    async fn generate(&self, stem: &str, image_url: &str, _seed: u64) -> Result<String, String> {
        if let Some(images) = &self.images {
            let file = images
                .fetch(image_url)
                .await
                .map_err(|reason| format!("prompt image not downloaded: {reason}"))?;
            if !file.starts_with(b"\x89PNG") {
                return Err("prompt image is no picture".to_owned());
            }
        }
        let repeat = {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            let times = asked.entry(stem.to_owned()).or_default();
            *times += 1;
            *times - 1
        };
        match &self.hotkey {
            Some(hotkey) => self.cast.regenerated_module(hotkey, stem, repeat),
            None => Ok(self.cast.leader_module(stem)),
        }
    }
}
