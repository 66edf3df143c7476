//! What holds for every duel.

use proptest::prelude::*;

use super::*;

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
