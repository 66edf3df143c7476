//! Each threshold of the specification's section 4.7 decides exactly where it stands.

use serde_json::json;

use super::*;

const NO_GAP: Mirrored = Mirrored {
    a_first: 5,
    b_second: 5,
    a_second: 5,
    b_first: 5,
};

/// A is better by this gap, in halves.
fn better(gap: f64) -> Mirrored {
    halves(5.0 - gap, 5.0)
}

/// A checklist on which A has so many points more.
fn points(more: usize) -> ChecklistEvidence {
    let mut evidence = checklist(more / 2, 0);
    if more % 2 == 1 {
        evidence.verified_a.checks[6].matches = FeatureMatch::Partial;
    }
    evidence
}

fn choice(
    best_view: Mirrored,
    artifact_compare: Mirrored,
    checklist: ChecklistEvidence,
) -> (Choice, DecisionSource) {
    let evidence = SpecialistEvidence {
        best_view: Some(best_view),
        artifact_compare,
        checklist,
    };
    let (record, _) = specialists(&evidence, &DuelThresholds::default());
    (record.choice, record.source)
}

const VOTED: (Choice, DecisionSource) = (A, DecisionSource::Consensus3);
const UNDECIDED: (Choice, DecisionSource) = (Draw, DecisionSource::Consensus3);
const STRONG: (Choice, DecisionSource) = (A, DecisionSource::StrongVoter);

#[test]
fn best_view_and_artefacts_vote_from_a_gap_of_one_on() {
    assert_eq!(choice(better(1.0), better(1.0), points(0)), VOTED);
    assert_eq!(choice(better(0.5), better(1.0), points(0)), UNDECIDED);
    assert_eq!(choice(better(1.0), better(0.5), points(0)), UNDECIDED);
}

#[test]
fn the_checklist_votes_from_two_points_on() {
    assert_eq!(choice(NO_GAP, better(1.0), points(2)), VOTED);
    assert_eq!(choice(NO_GAP, better(1.0), points(1)), UNDECIDED);
}

#[test]
fn the_best_view_decides_alone_from_a_gap_of_two_on() {
    assert_eq!(choice(better(2.0), NO_GAP, points(0)), STRONG);
    assert_eq!(choice(better(1.5), NO_GAP, points(0)), UNDECIDED);
}

#[test]
fn the_checklist_decides_alone_from_six_points_on() {
    assert_eq!(choice(NO_GAP, NO_GAP, points(6)), STRONG);
    assert_eq!(choice(NO_GAP, NO_GAP, points(5)), UNDECIDED);
    // The right main object counts three points.
    let with_object = |more| {
        let mut evidence = points(more);
        evidence.verified_b.main_object_correct = false;
        evidence
    };
    assert_eq!(choice(NO_GAP, NO_GAP, with_object(3)), STRONG);
    assert_eq!(choice(NO_GAP, NO_GAP, with_object(2)), UNDECIDED);
}

#[test]
fn artefacts_never_decide_alone() {
    assert_eq!(choice(NO_GAP, better(5.0), points(0)), UNDECIDED);
}

#[test]
fn no_preference_in_one_order_contradicts_nothing() {
    let with_a_first = |a_first, b_second| Mirrored {
        a_first,
        b_second,
        ..Mirrored::agreed(2, 6)
    };
    assert!(!with_a_first(5, 5).is_contradictory());
    assert!(with_a_first(6, 5).is_contradictory());
}

#[test]
fn pixels_are_pale_and_grayish_within_the_documented_bounds() {
    let thresholds = DuelThresholds::default();
    let count = |pixel: [u8; 3]| GrayStatistics::of_picture(1, 3, &pixel, &thresholds);
    let is_pale = |pixel| count(pixel).pale == 1;
    assert!(!is_pale([175, 175, 175]), "luma 175");
    assert!(is_pale([176, 176, 176]));
    assert!(!is_pale([200, 200, 130]), "saturation 0.35");
    assert!(is_pale([200, 200, 131]));
    let is_grayish = |pixel| count(pixel).grayish == 1;
    assert!(!is_grayish([200, 200, 144]), "saturation 0.28");
    assert!(is_grayish([200, 200, 145]));
    assert!(is_grayish([0, 0, 0]), "black has no colour");
}

#[test]
fn the_record_names_the_stages_in_their_order() {
    let evidence = DuelEvidence {
        front: Some(drawn_front()),
        specialists: Some(voting(None, 0, (0, 0))),
        gray: Some(GrayEvidence::Compared(Mirrored::agreed(5, 5))),
        sides: Some(views(CLEAN, CLEAN)),
    };
    let detail = json!(decide(&evidence).detail(""));
    let keys: Vec<&String> = detail.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["s1", "s2", "s3", "s4", "decided_by", "issues"]);
    assert_eq!(detail["s2"]["best_view"], json!(null));
    assert_eq!(detail["s3"], json!({"fired": true, "choice": null}));
    let of = |stage: &str| {
        let keys = detail[stage].as_object().unwrap().keys();
        keys.map(String::as_str).collect::<Vec<_>>()
    };
    assert_eq!(of("s1"), ["choice", "n_total", "n_consistent", "angles"]);
    assert_eq!(
        of("s2"),
        [
            "choice",
            "source",
            "best_view",
            "artifact_compare",
            "checklist"
        ]
    );
    assert_eq!(of("s4"), ["choice", "side_verdicts", "per_angle"]);
    assert_eq!(
        (&detail["decided_by"], &detail["issues"]),
        (&json!("S3 (gate did not fire) → draw"), &json!("")),
        "also when it fired and stayed ambiguous"
    );
}
