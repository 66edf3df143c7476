//! The bare clone itself: opening, reading, and the state that commits, fetches and pushes share.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use git2::{ObjectType, Repository};

use super::commit::{self, PendingCommit};
use super::conflict::{Contested, ContestedFiles};
use super::error::While as _;
use super::open::{clone, clone_again, lock, loose_objects, open_existing};
use super::refs::{SEEN, find_ref, set_ref, tracking_ref};
use super::signing::{CommitSignature, SigningKey, signature_of_commit};
use super::tree::{read_from, tree_of, visit_files};
use super::{CommitOutcome, MirrorOptions, Oid, RepositoryError, transport};

/// A bare local clone of the public state repository. All methods block; all may be called from any thread.
pub struct MirrorRepository {
    pub(super) options: MirrorOptions,
    state: Mutex<MirrorState>,
    /// Held for as long as this value lives, so that no second process uses the clone.
    _lock: fs::File,
}

/// What is behind the lock.
pub(super) struct MirrorState {
    pub(super) repository: Repository,
    /// Commits that the remote has not acknowledged, oldest first, with what they were made from.
    pub(super) unpushed: Vec<(Oid, PendingCommit)>,
    pub(super) contested: ContestedFiles,
}

impl MirrorRepository {
    /// Opens the clone in `options.local`, or makes it. An existing clone opens without asking the remote; its unpushed
    /// commits are dropped, because whoever asked for them still has them in the outbox. A damaged clone is made again.
    ///
    /// # Errors
    ///
    /// The address, the credentials, the branch, or what the branch holds is wrong; another process uses the clone; the
    /// folder holds something else. Each says what to do.
    pub fn open_or_clone(options: MirrorOptions) -> Result<Self, RepositoryError> {
        options.check()?;
        transport::set_timeouts();
        let lock = lock(&options.local)?;
        let repository = match open_existing(&options)? {
            Some(repository) => repository,
            None => clone(&options)?,
        };
        let contested = ContestedFiles::load(repository.path());
        let state = MirrorState {
            repository,
            unpushed: Vec::new(),
            contested,
        };
        let mirror = Self {
            options,
            state: Mutex::new(state),
            _lock: lock,
        };
        mirror.drop_unpushed()?;
        Ok(mirror)
    }

    /// The newest local commit, pushed or not.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Empty`] when there is none.
    pub fn head(&self) -> Result<Oid, RepositoryError> {
        self.head_in(&self.state())?
            .ok_or_else(|| RepositoryError::Empty {
                remote: self.options.remote_shown(),
            })
    }

    /// The newest commit known to be in the remote; `None` when the remote is empty.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Git`] when the clone cannot be read.
    pub fn remote_head(&self) -> Result<Option<Oid>, RepositoryError> {
        self.tracked(&self.state())
    }

    /// The file at `path` in the newest local commit; `None` when no file stands there.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Git`] when the clone cannot be read: an unreadable file is never an absent one.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>, RepositoryError> {
        let state = self.state();
        let head = self.head_in(&state)?;
        let tree = tree_of(&state.repository, head)?;
        read_from(&state.repository, &tree, path)
    }

    /// The file at `path` in `commit`.
    ///
    /// # Errors
    ///
    /// As [`MirrorRepository::read`], and when there is no such commit.
    pub fn read_at(&self, commit: Oid, path: &str) -> Result<Option<Vec<u8>>, RepositoryError> {
        let state = self.state();
        let tree = tree_of(&state.repository, Some(commit))?;
        read_from(&state.repository, &tree, path)
    }

    /// All files of the newest local commit whose path starts with `prefix` (`""`: all), in path order.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Git`] when the clone cannot be read.
    pub fn list(&self, prefix: &str) -> Result<Vec<String>, RepositoryError> {
        let state = self.state();
        let head = self.head_in(&state)?;
        let tree = tree_of(&state.repository, head)?;
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let start = match folder {
            "" => tree,
            folder => match tree
                .get_path(folder.as_ref())
                .ok()
                .filter(|entry| entry.kind() == Some(ObjectType::Tree))
            {
                Some(entry) => state
                    .repository
                    .find_tree(entry.id())
                    .while_("read a tree")?,
                None => return Ok(Vec::new()),
            },
        };
        let root = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        let mut paths = Vec::new();
        visit_files(&state.repository, start, root, |path, _| {
            if path.starts_with(prefix) {
                paths.push(path.to_owned());
            }
        })?;
        paths.sort_unstable();
        Ok(paths)
    }

    /// Commits `changes` on the newest local commit, as one commit. Nothing is sent anywhere.
    ///
    /// Changes that an edit of somebody else stands in the way of are held and listed in the outcome; the others are
    /// committed. Making the same changes again makes no commit, so it is safe to ask twice.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::InvalidPath`], [`RepositoryError::PathBlocked`], or git cannot write. Then nothing changed.
    pub fn commit(
        &self,
        changes: &[super::Change],
        message: &str,
        trailers: &[(String, String)],
    ) -> Result<CommitOutcome, RepositoryError> {
        let pending = PendingCommit {
            changes: changes.to_vec(),
            message: message.to_owned(),
            trailers: trailers.to_vec(),
        };
        let mut state = self.state();
        self.commit_in(&mut state, pending)
    }

    /// Local commits that the remote has not acknowledged, oldest first.
    pub fn unpushed(&self) -> Vec<Oid> {
        self.state().unpushed.iter().map(|(oid, _)| *oid).collect()
    }

    /// Forgets all local commits that the remote has not acknowledged. The caller makes them again from the outbox.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Git`] when the clone cannot be written.
    pub fn drop_unpushed(&self) -> Result<(), RepositoryError> {
        let mut state = self.state();
        state.unpushed.clear();
        let tracked = self.tracked(&state)?;
        self.move_head(&state.repository, tracked)
    }

    /// The steps, with their attempts, that the newest `limit` commits of the remote name in their trailers; of our own
    /// commits only, and only of those after `since`. After a crash the caller acknowledges outbox rows whose step stands here
    /// instead of committing them again.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Git`] when the clone cannot be read.
    pub fn published_steps(
        &self,
        limit: usize,
        since: Option<Oid>,
    ) -> Result<HashMap<(String, i32), Oid>, RepositoryError> {
        let state = self.state();
        let Some(tip) = self.tracked(&state)? else {
            return Ok(HashMap::new());
        };
        let mut walk = state.repository.revwalk().while_("walk the history")?;
        walk.push(tip).while_("walk the history")?;
        if let Some(since) = since.filter(|since| state.repository.find_commit(*since).is_ok()) {
            walk.hide(since).while_("walk the history")?;
        }
        walk.simplify_first_parent().while_("walk the history")?;
        let mut found = HashMap::new();
        for oid in walk.take(limit) {
            let oid = oid.while_("walk the history")?;
            let commit = state.repository.find_commit(oid).while_("read a commit")?;
            if self.is_ours(&state.repository, &commit)? {
                for step in commit::steps_of(commit.message_bytes()) {
                    found.entry(step).or_insert(oid);
                }
            }
        }
        Ok(found)
    }

    /// Whether an edit of somebody else stands in the way of `change`, so that committing it would hold it.
    pub fn would_hold(&self, change: &super::Change) -> bool {
        self.state().contested.in_the_way_of(change).is_some()
    }

    /// Files with an edit of somebody else that nobody has decided about. The caller keeps the list too, so that a lost
    /// clone does not forget it; see [`MirrorRepository::restore`].
    pub fn contested(&self) -> Vec<Contested> {
        self.state().contested.list()
    }

    /// Puts back what the caller has recorded, after a clone was made anew: up to where foreign changes are stored, and
    /// which files are contested. A `seen` that is not in the history (it was rewritten) is ignored.
    ///
    /// # Errors
    ///
    /// The clone's folder cannot be written.
    pub fn restore(
        &self,
        seen: Option<Oid>,
        contested: Vec<Contested>,
    ) -> Result<(), RepositoryError> {
        let mut state = self.state();
        if let Some(seen) = seen.filter(|seen| state.repository.find_commit(*seen).is_ok()) {
            set_ref(&state.repository, SEEN, seen)?;
        }
        state.contested = ContestedFiles::of(contested);
        state.contested.save(state.repository.path())
    }

    /// Ends the protection of a contested file, after an operator accepted or rejected the edit. From now on our changes
    /// to it are made again. To reject the edit, commit what we had afterwards. Returns false when it was not contested.
    ///
    /// # Errors
    ///
    /// The clone's folder cannot be written.
    pub fn resolve(&self, path: &str) -> Result<bool, RepositoryError> {
        let mut state = self.state();
        let was_contested = state.contested.remove(path);
        if was_contested {
            state.contested.save(state.repository.path())?;
        }
        Ok(was_contested)
    }

    /// Clones again when the clone holds more than about `loose` objects in files of their own: each commit adds a handful,
    /// a round with tens of thousands of commits would fill the disk with them. Does nothing while commits wait to be
    /// pushed. Returns whether it did.
    ///
    /// # Errors
    ///
    /// The remote cannot be reached; the clone is then as before.
    pub fn compact(&self, loose: usize) -> Result<bool, RepositoryError> {
        let mut state = self.state();
        if !state.unpushed.is_empty() || loose_objects(&state.repository) <= loose {
            return Ok(false);
        }
        state.repository = clone_again(&state.repository, &self.options)?;
        let tracked = self.tracked(&state)?;
        self.move_head(&state.repository, tracked)?;
        Ok(true)
    }

    /// The key that signs, if there is one.
    pub fn signing_key(&self) -> Option<&SigningKey> {
        self.options.signing_key.as_ref()
    }

    /// The folder of the clone.
    pub fn local(&self) -> &Path {
        &self.options.local
    }

    // ---- shared by commit, fetch, rebase and push ----

    pub(super) fn state(&self) -> MutexGuard<'_, MirrorState> {
        // A panic leaves at most an unreferenced object behind: references move last.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn commit_in(
        &self,
        state: &mut MirrorState,
        pending: PendingCommit,
    ) -> Result<CommitOutcome, RepositoryError> {
        let head = self.head_in(state)?;
        let outcome = commit::build(
            &state.repository,
            &self.options,
            &state.contested,
            head,
            &pending,
        )?;
        if let Some(info) = &outcome.commit {
            self.move_head(&state.repository, Some(info.oid))?;
            let held: Vec<_> = outcome
                .conflicts
                .iter()
                .map(|conflict| &conflict.change)
                .collect();
            let changes = pending
                .changes
                .iter()
                .filter(|change| !held.contains(change))
                .cloned()
                .collect();
            state
                .unpushed
                .push((info.oid, PendingCommit { changes, ..pending }));
        }
        Ok(outcome)
    }

    pub(super) fn branch_ref(&self) -> String {
        format!("refs/heads/{}", self.options.branch)
    }

    pub(super) fn head_in(&self, state: &MirrorState) -> Result<Option<Oid>, RepositoryError> {
        find_ref(&state.repository, &self.branch_ref())
    }

    pub(super) fn tracked(&self, state: &MirrorState) -> Result<Option<Oid>, RepositoryError> {
        find_ref(&state.repository, &tracking_ref(&self.options))
    }

    pub(super) fn set_tracked(
        &self,
        repository: &Repository,
        tip: Oid,
    ) -> Result<(), RepositoryError> {
        set_ref(repository, &tracking_ref(&self.options), tip)
    }

    pub(super) fn move_head(
        &self,
        repository: &Repository,
        to: Option<Oid>,
    ) -> Result<(), RepositoryError> {
        let name = self.branch_ref();
        match to {
            Some(oid) => set_ref(repository, &name, oid),
            None => match repository.find_reference(&name) {
                Ok(mut reference) => reference.delete().while_("move the local branch"),
                Err(_) => Ok(()),
            },
        }
    }

    /// Whether we made the commit: our address, and our signature when we sign.
    pub(super) fn is_ours(
        &self,
        repository: &Repository,
        commit: &git2::Commit<'_>,
    ) -> Result<bool, RepositoryError> {
        if commit.author().email_bytes() != self.options.author_email.as_bytes() {
            return Ok(false);
        }
        let Some(key) = &self.options.signing_key else {
            return Ok(true);
        };
        match signature_of_commit(repository, commit.id()).while_("read a signature")? {
            CommitSignature::Valid { public_key } => {
                Ok(public_key == key.public_key()
                    || self.options.trusted_keys.contains(&public_key))
            }
            _ => Ok(false),
        }
    }
}
