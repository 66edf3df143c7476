//! Whose file it is: what people edit wins, what Assize writes is protected.

use schema::paths::{StatePath, classify};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who decides what stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// Operators and the source auditor: their edit wins over ours.
    People,
    /// Assize: an edit by somebody else is a conflict that an operator accepts or rejects.
    Assize,
}

/// The owner of `path`; `content` is what the file held before the edit in question.
///
/// People own `config.json`, the root `prompts.txt`, every `source_audit.json`, `state.json` while the stage in it is
/// `paused` (or when it is not readable, since then somebody has to repair it), and everything outside the catalogue of
/// state files (the image build, the README, notes). The ledger and every other state file belong to Assize.
///
/// # Source
///
/// "File catalogue" (writers) and "What a hand edit reaches" of the state repository's specification.
pub fn owner_of(path: &str, content: Option<&[u8]>) -> Owner {
    match classify(path) {
        None
        | Some(
            StatePath::Config
            | StatePath::PromptPool
            | StatePath::SourceAudit(_)
            | StatePath::HandMade(_),
        ) => Owner::People,
        Some(StatePath::State) if content.is_none_or(is_paused) => Owner::People,
        Some(_) => Owner::Assize,
    }
}

/// The owner of `path` for an edit from `before` to `after`. Whoever pauses the round owns `state.json` from then on: setting
/// PAUSED by hand is how people stop a round.
pub fn owner_of_edit(path: &str, before: Option<&[u8]>, after: Option<&[u8]>) -> Owner {
    let pauses = classify(path) == Some(StatePath::State) && after.is_some_and(says_paused);
    if pauses {
        Owner::People
    } else {
        owner_of(path, before)
    }
}

/// Whether a `state.json` says PAUSED, and nothing else is wrong with it.
pub fn says_paused(state: &[u8]) -> bool {
    serde_json::from_slice::<Value>(state).is_ok_and(|state| state["stage"] == "paused")
}

fn is_paused(state: &[u8]) -> bool {
    match serde_json::from_slice::<Value>(state) {
        Ok(state) => state
            .get("stage")
            .and_then(Value::as_str)
            .is_none_or(|stage| stage == "paused"),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_own_what_the_specification_lets_them_edit() {
        for path in [
            "config.json",
            "prompts.txt",
            "rounds/3/source_audit.json",
            "README.md",
            ".github/workflows/b.yml",
        ] {
            assert_eq!(owner_of(path, Some(b"{}")), Owner::People, "{path}");
        }
        for path in [
            "leader.json",
            "rounds/3/prompts.txt",
            "rounds/3/builds.json",
            "rounds/3/ledger/decisions.jsonl",
        ] {
            assert_eq!(owner_of(path, None), Owner::Assize, "{path}");
        }
    }

    #[test]
    fn whoever_pauses_the_round_owns_the_state() {
        let (duels, paused) = (&br#"{"stage":"duels"}"#[..], &br#"{"stage":"paused"}"#[..]);
        assert_eq!(
            owner_of_edit("state.json", Some(duels), Some(paused)),
            Owner::People
        );
        assert_eq!(
            owner_of_edit("state.json", Some(paused), Some(duels)),
            Owner::People
        );
        assert_eq!(
            owner_of_edit("state.json", Some(duels), Some(b"{\"stage\":\"open\"}")),
            Owner::Assize
        );
        assert_eq!(
            owner_of_edit("rounds/0/winner.json", None, Some(paused)),
            Owner::Assize
        );
    }

    #[test]
    fn people_own_the_state_only_while_it_is_paused() {
        assert_eq!(
            owner_of("state.json", Some(br#"{"stage":"duels"}"#)),
            Owner::Assize
        );
        assert_eq!(
            owner_of("state.json", Some(br#"{"stage":"paused"}"#)),
            Owner::People
        );
        assert_eq!(owner_of("state.json", Some(b"{ broken")), Owner::People);
        assert_eq!(owner_of("state.json", None), Owner::People);
    }
}
