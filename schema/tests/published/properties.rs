//! Whatever the bytes: nothing panics, and what was written once is written the same for ever.

use proptest::prelude::*;
use schema::files::{
    AuditRequests, Builds, Config, GenerationAudits, GenerationReports, Generations, Leaders,
    Matrix, MeshGenerations, Pods, Prompts, SourceAudits, Submissions,
};
use schema::format::{datetime, float};
use schema::{Document, Stem, TolerantFile, paths};
use serde_json::{Map, Value};

use crate::fixture::FILES;

/// A path of every kind of file.
const PATHS: [&str; 21] = [
    "config.json",
    "state.json",
    "leader.json",
    "prompts.txt",
    "rounds/0/schedule.json",
    "rounds/0/seed.json",
    "rounds/0/prompts.txt",
    "rounds/0/submissions.json",
    "rounds/0/builds.json",
    "rounds/0/require_audit.json",
    "rounds/0/generation_reports.json",
    "rounds/0/generation_audits.json",
    "rounds/0/verification_audits.json",
    "rounds/0/source_audit.json",
    "rounds/0/matches_matrix.csv",
    "rounds/0/audit_matrix.csv",
    "rounds/0/winner.json",
    "rounds/0/5A/submitted.json",
    "rounds/0/5A/generated_1.json",
    "rounds/0/5A/pod_stats.json",
    "rounds/0/5A/duels_leader.json",
];

/// Every key of every form, so that random objects come near to real ones.
const KEYS: [&str; 62] = [
    "current_round",
    "stage",
    "next_stage_eta",
    "hotkey",
    "repo",
    "commit",
    "docker",
    "weight",
    "effective_block",
    "earliest_reveal_block",
    "latest_reveal_block",
    "generation_deadline_block",
    "seed",
    "cdn_url",
    "revealed_at_block",
    "round",
    "tag",
    "status",
    "docker_image",
    "latest_defender",
    "critical_prompts",
    "outcome",
    "repeats",
    "reason",
    "repeat_index",
    "generated_prompts",
    "failed_prompts",
    "generation_time",
    "verdict",
    "checked_prompts",
    "failed_critical",
    "score",
    "js",
    "views",
    "failure_reason",
    "size",
    "glb",
    "png",
    "attempts",
    "distance",
    "pod_id",
    "provider",
    "batch_times",
    "total_generation_time",
    "termination_reason",
    "payload",
    "processed",
    "left",
    "right",
    "margin",
    "duels",
    "name",
    "prompt",
    "left_js",
    "left_glb",
    "winner",
    "detail",
    "issues",
    "s1",
    "s2",
    "decided_by",
    "winner_hotkey",
];

fn assert_stable(path: &str, bytes: &[u8]) {
    let Ok(document) = Document::parse(path, bytes) else {
        return;
    };
    let once = document.to_bytes();
    let again = Document::parse(path, &once).unwrap_or_else(|error| {
        panic!(
            "what was written is not read: {error}\n{}",
            String::from_utf8_lossy(&once)
        )
    });
    assert_eq!(
        String::from_utf8_lossy(&again.to_bytes()),
        String::from_utf8_lossy(&once),
        "{path}"
    );
}

/// Rows are quarantined exactly when the whole file does not read.
fn assert_tolerant_agrees<T: TolerantFile>(bytes: &[u8]) {
    let whole = T::parse("file", bytes);
    let rows = T::parse_tolerant("file", bytes);
    if let Ok(whole) = whole {
        let rows = rows.unwrap_or_else(|error| panic!("{error}"));
        assert!(rows.problems.is_empty(), "{:?}", rows.problems);
        assert_eq!(
            String::from_utf8_lossy(&rows.file.to_bytes()),
            String::from_utf8_lossy(&whole.to_bytes())
        );
    }
}

fn assert_all_hold(bytes: &[u8]) {
    for path in PATHS {
        assert_stable(path, bytes);
    }
    assert_tolerant_agrees::<Submissions>(bytes);
    assert_tolerant_agrees::<Builds>(bytes);
    assert_tolerant_agrees::<Leaders>(bytes);
    assert_tolerant_agrees::<AuditRequests>(bytes);
    assert_tolerant_agrees::<GenerationReports>(bytes);
    assert_tolerant_agrees::<GenerationAudits>(bytes);
    assert_tolerant_agrees::<SourceAudits>(bytes);
    assert_tolerant_agrees::<Generations>(bytes);
    assert_tolerant_agrees::<MeshGenerations>(bytes);
    assert_tolerant_agrees::<Pods>(bytes);
    assert_tolerant_agrees::<Matrix>(bytes);
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (0..200_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(Value::from("3")),
        prop::sample::select(vec![
            "leader",
            "submitted",
            "5GgpGaDxzT",
            "open",
            "duels",
            "success",
            "pending",
            "passed",
            "failed",
            "rejected",
            "left",
            "right",
            "draw",
            "A",
            "2026-02-08T08:00:00Z",
            "08:00:00",
            "2026-02-02",
            "completed",
        ])
        .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ]
}

fn json() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(5, 60, 12, |inner| {
        let key = prop_oneof![8 => prop::sample::select(KEYS.to_vec()).prop_map(str::to_owned), 1 => any::<String>()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..14).prop_map(|rows| Value::from(rows.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Small published files, to be damaged.
fn published() -> impl Strategy<Value = (String, Vec<u8>)> {
    let small: Vec<_> = FILES
        .iter()
        .filter(|(path, bytes)| bytes.len() < 20_000 && schema::paths::classify(path).is_some())
        .map(|(path, bytes)| (path.clone(), bytes.clone()))
        .collect();
    prop::sample::select(small)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        assert_all_hold(&bytes);
    }

    #[test]
    fn arbitrary_text_never_panics(text in "[\\[\\]{}\",:a-z0-9\\.\\-\\n\\r \u{2028}é]{0,200}") {
        assert_all_hold(text.as_bytes());
    }

    #[test]
    fn arbitrary_json_is_refused_or_written_the_same_for_ever(value in json()) {
        assert_all_hold(value.to_string().as_bytes());
    }

    #[test]
    fn a_damaged_published_file_is_refused_or_written_the_same_for_ever(
        (path, mut bytes) in published(),
        at in any::<prop::sample::Index>(),
        length in 0..20_usize,
        insert in prop_oneof![Just(String::new()), "[0-9.,:\"\\[\\]{}ne-]{1,4}", any::<String>()],
    ) {
        let start = at.index(bytes.len() + 1);
        let end = (start + length).min(bytes.len());
        bytes.splice(start..end, insert.bytes());
        assert_stable(&path, &bytes);
    }

    #[test]
    fn a_float_printed_as_python_prints_it_reads_back_the_same(bits in any::<u64>()) {
        let number = f64::from_bits(bits);
        let text = float::python_repr(number);
        let back = float::parse_python(&text).unwrap();
        prop_assert!(number.is_nan() && back.is_nan() || number.to_bits() == back.to_bits(), "{text}");
    }

    #[test]
    fn a_float_in_json_reads_back_the_same(bits in any::<u64>()) {
        let number = f64::from_bits(bits);
        prop_assume!(number.is_finite());
        let text = float::published_json(number);
        let back: f64 = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(number.to_bits(), back.to_bits(), "{}", text);
    }

    #[test]
    fn text_that_looks_like_a_moment_is_refused_or_written_the_same_for_ever(text in "[0-9]{4}-[0-1][0-9]-[0-3][0-9]([T _][0-2][0-9]:[0-6][0-9](:[0-6][0-9](\\.[0-9]{0,9})?)?(Z|[+-][0-2][0-9](:?[0-6][0-9])?)?)?") {
        if let Some(moment) = datetime::parse_datetime(&text) {
            let written = datetime::write_datetime(&moment);
            let again = datetime::parse_datetime(&written).map(|moment| datetime::write_datetime(&moment));
            prop_assert_eq!(again, Some(written));
        }
    }

    #[test]
    fn no_text_makes_paths_stems_or_times_panic(text in any::<String>()) {
        if let Some(path) = paths::classify(&text) {
            prop_assert_eq!(path.to_string(), text.clone());
        }
        let _ = Stem::of_url(&text);
        let _ = datetime::parse_datetime(&text);
        let _ = datetime::parse_clock(&text);
        let _ = datetime::parse_date(&text);
        let _ = text.parse::<schema::Hotkey>().map(|hotkey| hotkey.short().len());
    }

    #[test]
    fn configs_with_any_values_report_problems_without_panicking(margin in any::<f64>(), hours in any::<f64>()) {
        let mut config: Config = crate::fixture::read("config.json");
        config.win_margin = margin;
        config.finalization_buffer_hours = hours;
        let named = config.problems().iter().any(|problem| problem.starts_with("win_margin"));
        prop_assert_eq!(named, !(0.0..=1.0).contains(&margin));
    }

    #[test]
    fn prompt_lists_written_by_us_read_the_same_in_both_ways(urls in prop::collection::vec("https://[a-z]{1,5}/[a-z0-9.-]{1,9}", 0..9)) {
        let bytes = urls.join("\n").into_bytes();
        let ours = <Prompts as schema::StateFile>::parse("prompts.txt", &bytes).unwrap();
        prop_assert_eq!(&ours, &Prompts::parse_split_on_newline_only("prompts.txt", &bytes).unwrap());
        prop_assert_eq!(ours.urls(), urls);
    }
}
