//! Why a submission does not count, in words that can be published.

use std::fmt;

use serde::Serialize;

/// How many characters of a miner's own text a reason repeats.
const SHOWN_CHARACTERS: usize = 80;

/// Rao in one alpha.
const RAO_PER_ALPHA: f64 = 1e9;

/// A field of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// `repo`
    Repo,
    /// `commit`
    Commit,
    /// `cdn_url`
    CdnUrl,
}

impl Field {
    /// The key.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Repo => "repo",
            Self::Commit => "commit",
            Self::CdnUrl => "cdn_url",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What is wrong with one revealed entry. The entry is left out; the hotkey's other entries still count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EntryProblem {
    /// The text is no JSON, after single quotes were read as double ones.
    #[error("the revealed text is not JSON ({problem}): {text:?}")]
    NotJson {
        /// The text's first characters.
        text: String,
        /// What the parser says.
        problem: String,
    },
    /// The JSON is no object.
    #[error("the revealed JSON is not an object: {text:?}")]
    NotAnObject {
        /// The text's first characters.
        text: String,
    },
    /// A field is no text.
    #[error("the revealed {field} is not a text")]
    NotText {
        /// Which field.
        field: Field,
    },
}

/// Why a hotkey does not take part in the round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "rule", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RejectReason {
    /// No readable entry in the window has the field.
    #[error("no readable entry revealed in the round's window has a {field}")]
    Missing {
        /// Which field.
        field: Field,
    },
    /// The hotkey has fewer than 10 characters.
    #[error("the hotkey has fewer than 10 characters")]
    Hotkey,
    /// The repository's name is refused.
    #[error(
        "repo {value:?} is not owner/name in letters, digits, underscores and hyphens (dots are not accepted)"
    )]
    Repo {
        /// What was revealed.
        value: String,
    },
    /// The commit is no full commit id.
    #[error("commit {value:?} is not 40 hexadecimal digits in lower case")]
    Commit {
        /// What was revealed.
        value: String,
    },
    /// The CDN address is refused.
    #[error("cdn_url {value:?} is refused: {problem}")]
    CdnUrl {
        /// What was revealed.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The hotkey is not registered in the subnet.
    #[error("the hotkey is not registered in the subnet")]
    NotRegistered,
    /// The owner has locked too little for all its submissions.
    #[error(
        "the owner has {} alpha locked, {} are required for its {hotkeys} submission(s)",
        *locked_rao as f64 / RAO_PER_ALPHA,
        *required_rao as f64 / RAO_PER_ALPHA
    )]
    LockTooSmall {
        /// What the owner has locked, in rao.
        locked_rao: u64,
        /// What it would need, in rao.
        required_rao: u64,
        /// How many submissions it has.
        hotkeys: usize,
    },
}

/// The beginning of a miner's own text.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARACTERS).collect()
}
