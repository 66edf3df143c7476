//! S2: the votes of the three specialists, and the view the first one looks at.

use schema::files::report::Checklist;

use super::*;

fn vote(
    best_view: Option<i8>,
    artifact: i8,
    checklist_yes: (usize, usize),
) -> (Choice, DecisionSource, String) {
    let (record, by) = specialists(
        &voting(best_view, artifact, checklist_yes),
        &DuelThresholds::default(),
    );
    (record.choice, record.source, by)
}

#[test]
fn example_d7_a_strong_best_view_overrides_two_votes() {
    let mut evidence = voting(Some(-2), 3, (0, 0));
    // B's score is 3 higher: the main object.
    evidence.checklist.verified_a.main_object_correct = false;
    let (record, by) = specialists(&evidence, &DuelThresholds::default());
    assert_eq!(
        (record.choice, record.source),
        (A, DecisionSource::StrongVoter)
    );
    assert_eq!(by, "S2 strong_voter [bv|-2.0|]");
}

#[test]
fn example_d8_strong_voters_that_disagree_leave_it_to_the_votes() {
    assert_eq!(
        vote(Some(2), 0, (3, 0)),
        (Draw, DecisionSource::Consensus3, "S2 consensus".into())
    );
    assert_eq!(vote(Some(2), 1, (3, 0)).0, B);
    assert_eq!(vote(Some(2), -1, (3, 0)).0, A);
}

#[test]
fn strong_voters_that_agree_are_both_named() {
    assert_eq!(
        vote(Some(-3), 5, (3, 0)),
        (
            A,
            DecisionSource::StrongVoter,
            "S2 strong_voter [bv|-3.0|+cl|+6|]".into()
        )
    );
    assert_eq!(vote(None, 0, (0, 4)).2, "S2 strong_voter [cl|-8|]");
}

#[test]
fn two_of_three_votes_decide_and_small_gaps_abstain() {
    assert_eq!(vote(Some(-1), -1, (0, 0)).0, A);
    assert_eq!(vote(Some(1), 0, (0, 1)).0, B);
    assert_eq!(vote(None, 1, (0, 1)).0, B, "without embeddings two suffice");
    assert_eq!(vote(Some(-1), 0, (0, 0)).0, Draw);
    assert_eq!(vote(Some(-1), 1, (0, 0)).0, Draw);
    assert_eq!(
        vote(None, -5, (0, 0)).0,
        Draw,
        "artefacts alone are never strong"
    );
}

#[test]
fn a_feature_only_one_check_answers_counts_for_neither() {
    let mut evidence = checklist(7, 7);
    evidence.verified_b.checks.remove(0);
    evidence.verified_b.checks.push(Check {
        feature: "invented".into(),
        matches: FeatureMatch::Yes,
        note: String::new(),
    });
    let input = SpecialistEvidence {
        checklist: evidence,
        ..voting(None, 0, (0, 0))
    };
    let (record, _) = specialists(&input, &DuelThresholds::default());
    let Checklist::Checked {
        score_a,
        score_b,
        features,
        ..
    } = record.checklist
    else {
        panic!("expected a checked list");
    };
    assert_eq!((score_a, score_b), (15, 15));
    assert_eq!(
        (features[0].side_a, features[0].side_b),
        (Some(FeatureMatch::Yes), None)
    );
}

#[test]
fn the_best_view_is_the_most_similar_one_the_first_of_equals() {
    use DuelView::{Back, FrontLeft, Left};
    assert_eq!(
        best_view(&[(FrontLeft, 0.2), (Back, 0.9), (Left, 0.9)]),
        Some(Back)
    );
    assert_eq!(
        best_view(&[(FrontLeft, f64::NAN), (Back, -0.5)]),
        Some(Back)
    );
    assert_eq!(best_view(&[]), None);
    assert_eq!(
        similarity(&[0.6, 0.8], &[1.0, 0.0]).map(|value| (value * 1e6).round()),
        Some(600_000.0)
    );
    assert_eq!(similarity(&[1.0], &[1.0, 0.0]), None);
}
