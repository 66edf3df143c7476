//! Files that somebody else edited, and which of our changes wait because of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::change::{Change, Row};
use super::ownership::Owner;
use super::{Oid, RepositoryError, patch};

/// Where the contested files are kept inside the clone.
const CONTESTED_FILE: &str = "assize-contested.json";

/// A file with an edit of somebody else that nobody has decided about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contested {
    /// Path in the repository.
    pub path: String,
    /// Whose file it was when it was edited.
    pub owner: Owner,
    /// The newest foreign commit that changed it, 40 hex digits.
    pub commit: String,
    /// What the edits changed.
    pub touched: Touched,
    /// The blob before the first edit, 40 hex digits; absent when the file was new.
    pub before: Option<String>,
}

/// The part of a file that somebody else changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Touched {
    /// These map keys, array items or matrix rows (`left,right`).
    Rows(BTreeSet<String>),
    /// Everything: the versions cannot be compared row by row.
    WholeFile,
}

impl Touched {
    /// What changed from `before` to `after`.
    pub(super) fn between(path: &str, before: Option<&[u8]>, after: Option<&[u8]>) -> Self {
        if patch::extension(path) == "jsonl" {
            // Lines that were only added stand in nobody's way.
            let kept = after
                .unwrap_or_default()
                .starts_with(before.unwrap_or_default());
            return if kept {
                Self::Rows(BTreeSet::new())
            } else {
                Self::WholeFile
            };
        }
        patch::rows_changed(path, before, after).map_or(Self::WholeFile, Self::Rows)
    }

    fn join(&mut self, other: Self) {
        match (self, other) {
            (Self::Rows(rows), Self::Rows(more)) => rows.extend(more),
            (this, _) => *this = Self::WholeFile,
        }
    }

    fn stands_in_the_way_of(&self, row: &Row) -> bool {
        match (self, row) {
            (_, Row::WholeFile) | (Self::WholeFile, _) => true,
            (Self::Rows(rows), Row::Named(name)) => rows.contains(name),
            (Self::Rows(_), Row::NewLine) => false,
        }
    }
}

/// A change of ours that was not made.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// Path in the repository.
    pub path: String,
    /// Whose file it is: for `People` theirs has won and nothing is left to decide; for `Assize` an operator decides.
    pub owner: Owner,
    /// Why it was held.
    pub because: HeldBecause,
    /// What was to be done. After a decision for our side the caller commits it again.
    pub change: Change,
    /// The file as our change would have made it; `None` when it would be gone or cannot be made.
    pub ours: Option<Vec<u8>>,
    /// The file as it stands; `None` when it is absent.
    pub theirs: Option<Vec<u8>>,
    /// The foreign commit, when it is known which.
    pub commit: Option<Oid>,
}

/// Why a change was held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeldBecause {
    /// Somebody else changed the same row or the same whole file.
    EditedByOthers,
    /// The file cannot be patched as it stands; the text says what was expected.
    Unreadable(String),
}

/// All contested files, kept on disk beside the clone's refs.
#[derive(Debug, Default)]
pub(super) struct ContestedFiles {
    files: BTreeMap<String, Contested>,
}

impl ContestedFiles {
    pub(super) fn load(clone: &Path) -> Self {
        // A missing or torn list is an empty one: the caller's own record restores it.
        let read = fs::read(clone.join(CONTESTED_FILE)).ok();
        let list: Vec<Contested> = read
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        Self::of(list)
    }

    pub(super) fn of(list: Vec<Contested>) -> Self {
        Self {
            files: list
                .into_iter()
                .map(|contested| (contested.path.clone(), contested))
                .collect(),
        }
    }

    pub(super) fn list(&self) -> Vec<Contested> {
        self.files.values().cloned().collect()
    }

    /// Writes the list so that a crash leaves either the old or the new one.
    pub(super) fn save(&self, clone: &Path) -> Result<(), RepositoryError> {
        let path = clone.join(CONTESTED_FILE);
        let temporary = clone.join(format!("{CONTESTED_FILE}.new"));
        let bytes =
            serde_json::to_vec_pretty(&self.list()).expect("a list of strings is always JSON");
        let write = || -> std::io::Result<()> {
            let mut file = fs::File::create(&temporary)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)
        };
        write().map_err(|source| RepositoryError::Io {
            path: path.clone(),
            source,
        })
    }

    /// Notes an edit; an edit that is already noted (same commit) stays as it is.
    pub(super) fn note(&mut self, edit: Contested) {
        match self.files.get_mut(&edit.path) {
            Some(known) => {
                known.touched.join(edit.touched);
                known.commit = edit.commit;
            }
            None => {
                self.files.insert(edit.path.clone(), edit);
            }
        }
    }

    pub(super) fn get(&self, path: &str) -> Option<&Contested> {
        self.files.get(path)
    }

    pub(super) fn remove(&mut self, path: &str) -> bool {
        self.files.remove(path).is_some()
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&Contested) -> bool) {
        self.files.retain(|_, contested| keep(contested));
    }

    /// The edit that stands in the way of `change`, if one does.
    pub(super) fn in_the_way_of(&self, change: &Change) -> Option<&Contested> {
        self.files
            .get(change.path())
            .filter(|contested| contested.touched.stands_in_the_way_of(&change.row()))
    }
}
