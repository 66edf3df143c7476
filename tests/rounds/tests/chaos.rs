//! Flows on worker processes that are killed and cut off, on a database that is stopped, killed and loses connections: the
//! short form. `scripts/chaos` runs the long one.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Longer than anything that is waited for takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// The short form; it ends with this process.
fn command(more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    command
        .args([
            "run",
            "--short",
            "--parent",
            &std::process::id().to_string(),
        ])
        .args(more)
        .stdin(Stdio::null());
    command
}

fn chaos(more: &[&str]) -> serde_json::Value {
    let output = command(more).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let summary = said.lines().last().unwrap_or_default();
    let summary = serde_json::from_str(summary).unwrap_or_else(|_| {
        panic!("{said}{}", String::from_utf8_lossy(&output.stderr));
    });
    assert!(output.status.success(), "{summary:#}");
    summary
}

fn everything_happened_and_nothing_was_lost_or_double(summary: &serde_json::Value) {
    for trouble in [
        "kills",
        "postgres_restarts",
        "connections_cut",
        "partitions",
    ] {
        assert!(
            summary[trouble].as_u64() > Some(0),
            "{trouble}: {summary:#}"
        );
    }
    assert!(
        summary["attempts"]["lost"].as_u64() > Some(0),
        "{summary:#}"
    );
    for wrong in ["lost", "double", "wrong", "unexplained", "unborn"] {
        assert_eq!(summary[wrong], 0, "{summary:#}");
    }
    assert!(
        summary["longest_takeover_s"].as_f64() < Some(60.0),
        "{summary:#}"
    );
}

#[test]
fn no_flow_is_lost_or_done_twice_while_everything_around_it_fails() {
    let summary = chaos(&[]);
    assert_eq!(
        (&summary["flows"], &summary["steps"]),
        (&400.into(), &3600.into())
    );
    everything_happened_and_nothing_was_lost_or_double(&summary);
}

#[test]
fn it_is_the_same_without_network_namespaces() {
    let summary = chaos(&["--without-namespaces", "--seed", "2", "--flows", "150"]);
    assert_eq!(summary["namespaces"], false);
    assert_eq!(
        (&summary["flows"], &summary["steps"]),
        (&150.into(), &1350.into())
    );
    everything_happened_and_nothing_was_lost_or_double(&summary);
}

#[test]
fn when_it_is_killed_its_workers_its_database_and_its_networks_are_gone() {
    // What it keeps in files stays behind, so that it is ours to remove.
    let files = tempfile::tempdir().unwrap();
    let mut killed = command(&["--flows", "1000000"])
        .env("TMPDIR", files.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let own = killed.id();
    let started = |family: &[Member]| {
        let named = |name: &str| family.iter().filter(|one| one.does(name)).count();
        named("--name replica-") == 4 && named("postgres") > 1
    };
    until("everything was started", || started(&family_of(own)));
    let family = family_of(own);

    killed.kill().unwrap();
    killed.wait().unwrap();
    until("all its processes ended", || {
        family.iter().all(|member| !member.lives())
    });
    until("its networks were gone", || {
        let cable = format!("chaos{own}-");
        let mut interfaces = std::fs::read_dir("/sys/class/net").unwrap();
        !interfaces.any(|name| {
            let name = name.unwrap().file_name();
            name.to_string_lossy().starts_with(&cable)
        })
    });
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A process; its start tells it from a later one of its number.
struct Member {
    pid: u32,
    parent: u32,
    started: String,
    command: String,
}

impl Member {
    /// What the kernel says of it; none once it has ended, also when nobody has asked for its end yet.
    fn read(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name before the last bracket may hold anything.
        let (_, fields) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        if matches!(fields[0], "Z" | "X") {
            return None;
        }
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        Some(Self {
            pid,
            parent: fields[1].parse().ok()?,
            started: fields[19].to_owned(),
            command: String::from_utf8_lossy(&command).replace('\0', " "),
        })
    }

    fn does(&self, words: &str) -> bool {
        self.command.contains(words)
    }

    fn lives(&self) -> bool {
        Self::read(self.pid).is_some_and(|now| now.started == self.started)
    }
}

/// The children of a process with theirs.
fn family_of(pid: u32) -> Vec<Member> {
    let everybody: Vec<Member> = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(Member::read)
        .collect();
    let mut family = vec![pid];
    let mut known = 0;
    while known < family.len() {
        let parent = family[known];
        family.extend(
            everybody
                .iter()
                .filter(|one| one.parent == parent)
                .map(|one| one.pid),
        );
        known += 1;
    }
    everybody
        .into_iter()
        .filter(|one| one.pid != pid && family.contains(&one.pid))
        .collect()
}
