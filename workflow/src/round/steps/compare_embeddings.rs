//! Step `compare_embeddings`: which view of each side of a duel resembles the prompt most, and how much.

use schema::{RoundNumber, files::report::BothSides};
use serde::{Deserialize, Serialize};

use crate::{engine::Step, round::queues, rules::vlm_calls::DuelView};

/// Reads both sides' embeddings.
pub struct CompareEmbeddings;

/// Whose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewsOfBothInput {
    /// Round.
    pub round: RoundNumber,
    /// Key of the duel.
    pub duel: String,
    /// Views prefix of the left side.
    pub left: String,
    /// Views prefix of the right side.
    pub right: String,
}

/// A side's best view.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BestView {
    /// Which.
    pub view: DuelView,
    /// Cosine of the angle to the prompt's embedding.
    pub similarity: f64,
}

/// What the embeddings say; a side whose file holds no comparable view has none.
pub type BestViews = BothSides<Option<BestView>>;

impl Step for CompareEmbeddings {
    const NAME: &'static str = "compare_embeddings";
    const QUEUE: &'static str = queues::NETWORK;
    const INLINE: bool = true;
    type Input = ViewsOfBothInput;
    type Output = BestViews;

    fn key(input: &ViewsOfBothInput) -> String {
        format!("{}/embeddings", input.duel)
    }

    fn round(input: &ViewsOfBothInput) -> Option<u32> {
        Some(input.round.0)
    }
}
