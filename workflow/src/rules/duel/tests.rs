#![allow(clippy::unwrap_used)]

mod thresholds;

use Choice::{A, B, Draw};
use proptest::prelude::*;
use schema::files::report::{Checklist, DecisionSource, FeatureMatch, ViewVerdict};
use serde_json::json;

use super::super::vlm_answer::{Check, DecomposeAnswer, Feature, FeatureCategory, VerifyAnswer};
use super::super::vlm_calls::{Model, VlmCall};
use super::*;

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

fn front_of(pairs: [(f64, f64); 4]) -> FrontMatch {
    front_match(
        &angles(pairs.map(|(a, b)| halves(a, b))),
        &DuelThresholds::default(),
    )
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

const CLEAN: [u8; 4] = [0; 4];

#[test]
fn example_d1_a_clear_front_decides_and_the_guard_does_not_run() {
    let front = front_of([(2.0, 5.0), (3.0, 5.0), (2.0, 4.0), (3.0, 6.0)]);
    assert_eq!((front.choice, front.n_consistent), (A, 4));
    let evidence = DuelEvidence {
        front: Some(angles(
            [(2, 5), (3, 5), (2, 4), (3, 6)].map(|(a, b)| Mirrored::agreed(a, b)),
        )),
        ..DuelEvidence::default()
    };
    let duel = decide(&evidence);
    assert_eq!(
        (duel.winner, duel.judged.decided_by.as_str()),
        (DuelWinner::Left, "S1")
    );
    assert_eq!((duel.judged.s2, duel.judged.s4), (None, None));
}

#[test]
fn example_d2_three_against_one_is_split() {
    assert_eq!(
        front_of([(1.0, 5.0), (1.0, 5.0), (1.0, 5.0), (3.0, 2.0)]).choice,
        Draw
    );
}

#[test]
fn example_d3_two_preferences_are_no_split() {
    assert_eq!(
        front_of([(0.0, 8.0), (3.0, 2.0), (4.0, 4.0), (4.0, 4.0)]).choice,
        A
    );
}

#[test]
fn example_d4_one_consistent_angle_is_enough_unless_more_are_asked_for() {
    let one = angles([
        halves(2.0, 4.0),
        contradictory(),
        contradictory(),
        contradictory(),
    ]);
    let front = front_match(&one, &DuelThresholds::default());
    assert_eq!(
        (
            front.choice,
            front.n_total,
            front.n_consistent,
            front.angles.len()
        ),
        (A, 4, 1, 4)
    );
    let strict = DuelThresholds {
        front_min_consistent_angles: 2,
        ..DuelThresholds::default()
    };
    assert_eq!(front_match(&one, &strict).choice, Draw);
    assert_eq!(
        front_match(&angles([contradictory(); 4]), &DuelThresholds::default()).choice,
        Draw
    );
}

#[test]
fn examples_d5_and_d6_two_bad_models_are_a_draw_when_close() {
    assert_eq!(
        front_of([(8.0, 9.5), (8.0, 9.5), (7.5, 9.0), (8.0, 9.5)]).choice,
        Draw
    );
    assert_eq!(
        front_of([(7.5, 9.5), (7.5, 9.5), (7.5, 9.0), (7.5, 9.0)]).choice,
        A
    );
    // Exactly 1.5 on three angles, which no average of thirds shows.
    let three = angles([
        halves(8.0, 9.5),
        halves(8.5, 10.0),
        halves(8.0, 9.5),
        contradictory(),
    ]);
    assert_eq!(front_match(&three, &DuelThresholds::default()).choice, Draw);
}

#[test]
fn two_models_are_bad_from_an_average_of_eight_on() {
    assert_eq!(
        front_of([(7.0, 8.5), (7.5, 9.0), (7.0, 8.5), (7.5, 9.0)]).choice,
        Draw,
        "average 8.0, gap 1.5"
    );
    assert_eq!(
        front_of([(7.0, 8.5), (7.0, 8.5), (7.0, 8.5), (7.5, 9.0)]).choice,
        A,
        "average 7.875, gap 1.5"
    );
}

#[test]
fn the_least_deciding_gap_depends_on_the_number_of_consistent_angles() {
    let decides = |gap_halves: [f64; 4], consistent: usize| {
        let mut pairs = gap_halves.map(|gap| halves(3.0, 3.0 + gap));
        for pair in pairs.iter_mut().skip(consistent) {
            *pair = contradictory();
        }
        front_match(&angles(pairs), &DuelThresholds::default()).choice == A
    };
    assert!(decides([1.0, 0.0, 0.0, 0.0], 1) && !decides([0.5, 0.0, 0.0, 0.0], 1));
    assert!(decides([1.0, 0.5, 0.0, 0.0], 2) && !decides([0.5, 0.5, 0.0, 0.0], 2));
    assert!(decides([1.0, 1.0, 0.5, 0.0], 3) && !decides([1.0, 0.5, 0.5, 0.0], 3));
    assert!(decides([1.0, 1.0, 0.5, 0.5], 4) && !decides([1.0, 0.5, 0.5, 0.5], 4));
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
fn gray_decides_by_a_gap_of_two_without_contradiction() {
    let rescued = |mirrored| {
        gray_rescue(
            &GrayEvidence::Compared(mirrored),
            &DuelThresholds::default(),
        )
    };
    assert_eq!(
        rescued(Mirrored::agreed(3, 5)),
        GrayRescue {
            fired: true,
            choice: Some(A)
        }
    );
    assert_eq!(
        rescued(Mirrored::agreed(8, 5)),
        GrayRescue {
            fired: true,
            choice: Some(B)
        }
    );
    assert_eq!(
        rescued(halves(3.0, 4.5)),
        GrayRescue {
            fired: true,
            choice: None
        }
    );
    let wide = Mirrored {
        a_first: 9,
        b_second: 1,
        a_second: 4,
        b_first: 5,
    };
    assert_eq!(
        rescued(wide).choice,
        None,
        "the orders contradict each other"
    );
    let closed = gray_rescue(&GrayEvidence::GateClosed, &DuelThresholds::default());
    assert_eq!(
        closed,
        GrayRescue {
            fired: false,
            choice: None
        }
    );
}

#[test]
fn the_gate_fires_for_pale_colourless_objects_only() {
    let thresholds = DuelThresholds::default();
    let picture = |pixel: [u8; 4]| -> Vec<u8> { pixel.repeat(64 * 64) };
    let gate =
        |pixel| GrayStatistics::of_picture(64, 4, &picture(pixel), &thresholds).gate(&thresholds);
    assert_eq!(gate([240, 240, 238, 255]), GrayGate::Fires);
    assert_eq!(gate([60, 60, 60, 255]), GrayGate::Closed, "dark");
    assert_eq!(gate([250, 120, 40, 255]), GrayGate::Closed, "colourful");
    assert_eq!(
        gate([128, 140, 146, 255]),
        GrayGate::Closed,
        "background, within 18"
    );
    let sampled = GrayStatistics::of_picture(64, 4, &picture([240, 240, 240, 255]), &thresholds);
    assert_eq!(
        sampled,
        GrayStatistics {
            foreground: 256,
            grayish: 256,
            pale: 256
        }
    );
    let foreground =
        |pixel| GrayStatistics::of_picture(64, 4, &picture(pixel), &thresholds).foreground;
    assert_eq!(
        (
            foreground([128, 140, 146, 255]),
            foreground([128, 140, 147, 255])
        ),
        (0, 256)
    );
    // A tenth pale, the rest grayish: exactly enough.
    let pooled = GrayStatistics {
        foreground: 90,
        grayish: 50,
        pale: 0,
    }
    .and(GrayStatistics {
        foreground: 10,
        grayish: 10,
        pale: 10,
    });
    assert_eq!(pooled.gate(&thresholds), GrayGate::Fires);
    assert_eq!(
        GrayStatistics {
            grayish: 59,
            ..pooled
        }
        .gate(&thresholds),
        GrayGate::Closed
    );
    assert_eq!(
        GrayStatistics::of_picture(0, 3, &[1, 2, 3], &thresholds),
        GrayStatistics::default()
    );
    assert_eq!(
        GrayStatistics::of_picture(8, 2, &[1; 64], &thresholds),
        GrayStatistics::default()
    );
}

#[test]
fn example_d9_a_garbage_winner_steps_down() {
    let evidence = DuelEvidence {
        front: Some(drawn_front()),
        specialists: Some(voting(Some(-2), 0, (0, 0))),
        sides: Some(views([1, 1, 1, 0], [1, 1, 0, 0])),
        ..DuelEvidence::default()
    };
    let duel = decide(&evidence);
    assert_eq!(duel.winner, DuelWinner::Draw);
    assert_eq!(duel.judged.decided_by, "S4 step-down (was A)");
    assert_eq!(duel.judged.s2.unwrap().choice, A);
    assert_eq!(duel.judged.s4.unwrap().choice, Draw);
}

#[test]
fn the_guard_follows_its_table() {
    let (bad, ok) = ([1, 1, 1, 1], [1, 1, 0, 0]);
    let guarded =
        |primary, a, b| side_guard(primary, &views(a, b), &DuelThresholds::default()).choice;
    let row = |primary| {
        [
            guarded(primary, bad, ok),
            guarded(primary, ok, bad),
            guarded(primary, bad, bad),
            guarded(primary, ok, ok),
        ]
    };
    assert_eq!(row(A), [Draw, A, A, A]);
    assert_eq!(row(B), [B, Draw, B, B]);
    assert_eq!(row(Draw), [B, A, Draw, Draw]);
}

#[test]
fn example_d10_an_unanswered_call_leaves_the_duel_open_and_is_never_a_draw() {
    let thresholds = DuelThresholds::default();
    let mut evidence = DuelEvidence::default();
    assert_eq!(
        next(&evidence, &thresholds),
        DuelProgress::Needs(Stage::Front)
    );
    evidence.front = Some(drawn_front());
    assert_eq!(
        next(&evidence, &thresholds),
        DuelProgress::Needs(Stage::Specialists)
    );
    evidence.specialists = Some(voting(Some(0), 0, (0, 0)));
    assert_eq!(
        next(&evidence, &thresholds),
        DuelProgress::Needs(Stage::Gray)
    );
    evidence.gray = Some(GrayEvidence::GateClosed);
    assert_eq!(
        next(&evidence, &thresholds),
        DuelProgress::Needs(Stage::Sides)
    );
    evidence.sides = Some(views(CLEAN, CLEAN));
    let duel = decide(&evidence);
    assert_eq!(duel.winner, DuelWinner::Draw);
    assert_eq!(duel.judged.decided_by, "S3 (gate did not fire) → draw");
}

#[test]
fn the_gray_rescue_is_named_and_guarded() {
    let evidence = DuelEvidence {
        front: Some(drawn_front()),
        specialists: Some(voting(None, 0, (0, 0))),
        gray: Some(GrayEvidence::Compared(Mirrored::agreed(7, 3))),
        sides: Some(views(CLEAN, CLEAN)),
    };
    let duel = decide(&evidence);
    assert_eq!(
        (duel.winner, duel.judged.decided_by.as_str()),
        (DuelWinner::Right, "S3 gray-rescue")
    );
    assert_eq!(
        duel.judged.s3,
        Some(GrayRescue {
            fired: true,
            choice: Some(B)
        })
    );
}

#[test]
fn the_guard_can_be_asked_to_run_after_the_front_too() {
    let thresholds = DuelThresholds {
        guard_after_front: true,
        ..DuelThresholds::default()
    };
    let mut evidence = DuelEvidence {
        front: Some(angles([Mirrored::agreed(1, 6); 4])),
        ..DuelEvidence::default()
    };
    assert_eq!(
        next(&evidence, &thresholds),
        DuelProgress::Needs(Stage::Sides)
    );
    evidence.sides = Some(views([1, 1, 1, 0], CLEAN));
    let DuelProgress::Decided(duel) = next(&evidence, &thresholds) else {
        panic!("open")
    };
    assert_eq!(
        (duel.winner, duel.judged.decided_by.as_str()),
        (DuelWinner::Draw, "S4 step-down (was A)")
    );
}

#[test]
fn missing_pictures_decide_without_a_call() {
    let told =
        |left, right| missing_views(left, right).map(|(winner, detail)| (winner, json!(detail)));
    assert_eq!(told(true, true), None);
    assert_eq!(
        told(false, false),
        Some((
            DuelWinner::Draw,
            json!({"reason": "no previews on either side"})
        ))
    );
    assert_eq!(
        told(false, true),
        Some((DuelWinner::Right, json!({"reason": "no preview from left"})))
    );
    assert_eq!(
        told(true, false),
        Some((DuelWinner::Left, json!({"reason": "no preview from right"})))
    );
}

#[test]
fn the_record_has_the_published_shape() {
    let evidence = DuelEvidence {
        front: Some(drawn_front()),
        specialists: Some(voting(Some(-1), -1, (1, 0))),
        sides: Some(views([0, 1, 0, 0], CLEAN)),
        ..DuelEvidence::default()
    };
    let detail = json!(decide(&evidence).detail("A lacks a leg."));
    let keys: Vec<&String> = detail.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["s1", "s2", "s4", "decided_by", "issues"]);
    assert_eq!(
        detail["s1"]["angles"][3],
        json!({"label": "front_above", "pen_a": 5.0, "pen_b": 5.0})
    );
    assert_eq!(
        detail["s2"]["best_view"],
        json!({"penalty_a": 4.0, "penalty_b": 5.0})
    );
    assert_eq!(detail["s2"]["source"], "consensus_3");
    assert_eq!(
        detail["s2"]["checklist"]["features"][0],
        json!({"feature": "feature 0", "side_a": "yes", "side_b": "no"})
    );
    assert_eq!(detail["s4"]["side_verdicts"], json!({"a": "ok", "b": "ok"}));
    assert_eq!(
        detail["s4"]["per_angle"]["a"],
        json!({"right": "ok", "back": "garbage", "left": "ok", "top_down": "ok"})
    );
    assert_eq!(
        (detail["decided_by"].as_str(), detail["issues"].as_str()),
        (Some("S2 consensus"), Some("A lacks a leg."))
    );
}

#[test]
fn only_a_winner_that_resembles_the_prompt_clearly_less_is_searched() {
    let thresholds = DuelThresholds::default();
    let won_by = |a, b| {
        decide(&DuelEvidence {
            front: Some(angles([Mirrored::agreed(a, b); 4])),
            ..DuelEvidence::default()
        })
    };
    let with = |a, b| Some(BothSides { a, b });
    let (left, right) = (won_by(1, 5), won_by(5, 1));
    for (duel, similarities, expected) in [
        (&left, with(0.70, 0.76), CrossCheck::Search(Model::A)),
        (&left, with(0.70, 0.74), CrossCheck::Stands),
        (&left, with(0.80, 0.70), CrossCheck::Stands),
        (&right, with(0.76, 0.70), CrossCheck::Search(Model::B)),
        (&right, with(0.70, 0.90), CrossCheck::Stands),
        (&right, None, CrossCheck::Stands),
        (&right, with(f64::NAN, 0.1), CrossCheck::Stands),
    ] {
        assert_eq!(
            is_contradicted(duel, similarities, &thresholds),
            expected,
            "{similarities:?}"
        );
    }
    let off = DuelThresholds {
        cross_check_similarity_gap: 3.0,
        ..thresholds
    };
    assert_eq!(
        is_contradicted(&left, with(-1.0, 1.0), &off),
        CrossCheck::Stands
    );
}

#[test]
fn a_winner_whose_writing_addresses_the_judge_gets_a_draw_and_the_record_says_so() {
    let front = Some(angles([Mirrored::agreed(0, 10); 4]));
    let evidence = DuelEvidence {
        front,
        ..DuelEvidence::default()
    };
    let stepped = stepped_down(decide(&evidence));
    assert_eq!(stepped.winner, DuelWinner::Draw);
    assert_eq!(stepped.judged.decided_by, "text step-down (was A)");
    assert_eq!(
        stepped.judged.s1.choice, A,
        "what the model said stays on record"
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

#[test]
fn every_stage_has_its_calls() {
    let counts = [
        VlmCall::stage_1().len(),
        VlmCall::stage_3().len(),
        VlmCall::stage_4().len(),
    ];
    assert_eq!(counts, [8, 2, 8]);
}

fn any_mirrored() -> impl Strategy<Value = Mirrored> {
    (0_u8..=10, 0_u8..=10, 0_u8..=10, 0_u8..=10).prop_map(
        |(a_first, b_second, a_second, b_first)| Mirrored {
            a_first,
            b_second,
            a_second,
            b_first,
        },
    )
}

fn any_views() -> impl Strategy<Value = BothSides<SideViewVerdicts>> {
    (
        prop::array::uniform4(0_u8..2),
        prop::array::uniform4(0_u8..2),
    )
        .prop_map(|(a, b)| views(a, b))
}

fn any_evidence() -> impl Strategy<Value = DuelEvidence> {
    let gray = prop_oneof![
        Just(GrayEvidence::GateClosed),
        any_mirrored().prop_map(GrayEvidence::Compared)
    ];
    (
        prop::array::uniform4(any_mirrored()),
        prop::option::of(any_mirrored()),
        any_mirrored(),
        0_usize..8,
        0_usize..8,
        gray,
        any_views(),
    )
        .prop_map(
            |(front, best_view, artifact_compare, yes_a, yes_b, gray, sides)| DuelEvidence {
                front: Some(angles(front)),
                specialists: Some(SpecialistEvidence {
                    best_view,
                    artifact_compare,
                    checklist: checklist(yes_a, yes_b),
                }),
                gray: Some(gray),
                sides: Some(sides),
            },
        )
}

/// The same duel with left and right exchanged.
fn exchanged(evidence: &DuelEvidence) -> DuelEvidence {
    let swap = |m: Mirrored| Mirrored {
        a_first: m.b_first,
        b_second: m.a_second,
        a_second: m.b_second,
        b_first: m.a_first,
    };
    let specialists = evidence.specialists.clone().unwrap();
    DuelEvidence {
        front: evidence.front.clone().map(|angles| {
            angles
                .into_iter()
                .map(|(view, m)| (view, swap(m)))
                .collect()
        }),
        specialists: Some(SpecialistEvidence {
            best_view: specialists.best_view.map(swap),
            artifact_compare: swap(specialists.artifact_compare),
            checklist: ChecklistEvidence {
                decomposed: specialists.checklist.decomposed,
                verified_a: specialists.checklist.verified_b,
                verified_b: specialists.checklist.verified_a,
            },
        }),
        gray: evidence.gray.map(|gray| match gray {
            GrayEvidence::Compared(m) => GrayEvidence::Compared(swap(m)),
            GrayEvidence::GateClosed => gray,
        }),
        sides: evidence.sides.map(|sides| BothSides {
            a: sides.b,
            b: sides.a,
        }),
    }
}

proptest! {
    #[test]
    fn full_evidence_always_decides_and_exchanging_the_sides_exchanges_the_winner(evidence in any_evidence()) {
        for thresholds in [
            DuelThresholds::default(), DuelThresholds { guard_after_front: true, ..DuelThresholds::default() },
        ] {
            let DuelProgress::Decided(duel) = next(&evidence, &thresholds) else { panic!("open") };
            let DuelProgress::Decided(other) = next(&exchanged(&evidence), &thresholds) else { panic!("open") };
            let expected = match duel.winner {
                DuelWinner::Left => DuelWinner::Right,
                DuelWinner::Right => DuelWinner::Left,
                draw => draw,
            };
            prop_assert_eq!(other.winner, expected);
            // The record is one that readers know.
            let text = serde_json::to_string(&duel.detail("x")).unwrap();
            let read: DuelDetail = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(read, duel.detail("x"));
        }
    }

    #[test]
    fn evidence_that_is_not_asked_for_changes_nothing(evidence in any_evidence()) {
        let thresholds = DuelThresholds::default();
        let mut gathered = DuelEvidence::default();
        let outcome = loop {
            match next(&gathered, &thresholds) {
                DuelProgress::Decided(duel) => break duel,
                DuelProgress::Needs(Stage::Front) => gathered.front = evidence.front.clone(),
                DuelProgress::Needs(Stage::Specialists) => gathered.specialists = evidence.specialists.clone(),
                DuelProgress::Needs(Stage::Gray) => gathered.gray = evidence.gray,
                DuelProgress::Needs(Stage::Sides) => gathered.sides = evidence.sides,
            }
        };
        prop_assert_eq!(next(&evidence, &thresholds), DuelProgress::Decided(outcome));
    }
}
