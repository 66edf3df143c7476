//! Many modules, one in ten hostile, several at a time, with browsers killed in between.

use std::collections::HashMap;
use std::sync::Arc;

use futures::StreamExt as _;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use render::{Renderer, RendererConfig};

use crate::modules::{self, PATIENCE, cube, rules};

/// Modules of one run; `ASSIZE_SOAK_MODULES` asks for more.
fn how_many() -> usize {
    std::env::var("ASSIZE_SOAK_MODULES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(100)
}

fn hostile() -> Vec<(String, &'static [&'static str])> {
    vec![
        (modules::one("negative", "heap_exceeded").source, &["HEAP_EXCEEDED", "TIMEOUT_EXCEEDED"]),
        ("export default () => { throw null; };".to_owned(), &["EXECUTION_THREW"]),
        ("export default () => { for (;;); };".to_owned(), &["TIMEOUT_EXCEEDED"]),
        (cube("Object.prototype.toJSON = Array.prototype.push = null; mesh.scale.setScalar(9);"), &["BOUNDING_BOX_OUT_OF_RANGE"]),
        (cube("mesh.position.x = NaN;"), &["BOUNDING_BOX_OUT_OF_RANGE"]),
        ("export default () => { const a = []; for (;;) a.push(new Uint8Array(1 << 25).fill(1)); };".to_owned(),
         &["HEAP_EXCEEDED", "EXECUTION_THREW", "TIMEOUT_EXCEEDED"]),
        ("export default () => fetch('x');".to_owned(), &["FORBIDDEN_IDENTIFIER"]),
        ("export default () => (() => {})['constructor']('return this')();".to_owned(), &["RUNTIME_VIOLATION"]),
    ]
}

/// Processes of a group that are alive.
fn alive(group: i32) -> usize {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return 0;
    };
    processes
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("stat")).ok())
        .filter(|stat| {
            let Some((_, rest)) = stat.rsplit_once(')') else {
                return false;
            };
            let fields: Vec<&str> = rest.split_whitespace().collect();
            fields.first() != Some(&"Z")
                && fields.get(2).and_then(|pgrp| pgrp.parse().ok()) == Some(group)
        })
        .count()
}

/// Resident memory of the groups' processes, in megabytes.
fn resident_mb(groups: &[i32]) -> u64 {
    let mut pages = 0;
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        let Some((_, rest)) = stat.rsplit_once(')') else {
            continue;
        };
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let group: i32 = fields
            .get(2)
            .and_then(|pgrp| pgrp.parse().ok())
            .unwrap_or_default();
        if groups.contains(&group) {
            pages += fields
                .get(21)
                .and_then(|rss| rss.parse::<u64>().ok())
                .unwrap_or_default();
        }
    }
    pages * 4096 / 1_000_000
}

#[tokio::test]
async fn every_innocent_verdict_is_right_whatever_stands_beside_it() {
    let config = RendererConfig {
        pages: 4,
        queue: 1_000,
        ..RendererConfig::default()
    };
    let renderer = Arc::new(Renderer::launch_for_validation(config).await.unwrap());
    let innocent = modules::all("budget");
    let mut expected = HashMap::new();
    for module in &innocent {
        let outcome = modules::validate(&renderer, &module.source).await;
        expected.insert(module.name.clone(), outcome.result.unwrap().sha256);
    }
    let hostile = hostile();
    let count = how_many();
    let mut memory = Vec::new();
    let mut results = std::pin::pin!(
        futures::stream::iter(0..count)
            .map(|index| {
                let (renderer, innocent, hostile, expected) =
                    (&renderer, &innocent, &hostile, &expected);
                async move {
                    if index % 10 == 7 {
                        let (source, allowed) = &hostile[(index / 10) % hostile.len()];
                        let outcome = modules::validate(renderer, source).await;
                        let found = rules(&outcome);
                        assert!(
                            allowed.contains(found.first().unwrap_or(&"")),
                            "{source}: {found:?}"
                        );
                    } else {
                        let module = &innocent[index % innocent.len()];
                        let outcome = modules::validate(renderer, &module.source).await;
                        let document = outcome
                            .result
                            .unwrap_or_else(|error| panic!("{}: {error:?}", module.name));
                        assert_eq!(document.sha256, expected[&module.name], "{}", module.name);
                    }
                    index
                }
            })
            .buffer_unordered(4)
    );
    while let Some(index) = results.next().await {
        if index % (count / 4).max(1) == 0 {
            memory.push(resident_mb(&renderer.process_groups().await));
        }
    }
    println!("resident megabytes along the way: {memory:?}");
    let groups = renderer.process_groups().await;
    renderer.shut_down().await;
    for group in groups {
        assert_eq!(alive(group), 0, "no process is left behind");
    }
}

#[tokio::test]
async fn killed_browsers_are_replaced_and_no_module_is_blamed() {
    let renderer = Arc::new(Renderer::launch(RendererConfig::default()).await.unwrap());
    let source = modules::one("budget", "car").source;
    let first = renderer.views(&source, 64).await.unwrap();
    let groups = renderer.process_groups().await;
    for victim in groups {
        killpg(Pid::from_raw(victim), Signal::SIGKILL).unwrap();
        let again = tokio::time::timeout(PATIENCE, renderer.views(&source, 64))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(again.white, first.white);
    }
    // A page's process alone, in both browsers.
    for _ in 0..2 {
        for group in renderer.process_groups().await {
            for entry in std::fs::read_dir("/proc").unwrap().flatten() {
                let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else {
                    continue;
                };
                let Ok(line) = std::fs::read_to_string(entry.path().join("cmdline")) else {
                    continue;
                };
                let member =
                    nix::unistd::getpgid(Some(Pid::from_raw(pid))) == Ok(Pid::from_raw(group));
                if member
                    && (line.contains("--type=renderer") || line.contains("--type=gpu-process"))
                {
                    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                }
            }
        }
        let again = tokio::time::timeout(PATIENCE, renderer.views(&source, 64))
            .await
            .unwrap();
        assert_eq!(again.unwrap().white, first.white);
    }
    let starts = renderer.browser_starts();
    assert!(starts.execute >= 2 && starts.draw >= 2, "{starts:?}");
    let groups = renderer.process_groups().await;
    renderer.shut_down().await;
    assert!(groups.into_iter().all(|group| alive(group) == 0));
}
