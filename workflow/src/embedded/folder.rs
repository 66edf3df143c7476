//! The data folder: made, locked, and cleared of what a killed server left behind.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sha2::{Digest, Sha256};

use super::{Account, EmbeddedError};

/// The longest path of a unix socket, in bytes (`sun_path` of `unix(7)`, less its closing zero).
const MAX_SOCKET_PATH_BYTES: usize = 107;

/// The socket's name. The number is only a name here: nothing listens on a TCP port.
const SOCKET_NAME: &str = ".s.PGSQL.5432";

/// How long processes of a server whose owner died are given to end by themselves before they are told to.
const ORPHANS_END_WITHIN: Duration = Duration::from_secs(5);

/// A data folder that nobody else uses, for as long as this value lives.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    socket_dir: PathBuf,
    /// Held, never read: the kernel gives the lock back when our process ends, however it ends.
    _lock: File,
}

impl Folder {
    /// Makes the folder when it is missing, hands it to `account` and locks it.
    pub fn open(path: &Path, account: &Account) -> Result<Self, EmbeddedError> {
        make_missing_parents(path)?;
        account.can_reach(path)?;
        make(path)?;
        let path = path
            .canonicalize()
            .map_err(EmbeddedError::files("find", path))?;
        // Again, because the last folder may have been a link to somewhere else.
        account.can_reach(&path)?;
        if path.to_str().is_none() {
            return Err(EmbeddedError::PathNotText { folder: path });
        }
        refuse_foreign(&path)?;
        close_to_others(&path, account)?;

        let lock = lock(&path)?;
        let socket_dir = socket_dir(&path, account)?;
        let folder = Self {
            path,
            socket_dir,
            _lock: lock,
        };
        folder.clear_leftovers()?;
        Ok(folder)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The cluster itself: PostgreSQL's data directory.
    pub fn cluster(&self) -> PathBuf {
        self.path.join("cluster")
    }

    /// Where a cluster is made before it moves into place.
    pub fn unfinished_cluster(&self) -> PathBuf {
        self.path.join("cluster.unfinished")
    }

    pub fn log(&self) -> PathBuf {
        self.path.join("server.log")
    }

    /// The major version that made the cluster, when there is one.
    pub fn version(&self) -> Result<Option<u32>, EmbeddedError> {
        let file = self.cluster().join("PG_VERSION");
        match std::fs::read_to_string(&file) {
            Ok(text) => Ok(Some(text.trim().parse().unwrap_or_default())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(EmbeddedError::files("read", file)(error)),
        }
    }

    /// Waits until no process of an earlier server works here, then removes what keeps a new one from starting.
    ///
    /// We hold the lock, so whoever owned that server is dead and the kernel has told it to quit. One that does not is told
    /// again; its number in `postmaster.pid` may meanwhile belong to somebody else, so processes are known by the folder
    /// they work in.
    fn clear_leftovers(&self) -> Result<(), EmbeddedError> {
        let cluster = self.cluster();
        let started = Instant::now();
        let mut told = false;
        loop {
            let orphans = postgres_processes_in(&cluster);
            if orphans.is_empty() {
                break;
            }
            if !told && started.elapsed() > ORPHANS_END_WITHIN {
                for orphan in &orphans {
                    // It may have ended since we looked, which is what we want.
                    let _ = kill(*orphan, Signal::SIGQUIT);
                }
                told = true;
            }
            if started.elapsed() > 2 * ORPHANS_END_WITHIN {
                return Err(EmbeddedError::InUse {
                    folder: self.path.clone(),
                });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        remove_file(&cluster.join("postmaster.pid"))?;
        remove_file(&self.socket_dir.join(SOCKET_NAME))?;
        remove_file(&self.socket_dir.join(format!("{SOCKET_NAME}.lock")))?;

        let unfinished = self.unfinished_cluster();
        match std::fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(EmbeddedError::files("remove", unfinished)(error))
            }
            _ => Ok(()),
        }
    }
}

/// Folders that we make above the data folder can be entered by everyone, whatever the umask: the server must pass.
fn make_missing_parents(path: &Path) -> Result<(), EmbeddedError> {
    let absolute = std::path::absolute(path).map_err(EmbeddedError::files("find", path))?;
    let mut missing: Vec<&Path> = absolute
        .ancestors()
        .skip(1)
        .take_while(|folder| !folder.exists())
        .collect();
    missing.reverse();
    for folder in missing {
        make(folder)?;
        std::fs::set_permissions(folder, Permissions::from_mode(0o755))
            .map_err(EmbeddedError::files("change the mode of", folder))?;
    }
    Ok(())
}

/// Makes a folder that nobody else can enter yet; one that exists is left as it is.
fn make(folder: &Path) -> Result<(), EmbeddedError> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(EmbeddedError::files("create the folder", folder)(error))
        }
        _ if folder.is_dir() => Ok(()),
        _ => Err(EmbeddedError::ForeignFolder {
            folder: folder.to_path_buf(),
        }),
    }
}

/// A folder is ours when it is empty or when it has our lock file. Anything else is left alone.
fn refuse_foreign(path: &Path) -> Result<(), EmbeddedError> {
    let mut entries =
        std::fs::read_dir(path).map_err(EmbeddedError::files("read the folder", path))?;
    if entries.next().is_none() || path.join("lock").is_file() {
        return Ok(());
    }
    Err(EmbeddedError::ForeignFolder {
        folder: path.to_path_buf(),
    })
}

/// Gives the folder to the server's account and to nobody else. The cluster inside follows when the account has changed,
/// for example from `nobody` to `postgres` after that user was made.
fn close_to_others(path: &Path, account: &Account) -> Result<(), EmbeddedError> {
    let facts = std::fs::metadata(path).map_err(EmbeddedError::files("read the folder", path))?;
    if facts.uid() != account.uid {
        hand_over(path, account)?;
    }
    if facts.mode() & 0o777 != 0o700 {
        std::fs::set_permissions(path, Permissions::from_mode(0o700))
            .map_err(EmbeddedError::files("change the mode of", path))?;
    }
    Ok(())
}

fn hand_over(path: &Path, account: &Account) -> Result<(), EmbeddedError> {
    account.own(path)?;
    if !path.is_dir() || path.is_symlink() {
        return Ok(());
    }
    let entries = std::fs::read_dir(path).map_err(EmbeddedError::files("read the folder", path))?;
    for entry in entries {
        let entry = entry.map_err(EmbeddedError::files("read the folder", path))?;
        // Symbolic links are PostgreSQL's tablespaces, which a cluster of ours has none of.
        if !entry.path().is_symlink() {
            hand_over(&entry.path(), account)?;
        }
    }
    Ok(())
}

fn lock(folder: &Path) -> Result<File, EmbeddedError> {
    let path = folder.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(EmbeddedError::files("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(EmbeddedError::InUse {
            folder: folder.to_path_buf(),
        }),
        Err(TryLockError::Error(error)) => Err(EmbeddedError::files("lock", path)(error)),
    }
}

/// The data folder itself, or a folder of our own in the system's temporary one when the socket's path would be too long.
fn socket_dir(data_dir: &Path, account: &Account) -> Result<PathBuf, EmbeddedError> {
    if data_dir.join(SOCKET_NAME).as_os_str().len() <= MAX_SOCKET_PATH_BYTES {
        return Ok(data_dir.to_path_buf());
    }
    let digest = Sha256::digest(data_dir.as_os_str().as_encoded_bytes());
    let name = format!("assize-postgres-{}", hex::encode(&digest[..8]));
    let folder = std::env::temp_dir().join(name);
    let made = DirBuilder::new().mode(0o700).create(&folder);
    match made {
        Ok(()) => account.own(&folder)?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(EmbeddedError::files("create the folder", folder)(error)),
    }
    // The name can be guessed, so somebody else may have been here first.
    let facts =
        std::fs::symlink_metadata(&folder).map_err(EmbeddedError::files("read", &folder))?;
    if !facts.is_dir() || facts.uid() != account.uid || facts.mode() & 0o077 != 0 {
        return Err(EmbeddedError::ForeignSocketFolder { folder });
    }
    Ok(folder)
}

/// Processes named `postgres` whose working directory is `cluster`: the server and its children, however they came to be.
fn postgres_processes_in(cluster: &Path) -> Vec<Pid> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let works_here = std::fs::read_link(entry.path().join("cwd")).ok()? == cluster;
            let name = std::fs::read_to_string(entry.path().join("comm")).ok()?;
            (works_here && name.trim_end() == "postgres").then(|| Pid::from_raw(pid))
        })
        .collect()
}

fn remove_file(path: &Path) -> Result<(), EmbeddedError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(EmbeddedError::files("remove", path)(error))
        }
        _ => Ok(()),
    }
}
