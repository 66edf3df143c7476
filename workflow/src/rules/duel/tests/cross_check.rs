//! The cross-check of a decision with the embeddings.

use super::*;
use crate::rules::vlm_calls::Model;

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
