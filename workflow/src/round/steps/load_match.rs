//! Step `load_match`: the entries of both sides of a match, bound by their digests, and the judge of its duels.

use schema::{RoundNumber, Side};
use serde::{Deserialize, Serialize};

use crate::{
    engine::Step,
    round::{
        entry::Prompt,
        judge::{Bound, DuelOutput, Pairing},
        queues,
    },
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
    /// Whose duels.
    pub pairing: Pairing,
    /// Which measurement: the run and the judgement of [`crate::round::judge::Bound`].
    pub run: u32,
    /// See there.
    pub judgement: u32,
    /// Defender and the repeat that shows it.
    pub left: (Side, u32),
    /// Challenger and the repeat that shows it.
    pub right: (Side, u32),
    /// The round's prompts.
    pub prompts: Vec<Prompt>,
    /// The round's seed.
    pub seed: u32,
}

/// A match ready to be judged, all its duels by one judge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadedMatch {
    /// Digest of what both sides show: what the match is bound to.
    pub shown_sha256: String,
    /// Prompt by prompt.
    pub pairs: Vec<PairedEntry>,
}

/// One prompt with what both sides have for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairedEntry {
    /// What its verdict is bound to.
    pub bound: Bound,
    /// The verdict of an earlier duel with the same binding: when only some pictures are new, the others are not judged again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<DuelOutput>,
}

impl Step for LoadMatch {
    const NAME: &'static str = "load_match";
    const QUEUE: &'static str = queues::STATE;
    const INLINE: bool = true;
    type Input = LoadMatchInput;
    type Output = LoadedMatch;

    fn key(input: &LoadMatchInput) -> String {
        format!("{}/load", input.match_key)
    }

    fn round(input: &LoadMatchInput) -> Option<u32> {
        Some(input.round.0)
    }
}
