//! What others brought: their commits, what each changed, and which files are contested because of it.

use git2::{Delta, DiffOptions, ObjectType, Repository};

use super::conflict::{Contested, Touched};
use super::error::While as _;
use super::mirror::{MirrorRepository, MirrorState};
use super::ownership::{Owner, owner_of_edit};
use super::refs::{SEEN, find_ref, set_ref};
use super::tree::{entry_of, read_from, tree_of};
use super::{Oid, RepositoryError, transport};

/// What a fetch found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FetchOutcome {
    /// The remote's newest commit; `None` when the remote is empty. Give it to [`MirrorRepository::acknowledge`].
    pub tip: Option<Oid>,
    /// Foreign commits that were not acknowledged yet, oldest first.
    pub commits: Vec<ForeignCommit>,
    /// Our local commits that the remote turned out to have: a push arrived though its answer did not.
    pub arrived: Vec<Oid>,
    /// The remote has commits that our unpushed ones are not built on: `rebase_local` before the next push.
    pub diverged: bool,
    /// Somebody replaced the branch's history: commits that were acknowledged are gone from it. The one commit listed
    /// then is the new tip, with everything that differs from what was acknowledged.
    pub rewritten: bool,
}

impl FetchOutcome {
    /// Paths that foreign commits changed, without repeats, in order of first change.
    pub fn paths(&self) -> Vec<&str> {
        let mut paths: Vec<&str> = Vec::new();
        for change in self.commits.iter().flat_map(|commit| &commit.changes) {
            if !paths.contains(&change.path.as_str()) {
                paths.push(&change.path);
            }
        }
        paths
    }
}

/// A commit that Assize did not make.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignCommit {
    /// Its id.
    pub oid: Oid,
    /// Author's name, as it stands in the commit.
    pub author_name: String,
    /// Author's e-mail address, as it stands in the commit.
    pub author_email: String,
    /// Commit time, seconds since 1970 UTC.
    pub committed_at: i64,
    /// The whole message.
    pub message: String,
    /// What it changed against its first parent, by path.
    pub changes: Vec<FileChange>,
}

/// One file of a foreign commit.
#[derive(Debug, Clone, PartialEq)]
pub struct FileChange {
    /// Path in the repository.
    pub path: String,
    /// Whose file it was when it was edited.
    pub owner: Owner,
    /// Content before; `None` when it was new.
    pub before: Option<Vec<u8>>,
    /// Content after; `None` when it was deleted.
    pub after: Option<Vec<u8>>,
}

impl MirrorRepository {
    /// Asks the remote what is new. Local commits stay as they are, unless there are none that wait: then the local
    /// branch follows the remote.
    ///
    /// # Errors
    ///
    /// The remote cannot be reached, refuses us, or has lost the branch. Then nothing changed.
    pub fn fetch(&self) -> Result<FetchOutcome, RepositoryError> {
        let mut guard = self.state();
        let state = &mut *guard;
        let Some(tip) = transport::download(&state.repository, &self.options)? else {
            return Ok(FetchOutcome::default());
        };
        let repository = &state.repository;
        self.set_tracked(repository, tip)?;

        let arrived = arrived(
            repository,
            &state
                .unpushed
                .iter()
                .map(|(oid, _)| *oid)
                .collect::<Vec<_>>(),
            tip,
        )?;
        state.unpushed.drain(..arrived.len());
        let head = self.head_in(state)?;
        let diverged = match (state.unpushed.last(), head) {
            (None, _) => {
                self.move_head(&state.repository, Some(tip))?;
                false
            }
            (Some(_), Some(head)) => !is_in_history(&state.repository, tip, head)?,
            (Some(_), None) => true,
        };

        let seen = find_ref(&state.repository, SEEN)?;
        let rewritten = match seen {
            Some(seen) => !is_in_history(&state.repository, seen, tip)?,
            None => false,
        };
        let commits = if rewritten {
            vec![read_commit(&state.repository, tip, seen)?]
        } else {
            self.foreign_commits(&state.repository, seen, tip)?
        };
        note_contested(state, seen, tip, &commits)?;
        Ok(FetchOutcome {
            tip: Some(tip),
            commits,
            arrived,
            diverged,
            rewritten,
        })
    }

    /// Tells that everything [`MirrorRepository::fetch`] reported up to `tip` is stored: it is not reported again, and
    /// files that people own are no longer contested, since the caller now works with what they wrote.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Git`] when `tip` is not a commit of this repository.
    pub fn acknowledge(&self, tip: Oid) -> Result<(), RepositoryError> {
        self.acknowledge_but(tip, &[])
    }

    /// The same, but our changes of `waiting` go on to wait: a PAUSED `state.json` stands until people let the round go on.
    ///
    /// # Errors
    ///
    /// As [`MirrorRepository::acknowledge`].
    pub fn acknowledge_but(&self, tip: Oid, waiting: &[String]) -> Result<(), RepositoryError> {
        let mut guard = self.state();
        let state = &mut *guard;
        set_ref(&state.repository, SEEN, tip)?;
        state.contested.retain(|contested| {
            contested.owner == Owner::Assize || waiting.contains(&contested.path)
        });
        state.contested.save(state.repository.path())
    }

    fn foreign_commits(
        &self,
        repository: &Repository,
        seen: Option<Oid>,
        tip: Oid,
    ) -> Result<Vec<ForeignCommit>, RepositoryError> {
        let mut walk = repository.revwalk().while_("walk the history")?;
        walk.push(tip).while_("walk the history")?;
        walk.simplify_first_parent().while_("walk the history")?;
        if let Some(seen) = seen {
            walk.hide(seen).while_("walk the history")?;
        }
        let mut commits = Vec::new();
        for oid in walk {
            let oid = oid.while_("walk the history")?;
            let commit = repository.find_commit(oid).while_("read a commit")?;
            if !self.is_ours(repository, &commit)? {
                commits.push(read_commit(repository, oid, commit.parent_id(0).ok())?);
            }
        }
        commits.reverse();
        Ok(commits)
    }
}

/// The leading part of `unpushed` that is in the history of `tip`.
fn arrived(
    repository: &Repository,
    unpushed: &[Oid],
    tip: Oid,
) -> Result<Vec<Oid>, RepositoryError> {
    let mut arrived = Vec::new();
    for oid in unpushed {
        if !is_in_history(repository, *oid, tip)? {
            break;
        }
        arrived.push(*oid);
    }
    Ok(arrived)
}

/// Whether `commit` is `tip` or one of its ancestors.
pub(super) fn is_in_history(
    repository: &Repository,
    commit: Oid,
    tip: Oid,
) -> Result<bool, RepositoryError> {
    Ok(commit == tip
        || repository
            .graph_descendant_of(tip, commit)
            .while_("compare histories")?)
}

fn read_commit(
    repository: &Repository,
    oid: Oid,
    base: Option<Oid>,
) -> Result<ForeignCommit, RepositoryError> {
    let commit = repository.find_commit(oid).while_("read a commit")?;
    let before = tree_of(repository, base)?;
    let after = commit.tree().while_("read a commit")?;
    let mut diff_options = DiffOptions::new();
    diff_options.ignore_submodules(true);
    let diff = repository
        .diff_tree_to_tree(Some(&before), Some(&after), Some(&mut diff_options))
        .while_("compare two commits")?;
    let mut changes = Vec::new();
    for delta in diff.deltas() {
        let file = if delta.status() == Delta::Deleted {
            delta.old_file()
        } else {
            delta.new_file()
        };
        // A path that is not UTF-8 is no state file.
        let Some(path) = file
            .path_bytes()
            .and_then(|path| std::str::from_utf8(path).ok())
        else {
            continue;
        };
        let old = read_from(repository, &before, path)?;
        let new = read_from(repository, &after, path)?;
        changes.push(FileChange {
            path: path.to_owned(),
            owner: owner_of_edit(path, old.as_deref(), new.as_deref()),
            before: old,
            after: new,
        });
    }
    let author = commit.author();
    Ok(ForeignCommit {
        oid,
        author_name: String::from_utf8_lossy(author.name_bytes()).into_owned(),
        author_email: String::from_utf8_lossy(author.email_bytes()).into_owned(),
        committed_at: commit.time().seconds(),
        message: String::from_utf8_lossy(commit.message_bytes()).into_owned(),
        changes,
    })
}

/// Keeps the list of contested files in step with the branch: adds what foreign commits changed, drops what stands again
/// as it stood before.
fn note_contested(
    state: &mut MirrorState,
    seen: Option<Oid>,
    tip: Oid,
    commits: &[ForeignCommit],
) -> Result<(), RepositoryError> {
    if seen.is_none() || commits.is_empty() {
        return Ok(());
    }
    let repository = &state.repository;
    let now = tree_of(repository, Some(tip))?;
    for commit in commits {
        for change in &commit.changes {
            let before = change
                .before
                .as_ref()
                .map(|content| git2::Oid::hash_object(ObjectType::Blob, content));
            state.contested.note(Contested {
                path: change.path.clone(),
                owner: change.owner,
                commit: commit.oid.to_string(),
                touched: Touched::between(
                    &change.path,
                    change.before.as_deref(),
                    change.after.as_deref(),
                ),
                before: before
                    .transpose()
                    .while_("name a file")?
                    .map(|blob| blob.to_string()),
            });
        }
    }
    let stands_as_before = |contested: &Contested| {
        entry_of(&now, &contested.path).is_ok_and(|blob| {
            blob.map(|blob| blob.to_string()).as_ref() == contested.before.as_ref()
        })
    };
    state
        .contested
        .retain(|contested| !stands_as_before(contested));
    state.contested.save(repository.path())
}
