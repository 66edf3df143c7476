//! The commits, oldest first, and what each changed.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use git2::{ObjectType, Oid, Repository, Tree};

use super::AuditError;

/// The walked history of the branch.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Oldest first. A merge counts as one commit with everything it brought.
    pub(crate) commits: Vec<CommitRecord>,
    /// For each path the commits that changed it, oldest first: index into `commits`, blob afterwards.
    pub(crate) versions: HashMap<String, Vec<Version>>,
    /// Trees this clone lacks.
    pub(crate) missing_trees: usize,
    /// The oldest commit has parents that this clone lacks.
    pub(crate) truncated: bool,
}

/// One state of one path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Version {
    pub(crate) commit: usize,
    /// `None`: deleted.
    pub(crate) blob: Option<Oid>,
}

/// One commit.
#[derive(Debug)]
pub(crate) struct CommitRecord {
    pub(crate) oid: Oid,
    pub(crate) tree: Oid,
    pub(crate) parent_tree: Option<Oid>,
    pub(crate) author: String,
    pub(crate) email: String,
    /// When it was made.
    pub(crate) time: DateTime<Utc>,
    pub(crate) message: String,
    pub(crate) changes: Vec<PathChange>,
    /// Its value of the trailer `Assize-Step`.
    pub(crate) assize_step: Option<String>,
}

/// One file of one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathChange {
    pub(crate) path: String,
    pub(crate) before: Option<Oid>,
    pub(crate) after: Option<Oid>,
}

impl CommitRecord {
    /// The first line of the message.
    pub(crate) fn subject(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }
}

impl History {
    /// Walks the first parents from `tip` back.
    pub(crate) fn walk(repository: &Repository, tip: Oid) -> Result<Self, AuditError> {
        let cannot_read = |error: &git2::Error| AuditError::CannotRead {
            path: repository.path().display().to_string(),
            what: error.message().to_owned(),
        };
        let mut history = Self::default();
        let mut next = Some(
            repository
                .find_commit(tip)
                .map_err(|error| cannot_read(&error))?,
        );
        while let Some(commit) = next {
            let parent = match commit.parent_count() {
                0 => None,
                _ => {
                    if let Ok(parent) = commit.parent(0) {
                        Some(parent)
                    } else {
                        history.truncated = true;
                        None
                    }
                }
            };
            let author = commit.author();
            let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
            history.commits.push(CommitRecord {
                oid: commit.id(),
                tree: commit.tree_id(),
                parent_tree: parent.as_ref().map(git2::Commit::tree_id),
                author: String::from_utf8_lossy(author.name_bytes()).into_owned(),
                email: String::from_utf8_lossy(author.email_bytes()).into_owned(),
                time: DateTime::from_timestamp(commit.time().seconds(), 0).unwrap_or_default(),
                assize_step: trailer(&message, "Assize-Step"),
                message,
                changes: Vec::new(),
            });
            next = parent;
        }
        history.truncated |= repository.is_shallow();
        history.commits.reverse();
        let mut missing = 0;
        for (index, commit) in history.commits.iter_mut().enumerate() {
            // The oldest commit of a shallow clone holds everything older ones made: that is no change of its own.
            if index == 0 && history.truncated {
                continue;
            }
            compare(repository, commit, &mut missing);
            for change in &commit.changes {
                let version = Version {
                    commit: index,
                    blob: change.after,
                };
                history
                    .versions
                    .entry(change.path.clone())
                    .or_default()
                    .push(version);
            }
        }
        history.missing_trees = missing;
        Ok(history)
    }

    /// The commit that last changed `path`.
    pub(crate) fn last_commit_of(&self, path: &str) -> Option<&CommitRecord> {
        let version = self.versions.get(path)?.last()?;
        self.commits.get(version.commit)
    }

    /// The commit in which `path` first appeared.
    pub(crate) fn first_commit_of(&self, path: &str) -> Option<&CommitRecord> {
        let version = self
            .versions
            .get(path)?
            .iter()
            .find(|version| version.blob.is_some())?;
        self.commits.get(version.commit)
    }
}

fn trailer(message: &str, name: &str) -> Option<String> {
    let trailers = git2::message_trailers_bytes(message).ok()?;
    trailers
        .iter()
        .find(|(key, _)| *key == name.as_bytes())
        .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
}

/// Fills in what the commit changed. Equal folders are not opened, so this costs the size of the change.
fn compare(repository: &Repository, commit: &mut CommitRecord, missing: &mut usize) {
    let mut open = vec![(String::new(), commit.parent_tree, Some(commit.tree))];
    while let Some((prefix, before, after)) = open.pop() {
        let (before, after) = (
            Folder::open(repository, before),
            Folder::open(repository, after),
        );
        if before.is_missing() || after.is_missing() {
            *missing += 1;
            continue;
        }
        for (name, before, after) in pairs(before.tree(), after.tree()) {
            let path = format!("{prefix}{name}");
            let blob = |entry: Option<(Oid, ObjectType)>| {
                entry.and_then(|(oid, kind)| (kind == ObjectType::Blob).then_some(oid))
            };
            let folder = |entry: Option<(Oid, ObjectType)>| {
                entry.and_then(|(oid, kind)| (kind == ObjectType::Tree).then_some(oid))
            };
            if blob(before) != blob(after) {
                commit.changes.push(PathChange {
                    path: path.clone(),
                    before: blob(before),
                    after: blob(after),
                });
            }
            if folder(before) != folder(after) {
                open.push((format!("{path}/"), folder(before), folder(after)));
            }
        }
    }
    commit
        .changes
        .sort_by(|one, other| one.path.cmp(&other.path));
}

/// A folder before or after a commit.
enum Folder<'repo> {
    None,
    Tree(Tree<'repo>),
    /// This clone lacks it.
    Missing,
}

impl<'repo> Folder<'repo> {
    fn open(repository: &'repo Repository, oid: Option<Oid>) -> Self {
        match oid.map(|oid| repository.find_tree(oid)) {
            None => Self::None,
            Some(Ok(tree)) => Self::Tree(tree),
            Some(Err(_)) => Self::Missing,
        }
    }

    fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }

    fn tree(&self) -> Option<&Tree<'repo>> {
        match self {
            Self::Tree(tree) => Some(tree),
            Self::None | Self::Missing => None,
        }
    }
}

type Entry = Option<(Oid, ObjectType)>;

/// Names in either folder with what they are in each, where that differs.
fn pairs(before: Option<&Tree<'_>>, after: Option<&Tree<'_>>) -> Vec<(String, Entry, Entry)> {
    let mut names: HashMap<String, (Entry, Entry)> = HashMap::new();
    for (tree, is_before) in [(before, true), (after, false)] {
        let Some(tree) = tree else { continue };
        for entry in tree {
            let (Ok(name), Some(kind)) = (entry.name(), entry.kind()) else {
                continue;
            };
            let slot = names.entry(name.to_owned()).or_default();
            let found = Some((entry.id(), kind));
            if is_before {
                slot.0 = found;
            } else {
                slot.1 = found;
            }
        }
    }
    names
        .into_iter()
        .filter(|(_, (before, after))| before != after)
        .map(|(name, (before, after))| (name, before, after))
        .collect()
}
