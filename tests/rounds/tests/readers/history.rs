//! What readers expect of commits: which files appear together, in which order, under which messages.

use std::process::Command;

use serde_json::Value;

use super::Checkout;

/// Every file of the newest commit.
pub fn listed(checkout: &Checkout<'_>) -> Vec<String> {
    git(checkout, &["ls-files"])
        .lines()
        .map(str::to_owned)
        .collect()
}

/// The stages of a round follow one another, and what belongs to a stage appears with it or before it, never after.
pub fn stages_appear_as_promised(checkout: &Checkout<'_>, round: u32) {
    let log = git(
        checkout,
        &[
            "log",
            "--reverse",
            "--first-parent",
            "--format=%H",
            "--",
            "state.json",
        ],
    );
    let mut stages: Vec<String> = Vec::new();
    for commit in log.lines() {
        let state: Value =
            serde_json::from_str(&git(checkout, &["show", &format!("{commit}:state.json")]))
                .unwrap();
        if state["current_round"] != round {
            continue;
        }
        let stage = state["stage"].as_str().unwrap().to_owned();
        let has = |name: &str| {
            let path = format!("rounds/{round}/{name}");
            !git(checkout, &["ls-tree", "--name-only", commit, "--", &path])
                .trim()
                .is_empty()
        };
        let collected = ["seed.json", "prompts.txt", "submissions.json"];
        match stage.as_str() {
            "open" => assert!(
                !collected.iter().any(|name| has(name)),
                "{commit}: nothing is known before the reveal ends"
            ),
            "finalizing" => assert!(
                has("winner.json") || !has("submissions.json"),
                "{commit}: no winner"
            ),
            _ => assert!(
                collected.iter().all(|name| has(name)),
                "{commit}: {stage} without seed, prompts or submissions"
            ),
        }
        if stages.last() != Some(&stage) {
            stages.push(stage);
        }
    }
    let order = [
        "open",
        "miner_generation",
        "downloading",
        "duels",
        "finalizing",
    ];
    assert_eq!(stages, order, "stages of round {round}");
}

/// The watcher of the image build looks for a run whose message ends with the contract's text; a run belongs to the last
/// commit of a push, and the build picks the submissions that this commit changed.
pub fn the_build_is_found_by_its_message(checkout: &Checkout<'_>, round: u32) {
    let path = format!("rounds/{round}/submissions.json");
    let log = git(checkout, &["log", "--format=%H", "--", &path]);
    let commits: Vec<&str> = log.lines().collect();
    let [commit] = commits[..] else {
        panic!("{path} was written {} times", commits.len())
    };
    let message = git(checkout, &["log", "-1", "--format=%B", commit]);
    let ending = format!("submissions for round {round}");
    assert!(message.trim_end().ends_with(&ending), "{message}");
    assert!(
        message.starts_with(&format!(
            "Seed, prompts and submissions for round {round}\n"
        )),
        "{message}"
    );
    // Nothing else is taken for it.
    for message in git(checkout, &["log", "--format=%B%x00"]).split('\0') {
        let is_it = message.trim_end().ends_with(&ending);
        assert_eq!(
            is_it,
            message.contains(&format!("Seed, prompts and {ending}")),
            "{message}"
        );
    }
}

fn git(checkout: &Checkout<'_>, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(checkout.folder)
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
