//! The references of the clone.

use git2::Repository;

use super::error::While as _;
use super::{MirrorOptions, Oid, RepositoryError};

/// The newest commit whose foreign changes the caller has stored.
pub(super) const SEEN: &str = "refs/assize/seen";

/// The newest commit known to be in the remote.
pub(super) fn tracking_ref(options: &MirrorOptions) -> String {
    format!("refs/remotes/origin/{}", options.branch)
}

pub(super) fn set_ref(
    repository: &Repository,
    name: &str,
    oid: Oid,
) -> Result<(), RepositoryError> {
    repository
        .reference(name, oid, true, "assize")
        .while_("move a reference")
        .map(drop)
}

pub(super) fn find_ref(
    repository: &Repository,
    name: &str,
) -> Result<Option<Oid>, RepositoryError> {
    match repository.refname_to_id(name) {
        Ok(oid) => Ok(Some(oid)),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(source) => Err(RepositoryError::Git {
            what: "read a reference",
            source,
        }),
    }
}
