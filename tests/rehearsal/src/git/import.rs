//! The first commits of the remote: generated files, a plain folder, or the history of a clone.

use std::path::Path;

use anyhow::{Context, bail};
use git2::Repository;

use super::remote::{BRANCH, OPERATOR, Remote, create, head_of, read_at, try_commit};

/// What every state repository has; a folder without them is not one.
const REQUIRED: [&str; 3] = ["config.json", "state.json", "leader.json"];
/// Larger files in a state folder are a mistake: GitHub refuses them too.
const LARGEST_FILE_BYTES: u64 = 100 * 1024 * 1024;

impl Remote {
    /// Creates the remote at `path` with one commit of `files`.
    pub(crate) fn create_with(
        path: &Path,
        files: &[(String, Vec<u8>)],
        message: &str,
    ) -> anyhow::Result<Self> {
        create(path, |repository| {
            try_commit(repository, OPERATOR, files, message)?;
            Ok(())
        })?;
        Self::open(path.to_owned())
    }

    /// Creates the remote at `path` from a state repository: a plain folder becomes one commit, a clone keeps its
    /// history up to its `HEAD`.
    pub(crate) fn create_from(path: &Path, source: &Path) -> anyhow::Result<Self> {
        if !source.is_dir() {
            bail!(
                "{} is not a folder; name a state repository or a folder with its files",
                source.display()
            );
        }
        create(path, |repository| {
            if let Ok(clone) = Repository::open(source) {
                let head = clone
                    .head()
                    .and_then(|head| head.peel_to_commit())
                    .with_context(|| format!("{} has no commit at HEAD", source.display()))?
                    .id();
                check_is_state(source, |path| Ok(read_at(&clone, head, path)?.is_some()))?;
                return fetch_history(repository, source, &clone);
            }
            check_is_state(source, |path| Ok(source.join(path).is_file()))?;
            let mut files = Vec::new();
            read_folder(source, "", &mut files)?;
            try_commit(
                repository,
                OPERATOR,
                &files,
                "Competition state the rehearsal starts from",
            )?;
            Ok(())
        })?;
        Self::open(path.to_owned())
    }
}

fn check_is_state(source: &Path, has: impl Fn(&str) -> anyhow::Result<bool>) -> anyhow::Result<()> {
    for path in REQUIRED {
        if !has(path)? {
            bail!(
                "{} is not a state repository: it has no {path}",
                source.display()
            );
        }
    }
    Ok(())
}

fn fetch_history(repository: &Repository, source: &Path, clone: &Repository) -> anyhow::Result<()> {
    if clone.is_shallow() {
        bail!(
            "{} is a shallow clone; run `git fetch --unshallow` in it first",
            source.display()
        );
    }
    let url = source.canonicalize()?;
    let url = url
        .to_str()
        .context("the path of the state repository is not UTF-8")?;
    repository
        .remote_anonymous(url)?
        .fetch(&[&format!("+HEAD:{BRANCH}")], None, None)
        .with_context(|| format!("cannot copy the history of {}", source.display()))?;
    head_of(repository)?.with_context(|| format!("{} has no commit at HEAD", source.display()))?;
    Ok(())
}

fn read_folder(
    folder: &Path,
    prefix: &str,
    files: &mut Vec<(String, Vec<u8>)>,
) -> anyhow::Result<()> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut entries = entries.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name();
        let name = name
            .to_str()
            .with_context(|| format!("{} is not a UTF-8 name", path.display()))?;
        let full = if prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{prefix}/{name}")
        };
        // Follows links: what the folder shows is what is published.
        let metadata =
            std::fs::metadata(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if metadata.is_dir() {
            read_folder(&path, &full, files)?;
        } else if metadata.is_file() {
            if metadata.len() > LARGEST_FILE_BYTES {
                bail!("{} is too large for a state repository", path.display());
            }
            files.push((
                full,
                std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?,
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn state_folder(folder: &Path) {
        std::fs::create_dir_all(folder.join("rounds/0")).unwrap();
        for path in REQUIRED {
            std::fs::write(folder.join(path), "{}").unwrap();
        }
        std::fs::write(folder.join("rounds/0/seed.json"), "{\"seed\": 7}").unwrap();
    }

    #[test]
    fn a_plain_folder_becomes_one_commit_with_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("state");
        state_folder(&source);
        let remote = Remote::create_from(&folder.path().join("remote.git"), &source).unwrap();
        assert_eq!(
            remote.read("rounds/0/seed.json").unwrap().unwrap(),
            b"{\"seed\": 7}"
        );
    }

    #[test]
    fn a_clone_keeps_its_history_and_its_head_becomes_main() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("state");
        state_folder(&source);
        let first = Remote::create_from(&folder.path().join("first.git"), &source).unwrap();
        let second = first
            .commit(&[("state.json".into(), b"{\"a\": 1}".to_vec())], "Second")
            .unwrap();

        let copy = Remote::create_from(&folder.path().join("second.git"), first.path()).unwrap();
        assert_eq!(copy.head().unwrap().unwrap(), second);
        let repository = copy.repository().unwrap();
        let head = repository.find_commit(second.parse().unwrap()).unwrap();
        assert_eq!(head.parent_count(), 1);
    }

    #[test]
    fn a_folder_that_is_no_state_repository_is_named_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("other");
        std::fs::create_dir_all(&source).unwrap();
        std::fs::write(source.join("config.json"), "{}").unwrap();
        let path = folder.path().join("remote.git");

        let error = Remote::create_from(&path, &source).unwrap_err();
        assert!(
            format!("{error:#}").contains("is not a state repository: it has no state.json"),
            "{error:#}"
        );
        let error = Remote::create_from(&path, &source.join("absent")).unwrap_err();
        assert!(
            format!("{error:#}").contains("is not a folder"),
            "{error:#}"
        );
        assert!(!path.exists());
    }
}
