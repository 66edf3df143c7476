//! `random.Random(seed).sample(items, count)` of CPython, as the collector draws prompts with it. Written a second time, from
//! the specification alone, so that a mistake in ours does not hide here.

use std::collections::BTreeSet;

/// Words of the generator's state.
const WORDS: usize = 624;
/// How far ahead a word is twisted with.
const AHEAD: usize = 397;

/// MT19937.
pub struct Random {
    state: Vec<u32>,
    at: usize,
}

impl Random {
    /// Seeded as CPython seeds from an `int` of up to 32 bits: `init_by_array` over its one word.
    pub fn new(seed: u32) -> Self {
        let mut state = vec![0_u32; WORDS];
        state[0] = 19_650_218;
        for index in 1..WORDS {
            let before = state[index - 1];
            state[index] = 1_812_433_253_u32
                .wrapping_mul(before ^ (before >> 30))
                .wrapping_add(index as u32);
        }
        let mut index = 1;
        let mut mix = |state: &mut Vec<u32>, factor: u32, add: &dyn Fn(usize) -> u32| {
            let before = state[index - 1];
            let mixed = state[index] ^ (before ^ (before >> 30)).wrapping_mul(factor);
            state[index] = mixed.wrapping_add(add(index));
            index += 1;
            if index == WORDS {
                state[0] = state[WORDS - 1];
                index = 1;
            }
        };
        for _ in 0..WORDS {
            mix(&mut state, 1_664_525, &|_| seed);
        }
        for _ in 1..WORDS {
            mix(&mut state, 1_566_083_941, &|index| {
                (index as u32).wrapping_neg()
            });
        }
        state[0] = 0x8000_0000;
        Self { state, at: WORDS }
    }

    fn word(&mut self) -> u32 {
        if self.at == WORDS {
            for index in 0..WORDS {
                let high = self.state[index] & 0x8000_0000;
                let mixed = high | (self.state[(index + 1) % WORDS] & 0x7fff_ffff);
                let odd = if mixed & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[index] = self.state[(index + AHEAD) % WORDS] ^ (mixed >> 1) ^ odd;
            }
            self.at = 0;
        }
        let mut word = self.state[self.at];
        self.at += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    /// A number below `limit`, drawn again while it is not.
    fn below(&mut self, limit: usize) -> usize {
        let bits = usize::BITS - limit.leading_zeros();
        loop {
            let drawn = (self.word() >> (32 - bits)) as usize;
            if drawn < limit {
                return drawn;
            }
        }
    }

    /// `count` of `items`, in the order drawn. Fewer items are taken whole, in their own order, and draw nothing.
    pub fn sample(&mut self, items: &[String], count: usize) -> Vec<String> {
        if items.len() <= count {
            return items.to_vec();
        }
        let mut pool_up_to = 21;
        if count > 5 {
            // 4 ** ceil(log(3 * count, 4))
            let mut power = 1;
            while power < 3 * count {
                power *= 4;
            }
            pool_up_to += power;
        }
        if items.len() <= pool_up_to {
            let mut pool = items.to_vec();
            return (0..count)
                .map(|_| {
                    let drawn = self.below(pool.len());
                    pool.swap_remove(drawn)
                })
                .collect();
        }
        let mut drawn = BTreeSet::new();
        let mut sample = Vec::new();
        while sample.len() < count {
            let index = self.below(items.len());
            if drawn.insert(index) {
                sample.push(items[index].clone());
            }
        }
        sample
    }
}
