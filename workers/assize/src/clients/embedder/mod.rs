//! Embeddings: pictures as directions, to find the view of a module that looks most like its prompt (judge §12).

mod fake;
mod histogram;
mod npz;

use async_trait::async_trait;
use bytes::Bytes;
use indexmap::IndexMap;

use super::png::PngError;

pub use fake::FakeEmbedder;
pub use histogram::HistogramEmbedder;
pub use npz::NpzError;

/// Numbers of one embedding.
pub const DIMENSIONS: usize = 384;

/// Embeds pictures. One method: the one thing the step `embed` needs.
#[async_trait]
pub trait Embedder: Send + Sync {
    /// What computed the embeddings, for the ledger: embeddings of two models are not compared.
    fn model(&self) -> &str;

    /// Embeds a prompt's image and a module's white views.
    ///
    /// - `prompt`: a PNG file.
    /// - `white`: PNG files by view name, in the order of the specification, which the result keeps.
    ///
    /// # Errors
    ///
    /// [`EmbedError`]. Always ours: the pictures were drawn by us.
    async fn embed(
        &self,
        prompt: Bytes,
        white: &IndexMap<String, Bytes>,
    ) -> Result<Embeddings, EmbedError>;
}

/// Embeddings of a prompt and of the views of one module. Each has length 1, or 0 for a picture without content.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    /// The prompt's.
    pub prompt: Vec<f32>,
    /// The views', by view name without the `view_` of the file.
    pub views: IndexMap<String, Vec<f32>>,
}

/// Why there are no embeddings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbedError {
    /// A picture cannot be decoded.
    #[error("picture {name} cannot be embedded")]
    Picture {
        /// `prompt` or the view's name.
        name: String,
        /// What is wrong with it.
        #[source]
        source: PngError,
    },

    /// The model failed.
    #[error("the embedding model failed: {message}")]
    Model {
        /// What it said.
        message: String,
    },
}

impl Embeddings {
    /// The view most like the prompt and how much, by dot product; of equal ones the first. None without views.
    pub fn best_view(&self) -> Option<(&str, f32)> {
        let mut best: Option<(&str, f32)> = None;
        for (name, view) in &self.views {
            let similarity: f32 = self
                .prompt
                .iter()
                .zip(view)
                .map(|(left, right)| left * right)
                .sum();
            if best.is_none_or(|(_, highest)| similarity > highest) {
                best = Some((name, similarity));
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_view_is_the_first_with_the_largest_dot_product() {
        let view = |name: &str, vector: [f32; 2]| (name.to_owned(), vector.to_vec());
        let views = [
            view("front_left", [0.6, 0.8]),
            view("back", [0.8, 0.6]),
            view("left", [0.8, -0.6]),
        ];
        let embeddings = Embeddings {
            prompt: vec![1.0, 0.0],
            views: views.into(),
        };
        assert_eq!(embeddings.best_view(), Some(("back", 0.8)));
        assert_eq!(
            Embeddings {
                prompt: vec![1.0],
                views: IndexMap::new()
            }
            .best_view(),
            None
        );
    }
}
