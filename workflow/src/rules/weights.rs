//! Whom a validator pays, and the numbers it puts on chain.
//!
//! Source: collection-and-rounds, section 8.2 (iteration), 8.3 (encoding), 8.4 (look-up vectors), weakness W21.

use std::time::Duration;

use schema::files::Leaders;
use schema::{BlockNumber, Hotkey};

use super::schedule::SECONDS_PER_BLOCK;

/// What to do about the weights now.
#[derive(Debug, Clone, PartialEq)]
pub enum WeightDecision {
    /// A new entry will count within the wait interval: set weights then, once, instead of twice.
    Postpone {
        /// The block to wait for.
        until: BlockNumber,
    },
    /// Set these.
    Set(Distribution),
}

/// Who gets which share.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// Shares by UID; they add up to 1.
    pub shares: Vec<(u16, f64)>,
    /// Why.
    pub basis: Basis,
}

/// Why the shares are what they are. All but the first pay the owner alone and deserve an alert when they last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Basis {
    /// The leader is paid its weight.
    Leader(Hotkey),
    /// No entry of `leader.json` counts yet.
    NoLeader,
    /// The leader's hotkey is not registered.
    NotRegistered(Hotkey),
    /// The leader is the owner.
    IsOwner(Hotkey),
}

/// Decides at block `head`.
///
/// - `owner_uid`: who receives what the leader does not.
/// - `wait`: `NEXT_LEADER_WAIT_INTERVAL_SEC`; an entry that counts at most this long from now postpones. In production 1500 s.
/// - `uid_of`: the UID of a registered hotkey.
pub fn decide_weights(
    leaders: &Leaders,
    head: BlockNumber,
    owner_uid: u16,
    wait: Duration,
    uid_of: impl Fn(&Hotkey) -> Option<u16>,
) -> WeightDecision {
    match postponed_until(leaders, head, wait) {
        Some(until) => WeightDecision::Postpone { until },
        None => WeightDecision::Set(distribution(leaders, head, owner_uid, uid_of)),
    }
}

/// The block of the last entry, if it does not count yet and will within `wait`.
pub fn postponed_until(
    leaders: &Leaders,
    head: BlockNumber,
    wait: Duration,
) -> Option<BlockNumber> {
    let next = leaders.latest()?.effective_block;
    let blocks = next.0.checked_sub(head.0).filter(|blocks| *blocks > 0)?;
    (blocks.saturating_mul(SECONDS_PER_BLOCK) <= wait.as_secs()).then_some(next)
}

/// Who gets which share at block `head`: the leader its weight, the owner the rest.
pub fn distribution(
    leaders: &Leaders,
    head: BlockNumber,
    owner_uid: u16,
    uid_of: impl Fn(&Hotkey) -> Option<u16>,
) -> Distribution {
    let owner_alone = |basis| Distribution {
        shares: vec![(owner_uid, 1.0)],
        basis,
    };
    let Some(leader) = leaders.at_block(head) else {
        return owner_alone(Basis::NoLeader);
    };
    match uid_of(&leader.hotkey) {
        None => owner_alone(Basis::NotRegistered(leader.hotkey.clone())),
        Some(uid) if uid == owner_uid => owner_alone(Basis::IsOwner(leader.hotkey.clone())),
        Some(uid) => Distribution {
            shares: vec![(owner_uid, 1.0 - leader.weight), (uid, leader.weight)],
            basis: Basis::Leader(leader.hotkey.clone()),
        },
    }
}

/// Shares as the chain takes them: the largest is 65535, the others in proportion, zeros left out.
///
/// Computed in single precision with halves rounded to even, as the official client does. Shares that are no finite
/// positive numbers count as zero.
pub fn quantize(shares: &[(u16, f64)]) -> Vec<(u16, u16)> {
    let usable = |share: f64| {
        if share.is_finite() && share > 0.0 {
            share as f32
        } else {
            0.0
        }
    };
    let largest = shares
        .iter()
        .map(|(_, share)| usable(*share))
        .fold(0.0_f32, f32::max);
    if largest <= 0.0 {
        return Vec::new();
    }
    shares
        .iter()
        .map(|(uid, share)| {
            (
                *uid,
                (usable(*share) / largest * f32::from(u16::MAX)).round_ties_even() as u16,
            )
        })
        .filter(|(_, quantized)| *quantized > 0)
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use schema::files::LeaderEntry;

    use super::*;

    const OWNER: u16 = 199;
    const LEADER: u16 = 7;
    const WAIT: Duration = Duration::from_mins(25);

    /// The history of Competition 1, in which the weights were not rounded yet.
    fn history() -> Leaders {
        let entry = |hotkey: &str, weight, block| LeaderEntry {
            hotkey: hotkey.into(),
            repo: String::new(),
            commit: "".into(),
            docker: String::new(),
            weight,
            effective_block: BlockNumber(block),
        };
        Leaders(vec![
            entry("5E7eSeRr", 0.0, 7454966),
            entry("5GgpGaDx", 1.0, 7476090),
            entry("5GgpGaDx", 0.8, 7497680),
            entry("5GgpGaDx", 0.6000000000000001, 7519264),
            entry("5GgpGaDx", 0.4000000000000001, 7540810),
            entry("5GgpGaDx", 0.20000000000000007, 7562408),
            entry("5GgpGaDx", 0.2, 7584008),
            entry("5F4HaNQJ", 1.0, 7605537),
        ])
    }

    fn at(block: u64) -> WeightDecision {
        decide_weights(&history(), BlockNumber(block), OWNER, WAIT, |_| {
            Some(LEADER)
        })
    }

    fn shares(block: u64) -> Vec<(u16, f64)> {
        match at(block) {
            WeightDecision::Set(distribution) => distribution.shares,
            WeightDecision::Postpone { .. } => panic!("postponed at {block}"),
        }
    }

    #[test]
    fn the_look_up_vectors_of_competition_1_hold() {
        assert_eq!(shares(7454965), [(OWNER, 1.0)]);
        for block in [7454966, 7476089] {
            assert_eq!(shares(block), [(OWNER, 1.0), (LEADER, 0.0)]);
        }
        assert_eq!(shares(7476090), [(OWNER, 0.0), (LEADER, 1.0)]);
        assert_eq!(shares(7550000)[1], (LEADER, 0.4000000000000001));
        assert_eq!(shares(7605411), [(OWNER, 0.8), (LEADER, 0.2)]);
        assert_eq!(shares(7605537), [(OWNER, 0.0), (LEADER, 1.0)]);
    }

    #[test]
    fn weights_wait_for_an_entry_that_counts_within_125_blocks() {
        for block in [7605412, 7605500, 7605536] {
            assert_eq!(
                at(block),
                WeightDecision::Postpone {
                    until: BlockNumber(7605537)
                },
                "{block}"
            );
        }
        assert!(matches!(at(7605411), WeightDecision::Set(_)));
    }

    #[test]
    fn the_owner_is_paid_alone_when_the_leader_cannot_be() {
        let basis = |leaders: &Leaders, uid: Option<u16>| {
            let distribution = distribution(leaders, BlockNumber(7_700_000), OWNER, |_| uid);
            assert_eq!(
                distribution.shares.len() == 1,
                !matches!(distribution.basis, Basis::Leader(_))
            );
            distribution.basis
        };
        assert_eq!(basis(&Leaders::default(), Some(LEADER)), Basis::NoLeader);
        assert_eq!(
            basis(&history(), None),
            Basis::NotRegistered("5F4HaNQJ".into())
        );
        assert_eq!(
            basis(&history(), Some(OWNER)),
            Basis::IsOwner("5F4HaNQJ".into())
        );
        assert_eq!(
            basis(&history(), Some(LEADER)),
            Basis::Leader("5F4HaNQJ".into())
        );
    }

    #[test]
    fn shares_become_the_numbers_the_official_client_sends() {
        let both = |owner, leader| vec![(OWNER, owner), (LEADER, leader)];
        for (weight, expected) in [
            (1.0, vec![(LEADER, 65535)]),
            (0.9, both(7282, 65535)),
            (0.8, both(16384, 65535)),
            (0.6, both(43690, 65535)),
            (0.6000000000000001, both(43690, 65535)),
            (0.5, both(65535, 65535)),
            (0.4, both(65535, 43690)),
            (0.4000000000000001, both(65535, 43690)),
            (0.2, both(65535, 16384)),
            (0.20000000000000007, both(65535, 16384)),
            (0.0, vec![(OWNER, 65535)]),
        ] {
            assert_eq!(
                quantize(&[(OWNER, 1.0 - weight), (LEADER, weight)]),
                expected,
                "{weight}"
            );
        }
    }

    #[test]
    fn shares_that_are_no_numbers_are_left_out() {
        assert_eq!(
            quantize(&[(1, f64::NAN), (2, 0.5), (3, -1.0), (4, f64::INFINITY)]),
            [(2, 65535)]
        );
        assert_eq!(quantize(&[(1, 0.0)]), []);
        assert_eq!(quantize(&[]), []);
    }

    proptest! {
        #[test]
        fn the_largest_share_is_always_65535(weight in 0.0..=1.0_f64) {
            let quantized = quantize(&[(OWNER, 1.0 - weight), (LEADER, weight)]);
            prop_assert_eq!(quantized.iter().map(|(_, weight)| *weight).max(), Some(65535));
        }

        #[test]
        fn a_postponed_decision_is_made_at_the_block_it_waits_for(block in 7_454_000_u64..7_610_000) {
            if let WeightDecision::Postpone { until } = at(block) {
                prop_assert!(until.0 > block && until.0 - block <= 125);
                prop_assert!(matches!(at(until.0), WeightDecision::Set(_)));
            }
        }
    }
}
