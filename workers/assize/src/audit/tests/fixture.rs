//! The published files of two real rounds: what is consistent is confirmed, each oddity of their README is named, and
//! nothing else is claimed.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tempfile::TempDir;

use super::super::{Area, AuditOptions, AuditReport, Code, Severity, audit, to_html, to_text};
use super::world::{Files, audit_path};

fn packed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/tests/fixtures/competition-0")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::write(target, std::fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}

/// The fixture with all reports unpacked.
pub fn unpacked() -> TempDir {
    let folder = TempDir::new().unwrap();
    copy(&packed(), folder.path());
    let archive = std::fs::File::open(packed().join("duel-reports-all.tar.xz")).unwrap();
    tar::Archive::new(xz2::read::XzDecoder::new(archive))
        .unpack(folder.path())
        .unwrap();
    for beside in ["duel-reports-all.tar.xz", "duel-reports-index.csv"] {
        std::fs::remove_file(folder.path().join(beside)).unwrap();
    }
    folder
}

/// The fixture without the packed reports, by path.
pub fn packed_files() -> Files {
    let mut files = Files::new();
    collect(&packed(), "", &mut files);
    files.retain(|path, _| !path.starts_with("duel-reports-"));
    files
}

/// The files below a folder, by path.
pub fn collect(folder: &Path, prefix: &str, files: &mut Files) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), &format!("{path}/"), files);
        } else {
            files.insert(path, std::fs::read(entry.path()).unwrap());
        }
    }
}

/// A critical prompt of the first audit request.
pub const CRITICAL_PROMPT: &str = "43b85c05-c060-477b-a12a-826673e0c075";

/// The fixture after an edit of one file.
pub fn edited(path: &str, from: &str, to: &str) -> AuditReport {
    let folder = unpacked();
    let file = folder.path().join(path);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{path} does not hold `{from}`");
    std::fs::write(file, text.replacen(from, to, 1)).unwrap();
    audit_path(folder.path())
}

static REPORT: LazyLock<AuditReport> = LazyLock::new(|| audit_path(unpacked().path()));

fn lines(severity: Severity) -> Vec<String> {
    let of_severity = REPORT
        .findings
        .iter()
        .filter(|finding| finding.severity == severity);
    of_severity
        .map(|finding| format!("{} {:?}", finding.code, finding.round.map(|round| round.0)))
        .collect()
}

fn message(code: Code, round: u32) -> &'static str {
    let found = REPORT
        .findings
        .iter()
        .find(|finding| finding.code == code && finding.round.map(|round| round.0) == Some(round));
    &found
        .unwrap_or_else(|| panic!("no {code} in round {round}"))
        .message
}

#[test]
fn nothing_published_contradicts_the_rules() {
    assert_eq!(lines(Severity::Error), Vec::<String>::new());
}

#[test]
fn what_hands_and_gaps_left_behind_is_named_and_nothing_else() {
    assert_eq!(
        lines(Severity::Warning),
        [
            "files.inner_hotkey Some(0)",
            "outputs.baseline_incomplete Some(0)",
            "audits.numbers Some(0)",
            "audits.unexplained Some(1)",
        ]
    );
    assert!(
        message(Code::InnerHotkey, 0).contains("5FP3qpaSyR")
            && message(Code::InnerHotkey, 0).contains("5FcDQ6Eh3d")
    );
    assert!(message(Code::BaselineIncomplete, 0).contains("for 1 of 128 prompts"));
    assert!(message(Code::AuditNumbers, 0).contains("5FP3qpaSyR"));
    assert!(
        message(Code::AuditUnexplained, 1).contains("5GgVxYJS3R")
            && message(Code::AuditUnexplained, 1).contains("-0.0859375")
    );
}

#[test]
fn what_a_reader_should_know_is_noted() {
    assert!(message(Code::MatrixExcluded, 0).starts_with("4 miners were excluded"));
    assert!(message(Code::SubmissionsTies, 0).starts_with("20 miners"));
    assert!(message(Code::SubmissionsTies, 1).starts_with("19 miners"));
    assert!(
        message(Code::PromptsPoolAbsent, 1)
            .contains("32 carried-over prompts were drawn again, 96 new ones")
    );
    let form: Vec<_> = REPORT
        .findings
        .iter()
        .filter(|finding| finding.code == Code::FileForm)
        .collect();
    assert_eq!(form.len(), 1);
    assert_eq!(form[0].path.as_deref(), Some("config.json"));
    let regenerations: Vec<&str> = super::world::messages(&REPORT, Code::RegenerationIncomplete);
    assert!(
        regenerations
            .iter()
            .any(|text| text.contains("5FLiyT19Vc") && text.contains("126 entries"))
    );
    assert!(
        regenerations.iter().any(
            |text| text.contains("5FP3qpaSyR") && text.contains("26 of them without an output")
        )
    );
}

#[test]
fn both_winners_follow_from_the_files() {
    for round in &REPORT.rounds[..2] {
        assert!(round.derived_winner.is_some());
        assert_eq!(round.derived_winner, round.recorded_winner);
    }
    let round = &REPORT.rounds[0];
    assert_eq!(round.timeline.len(), 12);
    let rejected = round
        .timeline
        .iter()
        .filter(|row| row.outcome.starts_with("rejected"))
        .count();
    let won: Vec<&str> = round
        .timeline
        .iter()
        .filter(|row| row.outcome.starts_with("won"))
        .map(|row| row.hotkey.short())
        .collect();
    assert_eq!((rejected, won), (5, vec!["5GgpGaDxzT"]));
}

#[test]
fn the_win_margin_the_requests_were_made_with_is_named_as_an_interval() {
    let (low, high) = REPORT.rounds[0].requests_made_with.unwrap();
    assert_eq!(low, 6.0 / 128.0);
    assert!((high - 0.0515625).abs() < 1e-12);
}

#[test]
fn requests_made_with_another_win_margin_than_configured_are_found() {
    let report = edited(
        "config.json",
        "\"win_margin\": 0.05",
        "\"win_margin\": 0.04",
    );
    let messages = super::world::messages(&report, Code::AuditThreshold);
    assert_eq!(messages.len(), 1, "{:#?}", report.findings);
    assert!(
        messages[0].contains("above 0.046875 and up to 0.05156"),
        "{}",
        messages[0]
    );
}

#[test]
fn critical_prompts_that_the_seed_does_not_draw_are_found() {
    let report = edited(
        "rounds/0/require_audit.json",
        CRITICAL_PROMPT,
        "2d8474b455962c855358c4dba6bc6b196adce3168d577ab47e31bf27bea0b2cc",
    );
    assert_eq!(super::world::messages(&report, Code::AuditSample).len(), 1);
}

#[test]
fn a_verdict_that_the_distances_do_not_give_is_found() {
    let report = edited(
        "rounds/0/generation_audits.json",
        "\"rejected\"",
        "\"passed\"",
    );
    assert_eq!(
        super::world::messages(&report, Code::AuditVerdict).len(),
        1,
        "{:#?}",
        report.findings
    );
}

#[test]
fn every_area_that_the_files_allow_was_checked() {
    for round in 0..2 {
        for area in [
            Area::Files,
            Area::Schedule,
            Area::Prompts,
            Area::Submissions,
            Area::Builds,
            Area::Outputs,
            Area::Reports,
            Area::Matrices,
            Area::Tournament,
            Area::Audits,
            Area::Leader,
        ] {
            let held = REPORT
                .confirmations
                .iter()
                .find(|row| row.round.map(|round| round.0) == Some(round) && row.area == area);
            assert!(
                held.is_some_and(|row| row.held > 0),
                "{area:?} of round {round}"
            );
        }
    }
}

#[test]
fn the_packed_fixture_lacks_most_reports_and_says_so() {
    let report = audit(&AuditOptions {
        repository: packed(),
        ..AuditOptions::default()
    })
    .unwrap();
    let missing = super::world::messages(&report, Code::MatrixNoReport).len();
    assert_eq!(missing, 123);
}

#[test]
fn text_and_page_show_timeline_near_margins_and_every_finding() {
    let (text, page) = (to_text(&REPORT), to_html(&REPORT));
    for finding in &REPORT.findings {
        assert!(text.contains(&finding.message), "{}", finding.message);
        assert!(page.contains(finding.code.as_str()));
    }
    for row in &REPORT.rounds[0].timeline {
        assert!(page.contains(row.hotkey.as_str()) && text.contains(row.hotkey.short()));
    }
    let near = &REPORT.rounds[0].near;
    assert_eq!(near.len(), 4);
    assert!(near.iter().all(|row| row.low < 0.05 && row.high > 0.05));
    assert!(page.contains("Margins near the threshold"));
    assert!(
        serde_json::to_string(&*REPORT)
            .unwrap()
            .contains("\"code\":\"audits.unexplained\"")
    );
}
