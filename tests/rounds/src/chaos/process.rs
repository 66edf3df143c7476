//! Processes that do not outlive us.

use std::{
    io::Read as _,
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use nix::{
    sys::signal::Signal,
    unistd::{Pid, getppid},
};

/// Asks the kernel to kill this process when its parent ends, and ends at once if that has happened already.
///
/// # Errors
///
/// If the kernel refuses, or `parent` is gone.
pub fn die_with_parent(parent: i32) -> anyhow::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).context("the kernel refuses a death signal")?;
    ensure!(
        getppid() == Pid::from_raw(parent),
        "the process that started this one is gone"
    );
    Ok(())
}

/// Keeps a network namespace alive until standard input ends.
pub fn hold_namespace() {
    // Nobody writes there; an error is an end, too.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// This program again, under the words of `prefix`: each of them is a program that executes the rest of the line in its own
/// place, so that the child's process id and parent are what they seem.
pub(super) fn ourselves(prefix: &[String], role: &str) -> anyhow::Result<Command> {
    let own = std::env::current_exe().context("this program has no path")?;
    let mut words = prefix.to_vec();
    words.push(own.display().to_string());
    let mut command = Command::new(&words[0]);
    command
        .args(&words[1..])
        .args([role, "--parent", &std::process::id().to_string()])
        .stdin(Stdio::null());
    Ok(command)
}
