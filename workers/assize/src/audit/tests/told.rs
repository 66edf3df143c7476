//! What the ledger's lines tell against what is published, and what they tell beside it.

use schema::files::{Duel, DuelDetail, DuelWinner, MatchReport, Verdict};
use schema::paths::LedgerFile;
use schema::{Hotkey, LeftSide, RoundNumber, Side, StateFile as _, paths};
use workflow::engine::MirrorChange;
use workflow::round::entry::Prompt;
use workflow::round::flows::DuelInput;
use workflow::round::judge::{Bound, DuelOutput, DuelSide, Judge, Pairing};
use workflow::round::judging::{Judging, Measurement};
use workflow::round::ledger::{Artifact, Decision, DuelVerdict};
use workflow::rules::duel::DuelThresholds;

use super::super::{AuditReport, Code, Finding, Severity, to_html, to_text};
use super::world::{
    A, B, C, Files, ROUND, audit_files, edit, finished, image, messages, prompts, report,
};

const OF_THE_LEDGER: [Code; 3] = [
    Code::LedgerDecision,
    Code::LedgerSuperseded,
    Code::ReportSkipped,
];

/// The finished competition whose ledger has these lines too.
pub fn told(lines: &[MirrorChange]) -> Files {
    let mut files = finished();
    for change in lines {
        let MirrorChange::AppendLine { path, line } = change else {
            panic!("a ledger is appended to");
        };
        let file = files.entry(path.clone()).or_default();
        file.extend_from_slice(line.as_bytes());
        file.push(b'\n');
    }
    files
}

/// What the audit says of ledger and skipped duels.
fn found(files: &Files) -> Vec<(Code, Severity, String)> {
    let findings = audit_files(files).findings;
    let wanted = findings
        .into_iter()
        .filter(|finding| OF_THE_LEDGER.contains(&finding.code));
    wanted
        .map(|finding| (finding.code, finding.severity, finding.message))
        .collect()
}

pub fn match_line(matrix: &str, left: &str, right: &str, margin: f64) -> MirrorChange {
    Decision::Match {
        matrix: matrix.to_owned(),
        left: left.to_owned(),
        right: Hotkey::new(right),
        margin,
        win_margin: 0.25,
        report_sha256: None,
    }
    .append(ROUND)
}

fn verdict_line(verdict: Verdict, reason: &str) -> MirrorChange {
    Decision::Verdict {
        hotkey: Hotkey::new(A),
        verdict,
        reason: reason.to_owned(),
        win_margin: 0.25,
        audit_repeats: 1,
    }
    .append(ROUND)
}

fn winner_line(winner: &str) -> MirrorChange {
    Decision::Winner {
        winner: Side::from(winner),
        docker_image: "image".to_owned(),
    }
    .append(ROUND)
}

/// The verdict of a duel of the leader against C.
fn duel_line(prompt: usize, winner: DuelWinner) -> MirrorChange {
    measured_duel_line("", prompt, winner)
}

/// The same in another measurement of the match, by the end of its key.
fn measured_duel_line(measurement: &str, prompt: usize, winner: DuelWinner) -> MirrorChange {
    DuelVerdict {
        input: DuelInput {
            match_key: format!("round/{ROUND}/match/leader/{C}{measurement}"),
            pairing: Pairing {
                round: ROUND,
                matrix: Pairing::MATCHES.to_owned(),
                left: "leader".to_owned(),
                right: C.to_owned(),
            },
            bound: Bound {
                prompt: Prompt::of_url(&prompts()[prompt]),
                left: DuelSide::default(),
                right: DuelSide::default(),
                seed: 42,
                run: 0,
                judgement: 0,
                judge: Judge::new("glm", DuelThresholds::default()),
            },
            priority: 0,
        },
        output: DuelOutput {
            winner,
            detail: DuelDetail::MissingViews {
                reason: String::new(),
            },
        },
    }
    .append(ROUND)
}

/// A result that another took the place of, kept under `name`.
pub fn superseded_line(name: &str, sha256: &str) -> MirrorChange {
    Decision::Superseded {
        path: paths::duels_report(ROUND, &Side::Leader, &Hotkey::new(C)),
        kept_as: name.to_owned(),
        sha256: sha256.to_owned(),
        step: "round/0/tournament".to_owned(),
        attempt: 2,
    }
    .append(ROUND)
}

#[test]
fn a_ledger_that_tells_what_is_published_holds() {
    let files = told(&[
        match_line("matches", "leader", C, -0.25),
        match_line("audits", "leader_1", A, 0.375),
        verdict_line(Verdict::Failed, "source audit"),
        // The last line about a thing counts.
        verdict_line(Verdict::Passed, ""),
        winner_line(A),
        duel_line(0, DuelWinner::Left),
        duel_line(7, DuelWinner::Draw),
    ]);
    assert_eq!(found(&files), []);
}

/// The report shows left as the winner of the first prompt.
#[test]
fn verdicts_of_runs_beside_earlier_judgements_and_older_pictures_say_nothing_of_the_report() {
    let (left, draw) = (DuelWinner::Left, DuelWinner::Draw);
    let in_measurement = |of: &str, winner| measured_duel_line(of, 0, winner);
    let superseded = |shown: &str| MirrorChange::AppendLine {
        path: paths::ledger(ROUND, &LedgerFile::Decisions),
        line: format!(
            r#"{{"kind":"result_superseded","matrix":"matches","left":"leader","right":"{C}","score":0,"margin":0.0,"shown_sha256":"{shown}","because":"drawn anew"}}"#
        ),
    };
    for accepted in [
        vec![in_measurement("", left), in_measurement("/run/1", draw)],
        vec![
            in_measurement("", draw),
            in_measurement("/judgement/1", left),
            in_measurement("/judgement/1/run/1", draw),
        ],
        vec![
            in_measurement("", draw),
            in_measurement("/pictures/0123456789ab", left),
        ],
        vec![
            in_measurement("", draw),
            in_measurement("/pictures/0123456789ab", draw),
            superseded("0123456789abcdef"),
            in_measurement("/pictures/aa23456789ab", left),
        ],
    ] {
        assert_eq!(found(&told(&accepted)), [], "{accepted:?}");
    }
    for refused in [
        vec![
            in_measurement("", left),
            in_measurement("/judgement/1", draw),
        ],
        vec![
            in_measurement("", left),
            in_measurement("/pictures/0123456789ab", draw),
        ],
    ] {
        let found = found(&told(&refused));
        assert!(
            matches!(&found[..], [(Code::LedgerDecision, Severity::Error, _)]),
            "{found:?}"
        );
    }
}

#[test]
fn a_margin_verdict_winner_or_duel_that_the_ledger_tells_otherwise_is_found() {
    for (line, says) in [
        (
            match_line("matches", "leader", C, -0.125),
            "leader against 5CCC",
        ),
        (
            match_line("audits", "leader_1", A, 0.25),
            "leader_1 against 5AAA",
        ),
        (
            verdict_line(Verdict::Failed, "source audit"),
            "the ledger tells failed (source audit)",
        ),
        (
            verdict_line(Verdict::Passed, "for another reason"),
            "(for another reason)",
        ),
        (winner_line("leader"), "the ledger tells leader"),
        (
            duel_line(0, DuelWinner::Right),
            "has another winner than in",
        ),
    ] {
        let found = found(&told(&[line]));
        assert_eq!(found.len(), 1, "{found:?}");
        let (code, severity, message) = &found[0];
        assert_eq!(
            (*code, *severity),
            (Code::LedgerDecision, Severity::Error),
            "{message}"
        );
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn a_replaced_result_must_be_kept_as_the_ledger_says() {
    use sha2::{Digest as _, Sha256};
    let old = report(
        "leader",
        C,
        [("leader", "generated_1"), (C, "submitted")],
        -3,
    );
    let name = "superseded/0123_leader.json";
    let line = superseded_line(name, &hex::encode(Sha256::digest(&old)));
    let path = format!("rounds/{ROUND}/ledger/{name}");

    let mut files = told(std::slice::from_ref(&line));
    let missing = found(&files);
    assert!(
        matches!(&missing[..], [(Code::LedgerSuperseded, Severity::Error, message)] if message.contains("is not kept")),
        "{missing:?}"
    );
    files.insert(path.clone(), b"{}".to_vec());
    let other = found(&files);
    assert!(
        matches!(&other[..], [(Code::LedgerSuperseded, _, message)] if message.contains("is not the result")),
        "{other:?}"
    );
    files.insert(path, old);
    assert_eq!(found(&files), []);
    let [row] = &audit_files(&files).rounds[0].set_aside[..] else {
        panic!("one result was replaced");
    };
    assert_eq!((row.margin, row.now), (Some(-0.375), Some(-0.25)));
    assert_eq!(row.kept_as.as_deref(), Some(name));
}

#[test]
fn later_runs_and_replaced_results_stand_in_the_reports_for_people() {
    let again = |right: &str, margin: f64| {
        Decision::MeasuredAgain {
            matrix: "matches".to_owned(),
            left: "leader".to_owned(),
            right: Hotkey::new(right),
            measurement: Measurement {
                judgement: 0,
                run: 1,
            },
            score: 1,
            margin,
            winners: schema::IndexMap::default(),
        }
        .append(ROUND)
    };
    let anew = Decision::JudgedAnew {
        matrix: "matches".to_owned(),
        left: "leader".to_owned(),
        right: Hotkey::new(C),
        judgement: 0,
        score: -5,
        margin: -0.625,
        operator: "ann".to_owned(),
        reason: "the renderer <drew> it wrongly".to_owned(),
        kept_as: "superseded/leader.json".to_owned(),
    }
    .append(ROUND);
    let audited = audit_files(&told(&[again(B, 0.125), again(A, 0.375), anew]));
    let round = &audited.rounds[0];
    let runs: Vec<_> = round
        .later_runs
        .iter()
        .map(|row| (row.right.as_str(), row.counted, row.decides_otherwise))
        .collect();
    assert_eq!(runs, [(B, Some(0.25), true), (A, Some(0.5), false)]);
    assert_eq!(round.set_aside.len(), 1);

    let (page, text) = (to_html(&audited), to_text(&audited));
    for part in [
        "Measured again",
        "would decide otherwise",
        "+12.50%",
        "Replaced results",
        "-62.50%",
        "judged anew by ann: the renderer &lt;drew&gt; it wrongly",
        "superseded/leader.json",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(text.contains("measured again: matches") && text.contains("judged anew by ann"));
}

#[test]
fn margins_near_a_threshold_carry_their_interval_those_of_audits_too() {
    // Of 8 prompts: the audit against the leader wins by 3, and 2 are needed. That against the submission is 2 away.
    let audited = audit_files(&finished());
    let near = &audited.rounds[0].near;
    let of = |left: &str| {
        near.iter()
            .find(|row| row.left == left && row.right.as_str() == A)
    };
    let row = of("leader_1").unwrap();
    assert!(row.low < row.margin && row.margin < row.high, "{row:?}");
    assert!(of("submitted_1").is_none(), "{near:?}");
    let in_audits = |finding: &&Finding| finding.path == Some(paths::audit_matrix(ROUND));
    let mut notes = audited.findings.iter().filter(in_audits);
    let note = notes.find(|note| note.code == Code::MatrixNear).unwrap();
    assert!(note.message.contains("against leader_1 ("), "{note:?}");
    let page = to_html(&audited);
    assert!(page.contains("<code>leader_1</code>"), "{page}");
    assert!(page.contains("+31.83% to +43.17%"), "{page}");
}

#[test]
fn a_repository_without_such_results_has_no_tables_for_them() {
    let page = to_html(&audit_files(&finished()));
    assert!(!page.contains("Measured again") && !page.contains("Replaced results"));
}

/// The leader's match against C in which all duels after the first `judged` were left out; the left side won those.
fn curtailed(judged: usize) -> MatchReport {
    let sides = [("leader", "generated_1"), (C, "submitted")];
    let whole = report("leader", C, sides, -(judged as i64));
    let whole = MatchReport::parse("report", &whole).unwrap();
    let leave_out = |duel: Duel| match duel.winner {
        DuelWinner::Draw => Duel {
            winner: DuelWinner::Skipped,
            detail: Some(DuelDetail::MissingViews {
                reason: DuelDetail::CURTAILED.to_owned(),
            }),
            ..duel
        },
        _ => duel,
    };
    let duels = whole.duels.into_iter().map(leave_out);
    MatchReport::of_duels(LeftSide::from("leader"), Hotkey::new(C), duels.collect())
}

/// The audit of a competition in which that match stopped after `judged` duels, by these rules.
fn with_curtailed(judged: usize, curtail: bool) -> AuditReport {
    let rules = Judging {
        curtail,
        ..Judging::default()
    };
    let mut files = told(&[Decision::JudgingRules { rules }.append(ROUND)]);
    let report = curtailed(judged);
    edit(
        &mut files,
        &paths::matches_matrix(ROUND),
        &format!("leader,{C},-0.25"),
        &format!("leader,{C},{:?}", report.margin),
    );
    files.insert(
        paths::duels_report(ROUND, &Side::Leader, &Hotkey::new(C)),
        report.to_bytes(),
    );
    audit_files(&files)
}

#[test]
fn a_match_that_stopped_by_the_rules_when_nothing_could_change_is_noted_only() {
    // Four lost ones of eight leave 0 at best, and 0.25 is needed.
    let report = with_curtailed(4, true);
    let skipped: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| finding.code == Code::ReportSkipped)
        .collect();
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    assert_eq!(skipped[0].severity, Severity::Note);
    assert!(skipped[0].message.starts_with("1 matches stopped"));
}

#[test]
fn a_match_that_stopped_too_early_or_without_a_rule_is_found() {
    let severity = |report: &AuditReport| {
        report
            .findings
            .iter()
            .find(|finding| finding.code == Code::ReportSkipped)
            .map(|finding| finding.severity)
    };
    let early = with_curtailed(2, true);
    assert_eq!(severity(&early), Some(Severity::Error));
    assert!(messages(&early, Code::ReportSkipped)[0].contains("across 0.25"));
    let unruled = with_curtailed(4, false);
    assert_eq!(severity(&unruled), Some(Severity::Warning));
}

#[test]
fn only_the_round_of_a_line_is_told_of_it() {
    let audited = audit_files(&told(&[match_line("matches", "leader", C, -0.125)]));
    let rounds: Vec<Option<RoundNumber>> = audited
        .findings
        .iter()
        .filter(|finding| finding.code == Code::LedgerDecision)
        .map(|finding| finding.round)
        .collect();
    assert_eq!(rounds, [Some(ROUND)]);
}

/// What the ledger says of the image of A.
pub fn image_line(image: &str, digest: Option<&str>) -> MirrorChange {
    Artifact::Image {
        hotkey: Hotkey::new(A),
        image: image.to_owned(),
        digest: digest.map(str::to_owned),
    }
    .append(ROUND)
}

#[test]
fn an_image_has_one_digest_and_it_is_the_one_of_its_build() {
    let of_images = |lines: &[MirrorChange]| -> Vec<String> {
        let report = audit_files(&told(lines));
        messages(&report, Code::LedgerImage)
            .iter()
            .map(|message| (*message).to_owned())
            .collect()
    };
    let digest = |letter: &str| format!("sha256:{}", letter.repeat(64));
    let right = image_line(&image(), Some(&digest("a")));
    assert_eq!(of_images(&[right.clone(), right.clone()]), [""; 0]);
    let moved = of_images(&[right, image_line(&image(), Some(&digest("b")))]);
    assert!(moved[0].contains("its tag was moved"), "{moved:?}");
    let none = of_images(&[image_line(&image(), Some("sha256:12"))]);
    assert!(none[0].starts_with("`sha256:12` is no digest"), "{none:?}");
    let other = of_images(&[image_line("registry.example.org/x/y:1", Some(&digest("a")))]);
    assert!(other[0].contains("whose build has"), "{other:?}");
}
