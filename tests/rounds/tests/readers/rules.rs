//! What each reader looks up, and what it relies on.

use std::collections::BTreeSet;

use serde_json::Value;

use super::python::Random;
use super::values::{commit, integer, real, text, text_or_null, word};
use super::{Checkout, left10, stem};

const STAGES: [&str; 7] = [
    "open",
    "miner_generation",
    "downloading",
    "duels",
    "finalizing",
    "finished",
    "paused",
];

/// The validator's weights: the leader at a block, by the last entry that is effective there.
pub fn weights_setter(checkout: &Checkout<'_>) {
    let leaders = checkout.required("leader.json");
    let leaders = leaders.as_array().expect("a bare array");
    assert!(!leaders.is_empty());
    let mut before = -1;
    for entry in leaders {
        for key in ["hotkey", "repo", "docker"] {
            text(&entry[key]);
        }
        commit(&entry["commit"]);
        let weight = real(&entry["weight"]);
        assert!((0.0..=1.0).contains(&weight), "{entry}");
        let block = integer(&entry["effective_block"]);
        assert!(block > before, "blocks of leader.json increase: {entry}");
        before = block;
    }
    let first = integer(&leaders[0]["effective_block"]);
    let at = |block: i64| {
        leaders
            .iter()
            .rev()
            .find(|entry| block >= integer(&entry["effective_block"]))
    };
    assert!(at(first - 1).is_none() && at(first).is_some());
}

/// Every service, each cycle: stage, round and when the next stage begins.
pub fn services_every_cycle(checkout: &Checkout<'_>) {
    let state = checkout.required("state.json");
    integer(&state["current_round"]);
    word(&state["stage"], &STAGES);
    if let Some(eta) = text_or_null(&state["next_stage_eta"]) {
        assert!(eta.ends_with('Z') && eta.len() >= 20, "{eta}");
    }
    let config = checkout.required("config.json");
    let name = text(&config["name"]);
    assert!(!name.is_empty() && *name == name.to_lowercase());
    for key in [
        "generation_stage_minutes",
        "prompts_per_round",
        "carryover_prompts",
    ] {
        integer(&config[key]);
    }
    for key in ["win_margin", "weight_decay", "weight_floor"] {
        real(&config[key]);
    }
    for key in ["first_evaluation_date", "last_competition_date"] {
        assert_eq!(text(&config[key]).len(), 10);
    }
    let start = config["round_start_time"].as_str().unwrap_or("08:00:00");
    assert!(start.as_bytes()[2] == b':', "two-digit hours: {start}");
}

/// Miners: schedule, seed and prompts.
pub fn miners(checkout: &Checkout<'_>, round: u32) {
    let schedule = checkout.required(&format!("rounds/{round}/schedule.json"));
    let [earliest, latest, deadline] = [
        "earliest_reveal_block",
        "latest_reveal_block",
        "generation_deadline_block",
    ]
    .map(|key| integer(&schedule[key]));
    assert!(earliest <= latest && latest < deadline, "{schedule}");
    let minutes = integer(&checkout.required("config.json")["generation_stage_minutes"]);
    assert_eq!(deadline - latest, minutes * 60 / 12, "a block is 12 s");
    if round > 0 {
        let previous = checkout.required(&format!("rounds/{}/schedule.json", round - 1));
        assert_eq!(earliest, integer(&previous["latest_reveal_block"]) + 1);
    }
    let seed = integer(&checkout.required(&format!("rounds/{round}/seed.json"))["seed"]);
    assert!(u32::try_from(seed).is_ok(), "{seed}");
    let prompts = checkout.prompts(round);
    let stems: BTreeSet<String> = prompts.iter().map(|url| stem(url)).collect();
    assert_eq!(stems.len(), prompts.len(), "no prompt twice");
    assert!(prompts.iter().all(|url| url.starts_with("http")));
}

/// Auditors: the first prompts of a round are a sample of those of the round before, drawn by the round's seed.
pub fn carried_over(checkout: &Checkout<'_>, round: u32) {
    if round == 0 {
        return;
    }
    let seed = integer(&checkout.required(&format!("rounds/{round}/seed.json"))["seed"]);
    let count = integer(&checkout.required("config.json")["carryover_prompts"]);
    let previous = checkout.prompts(round - 1);
    let mut random = Random::new(u32::try_from(seed).unwrap());
    let expected = random.sample(&previous, usize::try_from(count).unwrap());
    let prompts = checkout.prompts(round);
    assert_eq!(prompts[..expected.len()], expected);
}

/// The image build: keys of the submissions, images named from commit, round and hotkey.
pub fn image_build(checkout: &Checkout<'_>, round: u32) {
    let schedule = checkout.required(&format!("rounds/{round}/schedule.json"));
    let window =
        integer(&schedule["earliest_reveal_block"])..=integer(&schedule["latest_reveal_block"]);
    let label = format!(
        "{}-{round}",
        text(&checkout.required("config.json")["name"])
    );
    let submissions = checkout.submissions(round);
    let builds = checkout.required(&format!("rounds/{round}/builds.json"));
    let builds = builds.as_object().unwrap();
    assert!(
        builds
            .keys()
            .eq(submissions.iter().map(|(hotkey, _)| hotkey)),
        "builds stand in the order of submissions"
    );
    let mut block_before = 0;
    for (hotkey, fields) in &submissions {
        assert_eq!(text(&fields["round"]), label);
        assert!(text(&fields["repo"]).split('/').count() == 2);
        assert!(text(&fields["cdn_url"]).starts_with("http"));
        let block = integer(&fields["revealed_at_block"]);
        assert!(
            window.contains(&block) && block >= block_before,
            "{hotkey}: {block}"
        );
        block_before = block;

        let build = &builds[hotkey];
        for key in ["repo", "commit", "revealed_at_block"] {
            assert_eq!(build[key], fields[key], "{hotkey} {key}");
        }
        let tag = format!("{}-{label}", &commit(&build["commit"])[..7]);
        assert_eq!(text(&build["tag"]), tag);
        let status = word(
            &build["status"],
            &["success", "failure", "timed_out", "not_found"],
        );
        let image = text_or_null(&build["docker_image"]);
        assert_eq!(image.is_some(), status == "success", "{build}");
        if let Some(image) = image {
            let ending = format!("/{}:{tag}", left10(hotkey)).to_lowercase();
            assert!(image.ends_with(&ending), "{image} ends with {ending}");
        }
    }
}

/// The judge: everything it loads at a start, reports against their rows, and the timeline's inputs.
pub fn judge(checkout: &Checkout<'_>, round: u32) {
    let stems: Vec<String> = checkout
        .prompts(round)
        .iter()
        .map(|url| stem(url))
        .collect();
    let matches = checkout.matrix(&format!("rounds/{round}/matches_matrix.csv"));
    assert!(!matches.is_empty());
    for (left, right, margin) in &matches {
        let path = format!("rounds/{round}/{right}/duels_{}.json", left10(left));
        report(checkout, &path, (left, right, *margin), &stems);
    }
    for (left, right, margin) in checkout.matrix(&format!("rounds/{round}/audit_matrix.csv")) {
        let (side, repeat) = left.rsplit_once('_').expect("side and repeat");
        let path = format!(
            "rounds/{round}/{right}/audit_{}_{repeat}.json",
            left10(side)
        );
        report(checkout, &path, (side, &right, margin), &stems);
    }
    let mut requested = Vec::new();
    for request in checkout.array(&format!("rounds/{round}/require_audit.json")) {
        let hotkey = text(&request["hotkey"]).to_owned();
        text(&request["latest_defender"]);
        assert!(!requested.contains(&hotkey), "a miner is asked for once");
        requested.push(hotkey);
    }
    for (hotkey, verdict) in checkout.map(&format!("rounds/{round}/generation_audits.json")) {
        assert_eq!(text(&verdict["hotkey"]), hotkey);
        word(&verdict["verdict"], &["passed", "failed"]);
        text(&verdict["reason"]);
        assert!(
            requested.contains(&hotkey),
            "a verdict of whom nobody asked for: {hotkey}"
        );
    }
    for audit in checkout.array(&format!("rounds/{round}/source_audit.json")) {
        text(&audit["hotkey"]);
        word(&audit["verdict"], &["passed", "failed"]);
    }
}

/// A match or audit report: duels sorted by name, one a prompt; score and margin follow from them; the matrix says the same.
fn report(checkout: &Checkout<'_>, path: &str, row: (&str, &str, f64), stems: &[String]) {
    let (left, right, margin) = row;
    if checkout.file(path).is_none() {
        // Walkovers have a row and no report.
        assert!(
            [-1.0, 0.0, 1.0].contains(&margin),
            "{path}: a judged match without its report"
        );
        return;
    }
    let report = checkout.required(path);
    assert_eq!(
        (text(&report["left"]), text(&report["right"])),
        (left, right),
        "{path}"
    );
    let duels = report["duels"].as_array().unwrap();
    let names: Vec<&str> = duels.iter().map(|duel| text(&duel["name"])).collect();
    assert!(names.is_sorted(), "{path}");
    assert!(
        names
            .iter()
            .all(|name| stems.iter().any(|stem| stem == name)),
        "{path}"
    );
    let mut score = 0;
    for duel in duels {
        text(&duel["prompt"]);
        for key in ["left_js", "left_png", "right_js", "right_png"] {
            assert!(duel.get(key).is_some(), "{path}: no {key}");
            text_or_null(&duel[key]);
        }
        score += match word(&duel["winner"], &["left", "right", "draw", "skipped"]) {
            "right" => 1,
            "left" => -1,
            _ => 0,
        };
    }
    assert_eq!(integer(&report["score"]), score, "{path}");
    let expected = score as f64 / duels.len() as f64;
    assert_eq!(
        real(&report["margin"]).to_bits(),
        (expected + 0.0).to_bits(),
        "{path}"
    );
    assert_eq!(
        margin.to_bits(),
        (expected + 0.0).to_bits(),
        "{path}: matrix and report differ"
    );
}

/// The orchestrator: whose outputs are complete, and what there is to show for each prompt.
pub fn orchestrator(checkout: &Checkout<'_>, round: u32) {
    let stems: BTreeSet<String> = checkout
        .prompts(round)
        .iter()
        .map(|url| stem(url))
        .collect();
    for (hotkey, _) in checkout.submissions(round) {
        let submitted = checkout.map(&format!("rounds/{round}/{hotkey}/submitted.json"));
        let keys: BTreeSet<String> = submitted.keys().cloned().collect();
        assert_eq!(keys, stems, "{hotkey} has exactly the round's prompts");
        for delivered in submitted.values() {
            generation(delivered);
            assert!(
                delivered["views"].is_string() || delivered["failure_reason"].is_string(),
                "nothing, and no reason: {delivered}"
            );
        }
    }
    let baseline = checkout.map(&format!("rounds/{round}/leader/generated_1.json"));
    assert_eq!(baseline.keys().cloned().collect::<BTreeSet<_>>(), stems);
    baseline.values().for_each(generation);
    for (hotkey, report) in checkout.map(&format!("rounds/{round}/generation_reports.json")) {
        assert_eq!(text(&report["hotkey"]), hotkey);
        word(&report["outcome"], &["pending", "completed", "rejected"]);
        text(&report["reason"]);
        for repeat in report["repeats"].as_array().unwrap() {
            let index = integer(&repeat["repeat_index"]);
            integer(&repeat["generated_prompts"]);
            integer(&repeat["failed_prompts"]);
            let generated =
                checkout.map(&format!("rounds/{round}/{hotkey}/generated_{index}.json"));
            assert!(generated.keys().all(|key| stems.contains(key)), "{hotkey}");
            generated.values().for_each(generation);
        }
    }
    for (pod, statistics) in checkout.map(&format!("rounds/{round}/leader/pod_stats.json")) {
        assert!(pod.starts_with(text(&statistics["pod_id"])), "{pod}");
        text(&statistics["provider"]);
        statistics["batch_times"]
            .as_array()
            .unwrap()
            .iter()
            .for_each(|seconds| {
                real(seconds);
            });
    }
}

fn generation(generation: &Value) {
    let [js, views, reason] = ["js", "views", "failure_reason"].map(|key| {
        assert!(
            generation.get(key).is_some(),
            "no key is left out: {generation}"
        );
        text_or_null(&generation[key])
    });
    integer(&generation["size"]);
    assert!(
        js.is_some() || views.is_none(),
        "pictures without a module: {generation}"
    );
    assert!(
        js.is_some() || reason.is_some(),
        "nothing, and no reason: {generation}"
    );
}

/// The round manager: the winner, as its build or the leader's entry has it.
pub fn round_manager(checkout: &Checkout<'_>, round: u32) {
    let winner = checkout.required(&format!("rounds/{round}/winner.json"));
    let hotkey = text(&winner["winner_hotkey"]);
    let builds = checkout.required(&format!("rounds/{round}/builds.json"));
    if hotkey == "leader" {
        let leaders = checkout.required("leader.json");
        let known = |entry: &Value| {
            entry["commit"] == winner["commit"] && entry["docker"] == winner["docker_image"]
        };
        assert!(leaders.as_array().unwrap().iter().any(known), "{winner}");
    } else {
        for key in ["repo", "commit", "docker_image"] {
            assert_eq!(winner[key], builds[hotkey][key], "{key}");
        }
    }
    if let Some(next) = checkout.file(&format!("rounds/{}/schedule.json", round + 1)) {
        let next: Value = serde_json::from_slice(&next).unwrap();
        let leaders = checkout.required("leader.json");
        let blocks: Vec<i64> = leaders
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| integer(&entry["effective_block"]))
            .collect();
        let next = integer(&next["latest_reveal_block"]);
        let is_miner = hotkey != "leader";
        assert!(
            !is_miner || blocks.contains(&next),
            "a new leader is effective from the next round's last reveal block"
        );
    }
}
