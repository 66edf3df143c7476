//! In which order measured matches become rows of the public `matches_matrix.csv`.
//!
//! Matches are played in parallel and end in any order. The public matrix is read as a record of play, so its rows appear in
//! the order in which the reference, playing one match at a time, would have added them: the qualification in reveal order,
//! then always the first pending match of the timeline, then exploratory pairs row by row. A match that ends early waits for
//! those before it; the decision whether somebody won does not.
//!
//! Source: judge, section 6 (matrices), 7.3 (order of play), 19 (deterministic rows).

use schema::files::Matrix;
use schema::{Hotkey, Side};

use super::decision::exploratory_pairs;
use super::timeline::derive;
use super::{Observation, Timeline};

/// A row to append: left, right, margin.
pub type PublicRow = (Side, Hotkey, f64);

/// The rows that can be appended to `published` now, in order. `observation.matches` holds all measured matches.
pub fn publishable_rows(observation: &Observation, published: &Matrix) -> Vec<PublicRow> {
    let mut public = Observation {
        matches: published.clone(),
        ..observation.clone()
    };
    let mut rows = Vec::new();
    while let Some((left, right)) = next_in_order(&public) {
        let Some(margin) = observation.match_margin(&left, &right) else {
            break;
        };
        public.matches.insert(&left, &right, margin);
        rows.push((left, right, margin));
    }
    rows
}

/// The measured rows that [`publishable_rows`] would still hold back, for the end of the round: by left side, then by right
/// side, both in reveal order.
pub fn remaining_rows(observation: &Observation, published: &Matrix) -> Vec<PublicRow> {
    let mut lefts = vec![Side::Leader];
    lefts.extend(observation.challengers.iter().map(Side::from));
    let mut rows = Vec::new();
    for left in &lefts {
        for right in &observation.challengers {
            let measured = observation
                .match_margin(left, right)
                .filter(|_| !published.contains(left, right));
            rows.extend(measured.map(|margin| (left.clone(), right.clone(), margin)));
        }
    }
    rows
}

/// The match that the reference would play next, looking at the published rows alone.
fn next_in_order(public: &Observation) -> Option<(Side, Hotkey)> {
    let unqualified = public
        .challengers
        .iter()
        .find(|hotkey| public.lacks_qualification(hotkey));
    if let Some(hotkey) = unqualified {
        return Some((Side::Leader, hotkey.clone()));
    }
    let timeline: Timeline = derive(public);
    let pending = timeline.entries.iter().find(|entry| entry.is_pending());
    if let Some(entry) = pending {
        return Some((entry.defender.clone(), entry.hotkey.clone()));
    }
    exploratory_pairs(public, &timeline).into_iter().next()
}
