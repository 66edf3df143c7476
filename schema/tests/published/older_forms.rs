//! Forms of earlier revisions of which no file is published, written down from their descriptions.

use schema::Document;
use schema::files::{
    AnyAuditRequests, AnyGenerationReports, AnyGenerations, AnyPodStats, GenerationReports, Pods,
    ReportOutcome, TerminationReason,
};
use schema::{Absence, Problem, StateFile};

fn round_trip(path: &str, text: &str) -> Document {
    let document = Document::parse(path, text.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(String::from_utf8(document.to_bytes()).unwrap(), text);
    document
}

#[test]
fn pod_statistics_of_the_mesh_competition() {
    let text = r#"{
  "miner-06-5ggvxyjs3r-0": {
    "pod_id": "miner-06-5ggvxyjs3r-0",
    "processed": 70,
    "successful": 66,
    "hard_failed": 1,
    "hard_overtime": 3,
    "time_min": 31.5,
    "time_max": 180.0,
    "time_avg": 61.25,
    "time_median": 58.0,
    "marked_bad": false,
    "retry_cumulative_delta": -4.5,
    "retry_delta_count": 2,
    "termination_reason": "rolling median 121.3s > 120.0s"
  }
}"#;
    let path = "rounds/6/5GgVxYJS3R/pod_stats.json";
    let Document::PodStats(AnyPodStats::Mesh(pods)) = round_trip(path, text) else {
        panic!("another form")
    };
    let pod = &pods["miner-06-5ggvxyjs3r-0"].facts;
    assert_eq!(
        (pod.processed, pod.hard_overtime, pod.time_median),
        (70, 3, Some(58.0))
    );
    let error = Pods::parse(path, text.as_bytes()).unwrap_err();
    assert!(
        matches!(error.problem, Problem::OlderForm { .. }),
        "{error}"
    );
}

#[test]
fn pod_statistics_with_samples_in_place_of_times() {
    let text = r#"{
  "pod": {
    "pod_id": "pod",
    "processed": 1,
    "performance_samples": [
      1.5
    ],
    "marked_bad": true,
    "termination_reason": null
  }
}"#;
    let path = "rounds/3/leader/pod_stats.json";
    let Document::PodStats(AnyPodStats::Mesh(pods)) = round_trip(path, text) else {
        panic!("another form")
    };
    assert!(pods["pod"].facts.performance_samples.is_some());
}

#[test]
fn todays_pod_statistics() {
    let text = r#"{
  "miner-01-5ggvxyjs3r-0-r1": {
    "pod_id": "miner-01-5ggvxyjs3r-0",
    "repeat_index": 1,
    "provider": "targon",
    "batch_times": [
      12.5,
      0.00001811981201171875
    ],
    "total_generation_time": 12.500018119812012,
    "termination_reason": "batch_time_limit",
    "payload": {
      "gpu": "lost",
      "n": 3
    }
  }
}"#;
    let Document::PodStats(AnyPodStats::Current(pods)) =
        round_trip("rounds/1/leader/pod_stats.json", text)
    else {
        panic!("another form")
    };
    let (key, pod) = pods.first().unwrap();
    assert_eq!(
        (pod.key(), &pod.termination_reason),
        (key.clone(), &TerminationReason::BatchTimeLimit)
    );
}

#[test]
fn reports_before_repeats() {
    let text = r#"{
  "5A": {
    "hotkey": "5A",
    "outcome": "rejected",
    "checked_prompts": 128,
    "failed_prompts": 13,
    "generation_time": null,
    "reason": "13 failed prompts exceed tolerance (12)"
  }
}"#;
    let path = "rounds/2/generation_reports.json";
    let document = round_trip(path, text);
    let Document::GenerationReports(AnyGenerationReports::SingleRepeat(reports)) = document else {
        panic!("another form")
    };
    assert_eq!(reports["5A"].facts.outcome, ReportOutcome::Rejected);
    assert!(
        GenerationReports::parse(path, text.as_bytes()).is_err(),
        "would read as a report without repeats"
    );
}

#[test]
fn verdicts_before_repeats() {
    let text = "{\n  \"5A\": {\n    \"hotkey\": \"5A\",\n    \"outcome\": \"passed\",\n    \"score\": 3,\n    \"checked_prompts\": 128,\n    \"reason\": \"\"\n  }\n}";
    let Document::VerificationAudits(audits) =
        round_trip("rounds/2/verification_audits.json", text)
    else {
        panic!("another form")
    };
    assert_eq!(audits["5A"].facts.score, Some(3.0));
}

#[test]
fn requests_before_defenders() {
    let text = "[\n  {\n    \"hotkey\": \"5A\"\n  }\n]";
    let document = round_trip("rounds/2/require_audit.json", text);
    assert!(matches!(
        document,
        Document::AuditRequests(AnyAuditRequests::Older(_))
    ));
}

#[test]
fn modules_under_the_name_without_a_repeat() {
    let text = "{\n  \"a\": {\n    \"js\": \"https://h/a.js\",\n    \"views\": null,\n    \"failure_reason\": \"render_failed\",\n    \"size\": 10\n  }\n}";
    let document = round_trip("rounds/2/leader/generated.json", text);
    assert!(matches!(
        document,
        Document::Generations(AnyGenerations::Current(_))
    ));
}

#[test]
fn walkovers_of_the_mesh_competition_have_margins_of_a_hundred() {
    round_trip(
        "rounds/0/matches_matrix.csv",
        "left,right,margin\nleader,5A,100.0\nleader,5B,-100.0",
    );
}

#[test]
fn todays_files_of_every_kind_write_back_byte_for_byte() {
    for (path, text) in [
        (
            "state.json",
            "{\n  \"current_round\": 2,\n  \"stage\": \"duels\",\n  \"next_stage_eta\": null\n}",
        ),
        (
            "rounds/1/generation_reports.json",
            "{\n  \"5A\": {\n    \"hotkey\": \"5A\",\n    \"outcome\": \"pending\",\n    \"repeats\": [\n      {\n        \"repeat_index\": 1,\n        \"generated_prompts\": 127,\n        \"failed_prompts\": 1,\n        \"generation_time\": 4012.5\n      }\n    ],\n    \"reason\": \"\"\n  }\n}",
        ),
        (
            "rounds/1/generation_audits.json",
            "{\n  \"5A\": {\n    \"hotkey\": \"5A\",\n    \"verdict\": \"failed\",\n    \"reason\": \"submitted vs generated #1: -6.25%\"\n  }\n}",
        ),
        (
            "rounds/1/require_audit.json",
            "[\n  {\n    \"hotkey\": \"5A\",\n    \"latest_defender\": \"leader\"\n  }\n]",
        ),
        (
            "rounds/1/audit_matrix.csv",
            "left,right,margin\nsubmitted_1,5A,-0.0625\nleader_1,5A,0.0859375",
        ),
        (
            "rounds/1/5A/audit_submitted_1.json",
            "{\n  \"left\": \"submitted\",\n  \"right\": \"5A\",\n  \"score\": 1,\n  \"margin\": 1.0,\n  \"duels\": [\n    {\n      \"name\": \"a\",\n      \"prompt\": \"https://h/a.png\",\n      \"left_js\": null,\n      \"left_png\": null,\n      \"right_js\": \"https://h/a.js\",\n      \"right_png\": \"https://h/a/grid.png\",\n      \"winner\": \"right\",\n      \"detail\": {\n        \"reason\": \"no preview from left\"\n      }\n    }\n  ]\n}",
        ),
        ("rounds/1/leader/generated_1.json", "{}"),
        ("rounds/1/generation_audits.json", "{}"),
        ("rounds/1/source_audit.json", "[]"),
    ] {
        round_trip(path, text);
    }
}

#[test]
fn absent_and_empty_files_read_as_the_specification_says() {
    use schema::files::{
        AuditRequests, Builds, GenerationAudits, Generations, Leaders, Matrix, Schedule,
        SourceAudits, State, Submissions,
    };
    fn absent<T: StateFile>() -> Result<bool, Problem> {
        match T::parse_present_or_absent("file", None) {
            Ok(file) => Ok(file.is_some()),
            Err(error) => Err(error.problem),
        }
    }
    for collection in [
        absent::<AuditRequests>(),
        absent::<GenerationReports>(),
        absent::<GenerationAudits>(),
        absent::<SourceAudits>(),
        absent::<Matrix>(),
        absent::<Generations>(),
        absent::<Pods>(),
        absent::<AnyGenerations>(),
    ] {
        assert_eq!(collection, Ok(true));
    }
    assert_eq!(
        [absent::<Builds>(), absent::<Schedule>()],
        [Ok(false), Ok(false)]
    );
    assert_eq!(
        [
            absent::<State>(),
            absent::<Leaders>(),
            absent::<Submissions>()
        ],
        [const { Err(Problem::Missing) }; 3]
    );

    assert!(
        Builds::parse("builds.json", b"").is_err(),
        "an empty body raises"
    );
    assert!(Matrix::parse("m.csv", b" \n").unwrap().is_empty());
    assert!(
        GenerationAudits::parse("generation_audits.json", b"")
            .unwrap()
            .is_empty()
    );
    assert!(
        GenerationAudits::parse("generation_audits.json", b" ").is_err(),
        "blanks are not an empty file"
    );
    assert_eq!(Matrix::ABSENCE, Absence::EmptyCollection);
}
