use std::collections::HashSet;

use super::*;

fn every_call() -> Vec<VlmCall> {
    let mut calls = VlmCall::stage_1();
    calls.extend(VlmCall::stage_2(Some((
        DuelView::Back,
        DuelView::FrontLeft,
    ))));
    calls.extend([Model::A, Model::B].map(|model| VlmCall::Verify { model }));
    calls.extend(VlmCall::stage_3());
    calls.extend(VlmCall::stage_4());
    calls.push(VlmCall::Explain);
    calls
}

#[test]
fn a_duel_that_uses_every_stage_costs_26_calls_each_with_its_own_key() {
    let calls = every_call();
    assert_eq!(calls.len(), 26);
    assert_eq!(
        calls
            .iter()
            .map(|call| call.key())
            .collect::<HashSet<_>>()
            .len(),
        26
    );
    assert_eq!(
        VlmCall::stage_2(None).len() + 2,
        5,
        "two calls less without embeddings"
    );
}

#[test]
fn limits_are_those_of_the_catalogue() {
    let limits = |call: VlmCall| {
        (
            call.label(),
            call.seed_offset(),
            call.max_tokens(),
            call.attempts(),
        )
    };
    let order = Order::Ba;
    assert_eq!(
        limits(VlmCall::PromptMatch {
            view: DuelView::FrontAbove,
            order
        }),
        ("s1_prompt_match", 0, 1024, 5)
    );
    let (view_a, view_b) = (DuelView::Left, DuelView::Right);
    assert_eq!(
        limits(VlmCall::BestView {
            view_a,
            view_b,
            order
        }),
        ("s2bv_ba", 0, 1024, 5)
    );
    assert_eq!(
        limits(VlmCall::ArtifactCompare { order: Order::Ab }),
        ("s2ac_ab", 0, 1024, 5)
    );
    assert_eq!(limits(VlmCall::Decompose), ("s2cl_decompose", 0, 400, 5));
    assert_eq!(
        limits(VlmCall::Verify { model: Model::A }),
        ("s2cl_verify", 100, 600, 5)
    );
    assert_eq!(
        limits(VlmCall::Verify { model: Model::B }),
        ("s2cl_verify", 200, 600, 5)
    );
    assert_eq!(
        limits(VlmCall::Gray { order: Order::Ab }),
        ("s3_gray_ab", 0, 1024, 5)
    );
    assert_eq!(limits(VlmCall::Gray { order }), ("s3_gray_ba", 7, 1024, 5));
    assert_eq!(
        limits(VlmCall::SideCheck {
            model: Model::A,
            view: DuelView::Right
        }),
        ("s4_per_angle", 5000, 220, 4)
    );
    assert_eq!(
        limits(VlmCall::SideCheck {
            model: Model::B,
            view: DuelView::TopDown
        }),
        ("s4_per_angle", 6300, 220, 4)
    );
    assert_eq!(limits(VlmCall::Explain), ("explain", 0, 300, 3));
}

#[test]
fn each_attempt_has_its_own_seed_and_temperature() {
    let call = VlmCall::Verify { model: Model::A };
    assert_eq!(
        [1, 2, 5].map(|attempt| call.wire_seed(1000, attempt)),
        [1200, 1201, 1204]
    );
    assert_eq!(call.wire_seed(u32::MAX, 1), 4294967295 + 200);
    assert_eq!(
        [1, 2, 3, 4, 5].map(temperature),
        [0.0, 0.15, 0.2, 0.25, 0.3]
    );
}

#[test]
fn the_model_shown_first_follows_the_order_and_the_side_check_shows_no_prompt() {
    let view = DuelView::FrontRight;
    assert_eq!(
        VlmCall::PromptMatch {
            view,
            order: Order::Ba
        }
        .pictures(),
        [
            Picture::Prompt,
            Picture::White(Model::B, view),
            Picture::White(Model::A, view)
        ]
    );
    assert_eq!(
        VlmCall::BestView {
            view_a: DuelView::Back,
            view_b: DuelView::Left,
            order: Order::Ba
        }
        .pictures(),
        [
            Picture::Prompt,
            Picture::White(Model::B, DuelView::Left),
            Picture::White(Model::A, DuelView::Back)
        ]
    );
    assert_eq!(
        VlmCall::SideCheck {
            model: Model::B,
            view: DuelView::Back
        }
        .pictures(),
        [
            Picture::White(Model::B, DuelView::FrontLeft),
            Picture::White(Model::B, DuelView::Back)
        ]
    );
    assert_eq!(VlmCall::Decompose.pictures(), [Picture::Prompt]);
}
