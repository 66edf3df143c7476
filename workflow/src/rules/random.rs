//! The random numbers of CPython, bit for bit.
//!
//! A round's prompts are public and anyone may draw them again from the published seed. The published rounds were drawn by
//! CPython's `random.Random(seed).sample`, so that is the algorithm: Mersenne Twister MT19937, seeded by the words of the
//! number, and the two branches of `sample`.
//!
//! Source: collection-and-rounds, section 5.4 (generator semantics) and 5.5 (vectors).

use std::collections::HashSet;

/// Words in the generator's state.
const N: usize = 624;
/// Distance of the word that is mixed in.
const M: usize = 397;
/// The twist matrix.
const MATRIX: u32 = 0x9908_b0df;

/// CPython's generator, `random.Random(seed)`.
#[derive(Debug, Clone)]
pub struct MersenneTwister {
    state: Vec<u32>,
    next: usize,
}

/// Why nothing could be drawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SampleError {
    /// More items were asked for than there are.
    #[error("cannot draw {wanted} of {available} items")]
    TooFew {
        /// How many were asked for.
        wanted: usize,
        /// How many there are.
        available: usize,
    },
    /// The list has 2^32 items or more; one output of the generator could not address them.
    #[error("cannot draw from a list of {0} items, the limit is 4294967295")]
    TooLong(usize),
}

impl MersenneTwister {
    /// Seeds the generator as CPython does from a non-negative integer: by its 32-bit words, lowest first.
    pub fn new(seed: u64) -> Self {
        let (low, high) = (seed as u32, (seed >> 32) as u32);
        if high == 0 {
            Self::from_key(&[low])
        } else {
            Self::from_key(&[low, high])
        }
    }

    /// `init_by_array` of the MT19937 reference.
    fn from_key(key: &[u32]) -> Self {
        let mut state = vec![0_u32; N];
        let mut previous = 19_650_218_u32;
        for (i, word) in state.iter_mut().enumerate() {
            if i > 0 {
                previous = 1_812_433_253_u32
                    .wrapping_mul(previous ^ (previous >> 30))
                    .wrapping_add(i as u32);
            }
            *word = previous;
        }

        let mut i = 1;
        let mut j = 0;
        for _ in 0..N.max(key.len()) {
            let previous = state[i - 1];
            state[i] = (state[i] ^ (previous ^ (previous >> 30)).wrapping_mul(1_664_525))
                .wrapping_add(key[j])
                .wrapping_add(j as u32);
            i += 1;
            j = (j + 1) % key.len();
            if i == N {
                state[0] = state[N - 1];
                i = 1;
            }
        }
        for _ in 0..N - 1 {
            let previous = state[i - 1];
            state[i] = (state[i] ^ (previous ^ (previous >> 30)).wrapping_mul(1_566_083_941))
                .wrapping_sub(i as u32);
            i += 1;
            if i == N {
                state[0] = state[N - 1];
                i = 1;
            }
        }
        state[0] = 0x8000_0000;
        Self { state, next: N }
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.next >= N {
            self.twist();
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    fn twist(&mut self) {
        for i in 0..N {
            let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
            let odd = if y & 1 == 1 { MATRIX } else { 0 };
            self.state[i] = self.state[(i + M) % N] ^ (y >> 1) ^ odd;
        }
        self.next = 0;
    }

    /// `getrandbits(bits)` for at most 32 bits: the top bits of one output. Zero bits consume nothing.
    pub fn bits(&mut self, bits: u32) -> u32 {
        match bits {
            0 => 0,
            1..=31 => self.next_u32() >> (32 - bits),
            _ => self.next_u32(),
        }
    }

    /// A uniform number below `limit`, by rejection: as many bits as `limit` has, drawn again while too large.
    /// Zero for a `limit` of zero.
    pub fn below(&mut self, limit: u32) -> u32 {
        if limit == 0 {
            return 0;
        }
        let bits = u32::BITS - limit.leading_zeros();
        loop {
            let drawn = self.bits(bits);
            if drawn < limit {
                return drawn;
            }
        }
    }

    /// `sample(range(length), count)`: `count` different indices below `length`, in the order drawn.
    ///
    /// # Errors
    ///
    /// [`SampleError::TooFew`] if `count > length`, [`SampleError::TooLong`] for lists no 32-bit draw can address.
    pub fn sample_indices(
        &mut self,
        length: usize,
        count: usize,
    ) -> Result<Vec<usize>, SampleError> {
        if count > length {
            return Err(SampleError::TooFew {
                wanted: count,
                available: length,
            });
        }
        let limit = u32::try_from(length).map_err(|_| SampleError::TooLong(length))?;
        let mut picked = Vec::with_capacity(count);
        if length <= pool_threshold(count) {
            let mut pool: Vec<usize> = (0..length).collect();
            for _ in 0..count {
                let j = self.below(pool.len() as u32) as usize;
                // The last item moves into the gap, as CPython's pool does.
                picked.push(pool.swap_remove(j));
            }
        } else {
            let mut used = HashSet::with_capacity(count);
            while picked.len() < count {
                let j = self.below(limit) as usize;
                if used.insert(j) {
                    picked.push(j);
                }
            }
        }
        Ok(picked)
    }

    /// `sample(items, count)`.
    ///
    /// # Errors
    ///
    /// As [`MersenneTwister::sample_indices`].
    pub fn sample<T: Clone>(&mut self, items: &[T], count: usize) -> Result<Vec<T>, SampleError> {
        let indices = self.sample_indices(items.len(), count)?;
        Ok(indices
            .into_iter()
            .filter_map(|i| items.get(i).cloned())
            .collect())
    }

    /// `sample` of `count` items, or all of them in their own order, without using a random number, when there are no
    /// more than `count`.
    ///
    /// # Errors
    ///
    /// [`SampleError::TooLong`] for lists no 32-bit draw can address.
    ///
    /// # Source
    ///
    /// collection-and-rounds, section 5.3, `sample_up_to`.
    pub fn sample_up_to<T: Clone>(
        &mut self,
        items: &[T],
        count: usize,
    ) -> Result<Vec<T>, SampleError> {
        if items.len() <= count {
            return Ok(items.to_vec());
        }
        self.sample(items, count)
    }
}

/// Up to this many items CPython samples from a copied pool, beyond it by redrawing repeated indices: 21, plus the
/// smallest power of four that is at least `3 * count` when `count > 5`.
fn pool_threshold(count: usize) -> usize {
    let mut threshold = 21_usize;
    if count > 5 {
        let mut power = 1_usize;
        while power < count.saturating_mul(3) {
            power = power.saturating_mul(4);
        }
        threshold = threshold.saturating_add(power);
    }
    threshold
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn first(seed: u64) -> [u32; 4] {
        let mut rng = MersenneTwister::new(seed);
        [
            rng.next_u32(),
            rng.next_u32(),
            rng.next_u32(),
            rng.next_u32(),
        ]
    }

    fn first_eight(seed: u64, length: usize, count: usize) -> Vec<usize> {
        let picked = MersenneTwister::new(seed)
            .sample_indices(length, count)
            .unwrap();
        assert_eq!(picked.len(), count);
        picked[..8].to_vec()
    }

    #[test]
    fn the_first_outputs_are_those_of_cpython() {
        assert_eq!(first(0), [3626764237, 1654615998, 3255389356, 3823568514]);
        assert_eq!(first(1), [577090037, 2444712010, 3639700191, 3445702192]);
        assert_eq!(first(42), [2746317213, 478163327, 107420369, 3184935163]);
        assert_eq!(
            first(3035696319),
            [1050946279, 460189876, 3590942502, 2224255152]
        );
        assert_eq!(
            first(4294967295),
            [2728839433, 2661025012, 872737089, 924893097]
        );
    }

    #[test]
    fn a_sample_of_words_is_the_one_of_cpython() {
        let words = [
            "alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel",
        ];
        assert_eq!(
            MersenneTwister::new(42).sample(&words, 3).unwrap(),
            ["bravo", "alpha", "foxtrot"]
        );
    }

    #[test]
    fn both_branches_of_sample_agree_at_their_border() {
        let expected = [228, 51, 563, 501, 457, 285, 209, 178];
        assert_eq!(first_eight(42, 1045, 96), expected);
        assert_eq!(first_eight(42, 1046, 96), expected);
    }

    #[test]
    fn samples_of_the_published_sizes_match_their_vectors() {
        assert_eq!(first_eight(42, 100, 32), [81, 14, 3, 94, 35, 31, 28, 17]);
        assert_eq!(
            first_eight(3035696319, 140000, 128),
            [64144, 28087, 135757, 83098, 126858, 15737, 106040, 24199]
        );
        let mut rng = MersenneTwister::new(3274970996);
        rng.sample_indices(128, 32).unwrap();
        assert_eq!(
            rng.sample_indices(139968, 96).unwrap()[..8],
            [121915, 84520, 34984, 18303, 92411, 32060, 10929, 95415]
        );
    }

    #[test]
    fn the_carried_prompts_of_six_real_rounds_are_drawn_again() {
        let rounds: [(u64, [usize; 8]); 6] = [
            (3274970996, [18, 120, 119, 61, 0, 100, 3, 33]),
            (1206881584, [78, 25, 70, 26, 7, 20, 91, 123]),
            (524294358, [87, 33, 68, 38, 15, 107, 117, 28]),
            (2142972524, [18, 74, 31, 109, 42, 26, 87, 86]),
            (4232303603, [113, 41, 25, 79, 47, 57, 46, 66]),
            (3693682031, [40, 35, 99, 124, 79, 42, 75, 32]),
        ];
        for (seed, expected) in rounds {
            assert_eq!(first_eight(seed, 128, 32), expected, "seed {seed}");
        }
        assert_eq!(
            MersenneTwister::new(3693682031)
                .sample_indices(128, 32)
                .unwrap(),
            [
                40, 35, 99, 124, 79, 42, 75, 32, 20, 15, 1, 37, 106, 93, 112, 63, 13, 38, 53, 33,
                43, 5, 60, 88, 64, 67, 11, 74, 30, 86, 84, 57
            ]
        );
    }

    /// The root prompt list is not public; these two pairs of picks have the same address in the published rounds.
    #[test]
    fn new_prompts_of_real_rounds_coincide_where_the_published_lines_do() {
        for pool in [143_305, 144_000, 145_046] {
            let new_picks = |seed| {
                let mut rng = MersenneTwister::new(seed);
                rng.sample_indices(128, 32).unwrap();
                rng.sample_indices(pool - 32, 96).unwrap()
            };
            let (first, second, third) = (
                new_picks(3274970996),
                new_picks(1206881584),
                new_picks(524294358),
            );
            assert_eq!((first[62], third[8]), (134499, 134499), "pool {pool}");
            assert_eq!((second[81], third[89]), (143272, 143272), "pool {pool}");
        }
    }

    #[test]
    fn the_thresholds_between_the_branches_are_those_of_cpython() {
        let thresholds = [3, 5, 6, 20, 32, 96, 128].map(pool_threshold);
        assert_eq!(thresholds, [21, 21, 85, 85, 277, 1045, 1045]);
    }

    #[test]
    fn a_short_list_is_taken_whole_without_using_a_random_number() {
        let mut rng = MersenneTwister::new(7);
        assert_eq!(rng.sample_up_to(&[3, 1, 2], 3).unwrap(), [3, 1, 2]);
        assert_eq!(rng.sample_up_to(&[3, 1, 2], 9).unwrap(), [3, 1, 2]);
        assert_eq!(rng.next_u32(), MersenneTwister::new(7).next_u32());
    }

    #[test]
    fn asking_for_more_than_there_is_is_an_error() {
        let error = MersenneTwister::new(1).sample(&[1, 2], 3).unwrap_err();
        assert_eq!(
            error,
            SampleError::TooFew {
                wanted: 3,
                available: 2
            }
        );
    }

    proptest! {
        #[test]
        fn a_sample_has_the_asked_number_of_different_indices(seed: u64, length in 0_usize..3000, share in 0.0..=1.0_f64) {
            let count = (length as f64 * share) as usize;
            let picked = MersenneTwister::new(seed).sample_indices(length, count).unwrap();
            let different: HashSet<_> = picked.iter().collect();
            prop_assert_eq!(picked.len(), count);
            prop_assert_eq!(different.len(), count);
            prop_assert!(picked.iter().all(|&index| index < length));
        }

        #[test]
        fn below_stays_below(seed: u64, limit in 1_u32..) {
            prop_assert!(MersenneTwister::new(seed).below(limit) < limit);
        }
    }
}
