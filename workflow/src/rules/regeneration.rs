//! How a regeneration is cut into batches, how many pods it may use, and how they are numbered.
//!
//! Source: generation, section 5.3 (replacement budget), 5.4 (batches); weakness W17 (repeats of a single batch).

use schema::{Hotkey, Side};
use serde::{Deserialize, Serialize};

use super::generation_report::RegenerationLimits;

/// What regenerations may take. The names of the settings are the reference's, and so are the defaults.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Budget {
    /// `BATCH_SIZE`: prompts a pod is asked for at once.
    pub batch_size: usize,
    /// `MAX_REPLACEMENTS`: pods that may take another's place.
    pub replacements: u32,
    /// `MAX_INITIAL_DEPLOY_ATTEMPTS`: tries for the first pod.
    pub first_tries: u32,
    /// `MAX_CONCURRENT_MINERS`: regenerations at one time, the leader's included. Each rents a pod of its own.
    pub at_once: usize,
    /// What rejects a miner.
    pub limits: RegenerationLimits,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            batch_size: 32,
            replacements: 3,
            first_tries: 2,
            at_once: 4,
            limits: RegenerationLimits::default(),
        }
    }
}

impl Budget {
    /// Pods that one regeneration can come to: every first try, every replacement.
    pub fn pods(&self) -> u32 {
        self.first_tries.saturating_add(self.replacements)
    }
}

/// Pods of one side are numbered below this, from its first one on.
pub const PODS_OF_ONE_SIDE: u32 = 1000;

/// The number of a side's first pod: 0, unless miners before it in `submissions.json` have hotkeys that begin alike.
///
/// The published names of pods carry ten characters of a hotkey, in lower case, and a hotkey that shares them with another
/// miner's can be made. A pod is found by its name: each such miner counts from a multiple of its own, so that nobody runs on,
/// or gives back, what was rented for somebody else.
pub fn first_pod<'a>(side: &Side, submissions: impl IntoIterator<Item = &'a Hotkey>) -> u32 {
    let Some(own) = side.hotkey() else {
        return 0;
    };
    let before = submissions.into_iter().take_while(|other| *other != own);
    let alike = before.filter(|other| other.short().eq_ignore_ascii_case(own.short()));
    PODS_OF_ONE_SIDE * alike.count() as u32
}

/// The batches of a repeat (from 1), in order.
///
/// A pod takes the same prompts twice in a row for a repeated request and answers with the old results. Several batches
/// never meet themselves; a single one would, so every second repeat is cut in two halves instead: no two batches in a row
/// ask for the same prompts, and every repeat is generated anew.
pub fn batches<T: Clone>(prompts: &[T], repeat: u32, size: usize) -> Vec<Vec<T>> {
    let size = size.max(1);
    let halves = prompts.len() <= size && repeat.is_multiple_of(2);
    let size = if halves {
        prompts.len().div_ceil(2).max(1)
    } else {
        size
    };
    prompts.chunks(size).map(<[T]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH_SIZE: usize = 32;

    #[test]
    fn a_round_has_four_batches() {
        let prompts: Vec<u32> = (0..128).collect();
        let sizes: Vec<usize> = batches(&prompts, 1, Budget::default().batch_size)
            .iter()
            .map(Vec::len)
            .collect();
        assert_eq!(sizes, [32, 32, 32, 32]);
    }

    #[test]
    fn no_two_batches_in_a_row_are_the_same() {
        for count in 2..=70 {
            let prompts: Vec<u32> = (0..count).collect();
            let all: Vec<Vec<u32>> = (1..=4)
                .flat_map(|repeat| batches(&prompts, repeat, BATCH_SIZE))
                .collect();
            assert!(
                all.windows(2).all(|pair| pair[0] != pair[1]),
                "{count} prompts"
            );
            assert!(
                (1..=4).all(|repeat| batches(&prompts, repeat, BATCH_SIZE).concat() == prompts)
            );
        }
    }

    #[test]
    fn pods_of_miners_whose_hotkeys_begin_alike_have_numbers_of_their_own() {
        let submissions = ["5Abcdefghi1", "5Other", "5aBCDEFGHI2", "5Abcdefghi3"].map(Hotkey::new);
        let first = |hotkey: &str| first_pod(&Side::from(hotkey), &submissions);
        assert_eq!(
            [
                "5Abcdefghi1",
                "5Other",
                "5aBCDEFGHI2",
                "5Abcdefghi3",
                "leader"
            ]
            .map(first),
            [0, 0, 1000, 2000, 0]
        );
    }

    #[test]
    fn nothing_to_generate_is_no_batch() {
        assert!(batches::<u32>(&[], 1, BATCH_SIZE).is_empty());
    }
}
