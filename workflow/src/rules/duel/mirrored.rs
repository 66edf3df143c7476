//! One comparison asked both ways.

use schema::files::report::PenaltyPair;
use serde::{Deserialize, Serialize};

use super::super::vlm_answer::CompareAnswer;

/// The penalties of one comparison asked in both orders, always by the model they belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mirrored {
    /// A's penalty when A was shown first.
    pub a_first: u8,
    /// B's penalty when A was shown first.
    pub b_second: u8,
    /// A's penalty when B was shown first.
    pub a_second: u8,
    /// B's penalty when B was shown first.
    pub b_first: u8,
}

impl Mirrored {
    /// Puts the answers of both orders together.
    pub fn new(ab: &CompareAnswer, ba: &CompareAnswer) -> Self {
        Self {
            a_first: ab.penalty_1,
            b_second: ab.penalty_2,
            b_first: ba.penalty_1,
            a_second: ba.penalty_2,
        }
    }

    /// The same penalty in both orders: for tests and records.
    pub fn agreed(a: u8, b: u8) -> Self {
        Self {
            a_first: a,
            b_second: b,
            a_second: a,
            b_first: b,
        }
    }

    /// A's and B's penalties, averaged over both orders: multiples of a half.
    pub fn penalties(&self) -> PenaltyPair {
        let average = |first: u8, second: u8| f64::midpoint(f64::from(first), f64::from(second));
        PenaltyPair {
            penalty_a: average(self.a_first, self.a_second),
            penalty_b: average(self.b_second, self.b_first),
        }
    }

    /// A's average penalty minus B's: negative when A is better.
    pub fn gap(&self) -> f64 {
        let PenaltyPair {
            penalty_a,
            penalty_b,
        } = self.penalties();
        penalty_a - penalty_b
    }

    /// Whether the orders prefer different models. No preference contradicts nothing.
    pub fn is_contradictory(&self) -> bool {
        let with_a_first = i16::from(self.a_first) - i16::from(self.b_second);
        let with_b_first = i16::from(self.a_second) - i16::from(self.b_first);
        with_a_first * with_b_first < 0
    }
}
