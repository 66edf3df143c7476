//! The account that the server runs as, and what that account may reach.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{User, getegid, geteuid};

use super::EmbeddedError;

/// Accounts that a root process may run the server as, best first.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// The account that the server runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The account's name, for messages.
    pub name: String,
    /// Its user id.
    pub uid: u32,
    /// Its group id.
    pub gid: u32,
    /// Whether we must change to it, which only root can.
    change: bool,
}

impl Account {
    /// Ourselves, or an unprivileged account when we are root: PostgreSQL refuses to run as root.
    ///
    /// # Errors
    ///
    /// [`EmbeddedError::NoAccount`] when we are root and there is none.
    pub fn for_server() -> Result<Self, EmbeddedError> {
        if !geteuid().is_root() {
            let uid = geteuid();
            let name = User::from_uid(uid)
                .ok()
                .flatten()
                .map_or_else(|| uid.to_string(), |user| user.name);
            return Ok(Self {
                name,
                uid: uid.as_raw(),
                gid: getegid().as_raw(),
                change: false,
            });
        }
        UNPRIVILEGED
            .iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .filter(|user| !user.uid.is_root())
            .map(|user| Self {
                name: user.name,
                uid: user.uid.as_raw(),
                gid: user.gid.as_raw(),
                change: true,
            })
            .ok_or(EmbeddedError::NoAccount)
    }

    /// An account that owns nothing, for tests of what others may reach.
    #[cfg(test)]
    pub(super) fn stranger() -> Self {
        Self {
            name: "stranger".to_owned(),
            uid: 4_040_404,
            gid: 4_040_404,
            change: false,
        }
    }

    /// Makes `command` run as this account.
    pub(super) fn assume(&self, command: &mut Command) {
        if self.change {
            command.uid(self.uid).gid(self.gid);
        }
    }

    /// Hands `path` over to this account. Nothing to do when it is ours: then we made the file ourselves.
    pub(super) fn own(&self, path: &Path) -> Result<(), EmbeddedError> {
        if !self.change {
            return Ok(());
        }
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
            .map_err(EmbeddedError::files("change the owner of", path))
    }

    /// Whether this account may enter every folder above `path` that exists already.
    ///
    /// # Errors
    ///
    /// [`EmbeddedError::ClosedFolder`] names the topmost one that it may not enter.
    pub fn can_reach(&self, path: &Path) -> Result<(), EmbeddedError> {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let existing = absolute
            .ancestors()
            .skip(1)
            .find_map(|folder| folder.canonicalize().ok())
            .unwrap_or_else(|| PathBuf::from("/"));
        let mut folders: Vec<&Path> = existing.ancestors().collect();
        folders.reverse();
        for folder in folders {
            let closed = std::fs::metadata(folder).is_ok_and(|facts| !self.may_enter(&facts));
            if closed {
                return Err(EmbeddedError::ClosedFolder {
                    user: self.name.clone(),
                    folder: folder.to_path_buf(),
                });
            }
        }
        Ok(())
    }

    /// The search permission of a folder for this account, by its mode bits.
    fn may_enter(&self, folder: &Metadata) -> bool {
        let bit = if folder.uid() == self.uid {
            0o100
        } else if folder.gid() == self.gid {
            0o010
        } else {
            0o001
        };
        folder.mode() & bit != 0
    }
}
