//! How a duel is decided: from the answers of the model to a winner and its public record.
//!
//! ```text
//! missing pictures ─► outcome
//! S1 front match ≠ draw ─────► outcome
//! S2 strong voter ─► primary ┐
//! S2 consensus ────► primary ├─► S4 side guard ─► outcome
//! S2 draw ─► S3 gray ─► primary ┘
//! ```
//!
//! [`next`] says which stage's evidence is needed, and once none is, who won. It never decides on less: a call that was not
//! answered is our failure and leaves the duel open, it is not a neutral score (weakness W1). So there is no way to hand in
//! half a pair of answers.
//!
//! All thresholds are in [`DuelThresholds`].
//!
//! Source: judge, section 4.7 (stages), 4.8 (control flow), 4.10 (record).

mod cross_check;
mod front;
mod gray;
mod mirrored;
mod sides;
mod specialists;
mod thresholds;

use schema::files::DuelWinner;
use schema::files::report::{
    BothSides, Choice, DuelDetail, FrontMatch, GrayRescue, Judged, SideViewVerdicts, Specialists,
    decided_by,
};
use serde::{Deserialize, Serialize};

pub use cross_check::{CrossCheck, is_contradicted, stepped_down};
pub use front::front_match;
pub use gray::{GrayEvidence, GrayGate, GrayStatistics, gray_rescue};
pub use mirrored::Mirrored;
pub use sides::{side_guard, side_views};
pub use specialists::{ChecklistEvidence, SpecialistEvidence, best_view, similarity, specialists};
pub use thresholds::DuelThresholds;

use super::vlm_calls::DuelView;

/// A stage of a duel whose calls must be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// S1: four front views, both orders. See [`super::vlm_calls::VlmCall::stage_1`].
    Front,
    /// S2: best view, artefacts, checklist.
    Specialists,
    /// S3: the gate on the gray pictures and, if it fires, their comparison.
    Gray,
    /// S4: four side views of each model.
    Sides,
}

/// What is known of a duel so far. Stages are filled in the order in which [`next`] asks for them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DuelEvidence {
    /// S1.
    pub front: Option<Vec<(DuelView, Mirrored)>>,
    /// S2.
    pub specialists: Option<SpecialistEvidence>,
    /// S3.
    pub gray: Option<GrayEvidence>,
    /// S4.
    pub sides: Option<BothSides<SideViewVerdicts>>,
}

/// What follows from the evidence.
#[derive(Debug, Clone, PartialEq)]
pub enum DuelProgress {
    /// The duel is open; this stage comes next.
    Needs(Stage),
    /// The duel is decided.
    Decided(Box<DecidedDuel>),
}

/// A decided duel.
#[derive(Debug, Clone, PartialEq)]
pub struct DecidedDuel {
    /// Who won.
    pub winner: DuelWinner,
    /// The record, with empty `issues`.
    pub judged: Judged,
}

impl DecidedDuel {
    /// The public record, with the model's summary for people.
    pub fn detail(&self, issues: impl Into<String>) -> DuelDetail {
        Judged {
            issues: issues.into(),
            ..self.judged.clone()
        }
        .into()
    }
}

/// The winner and record of a duel of which a side has no pictures; none when both have them. Costs no call.
pub fn missing_views(
    left_has_views: bool,
    right_has_views: bool,
) -> Option<(DuelWinner, DuelDetail)> {
    let (winner, reason) = match (left_has_views, right_has_views) {
        (true, true) => return None,
        (false, false) => (DuelWinner::Draw, DuelDetail::NO_PREVIEWS),
        (false, true) => (DuelWinner::Right, DuelDetail::NO_LEFT_PREVIEW),
        (true, false) => (DuelWinner::Left, DuelDetail::NO_RIGHT_PREVIEW),
    };
    Some((
        winner,
        DuelDetail::MissingViews {
            reason: reason.to_owned(),
        },
    ))
}

/// What follows from the evidence so far.
pub fn next(evidence: &DuelEvidence, thresholds: &DuelThresholds) -> DuelProgress {
    let Some(front) = &evidence.front else {
        return DuelProgress::Needs(Stage::Front);
    };
    let mut record = Record::new(front_match(front, thresholds));
    if record.front.choice != Choice::Draw {
        let primary = record.front.choice;
        if thresholds.guard_after_front {
            return guarded(
                evidence,
                thresholds,
                record,
                primary,
                decided_by::FRONT_MATCH.to_owned(),
            );
        }
        return record.decided(primary, decided_by::FRONT_MATCH.to_owned());
    }

    let Some(answers) = &evidence.specialists else {
        return DuelProgress::Needs(Stage::Specialists);
    };
    let (judged, by) = specialists(answers, thresholds);
    let primary = judged.choice;
    record.specialists = Some(judged);
    if primary != Choice::Draw {
        return guarded(evidence, thresholds, record, primary, by);
    }

    let Some(gray) = &evidence.gray else {
        return DuelProgress::Needs(Stage::Gray);
    };
    let rescue = gray_rescue(gray, thresholds);
    record.gray = Some(rescue);
    match rescue.choice {
        Some(primary) => guarded(
            evidence,
            thresholds,
            record,
            primary,
            decided_by::GRAY_RESCUE.to_owned(),
        ),
        None => guarded(
            evidence,
            thresholds,
            record,
            Choice::Draw,
            decided_by::DRAW.to_owned(),
        ),
    }
}

/// The side of a choice: A is left, B is right.
pub fn winner_of(choice: Choice) -> DuelWinner {
    match choice {
        Choice::A => DuelWinner::Left,
        Choice::B => DuelWinner::Right,
        Choice::Draw => DuelWinner::Draw,
    }
}

/// S4: lets the primary choice stand or steps down from it.
fn guarded(
    evidence: &DuelEvidence,
    thresholds: &DuelThresholds,
    mut record: Record,
    primary: Choice,
    by: String,
) -> DuelProgress {
    let Some(views) = &evidence.sides else {
        return DuelProgress::Needs(Stage::Sides);
    };
    let guard = side_guard(primary, views, thresholds);
    let choice = guard.choice;
    record.sides = Some(guard);
    let by = if choice == primary {
        by
    } else {
        decided_by::step_down(primary)
    };
    record.decided(choice, by)
}

/// The stages that ran.
struct Record {
    front: FrontMatch,
    specialists: Option<Specialists>,
    gray: Option<GrayRescue>,
    sides: Option<schema::files::report::SideGuard>,
}

impl Record {
    fn new(front: FrontMatch) -> Self {
        Self {
            front,
            specialists: None,
            gray: None,
            sides: None,
        }
    }

    fn decided(self, choice: Choice, decided_by: String) -> DuelProgress {
        let judged = Judged {
            s1: self.front,
            s2: self.specialists,
            s3: self.gray,
            s4: self.sides,
            decided_by,
            issues: String::new(),
        };
        DuelProgress::Decided(Box::new(DecidedDuel {
            winner: winner_of(choice),
            judged,
        }))
    }
}

#[cfg(test)]
mod tests;
