//! Who takes part in a round: from what hotkeys revealed on chain to the ordered submissions.
//!
//! In three moves, because the second needs an answer of the chain that depends on the first:
//!
//! 1. [`read_reveals`] decodes and parses what each hotkey revealed inside the round's window;
//! 2. [`coldkeys_to_ask`] says whose locked stake must be known;
//! 3. [`accept_submissions`] drops the unregistered and the unlocked and puts the rest in the order they compete in.
//!
//! A hotkey can commit any bytes, so nothing that one of them writes may touch another's submission: every entry is judged by
//! itself, and every refusal has a reason that can be published. (In the reference, one bad payload ended the collection
//! for everybody; weakness W2.)
//!
//! Source: collection-and-rounds, section 4.2 (decoding), 4.3 (parsing), 4.5 (registration and lock), 4.6 (order).

mod cdn_url;
mod payload;
mod reason;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use indexmap::IndexMap;
use regex::Regex;
use schema::files::{Submission, Submissions};
use schema::{BlockNumber, CommitSha, Hotkey};

pub use cdn_url::{CdnUrlError, normalize_cdn_url};
pub use payload::{Entry, decode_payload, parse_entry};
pub use reason::{EntryProblem, Field, RejectReason};

/// Fewer characters than this are no hotkey.
const HOTKEY_CHARACTERS: usize = 10;

/// `owner/name`, each of word characters and hyphens; dots are refused.
static REPO: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[\w-]+/[\w-]+$").expect("the pattern is constant"));

/// The owner of hotkeys: its SS58 address.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Coldkey(pub String);

/// What every hotkey revealed, in the order of the chain's storage keys: plain bytes and the block of the reveal.
pub type RevealedCommitments = [(Hotkey, Vec<(Vec<u8>, u64)>)];

/// The blocks whose reveals count, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevealWindow {
    /// `earliest_reveal_block` in `schedule.json`.
    pub earliest: BlockNumber,
    /// `latest_reveal_block` in `schedule.json`.
    pub latest: BlockNumber,
}

/// What was read from the chain, before registration and lock are looked at.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadReveals {
    /// Submissions whose fields are valid, in storage-key order.
    pub valid: Vec<(Hotkey, Submission)>,
    /// Hotkeys that revealed something in the window and cannot take part, in storage-key order.
    pub rejected: Vec<Rejected>,
    /// Single entries that were left out, whether or not their hotkey takes part.
    pub ignored: Vec<IgnoredEntry>,
}

/// A hotkey that does not take part, and why. The reason is published.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Rejected {
    /// Who.
    pub hotkey: Hotkey,
    /// Why.
    pub reason: RejectReason,
}

/// One revealed entry that was left out.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct IgnoredEntry {
    /// Who revealed it.
    pub hotkey: Hotkey,
    /// In which block.
    pub block: BlockNumber,
    /// What is wrong with it.
    pub problem: EntryProblem,
}

/// The submissions of a round.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Collected {
    /// Those who take part, in the order of `submissions.json`.
    pub accepted: Submissions,
    /// Those who do not, and why: unreadable ones in storage-key order, then unregistered and unlocked ones by block.
    pub rejected: Vec<Rejected>,
    /// Single entries that were left out.
    pub ignored: Vec<IgnoredEntry>,
    /// How many submissions were valid before registration and lock were looked at.
    pub committed: usize,
}

/// Decodes and parses what was revealed inside `window`. `label` becomes the submissions' `round`: `{config.name}-{n}`.
///
/// The fields of a submission may come from different entries. Of each field the one from the latest block counts, in one
/// block the lexicographically greatest. `revealed_at_block` is the block of the chosen commit.
pub fn read_reveals(
    reveals: &RevealedCommitments,
    window: RevealWindow,
    label: &str,
) -> ReadReveals {
    let mut read = ReadReveals::default();
    for (hotkey, entries) in reveals {
        let inside = entries
            .iter()
            .map(|(payload, block)| (payload, BlockNumber(*block)))
            .filter(|(_, block)| (window.earliest..=window.latest).contains(block));
        let mut revealed = false;
        let mut latest = Latest::default();
        for (payload, block) in inside {
            revealed = true;
            match parse_entry(&decode_payload(payload)) {
                Ok(entry) => latest.take(block, entry),
                Err(problem) => read.ignored.push(IgnoredEntry {
                    hotkey: hotkey.clone(),
                    block,
                    problem,
                }),
            }
        }
        if !revealed {
            continue;
        }
        match latest.into_submission(hotkey, label) {
            Ok(submission) => read.valid.push((hotkey.clone(), submission)),
            Err(reason) => read.rejected.push(Rejected {
                hotkey: hotkey.clone(),
                reason,
            }),
        }
    }
    read
}

/// The owners of the valid submissions' hotkeys, each once: the chain is asked what they have locked.
pub fn coldkeys_to_ask(
    read: &ReadReveals,
    neurons: &BTreeMap<Hotkey, Coldkey>,
) -> BTreeSet<Coldkey> {
    read.valid
        .iter()
        .filter_map(|(hotkey, _)| neurons.get(hotkey).cloned())
        .collect()
}

/// Drops submissions of unregistered hotkeys and of owners that locked too little, and puts the rest in the order in which
/// they compete.
///
/// - `neurons`: the registered hotkeys and their owners.
/// - `locks_rao`: what each owner has locked; an owner that is not in it has nothing locked.
/// - `required_lock_rao`: what an owner must have locked for each of its submissions. An owner with less loses all of them.
///
/// The order is by block; in one block, owners in the order of their first submission, and one owner's submissions in
/// storage-key order. It is the tie-break of the competition.
pub fn accept_submissions(
    read: ReadReveals,
    neurons: &BTreeMap<Hotkey, Coldkey>,
    locks_rao: &BTreeMap<Coldkey, u64>,
    required_lock_rao: u64,
) -> Collected {
    let ReadReveals {
        mut valid,
        mut rejected,
        ignored,
    } = read;
    let committed = valid.len();
    valid.sort_by_key(|(_, submission)| submission.revealed_at_block);

    let mut by_owner: IndexMap<&Coldkey, Vec<(Hotkey, Submission)>> = IndexMap::new();
    for (hotkey, submission) in valid {
        match neurons.get(&hotkey) {
            Some(coldkey) => by_owner
                .entry(coldkey)
                .or_default()
                .push((hotkey, submission)),
            None => rejected.push(Rejected {
                hotkey,
                reason: RejectReason::NotRegistered,
            }),
        }
    }

    let mut accepted: Vec<(Hotkey, Submission)> = Vec::new();
    for (coldkey, submissions) in by_owner {
        let required_rao = required_lock_rao.saturating_mul(submissions.len() as u64);
        let locked_rao = locks_rao.get(coldkey).copied().unwrap_or_default();
        if locked_rao >= required_rao {
            accepted.extend(submissions);
        } else {
            let hotkeys = submissions.len();
            rejected.extend(submissions.into_iter().map(|(hotkey, _)| Rejected {
                hotkey,
                reason: RejectReason::LockTooSmall {
                    locked_rao,
                    required_rao,
                    hotkeys,
                },
            }));
        }
    }
    accepted.sort_by_key(|(_, submission)| submission.revealed_at_block);
    Collected {
        accepted: accepted.into_iter().collect(),
        rejected,
        ignored,
        committed,
    }
}

/// Of each field the value that counts so far.
#[derive(Debug, Default)]
struct Latest {
    repo: Option<(BlockNumber, String)>,
    commit: Option<(BlockNumber, String)>,
    cdn_url: Option<(BlockNumber, String)>,
}

impl Latest {
    fn take(&mut self, block: BlockNumber, entry: Entry) {
        // An option without a value is less than any with one.
        self.repo = self.repo.take().max(entry.repo.map(|value| (block, value)));
        self.commit = self
            .commit
            .take()
            .max(entry.commit.map(|value| (block, value)));
        self.cdn_url = self
            .cdn_url
            .take()
            .max(entry.cdn_url.map(|value| (block, value)));
    }

    fn into_submission(self, hotkey: &Hotkey, label: &str) -> Result<Submission, RejectReason> {
        let missing = |field| RejectReason::Missing { field };
        let (_, repo) = self.repo.ok_or_else(|| missing(Field::Repo))?;
        let (revealed_at_block, commit) = self.commit.ok_or_else(|| missing(Field::Commit))?;
        let (_, cdn_url) = self.cdn_url.ok_or_else(|| missing(Field::CdnUrl))?;

        if hotkey.as_str().chars().count() < HOTKEY_CHARACTERS {
            return Err(RejectReason::Hotkey);
        }
        if !REPO.is_match(&repo) {
            return Err(RejectReason::Repo {
                value: reason::shown(&repo),
            });
        }
        let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if commit.len() != 40 || !commit.bytes().all(hexadecimal) {
            return Err(RejectReason::Commit {
                value: reason::shown(&commit),
            });
        }
        let cdn_url = normalize_cdn_url(&cdn_url).map_err(|error| RejectReason::CdnUrl {
            value: reason::shown(&cdn_url),
            problem: error.to_string(),
        })?;
        Ok(Submission {
            repo,
            commit: CommitSha::new(commit),
            cdn_url,
            revealed_at_block,
            round: label.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
