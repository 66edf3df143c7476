//! Reading commits as folders of files.

use git2::{ObjectType, Repository, Tree};

use super::error::While as _;
use super::{Oid, RepositoryError};

/// Git knows this tree without having it as an object; writing it would leave it dangling.
const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// The tree of a commit, or the empty tree.
pub(super) fn tree_of(
    repository: &Repository,
    commit: Option<Oid>,
) -> Result<Tree<'_>, RepositoryError> {
    let Some(commit) = commit else {
        return Oid::from_str(EMPTY_TREE)
            .and_then(|empty| repository.find_tree(empty))
            .while_("read the empty tree");
    };
    repository
        .find_commit(commit)
        .and_then(|commit| commit.tree())
        .while_("read a commit")
}

/// The blob at `path`, or `None` when no file stands there.
pub(super) fn entry_of(tree: &Tree<'_>, path: &str) -> Result<Option<Oid>, RepositoryError> {
    match tree.get_path(path.as_ref()) {
        Ok(entry) if entry.kind() == Some(ObjectType::Blob) => Ok(Some(entry.id())),
        Ok(_) => Ok(None),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(source) => Err(RepositoryError::Git {
            what: "look up a path",
            source,
        }),
    }
}

/// The file at `path`, or `None` when no file stands there.
pub(super) fn read_from(
    repository: &Repository,
    tree: &Tree<'_>,
    path: &str,
) -> Result<Option<Vec<u8>>, RepositoryError> {
    entry_of(tree, path)?
        .map(|blob| {
            repository
                .find_blob(blob)
                .map(|blob| blob.content().to_vec())
        })
        .transpose()
        .while_("read a file")
}

/// Calls `visit` with path and blob of every file under `tree`. Paths that are not UTF-8 are not ours and are left out.
pub(super) fn visit_files(
    repository: &Repository,
    tree: git2::Tree<'_>,
    root: String,
    mut visit: impl FnMut(&str, Oid),
) -> Result<(), RepositoryError> {
    let mut folders = vec![(root, tree)];
    while let Some((root, tree)) = folders.pop() {
        for entry in &tree {
            let Ok(name) = entry.name() else { continue };
            let path = format!("{root}{name}");
            match entry.kind() {
                Some(ObjectType::Blob) => visit(&path, entry.id()),
                Some(ObjectType::Tree) => {
                    folders.push((
                        format!("{path}/"),
                        repository.find_tree(entry.id()).while_("read a tree")?,
                    ));
                }
                _ => {}
            }
        }
    }
    Ok(())
}
