//! The end of a ledger: a hash chain over its lines, closed by a signed checkpoint.
//!
//! The chain needs nothing inside the lines. It starts from the file's name and takes in one line after the other:
//!
//! ```text
//! h0 = sha256("assize ledger v1\n" + file name)      h(i) = sha256(h(i-1) + line i, without its line end)
//! ```
//!
//! A checkpoint (`rounds/{n}/ledger/checkpoint.json`) states for each file how many lines it had and where its chain stood,
//! and the digest of the previous round's checkpoint. Lines that are added later stand after it; lines that are changed,
//! moved or taken out before it break it.

use schema::{IndexMap, RoundNumber};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::RepositoryError;
use super::signing::{SigningKey, verify_signature};

/// The first bytes of every chain: a later form gets others.
const DOMAIN: &str = "assize ledger v1\n";

/// The namespace of a checkpoint's signature, so that it can never pass for a commit's.
const NAMESPACE: &str = "assize-ledger";

/// `rounds/{n}/ledger/checkpoint.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The round whose ledger is closed.
    pub round: RoundNumber,
    /// SHA-256 of the bytes of the previous round's checkpoint, hexadecimal; none when there is none.
    pub previous: Option<String>,
    /// Where the chain of each file stands, by its name in the ledger folder.
    pub files: IndexMap<String, ChainEnd>,
    /// Who signed: `ssh-ed25519 AAAA…`.
    #[serde(default)]
    pub public_key: Option<String>,
    /// SSH signature of this file with `signature` null.
    #[serde(default)]
    pub signature: Option<String>,
}

/// Where the chain of one file stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainEnd {
    /// How many lines were taken in.
    pub lines: usize,
    /// The hash, hexadecimal.
    pub hash: String,
}

/// What is wrong with a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointProblem {
    /// The file's lines are not those that were there.
    #[error("the first {lines} lines of {file} are not those the checkpoint closed")]
    Chain {
        /// Name in the ledger folder.
        file: String,
        /// How many lines the checkpoint covers.
        lines: usize,
    },
    /// The signature does not fit.
    #[error("its signature does not hold: {0}")]
    Signature(String),
}

impl Checkpoint {
    /// Closes a ledger. `files`: name in the ledger folder and content, in any order; `previous`: the bytes of the previous
    /// round's checkpoint.
    pub fn close<'a>(
        round: RoundNumber,
        previous: Option<&[u8]>,
        files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Self {
        let mut files: IndexMap<String, ChainEnd> = files
            .into_iter()
            .map(|(name, content)| (name.to_owned(), chain_end(name, content, usize::MAX)))
            .collect();
        files.sort_unstable_keys();
        Self {
            round,
            previous: previous.map(|bytes| hex::encode(Sha256::digest(bytes))),
            files,
            public_key: None,
            signature: None,
        }
    }

    /// Signs the checkpoint.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::SigningKey`] when the key cannot sign.
    pub fn sign(mut self, key: &SigningKey) -> Result<Self, RepositoryError> {
        self.public_key = Some(key.public_key());
        self.signature = None;
        self.signature = Some(key.sign(NAMESPACE, &self.to_bytes())?);
        Ok(self)
    }

    /// The exact bytes to commit.
    pub fn to_bytes(&self) -> Vec<u8> {
        schema::format::json::pretty(self)
    }

    /// Checks the chains against the files of the folder, and the signature when there is one. `content` gives a file by its
    /// name. Whose key it is, and whether `previous` fits, is for the caller to check.
    pub fn problems<'a>(
        &self,
        content: impl Fn(&str) -> Option<&'a [u8]>,
    ) -> Vec<CheckpointProblem> {
        let mut problems: Vec<CheckpointProblem> = self
            .files
            .iter()
            .filter(|(name, end)| {
                content(name)
                    .map(|content| chain_end(name, content, end.lines))
                    .as_ref()
                    != Some(end)
            })
            .map(|(name, end)| CheckpointProblem::Chain {
                file: name.clone(),
                lines: end.lines,
            })
            .collect();
        if let Some(signature) = &self.signature {
            let unsigned = Self {
                signature: None,
                ..self.clone()
            };
            match verify_signature(NAMESPACE, &unsigned.to_bytes(), signature) {
                Ok(key) if Some(&key) == self.public_key.as_ref() => {}
                Ok(_) => problems.push(CheckpointProblem::Signature(
                    "it is of another key than named".to_owned(),
                )),
                Err(reason) => problems.push(CheckpointProblem::Signature(reason)),
            }
        }
        problems
    }

    /// Whether `previous` is the checkpoint that this one follows.
    pub fn follows(&self, previous: Option<&[u8]>) -> bool {
        self.previous == previous.map(|bytes| hex::encode(Sha256::digest(bytes)))
    }
}

/// The chain of the first `limit` lines.
fn chain_end(name: &str, content: &[u8], limit: usize) -> ChainEnd {
    let mut hash = Sha256::digest([DOMAIN.as_bytes(), name.as_bytes()].concat());
    let mut lines = 0;
    let content = content.strip_suffix(b"\n").unwrap_or(content);
    if !content.is_empty() {
        for line in content.split(|byte| *byte == b'\n').take(limit) {
            let mut next = Sha256::new();
            next.update(hash);
            next.update(line);
            hash = next.finalize();
            lines += 1;
        }
    }
    ChainEnd {
        lines,
        hash: hex::encode(hash),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn closed() -> Checkpoint {
        Checkpoint::close(
            RoundNumber(3),
            Some(b"before"),
            [("b.jsonl", &b"1\n2\n"[..]), ("a.jsonl", b"")],
        )
        .sign(&SigningKey::generate())
        .unwrap()
    }

    fn problems(checkpoint: &Checkpoint, b: &'static [u8]) -> Vec<CheckpointProblem> {
        checkpoint.problems(|name| match name {
            "a.jsonl" => Some(b"".as_slice()),
            "b.jsonl" => Some(b),
            _ => None,
        })
    }

    #[test]
    fn lines_may_be_added_after_a_checkpoint_but_none_before_it_may_change() {
        let checkpoint = closed();
        assert_eq!(problems(&checkpoint, b"1\n2\n"), []);
        assert_eq!(problems(&checkpoint, b"1\n2\n3\n"), []);
        for changed in [&b"1\n"[..], b"2\n1\n", b"1\n2 \n", b"", b"1\n\n2\n"] {
            assert_eq!(problems(&checkpoint, changed).len(), 1, "{changed:?}");
        }
    }

    #[test]
    fn a_changed_checkpoint_is_no_longer_signed() {
        let mut checkpoint = closed();
        checkpoint.round = RoundNumber(4);
        assert!(matches!(
            problems(&checkpoint, b"1\n2\n")[..],
            [CheckpointProblem::Signature(_)]
        ));
    }

    #[test]
    fn a_checkpoint_names_the_one_before_and_survives_being_written() {
        let checkpoint = closed();
        assert!(checkpoint.follows(Some(b"before")));
        assert!(!checkpoint.follows(Some(b"other")) && !checkpoint.follows(None));
        let read: Checkpoint = serde_json::from_slice(&checkpoint.to_bytes()).unwrap();
        assert_eq!(read, checkpoint);
    }
}
