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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use indexmap::IndexMap;
    use schema::RoundNumber;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::clients::object_store::{FakeObjectStore, Object};

    const CDN: &str = "https://cdn.example";

    fn views() -> StoredViews {
        StoredViews {
            store: Arc::new(FakeObjectStore::new(CDN)),
            layout: Layout::new(CDN, "{hotkey}/{filename}", "generated"),
        }
    }

    async fn keep(views: &StoredViews, key: &str, bytes: Vec<u8>) {
        let object = Object {
            key: key.to_owned(),
            content_type: "application/octet-stream",
            bytes: bytes.into(),
        };
        views.store.put(object).await.unwrap();
    }

    fn context() -> StepContext {
        StepContext {
            key: "key".to_owned(),
            attempt: 1,
            failures: 0,
            cancelled: CancellationToken::new(),
        }
    }

    async fn compared(views: &StoredViews, right: &str) -> Result<BestViews, String> {
        let input = ViewsOfBothInput {
            round: RoundNumber(1),
            duel: "duel".to_owned(),
            left: format!("{CDN}/left"),
            right: right.to_owned(),
        };
        let handler = CompareEmbeddingsHandler(views.clone());
        match handler.run(input, &context()).await {
            Ok(Outcome::Done(best)) => Ok(best),
            Ok(Outcome::Snooze(wait)) => Err(format!("snoozes for {wait:?}")),
            Err(error) => Err(format!("{error:#}")),
        }
    }

    async fn measured(views: &StoredViews) -> Result<GrayStatistics, String> {
        let input = MeasureGrayInput {
            round: RoundNumber(1),
            duel: "duel".to_owned(),
            left: format!("{CDN}/left"),
            right: format!("{CDN}/right"),
            thresholds: DuelThresholds::default(),
        };
        match MeasureGrayHandler(views.clone())
            .run(input, &context())
            .await
        {
            Ok(Outcome::Done(counts)) => Ok(counts),
            Ok(Outcome::Snooze(wait)) => Err(format!("snoozes for {wait:?}")),
            Err(error) => Err(format!("{error:#}")),
        }
    }

    /// Embeddings of these views: how much each resembles the prompt.
    fn embeddings(likenesses: &[(&str, f32)]) -> Vec<u8> {
        let vector = |along: f32| {
            let mut vector = vec![0.0; crate::clients::embedder::DIMENSIONS];
            (vector[0], vector[1]) = (along, (1.0 - along * along).sqrt());
            vector
        };
        let views: IndexMap<String, Vec<f32>> = likenesses
            .iter()
            .map(|(name, along)| ((*name).to_owned(), vector(*along)))
            .collect();
        let prompt = vector(1.0);
        Embeddings { prompt, views }.to_npz().unwrap()
    }

    #[tokio::test]
    async fn the_best_view_of_each_side_is_found_and_a_side_without_views_has_none() {
        let views = views();
        let left = embeddings(&[("front_left", 0.5), ("back", 0.8)]);
        keep(&views, "left/embeddings.npz", left).await;
        keep(&views, "right/embeddings.npz", embeddings(&[])).await;
        let best = compared(&views, &format!("{CDN}/right")).await.unwrap();
        let left = best.a.unwrap();
        assert_eq!(left.view, DuelView::Back);
        assert!((left.similarity - 0.8).abs() < 1e-6, "{left:?}");
        assert_eq!(best.b, None);
    }

    #[tokio::test]
    async fn embeddings_that_cannot_be_had_are_our_failure_and_no_abstention() {
        let views = views();
        let fine = embeddings(&[("back", 0.8)]);
        keep(&views, "left/embeddings.npz", fine).await;
        let right = format!("{CDN}/right");
        let missing = compared(&views, &right).await.unwrap_err();
        assert!(
            missing.contains("not in the object store any more"),
            "{missing}"
        );
        keep(&views, "right/embeddings.npz", b"PK nonsense".to_vec()).await;
        let broken = compared(&views, &right).await.unwrap_err();
        assert!(broken.contains("cannot be read"), "{broken}");
        let foreign = compared(&views, "https://elsewhere.example/right").await;
        assert!(foreign.unwrap_err().contains("CDN_URL"));
    }

    #[tokio::test]
    async fn gray_pictures_are_counted_together_and_one_that_cannot_be_had_is_our_failure() {
        let views = views();
        keep(&views, "left/gray/front_left.png", png::one_pixel([240; 3])).await;
        let missing = measured(&views).await.unwrap_err();
        assert!(
            missing.contains("not in the object store any more"),
            "{missing}"
        );
        keep(&views, "right/gray/front_left.png", b"no picture".to_vec()).await;
        let broken = measured(&views).await.unwrap_err();
        assert!(broken.contains("cannot be decoded"), "{broken}");
        keep(&views, "right/gray/front_left.png", png::one_pixel([20; 3])).await;
        let counts = GrayStatistics {
            foreground: 2,
            grayish: 2,
            pale: 1,
        };
        assert_eq!(measured(&views).await, Ok(counts));
    }
}
