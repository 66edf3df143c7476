//! The probes of the render specification (§14), by their ideas.

use render::execute::{Executor, ExecutorConfig};
use render::{Rule, Stage, analyse};

use crate::modules::{self, Module, PATIENCE};

/// The source of a negative probe; two are too large to keep and are padded here.
fn negative_source(probe: &Module) -> String {
    let mut source = probe.source.clone();
    if let Some(count) = probe.header("fiveDigitNumbers") {
        let numbers: Vec<String> = (0..count.parse().unwrap())
            .map(|i: usize| (10_000 + i % 90_000).to_string())
            .collect();
        source = source.replace("__NUMBERS__", &numbers.join(", "));
    }
    if let Some(size) = probe.header("padTo") {
        let size: usize = size.parse().unwrap();
        source.push_str("// ");
        source.push_str(&"x".repeat(size - source.len()));
    }
    source
}

#[tokio::test]
async fn every_negative_probe_is_rejected_with_its_rule_at_its_stage() {
    let probes = modules::all("negative");
    assert_eq!(probes.len(), 43);
    let renderer = modules::validator(2).await;
    for probe in &probes {
        let expected = probe.header("expectedRule").unwrap();
        let stage = probe.header("expectedStage").unwrap();
        let outcome = modules::validate(&renderer, &negative_source(probe)).await;
        let failures = outcome
            .result
            .as_ref()
            .err()
            .unwrap_or_else(|| panic!("{} passed", probe.name));
        let rules = modules::rules(&outcome);
        assert!(rules.contains(&expected), "{}: {failures:?}", probe.name);
        assert!(
            failures
                .iter()
                .all(|failure| failure.stage.as_str() == stage),
            "{}: {failures:?}",
            probe.name
        );
        // Two kinds of depth failure are reported, as the miner-side validator does; all others come alone.
        let count = if probe.name == "depth_limit_exceeded" {
            2
        } else {
            1
        };
        assert_eq!(failures.len(), count, "{}: {failures:?}", probe.name);
    }
    renderer.close().await;
}

#[tokio::test]
async fn every_budget_probe_passes_with_the_figures_it_names() {
    let probes = modules::all("budget");
    assert_eq!(probes.len(), 16);
    let renderer = modules::validator(2).await;
    for probe in &probes {
        let outcome = modules::validate(&renderer, &probe.source).await;
        assert!(
            outcome.result.is_ok(),
            "{}: {:?}",
            probe.name,
            outcome.result.err()
        );
        let metrics = outcome.metrics.unwrap();
        for key in [
            "vertices",
            "drawCalls",
            "maxDepth",
            "instances",
            "textureBytes",
        ] {
            if let Some(expected) = probe.header(key) {
                assert_eq!(
                    modules::figure(&metrics, key).to_string(),
                    expected,
                    "{}: {key}",
                    probe.name
                );
            }
        }
    }
    renderer.close().await;
}

#[test]
fn every_static_adversary_gets_its_verdict() {
    let probes = modules::all("static");
    assert_eq!(probes.len(), 35);
    for probe in &probes {
        let failures = analyse(&probe.source);
        match probe.header("verdict").unwrap() {
            "pass" => assert!(failures.is_empty(), "{}: {failures:?}", probe.name),
            rule => {
                let first = failures
                    .first()
                    .unwrap_or_else(|| panic!("{} passed", probe.name));
                assert_eq!(first.rule.as_str(), rule, "{}: {failures:?}", probe.name);
                assert_eq!(first.stage, Stage::StaticAnalysis, "{}", probe.name);
            }
        }
    }
}

#[tokio::test]
async fn every_run_time_adversary_meets_the_namespace_without_static_analysis() {
    let probes = modules::all("runtime");
    assert_eq!(probes.len(), 39);
    let executor = Executor::launch(ExecutorConfig {
        chromium: None,
        unprivileged_uid_gid: None,
        allow_no_sandbox: false,
        pages: 1,
        modules_a_browser: 1_000,
        time_limit: std::time::Duration::from_secs(5),
    })
    .await
    .unwrap();
    for probe in &probes {
        let executed = tokio::time::timeout(PATIENCE, executor.execute(&probe.source))
            .await
            .unwrap()
            .unwrap();
        let verdict = probe.header("runtime").unwrap();
        if verdict == "none" {
            assert!(
                executed.result.is_ok(),
                "{}: {:?}",
                probe.name,
                executed.result.err()
            );
            continue;
        }
        let failure = executed
            .result
            .err()
            .unwrap_or_else(|| panic!("{} ran through", probe.name));
        assert_eq!(
            (failure.stage, failure.rule),
            (Stage::Execution, Rule::ExecutionThrew),
            "{}",
            probe.name
        );
        let text = &failure.detail;
        let fits = match verdict {
            "get" => {
                text.contains("is forbidden") || text.contains("is not a recognized Three.js API")
            }
            "undef" => text.contains("is not a constructor"),
            "mutation" => {
                text.contains("'set' on proxy")
                    || text.contains("'deleteProperty' on proxy")
                    || text.contains("'defineProperty' on proxy")
            }
            other => panic!("no verdict is called {other}"),
        };
        assert!(fits, "{}: {text}", probe.name);
    }
    executor.close().await;
}
