//! The commit of a miner's repository.

use serde::{Deserialize, Serialize};

use super::{first_characters, text_newtype};

/// A commit id as a miner revealed it: 40 hexadecimal digits when it is whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommitSha(String);

text_newtype!(CommitSha);

impl CommitSha {
    /// The first 7 characters, as image tags use them.
    pub fn short(&self) -> &str {
        first_characters(&self.0, 7)
    }

    /// Whether this is a whole commit id: exactly 40 hexadecimal digits.
    pub fn is_whole(&self) -> bool {
        self.0.len() == 40 && self.0.bytes().all(|byte| byte.is_ascii_hexdigit())
    }
}
