//! Prompt images in memory: every entry of a round needs one, and each is fetched once a process.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Mutex, OnceCell};
use url::Url;

use crate::clients::prompt_images::{PromptImageError, PromptImages};

/// Images kept: a round has 128, and the next round's may already be asked for.
const KEPT: usize = 512;

/// Remembers what another source answered. A failure is not remembered.
pub struct PromptCache<Source> {
    source: Source,
    images: Mutex<HashMap<Url, Arc<OnceCell<Bytes>>>>,
}

impl<Source: PromptImages> PromptCache<Source> {
    /// An empty cache.
    pub fn new(source: Source) -> Self {
        Self {
            source,
            images: Mutex::default(),
        }
    }
}

#[async_trait]
impl<Source: PromptImages> PromptImages for PromptCache<Source> {
    async fn fetch(&self, url: &Url) -> Result<Bytes, PromptImageError> {
        let cell = {
            let mut images = self.images.lock().await;
            if images.len() >= KEPT && !images.contains_key(url) {
                images.clear();
            }
            images.entry(url.clone()).or_default().clone()
        };
        cell.get_or_try_init(|| self.source.fetch(url))
            .await
            .cloned()
    }
}
