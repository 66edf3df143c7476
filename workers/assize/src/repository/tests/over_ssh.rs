use std::path::Path;
use std::process::{Child, Command, Stdio};

use secrecy::{ExposeSecret as _, SecretString};

use super::super::testing::{World, commit, put, run_git};
use super::super::{
    GitCredentials, MirrorOptions, MirrorRepository, PushOutcome, RepositoryError, SigningKey,
};
use super::elsewhere;
use super::ssh_server::SshHost;

/// A remote, its host, and a key that opens it.
struct Door {
    world: World,
    host: SshHost,
    key: SigningKey,
}

impl Door {
    fn new() -> Self {
        let (world, key) = (World::new(), SigningKey::generate());
        let host = SshHost::serve(&key.public_key());
        Self { world, host, key }
    }

    fn private_key(&self) -> SecretString {
        self.key.to_openssh().unwrap()
    }

    /// Options with this door's key and all keys of the host.
    fn options(&self) -> MirrorOptions {
        MirrorOptions {
            remote: self.host.url(&self.world.remote),
            credentials: GitCredentials {
                ssh_key: Some(self.private_key()),
                ssh_host_keys: self.host.fingerprints.clone(),
                ..GitCredentials::default()
            },
            ..self.world.options()
        }
    }

    fn refused(&self, credentials: GitCredentials) -> RepositoryError {
        let options = MirrorOptions {
            credentials,
            ..self.options()
        };
        MirrorRepository::open_or_clone(options).err().unwrap()
    }
}

fn clone_and_push(options: MirrorOptions) -> Result<(), RepositoryError> {
    let mirror = MirrorRepository::open_or_clone(options)?;
    commit(&mirror, &[put("rounds/0/a", "1")]);
    assert!(matches!(mirror.push()?, PushOutcome::Pushed(commits) if commits.len() == 1));
    assert_eq!(mirror.fetch()?.commits, []);
    Ok(())
}

#[test]
fn a_key_opens_the_door_and_is_written_nowhere() {
    let door = Door::new();
    clone_and_push(door.options()).unwrap();
    assert_eq!(door.world.file("rounds/0/a").unwrap(), "1");
    run_git(&door.world.remote, &["fsck", "--strict"]);
    let secret = door.private_key();
    let line = secret.expose_secret().lines().nth(2).unwrap();
    for entry in std::fs::read_dir(door.world.clone_path("clone")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let content = std::fs::read(&path).unwrap();
            let holds_it = String::from_utf8_lossy(&content).contains(line);
            assert!(!holds_it, "{}", path.display());
        }
    }
    assert!(!format!("{:?}", door.options()).contains(line));
}

#[test]
fn a_lost_race_over_ssh_loses_neither_side() {
    let door = Door::new();
    let mirror = MirrorRepository::open_or_clone(door.options()).unwrap();
    door.world.person(&[("README.md", Some("A competition"))]);
    commit(&mirror, &[put("rounds/0/a", "1")]);
    assert_eq!(mirror.push().unwrap(), PushOutcome::Rejected);
    let published = mirror.publish(3).unwrap();
    assert!(
        matches!(published.push, PushOutcome::Pushed(_)),
        "{published:?}"
    );
    assert_eq!(door.world.file("README.md").unwrap(), "A competition");
    assert_eq!(door.world.file("rounds/0/a").unwrap(), "1");
}

#[test]
fn a_key_with_a_passphrase_opens_with_the_passphrase_only() {
    let door = Door::new();
    let file = door.world.clone_path("key");
    std::fs::write(&file, door.private_key().expose_secret()).unwrap();
    only_for_its_owner(&file);
    let encrypted = Command::new("ssh-keygen")
        .args(["-q", "-p", "-P", "", "-N", "hunter2", "-f"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(encrypted.status.success(), "{encrypted:?}");
    let mut options = door.options();
    options.credentials.ssh_key = Some(std::fs::read_to_string(&file).unwrap().into());
    options.credentials.ssh_passphrase = Some("hunter2".into());
    clone_and_push(options.clone()).unwrap();

    options.local = door.world.clone_path("other");
    options.credentials.ssh_passphrase = Some("hunter3".into());
    let error = MirrorRepository::open_or_clone(options).err().unwrap();
    assert!(
        matches!(error, RepositoryError::Authentication { .. }),
        "{error:?}"
    );
    assert!(!format!("{error:?} {error}").contains("hunter3"));
}

#[test]
fn a_strange_key_is_told_as_such() {
    let door = Door::new();
    let error = door.refused(GitCredentials {
        ssh_key: Some(SigningKey::generate().to_openssh().unwrap()),
        ..door.options().credentials
    });
    assert!(
        matches!(error, RepositoryError::Authentication { .. }),
        "{error:?}"
    );
}

#[test]
fn an_address_without_a_repository_is_told_as_such() {
    let door = Door::new();
    let options = MirrorOptions {
        remote: door.host.url(&door.world.clone_path("elsewhere.git")),
        ..door.options()
    };
    let error = MirrorRepository::open_or_clone(options).err().unwrap();
    assert!(
        matches!(error, RepositoryError::NoRepository { .. }),
        "{error:?}"
    );
}

#[test]
fn a_host_with_another_key_than_configured_is_not_even_knocked_at() {
    let door = Door::new();
    let other = SshHost::serve(&door.key.public_key());
    let error = door.refused(GitCredentials {
        ssh_host_keys: other.fingerprints.clone(),
        ..door.options().credentials
    });
    let sentence = error.to_string();
    assert!(
        matches!(&error, RepositoryError::HostKey { shown: Some(shown), .. } if door.host.fingerprints.contains(shown)),
        "{error:?}"
    );
    assert!(
        sentence.contains("GIT_SSH_HOST_KEY") && sentence.contains("it is SHA256:"),
        "{sentence}"
    );
    assert!(!error.is_transient());
    assert_eq!(door.host.knocks(), 0);
}

/// Set for the process in which `known_hosts` and the agent of another home are used.
const REMOTE: &str = "ASSIZE_TEST_SSH_REMOTE";

/// What the other process does: it has no key and no fingerprint of its own.
fn with_what_its_home_has(remote: String) -> String {
    let world = World::new();
    let options = MirrorOptions {
        remote,
        credentials: GitCredentials::default(),
        ..world.options()
    };
    match clone_and_push(options) {
        Ok(()) => "it got in".to_owned(),
        Err(error) => format!("{error}"),
    }
}

#[test]
fn without_a_configured_key_known_hosts_and_the_agent_decide() {
    if let Ok(remote) = std::env::var(REMOTE) {
        println!("{}", with_what_its_home_has(remote));
        return;
    }
    let door = Door::new();
    let home = door.world.clone_path("home");
    std::fs::create_dir_all(home.join(".ssh")).unwrap();
    let agent = Agent::holding(&door);
    let url = door.host.url(&door.world.remote);
    let there = || {
        elsewhere::run(
            "over_ssh::without_a_configured_key_known_hosts_and_the_agent_decide",
            &[
                (REMOTE, url.as_ref()),
                ("HOME", home.as_os_str()),
                ("SSH_AUTH_SOCK", agent.socket.as_os_str()),
            ],
        )
    };
    let unknown = there();
    assert!(unknown.contains("is not known (it is SHA256:"), "{unknown}");
    assert_eq!(door.host.knocks(), 0);

    let lines = door
        .host
        .public_keys
        .iter()
        .map(|key| format!("[127.0.0.1]:{} {key}\n", door.host.port));
    std::fs::write(home.join(".ssh/known_hosts"), lines.collect::<String>()).unwrap();
    let known = there();
    assert!(known.contains("it got in"), "{known}");
}

/// An SSH agent with the door's key.
struct Agent {
    process: Child,
    socket: std::path::PathBuf,
}

impl Agent {
    fn holding(door: &Door) -> Self {
        let socket = door.world.clone_path("agent");
        let process = Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let agent = Self { process, socket };
        let file = door.world.clone_path("key");
        std::fs::write(&file, door.private_key().expose_secret()).unwrap();
        only_for_its_owner(&file);
        let add = || {
            Command::new("ssh-add")
                .arg("-q")
                .arg(&file)
                .env("SSH_AUTH_SOCK", &agent.socket)
                .stderr(Stdio::null())
                .status()
                .unwrap()
        };
        // Until the agent listens there is nobody to add the key to.
        while !add().success() {
            std::thread::yield_now();
        }
        agent
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// OpenSSH's programs refuse keys that others can read.
fn only_for_its_owner(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}
