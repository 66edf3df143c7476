//! The public state repository, seen from our side: a bare local clone that turns outbox rows into commits.
//!
//! [`MirrorRepository`] is a library over libgit2; it blocks, so callers use `spawn_blocking`. It has no timer and no
//! policy of its own. The loop that owns it does this:
//!
//! 1. `open_or_clone`: unpushed commits of an earlier run are thrown away. The outbox rows are the truth until a push is
//!    acknowledged, so every row that is not acknowledged is committed again. Patches that are already in the remote
//!    change nothing and make no commit.
//! 2. `commit` for each group of rows, `push` as often as wanted: several commits travel in one push.
//! 3. `push` says `Rejected` when somebody else was first: `fetch`, `rebase_local`, `push` again ([`MirrorRepository::publish`]
//!    does the three in turn). It never forces.
//! 4. Each poll: `fetch`; store what people changed; `acknowledge`. Until then each fetch reports it again, so a crash in
//!    between loses no edit.
//!
//! # Two sides of one file
//!
//! People and Assize write the same branch. Changes are patches ([`Change`]): they say which row they set, not what the
//! whole file is, so edits of different rows both survive. Where both sides touched the same row or the same whole file,
//! what people wrote stays in the repository and our change is *held* and reported as a [`Conflict`], with the commit it
//! came from. For files that people own that is the end of it. For files that Assize owns an operator decides, and
//! [`MirrorRepository::resolve`] lets later changes through.
//!
//! # What a crash costs
//!
//! Local commits are only a way to build a push. A crash before the push is acknowledged costs building them again; a
//! crash after it is seen by `fetch` (our commits are in the remote) or by [`MirrorRepository::published`] (the trailers
//! of steps that the remote already has). A local clone that is damaged or lost is cloned again.

mod change;
mod commit;
mod conflict;
mod decision;
mod error;
mod fetch;
mod ledger;
mod mirror;
mod open;
mod options;
mod ownership;
mod patch;
mod push;
mod rebase;
mod refs;
mod signing;
mod transport;
mod tree;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use change::{Change, InvalidChange};
pub use commit::{ATTEMPT_TRAILER, CommitInfo, CommitOutcome, PendingCommit, STEP_TRAILER};
pub use conflict::{Conflict, Contested, HeldBecause, Touched};
pub use decision::{after_acceptance, after_rejection};
pub use error::RepositoryError;
pub use fetch::{FetchOutcome, FileChange, ForeignCommit};
pub use git2::Oid;
pub use ledger::{ChainEnd, Checkpoint, CheckpointProblem};
pub use mirror::MirrorRepository;
pub use options::{GitCredentials, MirrorOptions};
pub use ownership::{Owner, owner_of, says_paused};
pub use push::{PublishOutcome, PushOutcome};
pub use rebase::{RebaseOutcome, RebasedCommit};
pub use signing::{
    CommitSignature, SIGNERS_PATH, SigningKey, signature_of_commit, verify_signature,
};
