//! Which work under way can no longer matter, so that it is cancelled instead of finished (weaknesses W13, W15).
//!
//! What is cancelled too early is started anew when the fold asks for it again; nothing is lost but the calls.

use schema::files::AuditLeft;
use schema::{Hotkey, Side};

use super::timeline::{EntryState, Timeline};
use super::{Decision, Observation};

/// Whether a match of the tournament that is being played can no longer change anything.
pub fn match_is_moot(
    observation: &Observation,
    timeline: &Timeline,
    decision: &Decision,
    left: &Side,
    right: &Hotkey,
) -> bool {
    let is_out = |hotkey: &Hotkey| {
        observation.is_excluded(hotkey)
            || timeline
                .entry(hotkey)
                .is_some_and(super::TimelineEntry::is_rejected)
    };
    decision.winner.is_some() || is_out(right) || left.hotkey().is_some_and(is_out)
}

/// Whether an audit duel that is being played can no longer change anything.
///
/// While a match is pending the fold may still change, and only a miner that is out ends its audits.
pub fn audit_is_moot(
    timeline: &Timeline,
    decision: &Decision,
    left: &AuditLeft,
    right: &Hotkey,
) -> bool {
    if decision.winner.is_some() {
        return true;
    }
    let Some(entry) = timeline.entry(right) else {
        return true;
    };
    let is_settled = !timeline
        .entries
        .iter()
        .any(super::TimelineEntry::is_pending);
    match &entry.state {
        EntryState::Rejected { .. } | EntryState::Won { verified: true, .. } => true,
        EntryState::Pending => false,
        EntryState::Lost { .. } => is_settled,
        EntryState::Won {
            verified: false, ..
        } => match left {
            AuditLeft::Submitted { .. } => false,
            AuditLeft::Defender { defender, .. } => is_settled && *defender != entry.defender,
        },
    }
}

/// Whether the regeneration of a miner that is under way can no longer change anything: the miner is out, verified, or was an
/// alternate and is none any more.
pub fn regeneration_is_moot(timeline: &Timeline, decision: &Decision, hotkey: &Hotkey) -> bool {
    if decision.winner.is_some() {
        return true;
    }
    let is_settled = !timeline
        .entries
        .iter()
        .any(super::TimelineEntry::is_pending);
    match timeline.entry(hotkey).map(|entry| &entry.state) {
        Some(EntryState::Rejected { .. }) => true,
        Some(EntryState::Won { .. }) => false,
        _ => {
            is_settled
                && !decision.audit_requests.contains_key(hotkey)
                && !decision.alternates.contains(hotkey)
        }
    }
}
