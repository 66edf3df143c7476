//! Which win margins fit what was published.

use schema::Side;
use workflow::rules::tournament::{Observation, derive};

/// The win margins with which `winner` follows, above the first and up to the second; the range nearest to the observed
/// win margin when there are several. `None` when no margin gives it.
pub(in super::super) fn margins_that_give(
    observation: &Observation,
    winner: &Side,
    prompts: usize,
) -> Option<(f64, f64)> {
    if prompts == 0 {
        return None;
    }
    let step = |score: usize| score as f64 / prompts as f64;
    let gives = |score: &usize| {
        let observation = Observation {
            win_margin: step(*score),
            ..observation.clone()
        };
        derive(&observation).champion() == *winner
    };
    // Margins are whole scores over the number of prompts, so between two of them nothing changes.
    let scores: Vec<usize> = (1..=prompts).filter(gives).collect();
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for score in scores {
        match ranges.last_mut() {
            Some((_, end)) if *end + 1 == score => *end = score,
            _ => ranges.push((score, score)),
        }
    }
    let distance = |(first, last): &(usize, usize)| {
        let (low, high) = (step(first - 1), step(*last));
        (low - observation.win_margin)
            .max(observation.win_margin - high)
            .max(0.0)
    };
    ranges
        .into_iter()
        .min_by(|one, other| distance(one).total_cmp(&distance(other)))
        .map(|(first, last)| (step(first - 1), step(last)))
}
