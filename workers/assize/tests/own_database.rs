//! Commands without `DATABASE_URL`, by the binary: `work` keeps a database of its own, and the others find it.
#![allow(clippy::unwrap_used)]

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

fn command(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_assize"));
    command
        .args(line.split(' '))
        .current_dir(folder)
        .env_remove("DATABASE_URL")
        .env_remove("ASSIZE_DATA_DIR");
    command
}

/// Whether it succeeded, and what it printed on both streams.
fn assize(folder: &Path, line: &str) -> (bool, String) {
    let output = command(folder, line).output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(printed).unwrap())
}

/// A process that is ended when the test is.
struct Working(Child);

impl Drop for Working {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Looks until a command succeeds.
fn until_it_succeeds(folder: &Path, line: &str) -> String {
    let begun = Instant::now();
    loop {
        let (ok, printed) = assize(folder, line);
        if ok {
            return printed;
        }
        assert!(begun.elapsed() < PATIENCE, "{line}: {printed}");
    }
}

#[test]
fn without_an_address_a_worker_keeps_a_database_of_its_own_that_commands_find() {
    // Below the system's temporary folder: the account that PostgreSQL runs as must be able to reach it.
    let folder = TempDir::new().unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).unwrap();

    let (ok, printed) = assize(folder.path(), "round list");
    assert!(
        !ok && printed.contains("DATABASE_URL is not set"),
        "{printed}"
    );
    let (ok, printed) = assize(folder.path(), "migrate");
    assert!(
        ok && printed.contains("has this build's schema"),
        "{printed}"
    );
    let (ok, printed) = assize(folder.path(), "round list");
    assert!(
        !ok && printed.contains("no database of our own runs"),
        "{printed}"
    );

    let mut worker = command(folder.path(), "work --roles engine")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(Working)
        .unwrap();
    until_it_succeeds(folder.path(), "round list");
    kill(Pid::from_raw(worker.0.id() as i32), Signal::SIGTERM).unwrap();
    assert!(worker.0.wait().unwrap().success());
    assert!(
        !assize(folder.path(), "round list").0,
        "its database ends with it"
    );
}
