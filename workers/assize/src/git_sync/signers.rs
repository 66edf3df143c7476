//! The public half of the signing key, where everybody who checks the commits can find it.

use crate::repository::{
    ATTEMPT_TRAILER, Change, MirrorRepository, RepositoryError, SIGNERS_PATH, STEP_TRAILER,
    SigningKey,
};

/// Pushes that are tried until our line stands in the file.
const PUSH_TRIES: usize = 20;

/// Adds the key to [`SIGNERS_PATH`], once. Keys of earlier years stay: their commits are still to be checked. Then
/// `git -c gpg.ssh.allowedSignersFile=.assize/allowed_signers verify-commit` accepts every commit of ours.
///
/// # Errors
///
/// If the remote fails.
pub(super) fn publish(
    mirror: &MirrorRepository,
    key: &SigningKey,
    email: &str,
) -> Result<(), RepositoryError> {
    mirror.drop_unpushed()?;
    let line = key.allowed_signers_line(email);
    let add = Change::AppendLine {
        path: SIGNERS_PATH.to_owned(),
        line,
    };
    let trailers = [
        (STEP_TRAILER.to_owned(), "publish_signing_key".to_owned()),
        (ATTEMPT_TRAILER.to_owned(), "1".to_owned()),
    ];
    mirror.commit(&[add], "Publish the signing key", &trailers)?;
    mirror.publish(PUSH_TRIES).map(drop)
}
