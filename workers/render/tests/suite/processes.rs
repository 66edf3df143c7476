//! What the operating system knows about processes: whose they are, what they may, whether they live.

use std::path::PathBuf;

use crate::modules::PATIENCE;

/// A process.
#[derive(Debug, Clone)]
pub struct Process {
    pub pid: i32,
    /// Its arguments, separated by spaces.
    pub command: String,
    /// Resident memory in bytes.
    pub resident_bytes: u64,
}

impl Process {
    /// Whether it shows a page of the browser.
    pub fn is_page(&self) -> bool {
        self.command.contains("--type=renderer")
    }

    /// Whether it is the browser itself, and none of its children.
    pub fn is_browser(&self) -> bool {
        self.command.contains("--user-data-dir=") && !self.command.contains("--type=")
    }

    /// A file below `/proc/{pid}` as text; empty when the process is gone.
    pub fn read(&self, name: &str) -> String {
        std::fs::read(self.path(name))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The namespace of a kind (`net`, `user`, …) it lives in.
    pub fn namespace(&self, kind: &str) -> String {
        std::fs::read_link(self.path(&format!("ns/{kind}")))
            .map(|link| link.display().to_string())
            .unwrap_or_default()
    }

    /// A field of `/proc/{pid}/status`.
    pub fn status(&self, field: &str) -> String {
        let prefix = format!("{field}:");
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix(&prefix));
        line.unwrap_or_default().trim().to_owned()
    }

    /// Seconds it has computed.
    pub fn cpu_seconds(&self) -> f64 {
        const TICKS_A_SECOND: f64 = 100.0;
        let stat = self.read("stat");
        let fields = fields_of(&stat);
        let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok());
        (ticks(11).unwrap_or_default() + ticks(12).unwrap_or_default()) / TICKS_A_SECOND
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.pid))
    }
}

/// What follows the name in a `stat` line: state, parent, process group, …
fn fields_of(stat: &str) -> Vec<&str> {
    stat.rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().collect())
        .unwrap_or_default()
}

/// The living processes of a process group.
pub fn of_group(group: i32) -> Vec<Process> {
    const PAGE_BYTES: u64 = 4096;
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else {
            continue;
        };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        let fields = fields_of(&stat);
        let number = |at: usize| fields.get(at).and_then(|text| text.parse::<i64>().ok());
        let is_dead = matches!(fields.first(), Some(&("Z" | "X")));
        if is_dead || number(2) != Some(i64::from(group)) {
            continue;
        }
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        found.push(Process {
            pid,
            command: String::from_utf8_lossy(&command).replace('\0', " "),
            resident_bytes: number(21).unwrap_or_default() as u64 * PAGE_BYTES,
        });
    }
    found
}

/// Waits until no process of the groups lives. A killed process that shares memory with others takes a moment to be gone.
pub async fn end_of_all(groups: Vec<i32>) {
    let ended = async {
        while groups.iter().any(|group| !of_group(*group).is_empty()) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, ended).await;
    assert!(waited.is_ok(), "a process is left behind");
}

/// Resident memory of the groups' processes, in megabytes.
pub fn resident_mb(groups: &[i32]) -> u64 {
    let processes = groups.iter().flat_map(|group| of_group(*group));
    processes.map(|process| process.resident_bytes).sum::<u64>() / 1_000_000
}
