//! Which stage comes next, and what a decided duel says in public.

use serde_json::json;

use super::*;
use crate::rules::vlm_calls::VlmCall;

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
fn every_stage_has_its_calls() {
    let counts = [
        VlmCall::stage_1().len(),
        VlmCall::stage_3().len(),
        VlmCall::stage_4().len(),
    ];
    assert_eq!(counts, [8, 2, 8]);
}
