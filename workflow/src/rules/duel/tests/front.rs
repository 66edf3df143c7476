//! S1: the front views and what they decide.

use super::*;

fn front_of(pairs: [(f64, f64); 4]) -> FrontMatch {
    front_match(
        &angles(pairs.map(|(a, b)| halves(a, b))),
        &DuelThresholds::default(),
    )
}

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
