//! What follows from the timeline: what to play, whom to audit, who won, and what the round waits for.
//!
//! Source: judge, section 7.2, 7.3 (work), 7.4 (derived facts), 8.2 (audit duels).

use schema::files::{AuditLeft, AuditRequests, GenerationAudits};
use schema::{Hotkey, Side};

use super::super::matches::{Outputs, Play, play};
use super::prospects::prospects;
use super::timeline::{Timeline, TimelineEntry};
use super::verdicts::{audit_requests, audit_verdicts};
use super::{Observation, defender_left, submitted_left};

/// What to do now. Everything in it can start at once; playing one does not wait for another.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decision {
    /// Tournament matches, in the order of the reference: qualification, timeline, exploratory.
    pub matches_to_play: Vec<MatchToPlay>,
    /// Audit duels, in the order of the reference: requests, repeats, submission before defender.
    pub audit_duels_to_play: Vec<AuditDuelToPlay>,
    /// Miners that are not audited today and may have to be tomorrow, the likeliest first: at most
    /// [`Observation::alternates`] of them, and none while matches are open.
    pub alternates: Vec<Hotkey>,
    /// The whole new `require_audit.json`.
    pub audit_requests: AuditRequests,
    /// The whole new `generation_audits.json`.
    pub verdicts: GenerationAudits,
    /// Who won, once the round is over.
    pub winner: Option<Side>,
    /// What keeps the round from being over, for people; empty exactly when there is a winner.
    pub waits_for: Vec<String>,
}

/// A match to play. Right is the challenger.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchToPlay {
    /// Who is challenged.
    pub left: Side,
    /// Who challenges.
    pub right: Hotkey,
    /// What it is for: exploratory matches yield to the others.
    pub purpose: MatchPurpose,
    /// By duels, or without any.
    pub how: Play,
}

/// What a match is for, in order of urgency.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum MatchPurpose {
    /// Every challenger against the leader.
    Qualification,
    /// A qualified challenger against the holder of the title.
    Timeline,
    /// A pair that may be needed if somebody is rejected later. Ends with the round.
    Exploratory,
}

/// An audit duel to play: all prompts, right is the regenerated output of the repeat that `left` names.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditDuelToPlay {
    /// The submission or the defender, with the repeat.
    pub left: AuditLeft,
    /// The audited miner.
    pub right: Hotkey,
    /// By duels, or without any.
    pub how: Play,
}

/// Decides from an observation and its timeline.
pub fn decide(observation: &Observation, timeline: &Timeline) -> Decision {
    let requests = audit_requests(observation, timeline);
    let verdicts = audit_verdicts(observation, timeline, &requests);
    let mut decision = Decision {
        audit_requests: requests,
        verdicts,
        ..Decision::default()
    };

    let unqualified = observation
        .challengers
        .iter()
        .filter(|hotkey| observation.lacks_qualification(hotkey));
    for hotkey in unqualified {
        decision.need_match(
            observation,
            &Side::Leader,
            hotkey,
            MatchPurpose::Qualification,
        );
    }
    for entry in timeline.entries.iter().filter(|entry| entry.is_pending()) {
        decision.need_match(
            observation,
            &entry.defender,
            &entry.hotkey,
            MatchPurpose::Timeline,
        );
    }
    let matches_settled = decision.waits_for.is_empty();

    for entry in in_request_order(timeline, &decision.audit_requests) {
        decision.need_audit(observation, entry);
    }

    if decision.waits_for.is_empty() {
        decision.winner = Some(timeline.champion());
    } else if matches_settled {
        decision.look_ahead(observation, timeline);
    }
    decision
}

/// The unverified won entries: those with a request in the order of the requests, then the others.
fn in_request_order<'a>(
    timeline: &'a Timeline,
    requests: &AuditRequests,
) -> Vec<&'a TimelineEntry> {
    let mut entries: Vec<&TimelineEntry> = timeline
        .entries
        .iter()
        .filter(|entry| entry.is_unverified())
        .collect();
    entries.sort_by_key(|entry| requests.get_index_of(&entry.hotkey).unwrap_or(usize::MAX));
    entries
}

impl Decision {
    /// Names a match that the round waits for, and plays it if both sides are ready.
    fn need_match(
        &mut self,
        observation: &Observation,
        left: &Side,
        right: &Hotkey,
        purpose: MatchPurpose,
    ) {
        let challenger = Side::from(right);
        let (left_outputs, right_outputs) = (
            observation.delivered.of(left),
            observation.delivered.of(&challenger),
        );
        let what = match purpose {
            MatchPurpose::Qualification => "qualification match",
            MatchPurpose::Timeline | MatchPurpose::Exploratory => "match",
        };
        let sentence = format!("{what} {} vs {}", left.short(), right.short());
        if let Some(how) = play(left_outputs, right_outputs) {
            self.matches_to_play.push(MatchToPlay {
                left: left.clone(),
                right: right.clone(),
                purpose,
                how,
            });
            self.waits_for.push(sentence);
        } else {
            let sides = [
                (left_outputs, outputs_of(left)),
                (right_outputs, outputs_of(&challenger)),
            ];
            self.waits_for
                .push(format!("{sentence} (needs {})", not_ready(sides)));
        }
    }

    /// Names everything that an unverified won entry lacks, and plays the audit duels that can be played.
    fn need_audit(&mut self, observation: &Observation, entry: &TimelineEntry) {
        let hotkey = &entry.hotkey;
        for repeat in observation.repeats() {
            let lefts = [
                submitted_left(repeat),
                defender_left(&entry.defender, repeat),
            ];
            let missing: Vec<AuditLeft> = lefts
                .into_iter()
                .filter(|left| observation.audit_margin(left, hotkey).is_none())
                .collect();
            if missing.is_empty() {
                continue;
            }
            if !observation.is_listed(hotkey, repeat) {
                let of = observation.audit_repeats;
                self.waits_for.push(format!(
                    "regeneration {repeat} of {of} of {}",
                    hotkey.short()
                ));
                continue;
            }
            for left in missing {
                self.need_audit_duel(observation, entry, left);
            }
        }
        if observation.source_verdict(hotkey).is_none() {
            self.waits_for
                .push(format!("source audit of {}", hotkey.short()));
        }
        if !entry.defender_verified {
            let (defender, hotkey) = (entry.defender.short(), hotkey.short());
            self.waits_for
                .push(format!("verification of {defender}, whom {hotkey} beat"));
        }
    }

    fn need_audit_duel(
        &mut self,
        observation: &Observation,
        entry: &TimelineEntry,
        left: AuditLeft,
    ) {
        let hotkey = &entry.hotkey;
        let side = match &left {
            AuditLeft::Submitted { .. } => Side::from(hotkey),
            AuditLeft::Defender { defender, .. } => defender.clone(),
        };
        let left_outputs = observation.delivered.of(&side);
        let right_outputs = observation.delivered.of_repeat(hotkey, left.repeat());
        let sentence = format!("audit duel {} vs {}", short_left(&left), hotkey.short());
        if let Some(how) = play(left_outputs, right_outputs) {
            self.audit_duels_to_play.push(AuditDuelToPlay {
                left,
                right: hotkey.clone(),
                how,
            });
            self.waits_for.push(sentence);
        } else {
            let pictures = format!(
                "the pictures of regeneration {} of {}",
                left.repeat(),
                hotkey.short()
            );
            let sides = [(left_outputs, outputs_of(&side)), (right_outputs, pictures)];
            self.waits_for
                .push(format!("{sentence} (needs {})", not_ready(sides)));
        }
    }

    /// Adds what may become necessary while the round waits for audits anyway: pairs that were never played, the likeliest
    /// first, and the regenerations of alternates. Never waited for.
    fn look_ahead(&mut self, observation: &Observation, timeline: &Timeline) {
        let prospects = prospects(observation, timeline);
        self.alternates = prospects
            .alternates
            .into_iter()
            .filter(|hotkey| !self.audit_requests.contains_key(hotkey))
            .take(observation.alternates)
            .collect();
        for (left, right) in prospects.pairs {
            let outputs = (
                observation.delivered.of(&left),
                observation.delivered.of(&Side::from(&right)),
            );
            if let Some(how) = play(outputs.0, outputs.1) {
                self.matches_to_play.push(MatchToPlay {
                    left,
                    right,
                    purpose: MatchPurpose::Exploratory,
                    how,
                });
            }
        }
    }
}

/// The pairs of entries that are not rejected and have no margin, row by row: the order in which the reference plays them.
pub(super) fn exploratory_pairs(
    observation: &Observation,
    timeline: &Timeline,
) -> Vec<(Side, Hotkey)> {
    let candidates: Vec<&Hotkey> = timeline
        .entries
        .iter()
        .filter(|entry| !entry.is_rejected())
        .map(|entry| &entry.hotkey)
        .collect();
    let mut pairs = Vec::new();
    for (index, left) in candidates.iter().enumerate() {
        for right in candidates.iter().skip(index + 1) {
            let left = Side::from(*left);
            if observation.match_margin(&left, right).is_none() {
                pairs.push((left, (*right).clone()));
            }
        }
    }
    pairs
}

/// The names of the sides that are not ready.
fn not_ready(sides: [(Outputs, String); 2]) -> String {
    let missing = sides
        .into_iter()
        .filter(|(outputs, _)| *outputs == Outputs::NotReady);
    missing
        .map(|(_, name)| name)
        .collect::<Vec<String>>()
        .join(" and ")
}

fn outputs_of(side: &Side) -> String {
    match side {
        Side::Leader => "the leader's baseline".to_owned(),
        Side::Miner(hotkey) => format!("the submission of {}", hotkey.short()),
    }
}

/// `submitted_1`, `leader_2` or `{first 10 characters}_1`.
fn short_left(left: &AuditLeft) -> String {
    match left {
        AuditLeft::Submitted { .. } => left.to_string(),
        AuditLeft::Defender { defender, repeat } => format!("{}_{repeat}", defender.short()),
    }
}
