//! A git host over SSH: OpenSSH's server, one process a connection, for the user who runs the tests and one key.

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

/// Where Debian installs it. It refuses to run by a relative path.
const SSHD: &str = "/usr/sbin/sshd";
/// The folder it locks its unprivileged part in, when root runs it.
const EMPTY_FOLDER: &str = "/run/sshd";

pub struct SshHost {
    pub port: u16,
    /// Its keys as `ssh-keygen -lf` prints them; a client is shown one of them.
    pub fingerprints: Vec<String>,
    /// Its keys as `known_hosts` has them.
    pub public_keys: Vec<String>,
    folder: TempDir,
    stopped: Arc<AtomicBool>,
}

impl SshHost {
    /// Serves whoever holds `key` (`ssh-ed25519 AAAA…`).
    pub fn serve(key: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (mut fingerprints, mut public_keys, mut settings) =
            (Vec::new(), Vec::new(), String::new());
        for kind in ["ed25519", "ecdsa"] {
            let file = path(kind);
            let made = ["-q", "-t", kind, "-N", "", "-C", "", "-f"];
            ssh_keygen(&made, &file);
            let told = ssh_keygen(&["-l", "-f"], &file);
            fingerprints.push(told.split(' ').nth(1).unwrap().to_owned());
            let public = std::fs::read_to_string(file.with_extension("pub")).unwrap();
            public_keys.push(public.trim().to_owned());
            settings += &format!("HostKey {}\n", file.display());
        }
        std::fs::write(path("authorized_keys"), key).unwrap();
        settings += &format!("AuthorizedKeysFile {}\n", path("authorized_keys").display());
        settings += "StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n";
        settings += "PermitRootLogin prohibit-password\nLogLevel DEBUG1\n";
        std::fs::write(path("config"), settings).unwrap();
        if nix::unistd::Uid::effective().is_root() {
            std::fs::create_dir_all(EMPTY_FOLDER).unwrap();
            let nobody_writes = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(EMPTY_FOLDER, nobody_writes).unwrap();
        }

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = Self {
            port: listener.local_addr().unwrap().port(),
            fingerprints,
            public_keys,
            folder,
            stopped: Arc::default(),
        };
        let (stopped, config, log) = (host.stopped.clone(), host.path("config"), host.path("log"));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let (config, log) = (config.clone(), log.clone());
                std::thread::spawn(move || answer(stream.unwrap(), &config, &log));
            }
        });
        host
    }

    /// The address of the repository in `folder`.
    pub fn url(&self, folder: &Path) -> String {
        let user = nix::unistd::User::from_uid(nix::unistd::Uid::effective())
            .unwrap()
            .unwrap()
            .name;
        format!("ssh://{user}@127.0.0.1:{}{}", self.port, folder.display())
    }

    /// How often somebody said who they are.
    pub fn knocks(&self) -> usize {
        let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
        log.matches("userauth-request for user").count()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for SshHost {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn answer(stream: TcpStream, config: &Path, log: &Path) {
    let output = stream.try_clone().unwrap();
    let mut server = Command::new(SSHD)
        .arg("-i")
        .arg("-f")
        .arg(config)
        .arg("-E")
        .arg(log)
        .stdin(OwnedFd::from(stream))
        .stdout(OwnedFd::from(output))
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{SSHD} (package openssh-server): {error}"));
    server.wait().unwrap();
}

fn ssh_keygen(arguments: &[&str], file: &Path) -> String {
    let output = Command::new("ssh-keygen")
        .args(arguments)
        .arg(file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
