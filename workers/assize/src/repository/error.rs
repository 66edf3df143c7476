//! What can go wrong with the repository, by what the caller or the operator does next.

use std::path::PathBuf;

/// Why the mirror could not do what it was asked. Each message is one sentence an operator can act on; none holds a
/// secret, because addresses with credentials in them are refused before they are used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepositoryError {
    /// The remote did not answer. Try again later; nothing is lost.
    #[error("cannot reach the state repository at {remote}: check the address and the network")]
    Unreachable {
        /// The configured remote.
        remote: String,
        /// What the transport said.
        #[source]
        source: git2::Error,
    },

    /// The remote refused the credentials.
    #[error(
        "the state repository at {remote} refused the credentials: check the token or the SSH key and its right to push"
    )]
    Authentication {
        /// The configured remote.
        remote: String,
    },

    /// There is no repository at the address (or the token may not see it).
    #[error(
        "there is no repository at {remote}, or the credentials may not see it: check GITHUB_REPO and the token"
    )]
    NoRepository {
        /// The configured remote.
        remote: String,
    },

    /// The SSH server's key is none that is configured or known.
    #[error(
        "the SSH host key of {remote} is not known{}: compare it with the one its host publishes, then put that into \
         GIT_SSH_HOST_KEY or known_hosts",
        shown.as_ref().map(|key| format!(" (it is {key})")).unwrap_or_default()
    )]
    HostKey {
        /// The configured remote.
        remote: String,
        /// The key that it showed, `SHA256:…`.
        shown: Option<String>,
    },

    /// The HTTPS server's certificate is not by an authority that is trusted here, or not for this host.
    #[error(
        "the certificate of {remote} is not trusted: check the address, or name the authority of a host of your own in \
         SSL_CERT_FILE"
    )]
    Certificate {
        /// The configured remote.
        remote: String,
    },

    /// The branch does not exist.
    #[error("the repository at {remote} has no branch `{branch}`{hint}: check GITHUB_BRANCH")]
    NoBranch {
        /// The configured remote.
        remote: String,
        /// The branch that was asked for.
        branch: String,
        /// Names the default branch when it is known.
        hint: String,
    },

    /// The remote holds no commit at all.
    #[error(
        "the repository at {remote} is empty: push config.json, state.json, leader.json and prompts.txt first"
    )]
    Empty {
        /// The configured remote.
        remote: String,
    },

    /// The branch holds something else than the state of a competition.
    #[error("branch `{branch}` of {remote} is not a state repository: it has no {missing}")]
    NotStateRepository {
        /// The configured remote.
        remote: String,
        /// The branch.
        branch: String,
        /// The first file that is missing.
        missing: &'static str,
    },

    /// The folder for the clone holds something else.
    #[error("{} is not a clone made by Assize for this remote: empty the folder or configure another", local.display())]
    ForeignFolder {
        /// The folder.
        local: PathBuf,
    },

    /// Another process works on the same clone.
    #[error("another process uses the clone {}: stop it or configure another folder", local.display())]
    Locked {
        /// The folder.
        local: PathBuf,
    },

    /// The options cannot be used.
    #[error("the state repository is not configured: {what}")]
    Options {
        /// What is wrong and what to do.
        what: String,
    },

    /// A change names a path that may not stand in a repository.
    #[error("`{path}` is not a path of the state repository")]
    InvalidPath {
        /// The path.
        path: String,
    },

    /// A change needs a folder where the repository has a file, or the other way round.
    #[error(
        "`{path}` cannot be written: a file stands where a folder is needed, or a folder where the file belongs"
    )]
    PathBlocked {
        /// The path.
        path: String,
    },

    /// The server refused the push by a rule of its own (branch protection, a hook).
    #[error("{remote} refused the push to `{branch}`: {message}")]
    Refused {
        /// The configured remote.
        remote: String,
        /// The branch.
        branch: String,
        /// What the server said.
        message: String,
    },

    /// The signing key cannot be read.
    #[error("the signing key cannot be used: {what}")]
    SigningKey {
        /// What is wrong with it.
        what: String,
    },

    /// Git itself failed.
    #[error("git failed to {what}")]
    Git {
        /// What was being done.
        what: &'static str,
        /// What libgit2 said.
        #[source]
        source: git2::Error,
    },

    /// The clone's folder cannot be read or written.
    #[error("cannot use {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl RepositoryError {
    /// True when trying again later can help without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Locked { .. })
    }
}

/// Adds what was being done to a libgit2 error.
pub(super) trait While<T> {
    /// `what` completes the sentence "git failed to …".
    fn while_(self, what: &'static str) -> Result<T, RepositoryError>;
}

impl<T> While<T> for Result<T, git2::Error> {
    fn while_(self, what: &'static str) -> Result<T, RepositoryError> {
        self.map_err(|source| RepositoryError::Git { what, source })
    }
}
