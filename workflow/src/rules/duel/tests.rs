//! The stages of a duel one by one, and what holds for all of them.
#![allow(clippy::unwrap_used)]

mod cross_check;
mod front;
mod gray;
mod order_of_stages;
mod properties;
mod sides;
mod specialists;
mod thresholds;

use Choice::{A, B, Draw};
use schema::files::report::{DecisionSource, FeatureMatch, ViewVerdict};

use super::super::vlm_answer::{Check, DecomposeAnswer, Feature, FeatureCategory, VerifyAnswer};
use super::*;

/// Side views without garbage.
const CLEAN: [u8; 4] = [0; 4];

/// A pair of penalties in halves, without contradiction.
fn halves(a: f64, b: f64) -> Mirrored {
    let split = |value: f64| {
        (
            (value * 2.0) as u8 / 2,
            (value * 2.0) as u8 - (value * 2.0) as u8 / 2,
        )
    };
    let ((a_first, a_second), (b_second, b_first)) = (split(a), split(b));
    Mirrored {
        a_first,
        b_second,
        a_second,
        b_first,
    }
}

fn contradictory() -> Mirrored {
    Mirrored {
        a_first: 2,
        b_second: 6,
        a_second: 7,
        b_first: 1,
    }
}

fn angles(pairs: [Mirrored; 4]) -> Vec<(DuelView, Mirrored)> {
    DuelView::FRONT.into_iter().zip(pairs).collect()
}

fn drawn_front() -> Vec<(DuelView, Mirrored)> {
    angles([Mirrored::agreed(5, 5); 4])
}

/// A checklist whose score gap is A's `yes` answers minus B's, two points each.
fn checklist(yes_a: usize, yes_b: usize) -> ChecklistEvidence {
    let name = |i: usize| format!("feature {i}");
    let features = (0..7).map(|i| Feature {
        description: name(i),
        category: FeatureCategory::Shape,
    });
    let verified = |yes: usize| VerifyAnswer {
        checks: (0..7)
            .map(|i| Check {
                feature: name(i),
                matches: if i < yes {
                    FeatureMatch::Yes
                } else {
                    FeatureMatch::No
                },
                note: String::new(),
            })
            .collect(),
        main_object_correct: true,
    };
    ChecklistEvidence {
        decomposed: DecomposeAnswer {
            main_object: "chair".into(),
            features: features.collect(),
        },
        verified_a: verified(yes_a),
        verified_b: verified(yes_b),
    }
}

/// Evidence with these gaps: best view, artefacts, checklist.
fn voting(
    best_view: Option<i8>,
    artifact: i8,
    checklist_yes: (usize, usize),
) -> SpecialistEvidence {
    let with_gap = |gap: i8| Mirrored::agreed((5 + gap) as u8, 5);
    SpecialistEvidence {
        best_view: best_view.map(with_gap),
        artifact_compare: with_gap(artifact),
        checklist: checklist(checklist_yes.0, checklist_yes.1),
    }
}

fn views(a: [u8; 4], b: [u8; 4]) -> BothSides<SideViewVerdicts> {
    let views = |garbage: [u8; 4]| {
        side_views(garbage.map(|bad| {
            if bad == 1 {
                ViewVerdict::Garbage
            } else {
                ViewVerdict::Ok
            }
        }))
    };
    BothSides {
        a: views(a),
        b: views(b),
    }
}

fn decide(evidence: &DuelEvidence) -> DecidedDuel {
    match next(evidence, &DuelThresholds::default()) {
        DuelProgress::Decided(duel) => *duel,
        DuelProgress::Needs(stage) => panic!("{stage:?} is missing"),
    }
}
