//! How a regeneration is cut into batches, and how many pods it may use.
//!
//! Source: generation, section 5.3 (replacement budget), 5.4 (batches); weakness W17 (repeats of a single batch).

/// `BATCH_SIZE`: prompts a pod is asked for at once.
pub const BATCH_SIZE: usize = 32;

/// `MAX_REPLACEMENTS`: pods that may take another's place.
pub const MAX_REPLACEMENTS: u32 = 3;

/// `MAX_INITIAL_DEPLOY_ATTEMPTS`: tries for the first pod.
pub const MAX_INITIAL_DEPLOYMENTS: u32 = 2;

/// Pods that one regeneration can come to: every first try, every replacement.
pub const MAX_PODS: u32 = MAX_INITIAL_DEPLOYMENTS + MAX_REPLACEMENTS;

/// `MAX_CONCURRENT_MINERS`: regenerations at one time, the leader's included. Each rents a pod of its own.
pub const MAX_CONCURRENT_REGENERATIONS: usize = 4;

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

    #[test]
    fn a_round_has_four_batches() {
        let prompts: Vec<u32> = (0..128).collect();
        let sizes: Vec<usize> = batches(&prompts, 1, BATCH_SIZE)
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
    fn nothing_to_generate_is_no_batch() {
        assert!(batches::<u32>(&[], 1, BATCH_SIZE).is_empty());
    }
}
