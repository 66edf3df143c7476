//! Each kind of tampering is found, by its own name, and nothing else is said.

use schema::paths;

use super::super::{Area, Code};
use super::world::{
    A, B, C, Files, ROUND, audit_files, edit, finished, messages, problems, report,
};

/// Audits the competition after a change and compares what is found.
fn found(change: impl Fn(&mut Files), expected: &[Code]) {
    let mut files = finished();
    change(&mut files);
    let report = audit_files(&files);
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(problems(&report), expected, "{:#?}", report.findings);
}

fn duels(left: &str, right: &str) -> String {
    paths::duels_report(ROUND, &left.into(), &right.into())
}

#[test]
fn a_right_competition_has_no_findings_but_notes() {
    let report = audit_files(&finished());
    assert!(report.holds(), "{:#?}", report.findings);
    let round = &report.rounds[0];
    assert_eq!(round.derived_winner, Some(A.into()));
    assert_eq!(round.timeline.len(), 2);
    assert_eq!(round.timeline[1].outcome, "lost");
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
        assert!(
            report
                .confirmations
                .iter()
                .any(|row| row.area == area && row.held > 0 && row.failed == 0),
            "{area:?}"
        );
    }
}

#[test]
fn files_that_are_not_what_they_should_be() {
    found(
        |files| edit(files, "state.json", "\"open\"", "\"opened\""),
        &[Code::FileUnreadable, Code::FileMissing],
    );
    found(
        |files| drop(files.remove("leader.json")),
        &[Code::FileMissing],
    );
    found(
        |files| drop(files.remove(&paths::seed(ROUND))),
        &[Code::FileMissing],
    );
    found(
        |files| {
            edit(
                files,
                &paths::source_audit(ROUND),
                "[",
                "[\n  {\"hotkey\": 7},",
            );
        },
        &[Code::RowUnreadable],
    );
    found(
        |files| {
            edit(
                files,
                &paths::generation_audits(ROUND),
                &format!("\"hotkey\": \"{A}\""),
                &format!("\"hotkey\": \"{B}\""),
            );
        },
        &[Code::InnerHotkey],
    );
}

#[test]
fn windows_and_deadlines() {
    let schedule = paths::schedule(ROUND.next());
    found(
        |files| edit(files, &schedule, "1001", "1002"),
        &[Code::ScheduleGap],
    );
    found(
        |files| edit(files, &schedule, "2600", "2601"),
        &[Code::ScheduleDeadline],
    );
    found(
        |files| edit(files, &schedule, "1001", "2001"),
        &[Code::ScheduleWindow, Code::ScheduleGap],
    );
}

#[test]
fn prompts_that_the_seed_does_not_draw() {
    let path = paths::prompts(ROUND);
    // Another seed draws others. The older reports stay, so only the draw is wrong.
    found(
        |files| edit(files, &paths::seed(ROUND), "42", "43"),
        &[Code::PromptsDraw],
    );
    let report = {
        let mut files = finished();
        files.remove("prompts.txt");
        audit_files(&files)
    };
    assert!(report.holds());
    assert_eq!(messages(&report, Code::PromptsPoolAbsent).len(), 1);
    let mut files = finished();
    let text = String::from_utf8(files[&path].clone()).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines[7] = lines[0];
    files.insert(path, lines.join("\n").into_bytes());
    assert!(problems(&audit_files(&files)).contains(&Code::PromptsRepeated));
}

#[test]
fn a_seed_that_its_derivation_does_not_give() {
    let path = format!("rounds/{ROUND}/ledger/seed.json");
    let proof = |block: u64| {
        let proof = workflow::rules::seed::SeedProof::derive(
            schema::BlockNumber(block),
            [7; 32],
            ROUND,
            "mini",
        );
        schema::format::json::pretty(&proof)
    };
    found(
        |files| {
            files.insert(path.clone(), proof(1000));
        },
        &[Code::SeedProof, Code::LedgerOpen],
    );
    found(
        |files| drop(files.insert(path.clone(), b"{}".to_vec())),
        &[Code::LedgerUnreadable, Code::LedgerOpen],
    );
}

#[test]
fn submissions_out_of_order_window_or_round() {
    let path = paths::submissions(ROUND);
    found(
        |files| {
            edit(
                files,
                &path,
                "\"revealed_at_block\": 500",
                "\"revealed_at_block\": 1001",
            );
            edit(
                files,
                &paths::builds(ROUND),
                "\"revealed_at_block\": 500",
                "\"revealed_at_block\": 1001",
            );
        },
        // Revealed last, A challenges last: B dethrones first.
        &[
            Code::SubmissionsOrder,
            Code::SubmissionsWindow,
            Code::MatrixOrder,
            Code::WinnerDerived,
            Code::WinnerUnverified,
            Code::AuditRequest,
            Code::AuditVerdict,
        ],
    );
    found(
        |files| edit(files, &path, "mini-0", "mini-1"),
        &[Code::SubmissionsLabel, Code::BuildsTag],
    );
}

#[test]
fn builds_that_are_not_of_the_submissions() {
    let path = paths::builds(ROUND);
    found(
        |files| edit(files, &path, "b/miner", "x/miner"),
        &[Code::BuildsSubmissions],
    );
    found(
        |files| edit(files, &path, "\"bbbbbbb-mini-0\"", "\"bbbbbbc-mini-0\""),
        &[Code::BuildsTag, Code::BuildsImage],
    );
    found(
        |files| edit(files, &path, "5bbbbbbbbb:", "5cccccbbbb:"),
        &[Code::BuildsImage],
    );
    found(
        |files| {
            edit(
                files,
                &path,
                "\"status\": \"success\"",
                "\"status\": \"pending\"",
            );
        },
        &[Code::BuildsImage, Code::BuildsUndecided],
    );
}

#[test]
fn scores_and_margins_that_the_duels_do_not_give() {
    let path = duels("leader", C);
    found(
        |files| edit(files, &path, "\"score\": -2", "\"score\": -1"),
        &[Code::ReportScore],
    );
    found(
        |files| edit(files, &path, "\"margin\": -0.25", "\"margin\": -0.125"),
        &[Code::ReportMargin, Code::MatrixMargin],
    );
    found(
        |files| {
            edit(
                files,
                &path,
                "\"winner\": \"draw\"",
                "\"winner\": \"skipped\"",
            );
        },
        &[Code::ReportSkipped],
    );
    found(
        |files| {
            edit(
                files,
                &path,
                "\"winner\": \"draw\"",
                "\"winner\": \"right\"",
            );
        },
        &[Code::ReportScore, Code::ReportMargin],
    );
}

#[test]
fn reports_about_other_prompts_sides_or_outputs() {
    let path = duels("leader", C);
    found(
        |files| edit(files, &path, "prompts.example.org", "elsewhere.example.org"),
        &[Code::ReportPrompts],
    );
    found(
        |files| edit(files, &path, "/submitted/", "/forged/"),
        &[Code::ReportInputs],
    );
    found(
        |files| {
            let bytes = files.remove(&path).unwrap();
            files.insert(duels(B, C), bytes);
        },
        &[Code::ReportSides],
    );
    let mut files = finished();
    edit(
        &mut files,
        &path,
        "\"left_png\": \"",
        "\"left_png\": null, \"ignored\": \"",
    );
    assert!(problems(&audit_files(&files)).contains(&Code::ReportGate));
}

#[test]
fn matrix_rows_without_reports_and_reports_without_rows() {
    let path = paths::matches_matrix(ROUND);
    found(
        |files| drop(files.remove(&duels("leader", C))),
        &[Code::MatrixNoReport],
    );
    found(
        |files| edit(files, &path, &format!("leader,{C},-0.25\n"), ""),
        &[Code::MatrixNoRow, Code::MatrixIncomplete],
    );
    found(
        |files| {
            edit(
                files,
                &path,
                &format!("leader,{C},-0.25"),
                &format!("leader,{C},-2.5"),
            );
        },
        &[Code::MatrixRange, Code::MatrixMargin],
    );
    found(
        |files| {
            edit(
                files,
                &path,
                "left,right,margin\n",
                "left,right,margin\nleader,5Stranger,-1.0\n",
            );
        },
        &[Code::MatrixStranger],
    );
    found(
        |files| {
            edit(files, &path, &format!("\nleader,{C},-0.25"), "");
            edit(
                files,
                &path,
                "left,right,margin\n",
                &format!("left,right,margin\nleader,{C},-0.25\n"),
            );
        },
        &[Code::MatrixOrder],
    );
    let audits = paths::audit_matrix(ROUND);
    found(
        |files| edit(files, &audits, "0.375", "0.5"),
        &[Code::MatrixMargin],
    );
    found(
        |files| edit(files, &audits, "leader_1", "leader"),
        &[
            Code::MatrixStranger,
            Code::MatrixNoRow,
            Code::WinnerUnverified,
            Code::AuditVerdict,
        ],
    );
}

#[test]
fn a_walkover_needs_no_report() {
    found(
        |files| {
            let path = paths::submitted(ROUND, &C.into());
            let text = String::from_utf8(files[&path].clone()).unwrap();
            let empty = text
                .lines()
                .map(|line| match line.trim_start().split_once(": ") {
                    Some(("\"js\"" | "\"views\"", _)) => format!(
                        "{},",
                        line.split(": ").next().unwrap().to_owned() + ": null"
                    ),
                    _ => line.to_owned(),
                })
                .collect::<Vec<_>>()
                .join("\n");
            files.insert(path, empty.into_bytes());
            files.remove(&duels("leader", C));
            edit(
                files,
                &paths::matches_matrix(ROUND),
                &format!("leader,{C},-0.25"),
                &format!("leader,{C},-1.0"),
            );
        },
        &[],
    );
}

#[test]
fn a_winner_that_does_not_follow_is_named_with_the_margins_that_would_give_it() {
    let mut files = finished();
    let path = paths::winner(ROUND);
    edit(&mut files, &path, A, "leader");
    let report = audit_files(&files);
    assert!(
        problems(&report).contains(&Code::WinnerDerived),
        "{:#?}",
        report.findings
    );
    let message = messages(&report, Code::WinnerDerived)[0];
    assert!(message.contains("above 0.375 and up to 1"), "{message}");

    found(
        |files| {
            edit(
                files,
                &path,
                "registry.example.org",
                "elsewhere.example.org",
            );
        },
        &[Code::WinnerImage, Code::LeaderEntry],
    );
}

#[test]
fn a_winner_before_its_audits() {
    found(
        |files| drop(files.remove(&paths::source_audit(ROUND))),
        &[Code::WinnerUnverified, Code::AuditVerdict],
    );
    found(
        |files| {
            let path = paths::audit_report(ROUND, &"leader".into(), &A.into(), 1);
            files.insert(
                path,
                report(
                    "leader",
                    A,
                    [("leader", "generated_1"), (A, "generated_1")],
                    1,
                ),
            );
            edit(files, &paths::audit_matrix(ROUND), "0.375", "0.125");
        },
        // Rejected, so B dethrones the leader and was never audited.
        &[
            Code::WinnerDerived,
            Code::WinnerUnverified,
            Code::AuditRequest,
            Code::AuditVerdict,
        ],
    );
}

#[test]
fn audits_that_nobody_had_to_ask_for_and_numbers_that_nobody_counted() {
    let requests = paths::require_audit(ROUND);
    found(
        |files| {
            edit(
                files,
                &requests,
                &format!("\"hotkey\": \"{A}\""),
                &format!("\"hotkey\": \"{C}\""),
            );
        },
        &[Code::AuditUnexplained, Code::AuditRequest],
    );
    found(
        |files| edit(files, &requests, "\"leader\"", &format!("\"{B}\"")),
        &[Code::AuditRequest],
    );
    found(
        |files| {
            edit(
                files,
                &paths::generation_reports(ROUND),
                "\"failed_prompts\": 0",
                "\"failed_prompts\": 1",
            );
        },
        &[Code::AuditNumbers],
    );
    found(
        |files| {
            let path = paths::generation_audits(ROUND);
            let text = String::from_utf8(files[&path].clone())
                .unwrap()
                .replace(A, B);
            files.insert(path, text.into_bytes());
        },
        &[],
    );
}

#[test]
fn leaders_that_the_winner_does_not_lead_to() {
    found(
        |files| edit(files, "leader.json", "\"weight\": 1.0", "\"weight\": 0.9"),
        &[Code::LeaderWeight],
    );
    found(
        |files| {
            edit(
                files,
                "leader.json",
                "\"effective_block\": 2000",
                "\"effective_block\": 2001",
            );
        },
        &[Code::LeaderEntry, Code::LeaderList],
    );
    found(
        |files| {
            edit(
                files,
                "leader.json",
                &format!("\"hotkey\": \"{A}\""),
                &format!("\"hotkey\": \"{B}\""),
            );
        },
        &[Code::LeaderEntry],
    );
}

#[test]
fn outputs_for_other_prompts() {
    found(
        |files| {
            let first = schema::Stem::of_url(&super::world::prompts()[0]);
            edit(
                files,
                &paths::submitted(ROUND, &C.into()),
                &format!("\"{first}\""),
                "\"other\"",
            );
        },
        &[Code::OutputsPrompts, Code::ReportInputs],
    );
    found(
        |files| {
            let path = paths::generated(ROUND, &schema::Side::Leader, 1);
            edit(
                files,
                &path,
                "\"views\": \"",
                "\"views\": null, \"was\": \"",
            );
        },
        &[Code::BaselineIncomplete, Code::ReportInputs],
    );
}

#[test]
fn modules_without_a_digest_or_with_two() {
    let line = |path: &str, digest: &str| {
        let text = String::from_utf8(finished()[path].clone()).unwrap();
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        let lines = file.as_object().unwrap().values().map(|row| {
            serde_json::json!({"kind": "module", "url": row["js"], "sha256": digest}).to_string()
                + "\n"
        });
        lines.collect::<String>()
    };
    let all = [A, B, C]
        .map(|hotkey| paths::submitted(ROUND, &hotkey.into()))
        .into_iter()
        .chain([
            paths::generated(ROUND, &schema::Side::Leader, 1),
            paths::generated(ROUND, &A.into(), 1),
        ]);
    let artifacts: String = all.map(|path| line(&path, "aa")).collect();
    let again = line(&paths::submitted(ROUND, &C.into()), "bb");
    let path = format!("rounds/{ROUND}/ledger/artifacts.jsonl");
    let with = |text: &str| {
        let mut files = finished();
        files.insert(path.clone(), text.as_bytes().to_vec());
        let report = audit_files(&files);
        messages(&report, Code::LedgerArtifact)
            .iter()
            .map(|message| (*message).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(with(&artifacts), Vec::<String>::new());
    assert!(with(&again)[0].starts_with("32 of 40 published modules have no digest"));
    assert!(
        with(&(artifacts.clone() + &again))[0]
            .starts_with("8 of 40 published modules have more than one digest")
    );
}

#[test]
fn only_one_round_is_reported_when_only_one_is_wanted() {
    let mut files = finished();
    edit(&mut files, &paths::schedule(ROUND.next()), "1001", "1002");
    edit(
        &mut files,
        &paths::source_audit(ROUND),
        "[",
        "[\n  {\"hotkey\": 7},",
    );
    let folder = tempfile::TempDir::new().unwrap();
    super::world::write(folder.path(), &files);
    let options = super::super::AuditOptions {
        repository: folder.path().to_owned(),
        round: Some(ROUND.next()),
        ..Default::default()
    };
    let report = super::super::audit(&options).unwrap();
    assert_eq!(problems(&report), [Code::ScheduleGap]);
    assert_eq!(report.rounds.len(), 1);
}
