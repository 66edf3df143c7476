//! Many modules, one in ten hostile, several at a time, with browsers killed in between.

use std::collections::HashSet;
use std::sync::Arc;

use futures::StreamExt as _;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use render::{Renderer, RendererConfig};

use crate::modules::{self, Module, PATIENCE, cube, rules};
use crate::processes;

/// Modules of one run; `ASSIZE_SOAK_MODULES` asks for more.
fn how_many() -> usize {
    std::env::var("ASSIZE_SOAK_MODULES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(60)
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

#[tokio::test]
async fn every_innocent_verdict_is_right_whatever_stands_beside_it() {
    let config = RendererConfig {
        pages: 4,
        queue: 1_000,
        ..RendererConfig::default()
    };
    let renderer = Arc::new(Renderer::launch(config).await.unwrap());
    let mut innocent = Vec::new();
    for module in modules::all("budget") {
        let outcome = modules::validate(&renderer, &module.source).await;
        innocent.push((module, outcome.result.unwrap().sha256));
    }
    let course = Arc::new(Course {
        renderer: renderer.clone(),
        innocent,
        hostile: hostile(),
    });
    let count = how_many();
    let mut memory_mb = Vec::new();
    let mut groups = HashSet::new();
    // Tasks of their own: we ask the renderer questions between them, and they must go on meanwhile.
    let mut results = futures::stream::iter(0..count)
        .map(|index| tokio::spawn(course.clone().run(index)))
        .buffer_unordered(4);
    let mut done = 0;
    while let Some(result) = results.next().await {
        result.unwrap();
        done += 1;
        let running = renderer.process_groups().await;
        groups.extend(running.iter().copied());
        if done % (count / 20).max(1) == 0 {
            memory_mb.push(processes::resident_mb(&running));
        }
        // Now and then one of the browsers is killed at its work.
        if done % (count / 4).max(1) == count / 8 {
            let victim = running[done * 4 / count % running.len()];
            killpg(Pid::from_raw(victim), Signal::SIGKILL).unwrap();
        }
    }
    println!("{count} modules; resident megabytes along the way: {memory_mb:?}");
    let starts = renderer.browser_starts();
    assert!(starts.execute + starts.draw > 2, "{starts:?}");
    // Medians, because a heap bomb may be at work while we look.
    let median = |part: &[u64]| {
        let mut sorted = part.to_vec();
        sorted.sort_unstable();
        sorted[sorted.len() / 2]
    };
    let (early, late) = memory_mb.split_at(memory_mb.len() / 2);
    assert!(
        median(late) <= median(early) * 13 / 10 + 200,
        "memory grows: {memory_mb:?}"
    );
    renderer.shut_down().await;
    processes::end_of_all(groups.into_iter().collect()).await;
}

/// What the modules of a soak are taken from.
struct Course {
    renderer: Arc<Renderer>,
    /// With the hash each has when it runs alone.
    innocent: Vec<(Module, String)>,
    /// With the rules each may break.
    hostile: Vec<(String, &'static [&'static str])>,
}

impl Course {
    async fn run(self: Arc<Self>, index: usize) {
        if index % 10 == 7 {
            let (source, allowed) = &self.hostile[(index / 10) % self.hostile.len()];
            let outcome = modules::validate(&self.renderer, source).await;
            let found = rules(&outcome);
            assert!(
                allowed.contains(found.first().unwrap_or(&"")),
                "{source}: {found:?}"
            );
        } else {
            let (module, expected) = &self.innocent[index % self.innocent.len()];
            let found = document_sha256(&self.renderer, module, index.is_multiple_of(6)).await;
            assert_eq!(found, *expected, "{}", module.name);
        }
    }
}

/// Validates the module, or draws it too.
async fn document_sha256(renderer: &Renderer, module: &Module, draw: bool) -> String {
    if draw {
        let rendering = tokio::time::timeout(PATIENCE, renderer.views(&module.source, 64))
            .await
            .unwrap();
        return rendering
            .unwrap_or_else(|error| panic!("{}: {error}", module.name))
            .document_sha256;
    }
    modules::validate(renderer, &module.source)
        .await
        .result
        .unwrap_or_else(|error| panic!("{}: {error:?}", module.name))
        .sha256
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
            let workers = processes::of_group(group).into_iter().filter(|process| {
                process.is_page() || process.command.contains("--type=gpu-process")
            });
            for process in workers {
                let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
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
    processes::end_of_all(groups).await;
}
