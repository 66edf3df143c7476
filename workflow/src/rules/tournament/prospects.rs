//! What may become necessary if miners that hold a title fall: which matches, and whose regenerations.
//!
//! Each unverified title may be lost by an audit. Every way in which that can happen is folded as a world of its own, those
//! with few falls first; a fall is taken to be as likely as not (five of the six titles of the one real round with audits
//! fell). A match is as likely to be needed as the worlds in which the fold waits for it; a pair that no world waits for is
//! never explored (weakness W13). A miner that wins a title in some world, and none today, is an alternate: generating its
//! outputs before it is needed saves the hours that a replacement would otherwise cost (weakness W12).

use std::collections::{BTreeSet, VecDeque};

use indexmap::IndexMap;
use schema::{Hotkey, Side};

use super::Observation;
use super::timeline::{Timeline, derive_supposing};

/// How likely one more title falls.
const FALL: f64 = 0.5;
/// Falls in one world. Beyond it a world is less likely than one in sixteen.
const MOST_FALLS: usize = 4;
/// Worlds that are folded for one decision: a bound on its time, not on its correctness.
const MOST_WORLDS: usize = 100;

/// What may become necessary.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Prospects {
    /// Matches that some world waits for, the likeliest first.
    pub(super) pairs: Vec<(Side, Hotkey)>,
    /// Miners that hold a title in some world and none today, the likeliest first.
    pub(super) alternates: Vec<Hotkey>,
}

/// Looks ahead from a timeline in which no match is pending.
pub(super) fn prospects(observation: &Observation, timeline: &Timeline) -> Prospects {
    let mut pairs: IndexMap<(Side, Hotkey), f64> = IndexMap::new();
    let mut alternates: IndexMap<Hotkey, f64> = IndexMap::new();
    let mut known: BTreeSet<BTreeSet<Hotkey>> = BTreeSet::new();
    let mut next = VecDeque::from([BTreeSet::new()]);
    while let Some(fallen) = next.pop_front() {
        let world = derive_supposing(observation, &fallen);
        let weight = FALL.powi(fallen.len() as i32);
        for entry in world.entries.iter().filter(|entry| entry.is_pending()) {
            let pair = (entry.defender.clone(), entry.hotkey.clone());
            *pairs.entry(pair).or_default() += weight;
        }
        for entry in world.leaders() {
            let holds_today = timeline
                .entry(&entry.hotkey)
                .is_some_and(super::TimelineEntry::is_won);
            if !holds_today {
                *alternates.entry(entry.hotkey.clone()).or_default() += weight;
            }
        }
        if fallen.len() == MOST_FALLS {
            continue;
        }
        for entry in world.leaders().filter(|entry| entry.is_unverified()) {
            let mut more = fallen.clone();
            more.insert(entry.hotkey.clone());
            if known.len() < MOST_WORLDS && known.insert(more.clone()) {
                next.push_back(more);
            }
        }
    }
    Prospects {
        pairs: by_likelihood(pairs),
        alternates: by_likelihood(alternates),
    }
}

/// Equal likelihoods stay in the order in which they were found: that of the fold.
fn by_likelihood<T: std::hash::Hash + Eq>(found: IndexMap<T, f64>) -> Vec<T> {
    let mut found: Vec<(T, f64)> = found.into_iter().collect();
    found.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    found.into_iter().map(|(thing, _)| thing).collect()
}
