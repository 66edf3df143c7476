//! A test in a process of its own, for what belongs to a whole process: its home, its certificates.

use std::ffi::OsStr;
use std::process::Command;

/// Runs `test` of this folder alone, with these variables, and returns what it printed.
pub fn run(test: &str, variables: &[(&str, &OsStr)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .arg(format!("repository::tests::{test}"))
        .args(["--exact", "--nocapture"])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && printed.contains("1 passed"),
        "{printed}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    printed
}
