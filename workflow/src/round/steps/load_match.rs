//! Step `load_match`: the entries of both sides of a match, complete and bound by their digests.

use schema::{RoundNumber, Side};
use serde::{Deserialize, Serialize};

use crate::{
    engine::Step,
    round::{entry::Prompt, queues, steps::DuelSide},
};

/// Reads both sides.
pub struct LoadMatch;

/// Which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadMatchInput {
    /// Round.
    pub round: RoundNumber,
    /// Key of the match.
    pub match_key: String,
    /// Defender and the repeat that shows it.
    pub left: (Side, u32),
    /// Challenger and the repeat that shows it.
    pub right: (Side, u32),
    /// The round's prompts.
    pub prompts: Vec<Prompt>,
}

/// One prompt with what both sides have for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairedEntry {
    /// The prompt.
    pub prompt: Prompt,
    /// Defender's.
    pub left: DuelSide,
    /// Challenger's.
    pub right: DuelSide,
}

impl Step for LoadMatch {
    const NAME: &'static str = "load_match";
    const QUEUE: &'static str = queues::STATE;
    const INLINE: bool = true;
    type Input = LoadMatchInput;
    type Output = Vec<PairedEntry>;

    fn key(input: &LoadMatchInput) -> String {
        format!("{}/load", input.match_key)
    }

    fn round(input: &LoadMatchInput) -> Option<u32> {
        Some(input.round.0)
    }
}
