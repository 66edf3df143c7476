//! Sending local commits. Never forced: whoever was first stays first.

use std::cell::RefCell;
use std::path::Path;

use git2::{ErrorClass, ErrorCode, ObjectType, Odb, PushOptions, Repository};

use super::error::While as _;
use super::fetch::{FetchOutcome, is_in_history};
use super::mirror::MirrorRepository;
use super::rebase::RebaseOutcome;
use super::refs::{SEEN, find_ref, set_ref};
use super::{MirrorOptions, Oid, RepositoryError, transport};

/// From this many objects on a push to a folder writes one pack instead of single files (git's own `unpackLimit`).
const PACK_FROM_OBJECTS: usize = 100;

/// What became of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushOutcome {
    /// The remote has everything; these commits are new there, oldest first.
    Pushed(Vec<Oid>),
    /// There was nothing to send.
    UpToDate,
    /// Somebody else was first. Fetch, rebase, push again.
    Rejected,
}

/// What happened until the local commits were in the remote.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishOutcome {
    /// How the last push ended; `Rejected` when every try lost its race.
    pub push: PushOutcome,
    /// The newest fetch that was needed; it holds everything that is not acknowledged.
    pub fetched: Option<FetchOutcome>,
    /// The rebases that were needed, oldest first, with the conflicts they found.
    pub rebased: Vec<RebaseOutcome>,
}

impl MirrorRepository {
    /// Sends all local commits at once. When the answer is lost it is an error, although the commits may have arrived: the
    /// next `fetch` tells.
    ///
    /// # Errors
    ///
    /// The remote cannot be reached, or refuses us by a rule of its own. The local commits stay.
    pub fn push(&self) -> Result<PushOutcome, RepositoryError> {
        let mut guard = self.state();
        let state = &mut *guard;
        let tracked = self.tracked(state)?;
        let Some(head) = self.head_in(state)?.filter(|head| Some(*head) != tracked) else {
            return Ok(PushOutcome::UpToDate);
        };
        let accepted = match transport::local_remote(&self.options.remote) {
            Some(folder) => push_to_folder(
                &state.repository,
                &self.options,
                &folder,
                &self.branch_ref(),
                head,
            )?,
            None => push_to_server(&state.repository, &self.options, &self.branch_ref())?,
        };
        if !accepted {
            return Ok(PushOutcome::Rejected);
        }
        self.set_tracked(&state.repository, head)?;
        // The remote was empty: all of it is ours, and the next commit of somebody else is an edit.
        if find_ref(&state.repository, SEEN)?.is_none() {
            set_ref(&state.repository, SEEN, head)?;
        }
        Ok(PushOutcome::Pushed(
            state.unpushed.drain(..).map(|(oid, _)| oid).collect(),
        ))
    }

    /// `push`, and after each lost race `fetch` and `rebase_local`, at most `tries` pushes.
    ///
    /// # Errors
    ///
    /// As `push`, `fetch` and `rebase_local`.
    pub fn publish(&self, tries: usize) -> Result<PublishOutcome, RepositoryError> {
        let mut outcome = PublishOutcome {
            push: self.push()?,
            fetched: None,
            rebased: Vec::new(),
        };
        let mut pushes = 1;
        while outcome.push == PushOutcome::Rejected && pushes < tries {
            let fetched = self.fetch()?;
            if fetched.diverged {
                outcome.rebased.push(self.rebase_local()?);
            }
            let mut arrived = fetched.arrived.clone();
            outcome.fetched = Some(fetched);
            outcome.push = match self.push()? {
                PushOutcome::Pushed(commits) => {
                    arrived.extend(commits);
                    PushOutcome::Pushed(arrived)
                }
                PushOutcome::UpToDate if !arrived.is_empty() => PushOutcome::Pushed(arrived),
                other => other,
            };
            pushes += 1;
        }
        Ok(outcome)
    }
}

/// Pushes over a smart transport. The server itself compares the branch with what we saw, so a lost race is refused there
/// even when it happens between our look and our push. False: not a fast-forward.
fn push_to_server(
    repository: &Repository,
    options: &MirrorOptions,
    branch: &str,
) -> Result<bool, RepositoryError> {
    let refusal = RefCell::new(None);
    let shown = transport::ShownHostKey::default();
    let result = {
        let mut callbacks = transport::callbacks(options, &shown);
        callbacks.push_update_reference(|_, status| {
            *refusal.borrow_mut() = status.map(str::to_owned);
            Ok(())
        });
        let mut push = PushOptions::new();
        push.remote_callbacks(callbacks);
        let mut remote = repository.find_remote("origin").while_("find the remote")?;
        remote.push(&[format!("{branch}:{branch}")], Some(&mut push))
    };
    match result {
        Err(error) if error.code() == ErrorCode::NotFastForward => return Ok(false),
        Err(error) => return Err(transport::connection_error(options, &shown, error)),
        Ok(()) => {}
    }
    match refusal.into_inner() {
        None => Ok(true),
        Some(message) if is_lost_race(&message) => Ok(false),
        Some(message) => Err(RepositoryError::Refused {
            remote: options.remote_shown(),
            branch: options.branch.clone(),
            message,
        }),
    }
}

/// How servers say that the branch moved between their advertisement and our push.
fn is_lost_race(message: &str) -> bool {
    const RACES: [&str; 6] = [
        "fast-forward",
        "fetch first",
        "failed to update ref",
        "cannot lock ref",
        "failed to lock",
        "stale info",
    ];
    let message = message.to_ascii_lowercase();
    RACES.iter().any(|race| message.contains(race))
}

/// Pushes to a repository on this machine. libgit2 would look at the branch, then overwrite whatever stands there by the
/// time it writes; here the branch moves only if it still is what we compared with.
fn push_to_folder(
    repository: &Repository,
    options: &MirrorOptions,
    folder: &Path,
    branch: &str,
    head: Oid,
) -> Result<bool, RepositoryError> {
    let remote =
        Repository::open(folder).map_err(|error| transport::remote_error(options, error))?;
    let standing = match remote.refname_to_id(branch) {
        Ok(oid) => Some(oid),
        Err(error) if error.code() == ErrorCode::NotFound => None,
        Err(error) => return Err(transport::remote_error(options, error)),
    };
    if let Some(standing) = standing {
        let known = repository.find_commit(standing).is_ok();
        if !known || !is_in_history(repository, standing, head)? {
            return Ok(false);
        }
    }
    send_objects(repository, &remote, head)?;
    let moved = match standing {
        Some(standing) => remote.reference_matching(branch, head, true, standing, "assize: push"),
        None => remote.reference(branch, head, false, "assize: push"),
    };
    match moved {
        Ok(_) => Ok(true),
        Err(error)
            if matches!(
                error.code(),
                ErrorCode::Modified | ErrorCode::Exists | ErrorCode::Locked
            ) || error.class() == ErrorClass::Reference
                && error.code() == ErrorCode::NotFound =>
        {
            Ok(false)
        }
        Err(error) => Err(transport::remote_error(options, error)),
    }
}

/// Copies what `remote` lacks of the history of `head`. Parts go before the whole, so that an object that is there always
/// has all its parts there too, however often this was interrupted.
fn send_objects(
    repository: &Repository,
    remote: &Repository,
    head: Oid,
) -> Result<(), RepositoryError> {
    let ours = repository.odb().while_("open the object store")?;
    let theirs = remote.odb().while_("open the remote's object store")?;
    let missing = missing_objects(repository, &theirs, head)?;
    if missing.len() < PACK_FROM_OBJECTS {
        for oid in missing {
            let object = ours.read(oid).while_("read an object")?;
            theirs
                .write(object.kind(), object.data())
                .while_("write an object to the remote")?;
        }
        return Ok(());
    }
    let mut pack = repository.packbuilder().while_("build a pack")?;
    for oid in missing {
        pack.insert_object(oid, None).while_("build a pack")?;
    }
    pack.write(&remote.path().join("objects").join("pack"), 0)
        .while_("write a pack to the remote")
}

/// Objects that `theirs` lacks, parts before wholes.
fn missing_objects(
    repository: &Repository,
    theirs: &Odb<'_>,
    head: Oid,
) -> Result<Vec<Oid>, RepositoryError> {
    let mut missing = Vec::new();
    let mut known = std::collections::HashSet::new();
    // (object, its parts are already listed)
    let mut open = vec![(head, false)];
    while let Some((oid, parts_done)) = open.pop() {
        if parts_done {
            missing.push(oid);
            continue;
        }
        if theirs.exists(oid) || !known.insert(oid) {
            continue;
        }
        open.push((oid, true));
        let object = repository.find_object(oid, None).while_("read an object")?;
        match object.kind() {
            Some(ObjectType::Commit) => {
                let commit = object.peel_to_commit().while_("read a commit")?;
                open.push((commit.tree_id(), false));
                open.extend(commit.parent_ids().map(|parent| (parent, false)));
            }
            Some(ObjectType::Tree) => {
                let tree = object.peel_to_tree().while_("read a tree")?;
                let parts = tree
                    .iter()
                    .filter(|entry| entry.kind() != Some(ObjectType::Commit));
                open.extend(parts.map(|entry| (entry.id(), false)));
            }
            _ => {}
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_race_is_told_apart_from_a_rule_of_the_server() {
        for race in [
            "non-fast-forward",
            "fetch first",
            "failed to update ref",
            "cannot lock ref 'refs/heads/main'",
        ] {
            assert!(is_lost_race(race), "{race}");
        }
        for rule in [
            "pre-receive hook declined",
            "protected branch hook declined",
        ] {
            assert!(!is_lost_race(rule), "{rule}");
        }
    }
}
