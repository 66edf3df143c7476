//! S4: the guard against models that are only a front.

use super::*;

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
