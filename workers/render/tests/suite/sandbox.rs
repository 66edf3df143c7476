//! The two browsers as the operating system sees them: whose they are, what they may reach, when they go.

use std::collections::HashMap;
use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use render::{Outcome, Renderer, RendererConfig};

use crate::modules::{self, PATIENCE, cube};
use crate::processes::{self, Process};

/// `nobody`, whom the browsers run as when root starts them.
const NOBODY: u32 = 65534;

async fn browsers(renderer: &Renderer) -> Vec<Process> {
    let groups = renderer.process_groups().await;
    assert_eq!(groups.len(), 2, "one browser executes, the other draws");
    groups
        .into_iter()
        .flat_map(processes::of_group)
        .filter(|process| process.command.contains("chrom"))
        .collect()
}

#[tokio::test]
async fn both_browsers_run_unprivileged_and_in_their_sandbox() {
    let renderer = Renderer::launch(RendererConfig::default()).await.unwrap();
    let expected_uid = if Uid::effective().is_root() {
        NOBODY
    } else {
        Uid::effective().as_raw()
    };
    let own_network = std::fs::read_link("/proc/self/ns/net").unwrap();
    let processes = browsers(&renderer).await;
    assert!(processes.iter().filter(|process| process.is_page()).count() >= 2);
    for process in &processes {
        let command = &process.command;
        assert!(!command.contains("--no-sandbox"), "{command}");
        assert!(!command.contains("--disable-setuid-sandbox"), "{command}");
        assert!(!command.contains("--in-process-gpu"), "{command}");
        // Real, effective, saved and file system user.
        let uids = process.status("Uid");
        for uid in uids.split_whitespace() {
            assert_eq!(uid, expected_uid.to_string(), "{command}");
        }
        assert!(
            !process
                .read("limits")
                .lines()
                .any(|line| line.starts_with("Max data size") && line.contains("unlimited")),
            "{command}"
        );
    }
    // The browsers' children write their titles over what they inherited.
    for browser in processes.iter().filter(|process| process.is_browser()) {
        let inherited = browser.read("environ");
        let pairs = inherited
            .split('\0')
            .filter_map(|pair| pair.split_once('='));
        for (name, _) in pairs {
            let is_own = name.starts_with("CHROME") || name.starts_with("SBX_");
            let is_given = ["PATH", "HOME", "TMPDIR", "LANG", "TZ", "PWD"].contains(&name);
            assert!(is_own || is_given, "{name} was inherited");
        }
    }
    for page in processes.iter().filter(|process| process.is_page()) {
        assert_eq!(page.status("Seccomp"), "2", "system calls are filtered");
        assert_eq!(page.status("NoNewPrivs"), "1");
        assert_ne!(
            page.namespace("net"),
            own_network.display().to_string(),
            "a page has no network of its own"
        );
    }
    renderer.close().await;
}

#[tokio::test]
async fn the_profile_is_private_and_goes_with_the_browser() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let renderer = Renderer::launch(RendererConfig::default()).await.unwrap();
    let profiles: Vec<String> = browsers(&renderer)
        .await
        .iter()
        .filter(|process| process.is_browser())
        .filter_map(|process| {
            let (_, rest) = process.command.split_once("--user-data-dir=")?;
            rest.split(' ').next().map(str::to_owned)
        })
        .collect();
    assert!(profiles.len() >= 2);
    for profile in &profiles {
        let metadata = std::fs::metadata(profile).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o700, "{profile}");
        if Uid::effective().is_root() {
            assert_eq!(metadata.uid(), NOBODY);
        }
    }
    renderer.close().await;
    for profile in &profiles {
        assert!(!std::path::Path::new(profile).exists(), "{profile}");
    }
}

#[tokio::test]
async fn browsers_are_replaced_on_schedule_and_leave_nothing_behind() {
    let config = RendererConfig {
        modules_a_browser: 3,
        ..RendererConfig::default()
    };
    let renderer = Renderer::launch(config).await.unwrap();
    let first = renderer.process_groups().await;
    let source = cube("");
    let mut seen = None;
    for _ in 0..8 {
        let rendering = tokio::time::timeout(PATIENCE, renderer.views(&source, 64))
            .await
            .unwrap()
            .unwrap();
        let expected = seen.get_or_insert_with(|| rendering.white.clone());
        assert_eq!(*expected, rendering.white);
    }
    let starts = renderer.browser_starts();
    assert_eq!((starts.execute, starts.draw), (3, 3));
    processes::end_of_all(first).await;
    renderer.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_ended_by_the_system_is_not_the_modules_fault() {
    // Twice may be bad luck beside greedy neighbours; a third time, alone, it is the module.
    assert!(outcome_after_kills(2).await.result.is_ok());
    let blamed = outcome_after_kills(3).await;
    assert_eq!(modules::rules(&blamed), ["HEAP_EXCEEDED"]);
}

/// Runs a slow module and ends its process at work, as the system does when memory runs out, so many times.
async fn outcome_after_kills(kills: usize) -> Outcome {
    // Long enough to be caught at work, and never too late.
    let renderer = Arc::new(modules::validator_with_limit(1, PATIENCE).await);
    let slow = cube("let sum = 0; for (let i = 0; i < 3e9; i++) sum += i; mesh.name = `${sum}`;");
    let [group] = renderer.process_groups().await[..] else {
        panic!("only the executing browser runs")
    };
    let mut first_seen = computed(group);
    let running = tokio::spawn({
        let renderer = renderer.clone();
        async move { modules::validate(&renderer, &slow).await }
    });
    for _ in 0..kills {
        let victim = loop {
            let now = computed(group);
            for (pid, seconds) in &now {
                first_seen.entry(*pid).or_insert(*seconds);
            }
            // More than starting up takes.
            let is_busy = |(pid, seconds): &(&i32, &f64)| **seconds > first_seen[pid] + 1.5;
            if let Some((pid, _)) = now.iter().find(is_busy) {
                break *pid;
            }
            assert!(!running.is_finished(), "it was never seen at work");
            tokio::task::yield_now().await;
        };
        kill(Pid::from_raw(victim), Signal::SIGKILL).unwrap();
        // It may be listed for a moment longer.
        first_seen.insert(victim, f64::INFINITY);
    }
    let outcome = running.await.unwrap();
    renderer.shut_down().await;
    outcome
}

/// Seconds each page of a browser has computed.
fn computed(group: i32) -> HashMap<i32, f64> {
    let pages = processes::of_group(group).into_iter();
    pages
        .filter(Process::is_page)
        .map(|process| (process.pid, process.cpu_seconds()))
        .collect()
}
