//! `rounds/{n}/winner.json`: who won the round.

use serde::{Deserialize, Serialize};

use super::macros::json_file;
use crate::{CommitSha, Side};

/// `rounds/{n}/winner.json`: who won the round, and the image that did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Winner {
    /// A hotkey, or `leader` when the incumbent defended.
    pub winner_hotkey: Side,
    /// The winning repository, `owner/name`.
    pub repo: String,
    /// The winning commit.
    pub commit: CommitSha,
    /// The image built from it.
    pub docker_image: String,
}

json_file!(Winner, NotYet);
