//! Who leads from the next round on, and at which weight.
//!
//! Source: collection-and-rounds, section 7.3 (leader), 7.4 (worked examples), weakness W17 (blocks must increase).

use schema::BlockNumber;
use schema::files::{LeaderEntry, Leaders, Winner};

/// Weight of a new champion.
const CHAMPION_WEIGHT: f64 = 1.0;

/// What the round does to `leader.json`.
#[derive(Debug, Clone, PartialEq)]
pub enum LeaderTransition {
    /// A challenger with another repository or commit won: a new entry at full weight.
    NewChampion(LeaderEntry),
    /// The leader defended: a copy of its entry at a lower weight.
    Defended(LeaderEntry),
    /// The leader defended and its weight is at the floor already: nothing is written.
    Unchanged,
}

impl LeaderTransition {
    /// The entry to append, if any.
    pub fn entry(&self) -> Option<&LeaderEntry> {
        match self {
            Self::NewChampion(entry) | Self::Defended(entry) => Some(entry),
            Self::Unchanged => None,
        }
    }
}

/// Why the leader cannot be decided.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LeaderError {
    /// `leader.json` has no entry.
    #[error("leader.json has no entry; a competition starts with its base miner as leader")]
    NoLeader,
    /// A weight, the decay or the floor is no share.
    #[error("{name} is {value}; it must be from 0 to 1")]
    OutOfRange {
        /// Which number.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// The new entry would count from a block at or before that of the last one.
    #[error(
        "the new leader entry would count from block {new}, but the last one counts from block {last}; check the chain's head and the clock"
    )]
    BlockNotIncreasing {
        /// The last entry's block.
        last: BlockNumber,
        /// The new entry's block.
        new: BlockNumber,
    },
}

/// What `winner` of a round does to `leader.json`.
///
/// A winner with the repository and commit of the latest entry is a defence, whatever its hotkey. `effective_block` is the
/// next round's latest reveal block; `weight_decay` and `weight_floor` are from `config.json`.
///
/// # Errors
///
/// [`LeaderError`] if there is no leader, a number is no share, or the blocks would not increase.
pub fn leader_transition(
    leaders: &Leaders,
    winner: &Winner,
    effective_block: BlockNumber,
    weight_decay: f64,
    weight_floor: f64,
) -> Result<LeaderTransition, LeaderError> {
    let latest = leaders.latest().ok_or(LeaderError::NoLeader)?;
    let same_code = winner.repo == latest.repo && winner.commit == latest.commit;
    let transition = match winner.winner_hotkey.hotkey() {
        Some(hotkey) if !same_code => LeaderTransition::NewChampion(LeaderEntry {
            hotkey: hotkey.clone(),
            repo: winner.repo.clone(),
            commit: winner.commit.clone(),
            docker: winner.docker_image.clone(),
            weight: CHAMPION_WEIGHT,
            effective_block,
        }),
        _ if latest.weight <= weight_floor => LeaderTransition::Unchanged,
        _ => LeaderTransition::Defended(LeaderEntry {
            weight: weight_after_defence(latest.weight, weight_decay, weight_floor)?,
            effective_block,
            ..latest.clone()
        }),
    };
    if transition.entry().is_some() && effective_block <= latest.effective_block {
        return Err(LeaderError::BlockNotIncreasing {
            last: latest.effective_block,
            new: effective_block,
        });
    }
    Ok(transition)
}

/// The leader's weight after one more successful defence.
///
/// - `weight`: the leader's share of the weights set on chain, `0.0..=1.0`.
/// - `decay`: what one defence costs, same unit; `weight_decay` in `config.json`.
/// - `floor`: where decay stops; `weight_floor` in `config.json`. A weight that is already at or below it stays as it is
///   (the base miner leads at `0.0`).
///
/// Rounded to 10 decimals, so that `leader.json` says `0.6`, not `0.6000000000000001`.
///
/// # Errors
///
/// [`LeaderError::OutOfRange`] if an argument is outside `0.0..=1.0` or NaN.
pub fn weight_after_defence(weight: f64, decay: f64, floor: f64) -> Result<f64, LeaderError> {
    for (name, value) in [
        ("the leader's weight", weight),
        ("weight_decay", decay),
        ("weight_floor", floor),
    ] {
        if !(0.0..=1.0).contains(&value) {
            return Err(LeaderError::OutOfRange { name, value });
        }
    }
    if weight <= floor {
        return Ok(weight);
    }
    Ok(round_to_10_decimals(floor.max(weight - decay)))
}

/// Rounds the exact binary value to 10 decimals, halves to even.
fn round_to_10_decimals(value: f64) -> f64 {
    // Printing rounds the exact value; multiplying by 10^10 first would round twice.
    format!("{value:.10}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use schema::{Hotkey, Side, StateFile};

    use super::*;

    const REAL_LEADERS: &[u8] =
        include_bytes!("../../../schema/tests/fixtures/competition-0/leader.json");

    fn leaders() -> Leaders {
        Leaders::parse("leader.json", REAL_LEADERS).unwrap()
    }

    fn leading_at(weight: f64) -> Leaders {
        let mut leaders = leaders();
        leaders.0.last_mut().unwrap().weight = weight;
        leaders
    }

    fn winner(hotkey: &str, repo: &str, commit: &str) -> Winner {
        Winner {
            winner_hotkey: Side::from(hotkey),
            repo: repo.into(),
            commit: commit.into(),
            docker_image: "host/image:tag".into(),
        }
    }

    fn defence() -> Winner {
        let leaders = leaders();
        let latest = leaders.latest().unwrap();
        winner("leader", &latest.repo, latest.commit.as_str())
    }

    fn after(leaders: &Leaders, winner: &Winner) -> LeaderTransition {
        leader_transition(leaders, winner, BlockNumber(8_000_000), 0.2, 0.2).unwrap()
    }

    #[test]
    fn the_published_entries_follow_from_the_published_winners() {
        let published = leaders();
        let winners = [
            &include_bytes!("../../../schema/tests/fixtures/competition-0/rounds/0/winner.json")[..],
            &include_bytes!("../../../schema/tests/fixtures/competition-0/rounds/1/winner.json")[..],
        ];
        let mut replayed = Leaders(published.0[..1].to_vec());
        for (winner, block) in winners.into_iter().zip([7476090, 7497680]) {
            let winner = Winner::parse("winner.json", winner).unwrap();
            let transition =
                leader_transition(&replayed, &winner, BlockNumber(block), 0.2, 0.2).unwrap();
            replayed.0.push(transition.entry().unwrap().clone());
        }
        assert_eq!(replayed, published);
    }

    #[test]
    fn a_new_champion_starts_at_full_weight() {
        let transition = after(&leaders(), &winner("5New", "o/n", "c"));
        let entry = transition.entry().unwrap();
        assert!(matches!(transition, LeaderTransition::NewChampion(_)));
        assert_eq!(
            (entry.hotkey.as_str(), entry.weight, entry.docker.as_str()),
            ("5New", 1.0, "host/image:tag")
        );
        assert_eq!(entry.effective_block, BlockNumber(8_000_000));
    }

    #[test]
    fn defences_decay_in_clean_steps_to_the_floor_and_stop_there() {
        let mut leaders = leading_at(1.0);
        let mut weights = Vec::new();
        for block in 0.. {
            let transition = leader_transition(
                &leaders,
                &defence(),
                BlockNumber(8_000_000 + block),
                0.2,
                0.2,
            )
            .unwrap();
            let Some(entry) = transition.entry() else {
                break;
            };
            weights.push(entry.weight);
            leaders.0.push(entry.clone());
        }
        assert_eq!(weights, [0.8, 0.6, 0.4, 0.2]);
    }

    #[test]
    fn weights_written_before_rounding_decay_to_clean_ones() {
        for (weight, expected) in [
            (0.6000000000000001, 0.4),
            (0.4000000000000001, 0.2),
            (0.20000000000000007, 0.2),
            (1.0, 0.8),
        ] {
            assert_eq!(
                after(&leading_at(weight), &defence())
                    .entry()
                    .unwrap()
                    .weight,
                expected,
                "{weight}"
            );
        }
        for at_floor in [0.2, 0.1, 0.0] {
            assert_eq!(
                after(&leading_at(at_floor), &defence()),
                LeaderTransition::Unchanged,
                "{at_floor}"
            );
        }
    }

    #[test]
    fn another_hotkey_with_the_same_code_is_a_defence_by_the_original_leader() {
        let leaders = leading_at(0.8);
        let latest = leaders.latest().unwrap();
        let transition = after(
            &leaders,
            &winner("5Copycat", &latest.repo, latest.commit.as_str()),
        );
        let entry = transition.entry().unwrap();
        assert_eq!((&entry.hotkey, entry.weight), (&latest.hotkey, 0.6));
        let other_commit = winner("5Copycat", &latest.repo, "other");
        assert!(matches!(
            after(&leaders, &other_commit),
            LeaderTransition::NewChampion(_)
        ));
    }

    #[test]
    fn the_leader_at_a_block_is_the_last_entry_that_counts_by_then() {
        let leaders = leaders();
        let at = |block| {
            leaders
                .at_block(BlockNumber(block))
                .map(|entry| (entry.hotkey.short(), entry.weight))
        };
        assert_eq!(at(7454965), None);
        assert_eq!(at(7454966).unwrap().1, 0.0);
        assert_eq!(at(7476089).unwrap().1, 0.0);
        assert_eq!(at(7476090), Some(("5GgpGaDxzT", 1.0)));
        assert_eq!(at(u64::MAX), Some(("5GgpGaDxzT", 0.8)));
    }

    #[test]
    fn an_entry_that_would_not_come_after_the_last_is_refused() {
        let latest = leaders().latest().unwrap().effective_block;
        for block in [latest, BlockNumber(0)] {
            let error = leader_transition(&leaders(), &defence(), block, 0.2, 0.2).unwrap_err();
            assert_eq!(
                error,
                LeaderError::BlockNotIncreasing {
                    last: latest,
                    new: block
                }
            );
        }
        assert_eq!(
            leader_transition(&leading_at(0.2), &defence(), latest, 0.2, 0.2),
            Ok(LeaderTransition::Unchanged),
            "nothing is appended, so nothing can be out of order"
        );
    }

    #[test]
    fn without_a_leader_or_with_impossible_numbers_nothing_is_decided() {
        let decide = |leaders: &Leaders, decay, floor| {
            leader_transition(leaders, &defence(), BlockNumber(8_000_000), decay, floor)
        };
        assert_eq!(
            decide(&Leaders::default(), 0.2, 0.2),
            Err(LeaderError::NoLeader)
        );
        assert!(decide(&leading_at(1.0), f64::NAN, 0.2).is_err());
        assert!(decide(&leading_at(1.0), -0.1, 0.2).is_err());
        assert!(decide(&leading_at(1.5), 0.2, 0.2).is_err());
        assert!(decide(&leading_at(f64::NAN), 0.2, 0.2).is_err());
    }

    #[test]
    fn rounding_is_half_to_even_on_the_exact_value() {
        // 2^-11 has 11 decimals and ends in 5; its neighbours do not lie exactly on a half.
        assert_eq!(round_to_10_decimals(0.00048828125), 0.0004882812);
        assert_eq!(round_to_10_decimals(0.00146484375), 0.0014648438);
        assert_eq!(round_to_10_decimals(0.30000000000000004), 0.3);
    }

    proptest! {
        #[test]
        fn a_defence_never_raises_the_weight_nor_lowers_it_below_the_floor(
            weight in 0.0..=1.0_f64, decay in 0.0..=1.0_f64, floor in 0.0..=1.0_f64
        ) {
            let after = weight_after_defence(weight, decay, floor).unwrap();
            prop_assert!(after <= weight + 1e-10);
            prop_assert!(after >= floor.min(weight) - 1e-10);
        }

        #[test]
        fn decay_comes_to_an_end(decay in 0.001..=1.0_f64, floor in 0.0..=1.0_f64) {
            let mut weight = 1.0;
            for _ in 0..1100 {
                weight = weight_after_defence(weight, decay, floor).unwrap();
            }
            prop_assert!(weight <= floor + 1e-10);
        }
    }

    #[test]
    fn hotkeys_in_the_fixture_are_the_expected_ones() {
        assert_eq!(
            leaders().0[1].hotkey,
            Hotkey::new("5GgpGaDxzTyBAME1Ju9ZhUstWj2VTm1n4tAUkRHLi4birQZg")
        );
    }
}
