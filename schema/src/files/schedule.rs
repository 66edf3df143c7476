//! `rounds/{n}/schedule.json`: the block window of one round.

use serde::{Deserialize, Serialize};

use super::macros::json_file;
use crate::BlockNumber;

/// `rounds/{n}/schedule.json`: the block window of one round. Blocks are inclusive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// First block whose reveals count.
    pub earliest_reveal_block: BlockNumber,
    /// Last block whose reveals count; seed and prompts appear after it.
    pub latest_reveal_block: BlockNumber,
    /// Block at which downloading begins.
    pub generation_deadline_block: BlockNumber,
}

impl Schedule {
    /// Whether a reveal in `block` belongs to this round.
    pub fn accepts_reveal_at(&self, block: BlockNumber) -> bool {
        (self.earliest_reveal_block..=self.latest_reveal_block).contains(&block)
    }
}

json_file!(Schedule, NotYet);
