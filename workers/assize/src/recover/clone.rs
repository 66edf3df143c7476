//! The clone: the newest files, and the few moments of the history that say what was in force when.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use git2::{Oid, Repository};
use schema::StateFile;

use super::RecoverError;
use crate::audit::{History, Place, Source, read_blob};

/// An opened clone.
pub(super) struct StateClone {
    path: PathBuf,
    tip: Oid,
    repository: Repository,
    files: BTreeMap<String, Place>,
    history: History,
}

impl StateClone {
    /// Opens the clone at `path` at its `HEAD`.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let refuse = |what: String| RecoverError::NotAClone {
            path: path.display().to_string(),
            what,
        };
        let source = Source::open(path, None)?;
        let listing = source.files()?;
        let Source::Git { repository, tip } = source else {
            return Err(refuse(
                "a plain folder does not tell what was in force when the round began".to_owned(),
            )
            .into());
        };
        if let Some(folder) = listing.missing_folders.first() {
            return Err(refuse(format!("it lacks objects of {folder}; clone it whole")).into());
        }
        let history = History::walk(&repository, tip)?;
        Ok(Self {
            path: path.to_owned(),
            tip,
            repository,
            files: listing.files,
            history,
        })
    }

    /// The commit that is read.
    pub(super) fn tip(&self) -> Oid {
        self.tip
    }

    /// The paths of all files.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The bytes of a file, if there is one.
    ///
    /// # Errors
    ///
    /// When the clone lacks the object: a file that cannot be read is not an absent one.
    pub(super) fn bytes(&self, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let Some(Place::Blob(oid)) = self.files.get(path) else {
            return Ok(None);
        };
        match read_blob(&self.repository, *oid) {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(RecoverError::NotAClone {
                path: self.path.display().to_string(),
                what: format!("it lacks the object of {path}; clone it whole"),
            }
            .into()),
        }
    }

    /// A state file, if there is one.
    pub(super) fn find<F: StateFile>(&self, path: &str) -> anyhow::Result<Option<F>> {
        let bytes = self.bytes(path)?;
        Ok(bytes.map(|bytes| F::parse(path, &bytes)).transpose()?)
    }

    /// A state file that every repository has.
    pub(super) fn read<F: StateFile>(&self, path: &str) -> anyhow::Result<F> {
        self.find(path)?.ok_or_else(|| {
            RecoverError::NotAClone {
                path: self.path.display().to_string(),
                what: format!("it has no {path}"),
            }
            .into()
        })
    }

    /// `path` as it was in the commit in which `marker` first appeared, and when that was.
    pub(super) fn as_of_first<F: StateFile>(
        &self,
        marker: &str,
        path: &str,
    ) -> anyhow::Result<Option<(F, DateTime<Utc>)>> {
        let Some(commit) = self.history.first_commit_of(marker) else {
            return Ok(None);
        };
        let Some(bytes) = self
            .repository
            .find_tree(commit.tree)
            .and_then(|tree| tree.get_path(path.as_ref()))
            .ok()
            .and_then(|entry| read_blob(&self.repository, entry.id()))
        else {
            return Ok(None);
        };
        Ok(Some((F::parse(path, &bytes)?, commit.time)))
    }

    /// Every content that `path` has had, newest first. One that cannot be read is left out.
    pub(super) fn versions<'a, F: StateFile + 'a>(
        &'a self,
        path: &'a str,
    ) -> impl Iterator<Item = F> + 'a {
        let versions = self
            .history
            .versions
            .get(path)
            .map(Vec::as_slice)
            .unwrap_or_default();
        versions.iter().rev().filter_map(move |version| {
            let bytes = read_blob(&self.repository, version.blob?)?;
            F::parse(path, &bytes).ok()
        })
    }
}
