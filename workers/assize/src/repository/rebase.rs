//! Making our unpushed commits again on top of what others pushed.

use super::commit::{self, CommitInfo};
use super::conflict::Conflict;
use super::mirror::MirrorRepository;
use super::{Oid, PendingCommit, RepositoryError};

/// What became of the unpushed commits.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RebaseOutcome {
    /// One entry for each commit that was made again, in order.
    pub commits: Vec<RebasedCommit>,
    /// Changes that met an edit of somebody else and were held.
    pub conflicts: Vec<Conflict>,
}

/// A commit before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct RebasedCommit {
    /// Its id before.
    pub before: Oid,
    /// What it is now; `None` when nothing of it is left to do.
    pub after: Option<CommitInfo>,
    /// The commit with which its changes are in the history: the new one, or else the one it was applied on, which had
    /// them already. `None` when that is the empty repository.
    pub stands_in: Option<Oid>,
}

impl MirrorRepository {
    /// Applies the changes of every unpushed commit again, on the newest fetched commit. The changes are applied, not the
    /// resulting files, so what others wrote beside them stays.
    ///
    /// # Errors
    ///
    /// As [`MirrorRepository::commit`]; then the unpushed commits are as before.
    pub fn rebase_local(&self) -> Result<RebaseOutcome, RepositoryError> {
        let pending: Vec<PendingCommit> = self
            .state()
            .unpushed
            .iter()
            .map(|(_, pending)| pending.clone())
            .collect();
        self.rebase_with(&pending)
    }

    /// Like [`MirrorRepository::rebase_local`], with the commits given by the caller instead of remembered: they replace
    /// all unpushed ones, in this order.
    ///
    /// # Errors
    ///
    /// As [`MirrorRepository::commit`]; then the unpushed commits are as before.
    pub fn rebase_with(&self, pending: &[PendingCommit]) -> Result<RebaseOutcome, RepositoryError> {
        let mut guard = self.state();
        let state = &mut *guard;
        let mut head = self.tracked(state)?;
        let before: Vec<Oid> = state.unpushed.iter().map(|(oid, _)| *oid).collect();
        let mut outcome = RebaseOutcome::default();
        let mut unpushed = Vec::new();
        for (index, pending) in pending.iter().enumerate() {
            let built = commit::build(
                &state.repository,
                &self.options,
                &state.contested,
                head,
                pending,
            )?;
            let held: Vec<_> = built
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
            if let Some(info) = &built.commit {
                head = Some(info.oid);
                unpushed.push((
                    info.oid,
                    PendingCommit {
                        changes,
                        ..pending.clone()
                    },
                ));
            }
            outcome.conflicts.extend(built.conflicts);
            if let Some(before) = before.get(index) {
                outcome.commits.push(RebasedCommit {
                    before: *before,
                    after: built.commit,
                    stands_in: head,
                });
            }
        }
        // Only now: an error above leaves branch and list as they were.
        self.move_head(&state.repository, head)?;
        state.unpushed = unpushed;
        Ok(outcome)
    }
}
