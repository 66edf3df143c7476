//! The tournament: from what is known to who leads, what to do next, and what the round still waits for.
//!
//! ```text
//! observe (database) ──▶ Observation ──derive──▶ Timeline ──decide──▶ Decision ──▶ start what is missing
//! ```
//!
//! Nothing of it is stored. Whenever something new is known the whole chain is derived again from scratch, so a crash, a
//! repeat or a changed verdict needs no handling of its own: same observation, same decision.
//!
//! # The rules
//!
//! Every challenger first plays the leader ("qualification"). Those who win by `win_margin` enter the timeline, in the order
//! in which they revealed, and the winner stays in: each is tested against whoever holds the title at its turn. A miner that
//! dethrones ("won entry") is audited: its code generates everything again, `audit_repeats` times, and each time the result
//! must not be clearly worse than what it submitted, and must beat the defender as clearly as the submission did. A miner that
//! fails is taken out, and everyone after it is folded again against the previous defender.
//!
//! # Where this differs from the reference, and why
//!
//! - All matches that can start are named, not only the next one. Rows appear in the public matrix in the reference's order
//!   all the same: see [`publishable_rows`].
//! - An audit is requested as soon as the fold shows a won entry whose predecessors have all played their qualification,
//!   not after the last qualification match (weakness W11).
//! - An audit duel of which a side has nothing to show is a walkover, as in the tournament (weakness W2): a leader without
//!   any output is beaten by whatever the audited code generated, so scenario 18 ends. A regeneration that lacks outputs by
//!   *our* fault is [`Outputs::NotReady`](super::matches::Outputs): it is waited for and named, and never becomes the
//!   miner's loss.
//! - Audit duels are asked for only while they can matter: not for a miner that is rejected, lost or verified, and those
//!   under way are cancelled then (weakness W15).
//! - Only pairs that can still be asked for are explored, the likeliest first, and cancelled when they no longer can be
//!   (weakness W13). The regenerations of likely alternates may begin before they hold a title (weakness W12).
//! - A published verdict is withdrawn when the fold no longer supports it, so that a cancelled regeneration starts again
//!   (weakness W5).
//! - A margin that is no finite number counts as not measured.
//!
//! # Why the round always ends
//!
//! While the round is not over, [`Decision::waits_for`] is not empty, and everything it names is something that happens
//! once: a match, an audit duel, a regeneration, a source audit. None is repeated by any later decision. The property tests
//! play random rounds to the end in random order.
//!
//! Source: judge, section 7 (tournament), 8 (audits), 13 and 14 (scenarios).

mod decision;
mod moot;
mod prospects;
mod publication;
mod timeline;
mod verdicts;

use std::collections::BTreeMap;

use schema::files::{
    AuditLeft, AuditRequests, GenerationAudits, GenerationReports, Matrix, ReportOutcome,
    SourceAudits, Verdict,
};
use schema::{Hotkey, Side};

pub use decision::{AuditDuelToPlay, Decision, MatchPurpose, MatchToPlay, decide};
pub use moot::{audit_is_moot, match_is_moot, regeneration_is_moot};
pub use publication::{PublicRow, publishable_rows, remaining_rows};
pub use timeline::{EntryState, Timeline, TimelineEntry, derive};
pub use verdicts::{audit_requests, audit_verdicts};

use super::matches::{Outputs, wins};

/// Everything a round's tournament depends on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observation {
    /// `win_margin` in `config.json`.
    pub win_margin: f64,
    /// `audit_repeats` in `config.json`.
    pub audit_repeats: u32,
    /// How many miners may be regenerated before they hold a title, because they would if others fell (weakness W12).
    pub alternates: usize,
    /// The hotkeys in the order in which they revealed: [`schema::files::Submissions::challengers`].
    pub challengers: Vec<Hotkey>,
    /// Margins of complete matches, published or not.
    pub matches: Matrix,
    /// Margins of complete audit duels.
    pub audits: Matrix,
    /// How regenerations went.
    pub reports: GenerationReports,
    /// What people found in the sources.
    pub source_audits: SourceAudits,
    /// What there is to compare.
    pub delivered: Delivered,
    /// The audits requested so far: they keep their place.
    pub requests: AuditRequests,
    /// The verdicts published so far.
    pub verdicts: GenerationAudits,
}

/// What each side has to show. What is not named is not ready.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Delivered {
    /// What the leader's image generated in this round.
    pub baseline: Outputs,
    /// What each miner submitted.
    pub submitted: BTreeMap<Hotkey, Outputs>,
    /// What each miner's image generated, by repeat. Looked at only for repeats that the miner's report lists.
    pub regenerated: BTreeMap<(Hotkey, u32), Outputs>,
}

impl Delivered {
    /// What a side of a tournament match has to show.
    pub fn of(&self, side: &Side) -> Outputs {
        match side {
            Side::Leader => self.baseline,
            Side::Miner(hotkey) => self.submitted.get(hotkey).copied().unwrap_or_default(),
        }
    }

    /// What one repeat of a miner's regeneration has to show.
    pub fn of_repeat(&self, hotkey: &Hotkey, repeat: u32) -> Outputs {
        self.regenerated
            .get(&(hotkey.clone(), repeat))
            .copied()
            .unwrap_or_default()
    }
}

impl Observation {
    /// The margin of a match, if it was measured.
    fn match_margin(&self, left: &Side, right: &Hotkey) -> Option<f64> {
        self.matches
            .get(left, right)
            .filter(|margin| margin.is_finite())
    }

    /// The margin of an audit duel, if it was measured.
    fn audit_margin(&self, left: &AuditLeft, right: &Hotkey) -> Option<f64> {
        self.audits
            .get(left, right)
            .filter(|margin| margin.is_finite())
    }

    /// Why the report disqualifies the miner, if it does.
    fn report_rejection(&self, hotkey: &Hotkey) -> Option<&str> {
        let report = self.reports.get(hotkey)?;
        (report.outcome == ReportOutcome::Rejected).then_some(report.reason.as_str())
    }

    /// The verdict on the miner's source, with its reason, if there is one.
    fn source_verdict(&self, hotkey: &Hotkey) -> Option<(Verdict, &str)> {
        self.source_audits
            .of(hotkey)
            .map(|audit| (audit.verdict, audit.reason.as_str()))
    }

    /// Whether the miner is out for reasons outside the matrices: it need not play its qualification.
    fn is_excluded(&self, hotkey: &Hotkey) -> bool {
        self.report_rejection(hotkey).is_some()
            || matches!(self.source_verdict(hotkey), Some((Verdict::Failed, _)))
    }

    /// Whether the miner's qualification is still to be played.
    fn lacks_qualification(&self, hotkey: &Hotkey) -> bool {
        self.match_margin(&Side::Leader, hotkey).is_none() && !self.is_excluded(hotkey)
    }

    /// Whether every challenger has played its qualification or need not: before that, who leads is not known.
    pub fn is_qualified(&self) -> bool {
        !self
            .challengers
            .iter()
            .any(|hotkey| self.lacks_qualification(hotkey))
    }

    fn wins(&self, margin: f64) -> bool {
        wins(margin, self.win_margin)
    }

    /// The repeats an audit has.
    fn repeats(&self) -> std::ops::RangeInclusive<u32> {
        1..=self.audit_repeats
    }

    /// Whether the miner's report lists a repeat: then it is complete.
    fn is_listed(&self, hotkey: &Hotkey, repeat: u32) -> bool {
        let report = self.reports.get(hotkey);
        report.is_some_and(|report| {
            report
                .repeats
                .iter()
                .any(|listed| listed.repeat_index == repeat)
        })
    }
}

/// The left side of the audit duel of one repeat against the miner's own submission.
fn submitted_left(repeat: u32) -> AuditLeft {
    AuditLeft::Submitted { repeat }
}

/// The left side of the audit duel of one repeat against the defender.
fn defender_left(defender: &Side, repeat: u32) -> AuditLeft {
    AuditLeft::Defender {
        defender: defender.clone(),
        repeat,
    }
}

#[cfg(test)]
mod tests;
