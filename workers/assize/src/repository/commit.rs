//! One group of changes, one commit: built in the object store, without a work tree.

use std::fmt::Write as _;

use git2::{FileMode, ObjectType, Repository, Tree, build::TreeUpdateBuilder};
use indexmap::IndexMap;

use super::change::Change;
use super::conflict::{Conflict, ContestedFiles, HeldBecause};
use super::error::While as _;
use super::ownership::owner_of;
use super::tree::{entry_of, read_from, tree_of};
use super::{MirrorOptions, Oid, RepositoryError};

/// The trailer that names a step whose end a commit carries.
pub const STEP_TRAILER: &str = "Assize-Step";
/// The trailer that follows it: which attempt of the step.
pub const ATTEMPT_TRAILER: &str = "Assize-Attempt";

/// The end of a message that the image build and its watcher look for at the end of the whole commit message.
const BUILD_CONTRACT: &str = "submissions for round ";

/// What one commit shall hold.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingCommit {
    /// Applied in order; a later one sees what an earlier one did.
    pub changes: Vec<Change>,
    /// Subject lines, without a newline at the end.
    pub message: String,
    /// `Assize-Step`, `Assize-Attempt` and the like.
    pub trailers: Vec<(String, String)>,
}

/// A commit that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitInfo {
    /// Its id.
    pub oid: Oid,
    /// The paths whose content differs from the commit before.
    pub paths: Vec<String>,
}

/// What became of a group of changes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CommitOutcome {
    /// `None` when nothing changed: an empty commit is never made.
    pub commit: Option<CommitInfo>,
    /// Changes that were held; the rest of the group was committed.
    pub conflicts: Vec<Conflict>,
}

/// Builds the commit of `pending` on `parent` and writes its objects. No reference moves.
pub(super) fn build(
    repository: &Repository,
    options: &MirrorOptions,
    contested: &ContestedFiles,
    parent: Option<Oid>,
    pending: &PendingCommit,
) -> Result<CommitOutcome, RepositoryError> {
    let base = tree_of(repository, parent)?;
    let mut files: IndexMap<&str, Option<Vec<u8>>> = IndexMap::new();
    let mut conflicts = Vec::new();

    for change in &pending.changes {
        let path = change.path();
        check_path(path)?;
        let current = match files.get(path) {
            Some(content) => content.clone(),
            None => read_from(repository, &base, path)?,
        };
        let result = change.apply(current.as_deref());
        if result.as_ref().is_ok_and(|content| *content == current) {
            continue;
        }
        let edit = contested.in_the_way_of(change);
        let because = match (&result, edit) {
            (_, Some(_)) => HeldBecause::EditedByOthers,
            (Err(problem), None) => HeldBecause::Unreadable(problem.0.clone()),
            (Ok(content), None) => {
                files.insert(path, content.clone());
                continue;
            }
        };
        conflicts.push(Conflict {
            path: path.to_owned(),
            owner: edit.map_or_else(|| owner_of(path, current.as_deref()), |edit| edit.owner),
            because,
            change: change.clone(),
            ours: result.ok().flatten(),
            theirs: current,
            commit: contested
                .get(path)
                .and_then(|edit| Oid::from_str(&edit.commit).ok()),
        });
    }

    let mut update = TreeUpdateBuilder::new();
    let mut paths = Vec::new();
    for (path, content) in files {
        let present = entry_of(&base, path)?;
        match content {
            Some(content) => {
                let blob = repository.blob(&content).while_("store a file")?;
                if present != Some(blob) {
                    update.upsert(path, blob, FileMode::Blob);
                    paths.push(path.to_owned());
                }
            }
            None if present.is_some() => {
                update.remove(path);
                paths.push(path.to_owned());
            }
            None => {}
        }
    }
    if paths.is_empty() {
        return Ok(CommitOutcome {
            commit: None,
            conflicts,
        });
    }
    let tree = update
        .create_updated(repository, &base)
        .map_err(|source| blocked_or(source, &base, &paths))?;
    if tree == base.id() {
        return Ok(CommitOutcome {
            commit: None,
            conflicts,
        });
    }
    let oid = write_commit(repository, options, parent, tree, &full_message(pending))?;
    Ok(CommitOutcome {
        commit: Some(CommitInfo { oid, paths }),
        conflicts,
    })
}

fn write_commit(
    repository: &Repository,
    options: &MirrorOptions,
    parent: Option<Oid>,
    tree: Oid,
    message: &str,
) -> Result<Oid, RepositoryError> {
    let now = git2::Time::new(chrono::Utc::now().timestamp(), 0);
    let author = git2::Signature::new(&options.author_name, &options.author_email, &now)
        .while_("name the author")?;
    let tree = repository.find_tree(tree).while_("read back a tree")?;
    let parent = parent
        .map(|parent| repository.find_commit(parent))
        .transpose()
        .while_("read the last commit")?;
    let parents: Vec<_> = parent.iter().collect();

    let Some(key) = &options.signing_key else {
        return repository
            .commit(None, &author, &author, message, &tree, &parents)
            .while_("write a commit");
    };
    let unsigned = repository
        .commit_create_buffer(&author, &author, message, &tree, &parents)
        .while_("write a commit")?;
    let text = std::str::from_utf8(&unsigned).map_err(|_| RepositoryError::Options {
        what: "commit messages must be UTF-8".to_owned(),
    })?;
    let signature = key.sign_commit(&unsigned)?;
    repository
        .commit_signed(text, &signature, Some("gpgsig"))
        .while_("write a signed commit")
}

/// Subject lines, a blank line, trailers. No newline at the end, as the reference writes its messages.
///
/// The watcher of the image build takes the workflow run whose message *ends* with `submissions for round {n}`. So where
/// the subject ends so, a last trailer repeats it.
fn full_message(pending: &PendingCommit) -> String {
    let subject = pending.message.trim_end();
    if pending.trailers.is_empty() {
        return subject.to_owned();
    }
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut message = format!("{subject}\n");
    for (name, value) in &pending.trailers {
        let _ = write!(message, "\n{name}: {}", one_line(value));
    }
    let is_contract = |line: &&str| {
        line.rsplit_once(BUILD_CONTRACT).is_some_and(|(_, round)| {
            !round.is_empty() && round.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    if let Some(line) = subject.lines().find(is_contract) {
        let _ = write!(message, "\nAssize-Event: {line}");
    }
    message
}

/// The steps and attempts that a commit's trailers name, in order.
pub(super) fn steps_of(message: &[u8]) -> Vec<(String, i32)> {
    let Ok(trailers) = git2::message_trailers_bytes(message) else {
        return Vec::new();
    };
    let mut steps = Vec::new();
    let mut step = None;
    for (name, value) in trailers.iter() {
        let value = String::from_utf8_lossy(value);
        if name == STEP_TRAILER.as_bytes() {
            step = Some(value.into_owned());
        } else if name == ATTEMPT_TRAILER.as_bytes()
            && let (Some(step), Ok(attempt)) = (step.take(), value.trim().parse())
        {
            steps.push((step, attempt));
        }
    }
    steps
}

/// Refuses paths that git or another system would read differently.
fn check_path(path: &str) -> Result<(), RepositoryError> {
    let good_part = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && !part.eq_ignore_ascii_case(".git")
            && !part.contains('\\')
    };
    if path.split('/').all(good_part) && !path.chars().any(char::is_control) {
        return Ok(());
    }
    Err(RepositoryError::InvalidPath {
        path: path.to_owned(),
    })
}

/// Tells apart a path that meets a file where it needs a folder.
fn blocked_or(source: git2::Error, base: &Tree<'_>, paths: &[String]) -> RepositoryError {
    let is_blocked = |path: &&String| {
        let folders = path.match_indices('/').map(|(end, _)| &path[..end]);
        let file_for_folder = folders
            .into_iter()
            .any(|folder| kind_of(base, folder) == Some(ObjectType::Blob));
        file_for_folder || kind_of(base, path) == Some(ObjectType::Tree)
    };
    match paths.iter().find(is_blocked) {
        Some(path) => RepositoryError::PathBlocked { path: path.clone() },
        None => RepositoryError::Git {
            what: "build a tree",
            source,
        },
    }
}

fn kind_of(tree: &Tree<'_>, path: &str) -> Option<ObjectType> {
    tree.get_path(path.as_ref())
        .ok()
        .and_then(|entry| entry.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(subject: &str) -> String {
        full_message(&PendingCommit {
            changes: Vec::new(),
            message: subject.to_owned(),
            trailers: vec![
                ("Assize-Step".to_owned(), "collect".to_owned()),
                ("Assize-Attempt".to_owned(), "2".to_owned()),
            ],
        })
    }

    #[test]
    fn trailers_stand_in_the_last_paragraph() {
        assert_eq!(
            message("Round 1: duels\n"),
            "Round 1: duels\n\nAssize-Step: collect\nAssize-Attempt: 2"
        );
    }

    #[test]
    fn the_steps_of_a_commit_are_read_back_from_its_message() {
        assert_eq!(
            steps_of(message("Round 1: duels").as_bytes()),
            [("collect".to_owned(), 2)]
        );
        assert_eq!(
            steps_of(message("Seed, prompts and submissions for round 12").as_bytes()),
            [("collect".to_owned(), 2)]
        );
        assert_eq!(steps_of(b"Edit by hand"), []);
        assert_eq!(
            steps_of(b"x\n\nAssize-Step: a\nAssize-Step: b\nAssize-Attempt: 1"),
            [("b".to_owned(), 1)]
        );
    }

    #[test]
    fn the_message_that_starts_the_image_build_still_ends_as_its_watcher_expects() {
        let message = message("Seed, prompts and submissions for round 12");
        assert!(
            message.starts_with("Seed, prompts and submissions for round 12\n"),
            "{message}"
        );
        assert!(message.ends_with("submissions for round 12"), "{message}");
    }

    #[test]
    fn paths_that_leave_the_repository_are_refused() {
        for path in [
            "",
            "/a",
            "a/",
            "a//b",
            "../a",
            "a/./b",
            ".git/config",
            "a/.GIT/b",
            "a\\b",
            "a\nb",
        ] {
            assert!(check_path(path).is_err(), "{path:?}");
        }
        assert!(check_path("rounds/0/5abc/generated_1.json").is_ok());
        assert!(check_path(".github/workflows/build-and-push.yml").is_ok());
    }
}
