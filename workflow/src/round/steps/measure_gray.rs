//! Step `measure_gray`: how much of both sides of a duel is pale on gray.

use schema::RoundNumber;
use serde::{Deserialize, Serialize};

use crate::{
    engine::Step,
    round::queues,
    rules::duel::{DuelThresholds, GrayStatistics},
};

/// Counts pixels of both sides' gray `front_left`.
pub struct MeasureGray;

/// Whose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasureGrayInput {
    /// Round.
    pub round: RoundNumber,
    /// Key of the duel.
    pub duel: String,
    /// Views prefix of the left side.
    pub left: String,
    /// Views prefix of the right side.
    pub right: String,
    /// What counts as pale.
    pub thresholds: DuelThresholds,
}

impl Step for MeasureGray {
    const NAME: &'static str = "measure_gray";
    const QUEUE: &'static str = queues::NETWORK;
    const INLINE: bool = true;
    type Input = MeasureGrayInput;
    /// Both pictures together.
    type Output = GrayStatistics;

    fn key(input: &MeasureGrayInput) -> String {
        format!("{}/gray", input.duel)
    }

    fn round(input: &MeasureGrayInput) -> Option<u32> {
        Some(input.round.0)
    }
}
