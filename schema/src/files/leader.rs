//! `leader.json`: every leader so far, read by the validators that set weights.

use serde::{Deserialize, Serialize};

use super::macros::{json_file, readable_items};
use crate::{BlockNumber, CommitSha, FileError, Hotkey, Tolerant, TolerantFile};

/// `leader.json`: all leaders, oldest first, append-only. A bare array.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Leaders(pub Vec<LeaderEntry>);

/// A leader from a block on: a new champion, or a defence at a lower weight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeaderEntry {
    /// The leader's hotkey.
    pub hotkey: Hotkey,
    /// Its repository, `owner/name`.
    pub repo: String,
    /// The commit that won.
    pub commit: CommitSha,
    /// The image built from it.
    pub docker: String,
    /// Share of the weights set on chain, `0.0..=1.0`.
    pub weight: f64,
    /// First block at which this entry counts.
    pub effective_block: BlockNumber,
}

impl Leaders {
    /// The last entry, whether effective yet or not.
    pub fn latest(&self) -> Option<&LeaderEntry> {
        self.0.last()
    }

    /// The entry that counts at `block`: the last whose effective block has come.
    pub fn at_block(&self, block: BlockNumber) -> Option<&LeaderEntry> {
        self.0
            .iter()
            .rev()
            .find(|entry| block >= entry.effective_block)
    }

    /// What is wrong with the list, one sentence each; empty when nothing is. Reading does not check it, because
    /// validators read it whatever it says.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (index, entry) in self.0.iter().enumerate() {
            if !(0.0..=1.0).contains(&entry.weight) {
                problems.push(format!(
                    "entry {index} has weight {}; it must be from 0 to 1",
                    entry.weight
                ));
            }
        }
        for (index, (before, after)) in self.0.iter().zip(self.0.iter().skip(1)).enumerate() {
            if before.effective_block >= after.effective_block {
                problems.push(format!(
                    "entry {} becomes effective at block {}, not after the entry before it, {}",
                    index + 1,
                    after.effective_block,
                    before.effective_block
                ));
            }
        }
        problems
    }
}

json_file!(array Leaders, Required);

impl TolerantFile for Leaders {
    fn parse_tolerant(path: &str, bytes: &[u8]) -> Result<Tolerant<Self>, FileError> {
        let (rows, problems) = readable_items(path, bytes)?;
        Ok(Tolerant {
            file: Self(rows),
            problems,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(hotkey: &str, effective_block: u64) -> LeaderEntry {
        LeaderEntry {
            hotkey: hotkey.into(),
            repo: "owner/name".into(),
            commit: "c".into(),
            docker: "image".into(),
            weight: 1.0,
            effective_block: BlockNumber(effective_block),
        }
    }

    #[test]
    fn the_leader_at_a_block_is_the_last_entry_that_is_effective() {
        let leaders = Leaders(vec![entry("base", 100), entry("first", 200)]);
        assert_eq!(leaders.at_block(BlockNumber(99)), None);
        for (block, hotkey) in [(100, "base"), (199, "base"), (200, "first"), (900, "first")] {
            assert_eq!(
                leaders
                    .at_block(BlockNumber(block))
                    .unwrap()
                    .hotkey
                    .as_str(),
                hotkey,
                "block {block}"
            );
        }
    }

    #[test]
    fn an_entry_that_is_not_effective_after_the_one_before_it_is_named() {
        let mut leaders = Leaders(vec![entry("base", 100), entry("first", 100)]);
        leaders.0[0].weight = 1.5;
        let problems = leaders.problems();
        assert!(
            problems[0].starts_with("entry 0 has weight 1.5"),
            "{problems:?}"
        );
        assert!(
            problems[1].starts_with("entry 1 becomes effective at block 100"),
            "{problems:?}"
        );
    }

    #[test]
    fn the_wrapper_of_an_old_document_is_refused() {
        let wrapped = br#"{"transitions": []}"#;
        assert!(<Leaders as crate::StateFile>::parse("leader.json", wrapped).is_err());
    }
}
