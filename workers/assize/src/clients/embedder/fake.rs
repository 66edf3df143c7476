//! Answers from a script, then with vectors that all point one way; remembers what it was asked.

use async_trait::async_trait;
use bytes::Bytes;
use indexmap::IndexMap;

use super::{DIMENSIONS, EmbedError, Embedder, Embeddings};
use crate::clients::script::Script;

/// An embedder to which all pictures look alike, unless told otherwise.
#[derive(Debug, Default)]
pub struct FakeEmbedder {
    /// Answers to give first, and the names of the views asked for.
    pub script: Script<Vec<String>, Result<Embeddings, EmbedError>>,
}

#[async_trait]
impl Embedder for FakeEmbedder {
    fn model(&self) -> &'static str {
        "fake"
    }

    async fn embed(
        &self,
        _prompt: Bytes,
        white: &IndexMap<String, Bytes>,
    ) -> Result<Embeddings, EmbedError> {
        self.script
            .ask(white.keys().cloned().collect())
            .unwrap_or_else(|| {
                let mut one_way = vec![0.0; DIMENSIONS];
                if let Some(first) = one_way.first_mut() {
                    *first = 1.0;
                }
                let views = white
                    .keys()
                    .map(|name| (name.clone(), one_way.clone()))
                    .collect();
                Ok(Embeddings {
                    prompt: one_way,
                    views,
                })
            })
    }
}
