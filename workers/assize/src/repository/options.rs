//! Where the repository is, how to get in, and who signs.

use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;

use super::RepositoryError;
use super::signing::SigningKey;

/// How to open the mirror.
#[derive(Clone)]
pub struct MirrorOptions {
    /// Folder of the bare clone. It may not exist yet; it may be deleted at any time while no process uses it.
    pub local: PathBuf,
    /// A path, `file://`, `https://`, `http://` (a token only to this machine) or `ssh://` (also `user@host:path`).
    pub remote: String,
    /// The branch that carries the state, `main` by default.
    pub branch: String,
    /// How to get in.
    pub credentials: GitCredentials,
    /// Author and committer of every commit.
    pub author_name: String,
    /// See `author_name`. Commits with another address are foreign.
    pub author_email: String,
    /// Signs every commit when given. Then a commit counts as ours only if this key or a trusted one signed it.
    pub signing_key: Option<SigningKey>,
    /// Public keys (`ssh-ed25519 AAAA…`) of earlier signing keys, so that their commits still count as ours.
    pub trusted_keys: Vec<String>,
    /// Accept a remote that is empty or has no `config.json` and `state.json` yet, to fill it.
    pub bootstrap: bool,
}

impl MirrorOptions {
    /// Options for `remote`, cloned into `local`: branch `main`, no credentials, unsigned.
    pub fn new(local: impl Into<PathBuf>, remote: impl Into<String>) -> Self {
        Self {
            local: local.into(),
            remote: remote.into(),
            branch: "main".to_owned(),
            credentials: GitCredentials::default(),
            author_name: "Assize".to_owned(),
            author_email: "assize@localhost".to_owned(),
            signing_key: None,
            trusted_keys: Vec::new(),
            bootstrap: false,
        }
    }

    /// The remote without anything that could be a secret, for messages.
    pub(super) fn remote_shown(&self) -> String {
        match url::Url::parse(&self.remote) {
            Ok(mut url) if url.has_host() => {
                let _ = url.set_password(None);
                if url.scheme() != "ssh" {
                    let _ = url.set_username("");
                }
                url.set_query(None);
                url.to_string()
            }
            _ => self.remote.clone(),
        }
    }

    pub(super) fn check(&self) -> Result<(), RepositoryError> {
        let wrong = |what: &str| {
            Err(RepositoryError::Options {
                what: what.to_owned(),
            })
        };
        if self.remote.trim().is_empty() {
            return wrong("the remote is empty: give a path or an address");
        }
        if !git2::Reference::is_valid_name(&format!("refs/heads/{}", self.branch)) {
            return wrong("the branch name is not one that git accepts");
        }
        if self.author_name.trim().is_empty() || self.author_email.trim().is_empty() {
            return wrong("commits need an author name and an e-mail address");
        }
        if let Ok(url) = url::Url::parse(&self.remote) {
            if url.password().is_some()
                || (url.scheme().starts_with("http") && !url.username().is_empty())
            {
                return wrong(
                    "the remote's address holds credentials: give the token in its own variable",
                );
            }
            if url.scheme() == "http" && self.credentials.token.is_some() && !is_loopback(&url) {
                return wrong("a token would travel unencrypted over http: use an https address");
            }
        }
        Ok(())
    }
}

fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl fmt::Debug for MirrorOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MirrorOptions")
            .field("local", &self.local)
            .field("remote", &self.remote_shown())
            .field("branch", &self.branch)
            .field("credentials", &self.credentials)
            .field("author_name", &self.author_name)
            .field("author_email", &self.author_email)
            .field("signed", &self.signing_key.is_some())
            .field("bootstrap", &self.bootstrap)
            .finish_non_exhaustive()
    }
}

/// Secrets that let us in. Never part of an address, a log line or a commit.
#[derive(Debug, Clone, Default)]
pub struct GitCredentials {
    /// For http(s): sent as the password of user `x-access-token`, as GitHub expects it.
    pub token: Option<SecretString>,
    /// For ssh: a private key in OpenSSH or PEM form. Without it the SSH agent is asked.
    pub ssh_key: Option<SecretString>,
    /// Passphrase of `ssh_key`.
    pub ssh_passphrase: Option<SecretString>,
    /// For ssh: the server's keys as `SHA256:…` (what `ssh-keygen -lf` prints); a server that has several shows any of
    /// them. When there are none here `known_hosts` decides, and a host that it does not know is refused.
    pub ssh_host_keys: Vec<String>,
}
