//! Talking to the remote: credentials, time limits, and what its refusals mean.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::sync::Once;

use base64::Engine as _;
use git2::{
    AutotagOption, CertificateCheckStatus, Cred, CredentialType, Direction, ErrorClass, ErrorCode,
    FetchOptions, RemoteCallbacks, RemoteRedirect, Repository,
};
use secrecy::ExposeSecret;

use super::error::While as _;
use super::{MirrorOptions, Oid, RepositoryError};

/// How long the remote may take to accept a connection.
const CONNECT_TIMEOUT_MS: i32 = 15_000;
/// How long the remote may stay silent.
const SILENCE_TIMEOUT_MS: i32 = 60_000;
/// Where a download puts the remote's tip before anything is decided about it.
const FETCHED: &str = "refs/assize/fetched";

/// Sets libgit2's time limits, once a process. Without them a silent server would hold a thread for ever.
pub(super) fn set_timeouts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Safety: the options are plain integers that libgit2 reads when a connection opens; this runs before the first
        // mirror makes one.
        #[allow(unsafe_code)]
        unsafe {
            let _ = git2::opts::set_server_connect_timeout_in_milliseconds(CONNECT_TIMEOUT_MS);
            let _ = git2::opts::set_server_timeout_in_milliseconds(SILENCE_TIMEOUT_MS);
        }
    });
}

/// The folder of a remote on this machine.
pub(super) fn local_remote(remote: &str) -> Option<PathBuf> {
    match url::Url::parse(remote) {
        Ok(url) if url.scheme() == "file" => url.to_file_path().ok(),
        Ok(url) if url.has_host() || url.scheme() != "file" && remote.contains("://") => None,
        // `user@host:path` is ssh; anything else without a scheme is a path.
        _ if remote.contains(':') && !remote.starts_with(['/', '.']) => None,
        _ => Some(PathBuf::from(remote)),
    }
}

/// The key that an SSH server showed, as `SHA256:…`; kept for the operator who is told that it is not known.
#[derive(Default)]
pub(super) struct ShownHostKey(RefCell<Option<String>>);

/// Callbacks with our credentials. They are given once: asked again, the remote has refused them.
pub(super) fn callbacks<'a>(
    options: &'a MirrorOptions,
    shown: &'a ShownHostKey,
) -> RemoteCallbacks<'a> {
    let mut callbacks = RemoteCallbacks::new();
    let asked = Cell::new(0);
    let configured_host = host_of(&options.remote);
    callbacks.credentials(move |url, user, allowed| {
        let refused = || {
            git2::Error::new(
                ErrorCode::Auth,
                ErrorClass::Callback,
                "the credentials were refused or none are configured",
            )
        };
        // A redirect to another host gets nothing.
        if host_of(url) != configured_host {
            return Err(refused());
        }
        let user = user.unwrap_or("git");
        if allowed.contains(CredentialType::USERNAME) {
            return Cred::username(user);
        }
        asked.set(asked.get() + 1);
        if asked.get() > 1 {
            return Err(refused());
        }
        let credentials = &options.credentials;
        if allowed.contains(CredentialType::USER_PASS_PLAINTEXT)
            && let Some(token) = &credentials.token
        {
            return Cred::userpass_plaintext("x-access-token", token.expose_secret());
        }
        if allowed.contains(CredentialType::SSH_MEMORY)
            && let Some(key) = &credentials.ssh_key
        {
            let passphrase = credentials
                .ssh_passphrase
                .as_ref()
                .map(ExposeSecret::expose_secret);
            return Cred::ssh_key_from_memory(user, None, key.expose_secret(), passphrase);
        }
        if allowed.contains(CredentialType::SSH_KEY) && credentials.ssh_key.is_none() {
            return Cred::ssh_key_from_agent(user);
        }
        Err(refused())
    });
    callbacks.certificate_check(|certificate, _| {
        let Some(key) = certificate.as_hostkey() else {
            return Ok(CertificateCheckStatus::CertificatePassthrough);
        };
        let fingerprint = key
            .hash_sha256()
            .map(|hash| base64::engine::general_purpose::STANDARD_NO_PAD.encode(hash));
        *shown.0.borrow_mut() = fingerprint.as_ref().map(|hash| format!("SHA256:{hash}"));
        let known = &options.credentials.ssh_host_keys;
        if known.is_empty() {
            return Ok(CertificateCheckStatus::CertificatePassthrough);
        }
        let is_known = fingerprint.is_some_and(|found| {
            known
                .iter()
                .any(|key| key.trim_start_matches("SHA256:").trim_end_matches('=') == found)
        });
        if is_known {
            return Ok(CertificateCheckStatus::CertificateOk);
        }
        Err(git2::Error::new(
            ErrorCode::Certificate,
            ErrorClass::Ssh,
            "the host key is none of the configured ones",
        ))
    });
    callbacks
}

/// Downloads the branch and returns its tip; `None` when the remote has no commit at all. Moves no branch.
pub(super) fn download(
    repository: &Repository,
    options: &MirrorOptions,
) -> Result<Option<Oid>, RepositoryError> {
    let shown = ShownHostKey::default();
    let failed = |source| connection_error(options, &shown, source);
    let mut remote = repository.find_remote("origin").while_("find the remote")?;
    let mut connection = remote
        .connect_auth(Direction::Fetch, Some(callbacks(options, &shown)), None)
        .map_err(failed)?;
    if connection.list().map_err(failed)?.is_empty() {
        return Ok(None);
    }
    let default_branch = connection
        .default_branch()
        .ok()
        .map(|name| String::from_utf8_lossy(&name).into_owned());

    if let Ok(mut reference) = repository.find_reference(FETCHED) {
        reference.delete().while_("forget the last download")?;
    }
    let mut fetch = FetchOptions::new();
    fetch.remote_callbacks(callbacks(options, &shown));
    fetch.download_tags(AutotagOption::None);
    fetch.follow_redirects(RemoteRedirect::Initial);
    let refspec = format!("+refs/heads/{}:{FETCHED}", options.branch);
    connection
        .remote()
        .fetch(&[refspec], Some(&mut fetch), Some("assize: fetch"))
        .map_err(failed)?;

    match repository.refname_to_id(FETCHED) {
        Ok(tip) => Ok(Some(tip)),
        Err(_) => Err(RepositoryError::NoBranch {
            remote: options.remote_shown(),
            branch: options.branch.clone(),
            hint: default_branch
                .map(|name| {
                    format!(
                        " (its default branch is `{}`)",
                        name.trim_start_matches("refs/heads/")
                    )
                })
                .unwrap_or_default(),
        }),
    }
}

/// What a failure of a connection means for the operator.
pub(super) fn connection_error(
    options: &MirrorOptions,
    shown: &ShownHostKey,
    source: git2::Error,
) -> RepositoryError {
    match remote_error(options, source) {
        RepositoryError::HostKey { remote, .. } => RepositoryError::HostKey {
            remote,
            shown: shown.0.borrow().clone(),
        },
        other => other,
    }
}

/// What a failure of the transport means for the operator.
pub(super) fn remote_error(options: &MirrorOptions, source: git2::Error) -> RepositoryError {
    let remote = options.remote_shown();
    let message = source.message();
    let status = |code: &str| message.contains("status code") && message.contains(code);
    match (source.code(), source.class()) {
        (ErrorCode::Certificate, ErrorClass::Ssh) => RepositoryError::HostKey {
            remote,
            shown: None,
        },
        (_, ErrorClass::Ssl) if message.contains("certificate") => {
            RepositoryError::Certificate { remote }
        }
        // Also a passphrase that does not fit, and an agent that is not there.
        (_, ErrorClass::Ssh) if message.starts_with("failed to authenticate") => {
            RepositoryError::Authentication { remote }
        }
        (ErrorCode::Auth, _) => RepositoryError::Authentication { remote },
        _ if status("401") || status("403") => RepositoryError::Authentication { remote },
        _ if status("404") => RepositoryError::NoRepository { remote },
        // What git says over SSH, and what GitHub does.
        _ if message.contains("not appear to be a git repository")
            || message.contains("Repository not found") =>
        {
            RepositoryError::NoRepository { remote }
        }
        (ErrorCode::NotFound, ErrorClass::Repository) => RepositoryError::NoRepository { remote },
        _ if local_remote(&options.remote).is_some_and(|path| !path.exists()) => {
            RepositoryError::NoRepository { remote }
        }
        _ => RepositoryError::Unreachable { remote, source },
    }
}

fn host_of(remote: &str) -> Option<String> {
    if let Ok(url) = url::Url::parse(remote)
        && let Some(host) = url.host_str()
    {
        return Some(host.to_ascii_lowercase());
    }
    let (host, _) = remote.split_once(':')?;
    Some(host.rsplit('@').next().unwrap_or(host).to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_and_file_addresses_are_on_this_machine() {
        assert_eq!(
            local_remote("/srv/state.git"),
            Some(PathBuf::from("/srv/state.git"))
        );
        assert_eq!(
            local_remote("./state.git"),
            Some(PathBuf::from("./state.git"))
        );
        assert_eq!(
            local_remote("file:///srv/state.git"),
            Some(PathBuf::from("/srv/state.git"))
        );
        for remote in [
            "https://github.com/a/b",
            "ssh://git@github.com/a/b",
            "git@github.com:a/b.git",
        ] {
            assert_eq!(local_remote(remote), None, "{remote}");
        }
    }

    #[test]
    fn the_host_is_the_same_in_every_way_to_write_an_address() {
        for remote in [
            "https://GitHub.com/a/b",
            "ssh://git@github.com/a/b",
            "git@github.com:a/b.git",
        ] {
            assert_eq!(host_of(remote).as_deref(), Some("github.com"), "{remote}");
        }
    }
}
