//! The bare repository and what the world does with it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use git2::build::TreeUpdateBuilder;
use git2::{Commit, ErrorCode, FileMode, Oid, Repository, RepositoryInitOptions, Signature};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// Git knows this tree without having it as an object; writing it would leave it dangling.
const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// The branch that carries the state.
pub(crate) const BRANCH: &str = "refs/heads/main";
/// How often the world looks for pushes that came by path and so told nobody.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Moves a slow listener may lag behind.
const REMEMBERED_MOVES: usize = 1024;
/// A commit of the world meets a push of someone else at most this often before something is wrong.
const COMMIT_ATTEMPTS: usize = 50;

/// The state repository of the world.
#[derive(Debug, Clone)]
pub struct Remote {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    seen: Mutex<Option<Oid>>,
    pushes_in_flight: AtomicUsize,
    moves: broadcast::Sender<RefMove>,
}

/// The branch went from one commit to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RefMove {
    pub before: Option<Oid>,
    pub after: Oid,
    /// Whether this is known to be one push. Pushes by path are only noticed, perhaps several at once.
    pub one_push: bool,
}

/// Who a commit of the world is by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Author {
    pub name: &'static str,
    pub email: &'static str,
}

/// Whoever set the competition up.
pub(crate) const OPERATOR: Author = Author {
    name: "Rehearsal Operator",
    email: "operator@rehearsal.example",
};

impl Remote {
    /// Opens the repository at `path`, which must exist.
    pub(crate) fn open(path: PathBuf) -> anyhow::Result<Self> {
        let head = head_of(&open(&path)?)?;
        let inner = Inner {
            path,
            seen: Mutex::new(head),
            pushes_in_flight: AtomicUsize::new(0),
            moves: broadcast::Sender::new(REMEMBERED_MOVES),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Where the bare repository lies.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The commit at the tip of `main`.
    ///
    /// # Errors
    ///
    /// When the repository cannot be read.
    pub fn head(&self) -> anyhow::Result<Option<String>> {
        Ok(head_of(&self.repository()?)?.map(|oid| oid.to_string()))
    }

    /// A file at the tip of `main`; `None` when it is not there.
    ///
    /// # Errors
    ///
    /// When the repository cannot be read.
    pub fn read(&self, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let repository = self.repository()?;
        let Some(head) = head_of(&repository)? else {
            return Ok(None);
        };
        read_at(&repository, head, path)
    }

    /// Commits `files` on top of whatever `main` is by then, as a person with their own clone would.
    ///
    /// # Errors
    ///
    /// When the repository cannot be written.
    pub fn commit(&self, files: &[(String, Vec<u8>)], message: &str) -> anyhow::Result<String> {
        self.commit_as(OPERATOR, files, message)
    }

    pub(crate) fn commit_as(
        &self,
        author: Author,
        files: &[(String, Vec<u8>)],
        message: &str,
    ) -> anyhow::Result<String> {
        let repository = self.repository()?;
        for _ in 0..COMMIT_ATTEMPTS {
            // A push that arrived just before is a move of its own, whoever of the two comes to look first.
            let mut seen = self.seen();
            if let Some(oid) = try_commit(&repository, author, files, message)? {
                let parent = repository.find_commit(oid)?.parent_id(0).ok();
                self.tell(&mut seen, parent, true);
                self.tell(&mut seen, Some(oid), true);
                return Ok(oid.to_string());
            }
        }
        bail!("the branch moved under {COMMIT_ATTEMPTS} attempts to commit `{message}`")
    }

    pub(crate) fn repository(&self) -> anyhow::Result<Repository> {
        open(&self.inner.path)
    }

    /// Sees every move of the branch from now on.
    pub(crate) fn moves(&self) -> broadcast::Receiver<RefMove> {
        self.inner.moves.subscribe()
    }

    /// Looks whether the branch has moved and tells the listeners.
    pub(crate) fn look(&self, one_push: bool) -> anyhow::Result<()> {
        let repository = self.repository()?;
        let mut seen = self.seen();
        let head = head_of(&repository)?;
        self.tell(&mut seen, head, one_push);
        Ok(())
    }

    fn seen(&self) -> MutexGuard<'_, Option<Oid>> {
        self.inner
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, seen: &mut Option<Oid>, head: Option<Oid>, one_push: bool) {
        if let Some(after) = head.filter(|_| *seen != head) {
            let before = seen.replace(after);
            // Nobody listening is fine.
            let _ = self.inner.moves.send(RefMove {
                before,
                after,
                one_push,
            });
        }
    }

    /// Marks a push that will call [`Remote::look`] itself, until the guard is dropped.
    pub(crate) fn push_in_flight(&self) -> PushInFlight {
        self.inner.pushes_in_flight.fetch_add(1, Ordering::SeqCst);
        PushInFlight(self.clone())
    }

    /// Notices pushes that came by path, until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            if self.inner.pushes_in_flight.load(Ordering::SeqCst) > 0 {
                continue;
            }
            let remote = self.clone();
            let looked = tokio::task::spawn_blocking(move || remote.look(false)).await;
            if let Ok(Err(error)) = looked {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "cannot look at the rehearsal's remote repository"
                );
            }
        }
    }
}

/// A push that is being received. Dropping it looks at the branch.
pub(crate) struct PushInFlight(Remote);

impl Drop for PushInFlight {
    fn drop(&mut self) {
        if let Err(error) = self.0.look(true) {
            tracing::warn!(
                error = format!("{error:#}"),
                "cannot look at the rehearsal's remote repository"
            );
        }
        self.0.inner.pushes_in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Creates the bare repository at `path` by `fill`, all or nothing.
pub(super) fn create(
    path: &Path,
    fill: impl FnOnce(&Repository) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    if draft.exists() {
        std::fs::remove_dir_all(&draft)
            .with_context(|| format!("cannot remove {}", draft.display()))?;
    }
    let repository = Repository::init_opts(
        &draft,
        RepositoryInitOptions::new()
            .bare(true)
            .external_template(false)
            .initial_head("main"),
    )
    .with_context(|| format!("cannot create a git repository at {}", draft.display()))?;
    // As GitHub does: no push may rewrite what is public, and pushes over HTTP are welcome.
    let mut config = repository.config()?;
    config.set_bool("receive.denyNonFastForwards", true)?;
    config.set_bool("receive.denyDeletes", true)?;
    config.set_bool("http.receivepack", true)?;
    // No packing in the background while others read.
    config.set_i32("gc.auto", 0)?;
    config.set_bool("receive.autogc", false)?;
    fill(&repository)?;
    drop(repository);
    std::fs::rename(&draft, path).with_context(|| format!("cannot create {}", path.display()))
}

pub(crate) fn head_of(repository: &Repository) -> anyhow::Result<Option<Oid>> {
    match repository.refname_to_id(BRANCH) {
        Ok(oid) => Ok(Some(oid)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn read_at(
    repository: &Repository,
    commit: Oid,
    path: &str,
) -> anyhow::Result<Option<Vec<u8>>> {
    let tree = repository.find_commit(commit)?.tree()?;
    match tree.get_path(Path::new(path)) {
        Ok(entry) => Ok(repository
            .find_blob(entry.id())
            .ok()
            .map(|blob| blob.content().to_vec())),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// One attempt to commit; `None` when the branch moved meanwhile.
pub(super) fn try_commit(
    repository: &Repository,
    author: Author,
    files: &[(String, Vec<u8>)],
    message: &str,
) -> anyhow::Result<Option<Oid>> {
    let parent: Option<Commit<'_>> = head_of(repository)?
        .map(|oid| repository.find_commit(oid))
        .transpose()?;
    let base = match &parent {
        Some(parent) => parent.tree()?,
        None => repository.find_tree(Oid::from_str(EMPTY_TREE)?)?,
    };
    let mut update = TreeUpdateBuilder::new();
    for (path, content) in files {
        update.upsert(path.as_str(), repository.blob(content)?, FileMode::Blob);
    }
    let tree = repository.find_tree(update.create_updated(repository, &base)?)?;
    let signature = Signature::now(author.name, author.email)?;
    let parents: Vec<&Commit<'_>> = parent.iter().collect();
    let oid = repository.commit(None, &signature, &signature, message, &tree, &parents)?;
    let moved = match &parent {
        Some(parent) => repository.reference_matching(BRANCH, oid, true, parent.id(), message),
        None => repository.reference(BRANCH, oid, false, message),
    };
    match moved {
        Ok(_) => Ok(Some(oid)),
        Err(error)
            if matches!(
                error.code(),
                ErrorCode::Modified | ErrorCode::Exists | ErrorCode::Locked
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn open(path: &Path) -> anyhow::Result<Repository> {
    Repository::open_bare(path)
        .with_context(|| format!("{} is not a bare git repository", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn remote(folder: &Path) -> Remote {
        let path = folder.join("remote.git");
        create(&path, |repository| {
            try_commit(
                repository,
                OPERATOR,
                &[("state.json".into(), b"{}".to_vec())],
                "First",
            )?;
            Ok(())
        })
        .unwrap();
        Remote::open(path).unwrap()
    }

    #[test]
    fn commits_build_on_each_other_and_are_told_to_listeners() {
        let folder = tempfile::tempdir().unwrap();
        let remote = remote(folder.path());
        let mut moves = remote.moves();
        let before = remote.head().unwrap().unwrap();

        let after = remote
            .commit(
                &[("rounds/0/seed.json".into(), b"{\"seed\": 1}".to_vec())],
                "Second",
            )
            .unwrap();

        assert_eq!(
            remote.read("rounds/0/seed.json").unwrap().unwrap(),
            b"{\"seed\": 1}"
        );
        assert_eq!(remote.read("state.json").unwrap().unwrap(), b"{}");
        assert_eq!(remote.read("absent.json").unwrap(), None);
        let told = moves.try_recv().unwrap();
        assert_eq!(
            (told.before.unwrap().to_string(), told.after.to_string()),
            (before, after)
        );
        assert!(moves.try_recv().is_err());
    }

    #[test]
    fn a_push_and_a_commit_right_behind_it_are_two_moves() {
        let folder = tempfile::tempdir().unwrap();
        let remote = remote(folder.path());
        let mut moves = remote.moves();
        let file = |content: &str| [("prompts.txt".to_owned(), content.as_bytes().to_vec())];
        let pushed = try_commit(&remote.repository().unwrap(), OPERATOR, &file("a"), "Push");
        let pushed = pushed.unwrap().unwrap();

        let committed = remote.commit(&file("b"), "Commit").unwrap();
        remote.look(true).unwrap();

        assert_eq!(moves.try_recv().unwrap().after, pushed);
        let second = moves.try_recv().unwrap();
        assert_eq!(second.before, Some(pushed));
        assert_eq!(second.after.to_string(), committed);
        assert!(moves.try_recv().is_err());
    }

    #[test]
    fn a_half_made_repository_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("remote.git");
        assert!(create(&path, |_| bail!("killed here")).is_err());
        assert!(!path.exists());
        remote(folder.path());
        assert!(path.join("HEAD").exists());
    }
}
