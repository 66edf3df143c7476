//! The fold: who entered the timeline, and what became of each.
//!
//! Source: judge, section 7.4.

use std::collections::BTreeSet;

use schema::files::Verdict;
use schema::{Hotkey, Side};

use super::super::percent::signed_percent;
use super::{Observation, defender_left, submitted_left};

/// How many characters of another file's reason are repeated.
const REASON_CHARACTERS: usize = 64;

/// The miners that beat the leader, in reveal order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timeline {
    /// One entry a qualified miner.
    pub entries: Vec<TimelineEntry>,
}

/// One qualified miner.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelineEntry {
    /// Who.
    pub hotkey: Hotkey,
    /// Who held the title at its turn.
    pub defender: Side,
    /// Whether that title was final: always for the leader.
    pub defender_verified: bool,
    /// What became of it.
    pub state: EntryState,
}

/// What became of a qualified miner.
#[derive(Debug, Clone, PartialEq)]
pub enum EntryState {
    /// It is out; the defender stays.
    Rejected {
        /// Why, as published.
        reason: String,
    },
    /// Its match against the defender is not measured yet; for now the defender stays.
    Pending,
    /// It lost to the defender.
    Lost {
        /// The margin, below `win_margin`.
        margin: f64,
    },
    /// It dethroned the defender and defends from here on.
    Won {
        /// The margin, at least `win_margin`.
        margin: f64,
        /// Whether nothing can take the title back: its audits are passed, its source too, and its defender was verified.
        verified: bool,
    },
}

impl TimelineEntry {
    /// Whether it dethroned its defender.
    pub fn is_won(&self) -> bool {
        matches!(self.state, EntryState::Won { .. })
    }

    /// Whether it dethroned its defender and is not verified.
    pub fn is_unverified(&self) -> bool {
        matches!(
            self.state,
            EntryState::Won {
                verified: false,
                ..
            }
        )
    }

    /// Whether it is out.
    pub fn is_rejected(&self) -> bool {
        matches!(self.state, EntryState::Rejected { .. })
    }

    /// Whether its match is still to be played.
    pub fn is_pending(&self) -> bool {
        matches!(self.state, EntryState::Pending)
    }
}

impl Timeline {
    /// The miners that held the title, in order.
    pub fn leaders(&self) -> impl Iterator<Item = &TimelineEntry> {
        self.entries.iter().filter(|entry| entry.is_won())
    }

    /// Who holds the title at the end: the last won entry, else the leader. The winner, once the round is over.
    pub fn champion(&self) -> Side {
        self.leaders()
            .last()
            .map_or(Side::Leader, |entry| Side::from(&entry.hotkey))
    }

    /// The entry of a miner, if it qualified.
    pub fn entry(&self, hotkey: &Hotkey) -> Option<&TimelineEntry> {
        self.entries.iter().find(|entry| entry.hotkey == *hotkey)
    }
}

/// Derives the timeline from scratch.
pub fn derive(observation: &Observation) -> Timeline {
    derive_supposing(observation, &BTreeSet::new())
}

/// Derives the timeline as it would be if these miners were rejected too.
pub(super) fn derive_supposing(observation: &Observation, rejected: &BTreeSet<Hotkey>) -> Timeline {
    let mut entries = Vec::new();
    let mut defender = Side::Leader;
    let mut defender_verified = true;
    for hotkey in &observation.challengers {
        let qualified = observation
            .match_margin(&Side::Leader, hotkey)
            .is_some_and(|margin| observation.wins(margin));
        if !qualified {
            continue;
        }
        let state = if rejected.contains(hotkey) {
            EntryState::Rejected {
                reason: "supposed".to_owned(),
            }
        } else {
            state_of(observation, hotkey, &defender, defender_verified)
        };
        let entry = TimelineEntry {
            hotkey: hotkey.clone(),
            defender: defender.clone(),
            defender_verified,
            state,
        };
        if let EntryState::Won { verified, .. } = entry.state {
            defender = Side::from(hotkey);
            defender_verified = verified;
        }
        entries.push(entry);
    }
    Timeline { entries }
}

fn state_of(
    observation: &Observation,
    hotkey: &Hotkey,
    defender: &Side,
    defender_verified: bool,
) -> EntryState {
    if let Some(reason) = rejection(observation, hotkey, defender, defender_verified) {
        return EntryState::Rejected { reason };
    }
    match observation.match_margin(defender, hotkey) {
        None => EntryState::Pending,
        Some(margin) if observation.wins(margin) => EntryState::Won {
            margin,
            verified: defender_verified && passes_every_audit(observation, hotkey, defender),
        },
        Some(margin) => EntryState::Lost { margin },
    }
}

/// Why a qualified miner is out, if it is. A failed audit against the defender counts only while that defender's title is
/// final; against another it is held back, because the defender may fall.
fn rejection(
    observation: &Observation,
    hotkey: &Hotkey,
    defender: &Side,
    defender_verified: bool,
) -> Option<String> {
    if let Some(reason) = observation.report_rejection(hotkey) {
        return Some(quoted("generation report", reason));
    }
    if let Some((Verdict::Failed, reason)) = observation.source_verdict(hotkey) {
        return Some(quoted("source audit", reason));
    }
    for repeat in observation.repeats() {
        match observation.audit_margin(&submitted_left(repeat), hotkey) {
            Some(margin) if margin < -observation.win_margin => {
                return Some(format!(
                    "submitted vs generated #{repeat}: {}",
                    signed_percent(margin)
                ));
            }
            _ => {}
        }
    }
    if defender_verified {
        for repeat in observation.repeats() {
            match observation.audit_margin(&defender_left(defender, repeat), hotkey) {
                Some(margin) if !observation.wins(margin) => {
                    return Some(format!(
                        "{} vs generated #{repeat}: {}",
                        defender.short(),
                        signed_percent(margin)
                    ));
                }
                _ => {}
            }
        }
    }
    None
}

/// Whether source and every repeat are there and passed. Without repeats the source alone counts.
fn passes_every_audit(observation: &Observation, hotkey: &Hotkey, defender: &Side) -> bool {
    let source_passed = matches!(
        observation.source_verdict(hotkey),
        Some((Verdict::Passed, _))
    );
    source_passed
        && observation.repeats().all(|repeat| {
            let submitted = observation.audit_margin(&submitted_left(repeat), hotkey);
            let against_defender =
                observation.audit_margin(&defender_left(defender, repeat), hotkey);
            submitted.is_some_and(|margin| margin >= -observation.win_margin)
                && against_defender.is_some_and(|margin| observation.wins(margin))
        })
}

fn quoted(kind: &str, reason: &str) -> String {
    if reason.is_empty() {
        return kind.to_owned();
    }
    format!(
        "{kind}: {}",
        reason.chars().take(REASON_CHARACTERS).collect::<String>()
    )
}
