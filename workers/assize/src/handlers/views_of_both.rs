//! Handlers of `compare_embeddings` and `measure_gray`: what a duel needs of its sides' stored views beside the model's word.
//!
//! A file that is missing or cannot be read is our failure and is tried again: it never changes the way a duel is decided
//! (weakness W19).

use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use bytes::Bytes;
use schema::{
    files::report::BothSides,
    storage::Layout,
    views::{self, Background, GRAY_VIEWS},
};
use workflow::{
    engine::{Handler, Outcome, StepContext},
    round::steps::{
        BestView, BestViews, CompareEmbeddings, MeasureGray, MeasureGrayInput, ViewsOfBothInput,
    },
    rules::{
        duel::{DuelThresholds, GrayStatistics, best_view, similarity},
        vlm_calls::DuelView,
    },
};

use crate::clients::{embedder::Embeddings, object_store::ObjectStore, png};

/// Largest object of a bundle that is read, in bytes.
const MAX_OBJECT_BYTES: usize = 16 << 20;

/// The stored views of entries.
#[derive(Clone)]
pub struct StoredViews {
    /// Our object store.
    pub store: Arc<dyn ObjectStore>,
    /// Where in it things lie.
    pub layout: Layout,
}

impl StoredViews {
    async fn read(&self, views: &str, name: &str) -> anyhow::Result<Bytes> {
        let url = format!("{views}/{name}");
        let key = self
            .layout
            .key_of_url(&url)
            .with_context(|| format!("{url} is not in our object store; check CDN_URL"))?;
        self.store
            .get(key, MAX_OBJECT_BYTES)
            .await
            .with_context(|| format!("{key} was not read"))?
            .with_context(|| format!("{key} is not in the object store any more"))
    }
}

/// Compares embeddings. Only reads, so running it twice is safe.
pub struct CompareEmbeddingsHandler(pub StoredViews);

#[async_trait]
impl Handler<CompareEmbeddings> for CompareEmbeddingsHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: ViewsOfBothInput,
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<BestViews>> {
        let best = async |views: &str| {
            let file = self.0.read(views, views::EMBEDDINGS).await?;
            let embeddings = Embeddings::from_npz(&file)
                .with_context(|| format!("the embeddings of {views} cannot be read"))?;
            anyhow::Ok(best_of(&embeddings))
        };
        let (a, b) = futures::try_join!(best(&input.left), best(&input.right))?;
        Ok(Outcome::Done(BothSides { a, b }))
    }
}

fn best_of(embeddings: &Embeddings) -> Option<BestView> {
    let similarities: Vec<(DuelView, f64)> = embeddings
        .views
        .iter()
        .filter_map(|(name, vector)| {
            let view = DuelView::from_name(name)?;
            Some((view, similarity(&embeddings.prompt, vector)?))
        })
        .collect();
    let view = best_view(&similarities)?;
    let (_, similarity) = similarities.into_iter().find(|(name, _)| *name == view)?;
    Some(BestView { view, similarity })
}

/// Counts pixels. Only reads, so running it twice is safe.
pub struct MeasureGrayHandler(pub StoredViews);

#[async_trait]
impl Handler<MeasureGray> for MeasureGrayHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: MeasureGrayInput,
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<GrayStatistics>> {
        let name = GRAY_VIEWS[0].object_name(Background::Gray);
        let count = async |views: &str| {
            let picture = self.0.read(views, &name).await?;
            let thresholds = input.thresholds;
            // Decoding takes tens of milliseconds: not on a thread that others wait for (weakness W21).
            let counted = tokio::task::spawn_blocking(move || counted(&picture, &thresholds)).await;
            counted
                .context("counting was interrupted")?
                .with_context(|| format!("{views}/{name} cannot be decoded"))
        };
        let (left, right) = futures::try_join!(count(&input.left), count(&input.right))?;
        Ok(Outcome::Done(left.and(right)))
    }
}

fn counted(picture: &[u8], thresholds: &DuelThresholds) -> Result<GrayStatistics, png::PngError> {
    let picture = png::decode_rgb(picture)?;
    let width = picture.width() as usize;
    Ok(GrayStatistics::of_picture(
        width,
        3,
        picture.as_raw(),
        thresholds,
    ))
}
