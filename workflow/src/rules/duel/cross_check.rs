//! The cross-check: a second opinion that nothing painted on a model can talk to.
//!
//! A model's decision is compared with the embeddings, which measure likeness and read no instructions. Where they clearly
//! contradict it, the winner's pictures are searched for writing that addresses its judge. Only both together, a
//! contradiction and such writing, take the win away: a draw is recorded, because the model's word about that side counts for
//! nothing. Either alone changes no decision: embeddings are no judge, and honest objects may carry words.
//!
//! Source: judge, weakness W20. Not of the reference.

use schema::files::DuelWinner;
use schema::files::report::{BothSides, Choice, decided_by};

use super::{DecidedDuel, DuelThresholds};
use crate::rules::vlm_calls::Model;

/// What the embeddings make of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrossCheck {
    /// They do not contradict it, or there are none.
    Stands,
    /// They clearly contradict it: the winner's pictures are to be searched.
    Search(Model),
}

/// Compares a decision with how much the best view of each side resembles the prompt.
pub fn is_contradicted(
    duel: &DecidedDuel,
    similarities: Option<BothSides<f64>>,
    thresholds: &DuelThresholds,
) -> CrossCheck {
    let Some(BothSides { a, b }) = similarities else {
        return CrossCheck::Stands;
    };
    let gap = thresholds.cross_check_similarity_gap;
    match duel.winner {
        DuelWinner::Left if b - a >= gap => CrossCheck::Search(Model::A),
        DuelWinner::Right if a - b >= gap => CrossCheck::Search(Model::B),
        _ => CrossCheck::Stands,
    }
}

/// The duel when writing on the winner was found.
pub fn stepped_down(mut duel: DecidedDuel) -> DecidedDuel {
    let was = match duel.winner {
        DuelWinner::Left => Choice::A,
        DuelWinner::Right => Choice::B,
        DuelWinner::Draw | DuelWinner::Skipped => return duel,
    };
    duel.winner = DuelWinner::Draw;
    duel.judged.decided_by = decided_by::text_step_down(was);
    duel
}
