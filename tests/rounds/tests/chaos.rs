//! Flows on worker processes that are killed and cut off, on a database that is stopped, killed and loses connections: the
//! short form. `scripts/chaos` runs the long one.
#![allow(clippy::unwrap_used, missing_docs)]

use std::process::{Command, Stdio};

fn chaos(more: &[&str]) -> serde_json::Value {
    let output = Command::new(env!("CARGO_BIN_EXE_chaos"))
        .args([
            "run",
            "--short",
            "--parent",
            &std::process::id().to_string(),
        ])
        .args(more)
        .stdin(Stdio::null())
        .output()
        .unwrap();
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
