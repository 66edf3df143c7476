//! What only the history shows.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use schema::{
    Hotkey,
    paths::{self, LedgerFile},
};
use serde_json::{Value, json};

use super::super::{AuditOptions, Code, Severity, audit, run};
use super::world::{
    A, B, C, Files, Git, OPERATOR, ROUND, SERVICE, audit_path, edit, finished, messages, pretty,
    problems, report, state,
};
use crate::repository::{
    Change, MirrorOptions, MirrorRepository, PushOutcome, SIGNERS_PATH, SigningKey,
};

pub fn file(path: &str, bytes: Vec<u8>) -> Files {
    Files::from([(path.to_owned(), bytes)])
}

/// The finished file after an edit.
pub fn edited(path: &str, from: &str, to: &str) -> Files {
    let mut files = finished();
    edit(&mut files, path, from, to);
    file(path, files[path].clone())
}

fn git(folder: &Path, arguments: &[&str]) {
    let status = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args([
            "-c",
            "safe.directory=*",
            "-c",
            "protocol.file.allow=always",
            "-c",
            "uploadpack.allowFilter=true",
        ])
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        status.status.success(),
        "{}",
        String::from_utf8_lossy(&status.stderr)
    );
}

#[test]
fn a_round_made_by_services_and_people_within_their_rights_holds() {
    let git = Git::finished();
    let report = git.audit();
    assert!(report.holds(), "{:#?}", report.findings);
    assert_eq!(report.source.commits, 22);
    // The set-up and the source audit are listed as what people did.
    assert_eq!(messages(&report, Code::PeopleEdit).len(), 2);
    assert_eq!(messages(&report, Code::SignatureNone).len(), 1);
}

#[test]
fn findings_name_the_commit_they_come_from() {
    let git = Git::finished();
    let path = paths::schedule(ROUND.next());
    let commit = git.commit(
        OPERATOR,
        "Correct the schedule",
        &edited(&path, "1001", "1002"),
    );
    let report = git.audit();
    let gap = report
        .findings
        .iter()
        .find(|finding| finding.code == Code::ScheduleGap)
        .unwrap();
    assert_eq!(gap.commit.as_deref(), Some(commit.to_string().as_str()));
    assert_eq!(
        problems(&report),
        [Code::ScheduleGap, Code::Rewritten, Code::HandEdit]
    );
}

#[test]
fn a_hand_edit_of_a_services_file_is_listed_with_what_it_changed() {
    let git = Git::finished();
    git.commit(
        OPERATOR,
        "Add a note",
        &file("README.md", b"Other words".to_vec()),
    );
    assert!(git.audit().holds());
    let path = paths::generation_reports(ROUND);
    let commit = git.commit(
        OPERATOR,
        "Retry the regeneration",
        &edited(&path, "60.5", "61.5"),
    );
    let report = git.audit();
    assert_eq!(problems(&report), [Code::HandEdit]);
    let finding = report
        .findings
        .iter()
        .find(|finding| finding.code == Code::HandEdit)
        .unwrap();
    assert_eq!(finding.commit.as_deref(), Some(commit.to_string().as_str()));
    assert!(
        finding.message.contains("Retry the regeneration") && finding.message.contains(&path),
        "{finding:?}"
    );
}

#[test]
fn a_services_wording_does_not_hide_another_file() {
    let git = Git::finished();
    let mut files = edited(&paths::generation_reports(ROUND), "60.5", "61.5");
    files.extend(edited(
        &paths::builds(ROUND),
        "\"status\": \"success\"",
        "\"status\":  \"success\"",
    ));
    git.commit(SERVICE, "Update build statuses for round 0", &files);
    assert_eq!(problems(&git.audit()), [Code::HandEdit]);
}

#[test]
fn a_services_wording_under_another_name_is_noted() {
    let git = Git::finished();
    git.commit(
        "other@example.org",
        "Round 1: downloading",
        &file("state.json", state(1, "downloading")),
    );
    let report = git.audit();
    assert!(
        messages(&report, Code::OtherAuthor)[0]
            .contains("1 commits with a service's wording are by other@example.org")
    );
}

/// Judges a match again: report and row.
pub fn judged_again(git: &Git, right: &str, score: i64, message: &str) {
    let mut files = finished();
    let sides = [("leader", "generated_1"), (right, "submitted")];
    let path = paths::duels_report(ROUND, &schema::Side::Leader, &Hotkey::new(right));
    files.insert(path.clone(), report("leader", right, sides, score));
    let matrix = paths::matches_matrix(ROUND);
    let text = String::from_utf8(files[&matrix].clone()).unwrap();
    let row = text
        .lines()
        .find(|line| line.starts_with(&format!("leader,{right}")))
        .unwrap()
        .to_owned();
    edit(
        &mut files,
        &matrix,
        &row,
        &format!("leader,{right},{:?}", score as f64 / 8.0),
    );
    let changed = [path, matrix].map(|path| (path.clone(), files[&path].clone()));
    git.commit(SERVICE, message, &Files::from(changed));
}

#[test]
fn a_replaced_result_is_told_with_what_it_changed() {
    let git = Git::finished();
    judged_again(
        &git,
        A,
        1,
        "Match report: leader vs 5AAAAAAAAA\nUpdate matches matrix for round 0",
    );
    let report = git.audit();
    let replaced = messages(&report, Code::Replaced);
    assert_eq!(replaced.len(), 1, "{:#?}", report.findings);
    assert!(replaced[0].contains("from 0.5 to 0.125"), "{}", replaced[0]);
    assert!(
        replaced[0].contains("5AAAAAAAAA no longer qualifies"),
        "{}",
        replaced[0]
    );
    assert!(
        replaced[0].contains(&format!("winner by its files went from {A} to {B}")),
        "{}",
        replaced[0]
    );
    assert!(problems(&report).contains(&Code::WinnerDerived));
}

#[test]
fn a_result_that_was_taken_out_and_came_back_otherwise_is_a_replaced_one() {
    let git = Git::finished();
    let matrix = paths::matches_matrix(ROUND);
    let whole = String::from_utf8(finished()[&matrix].clone()).unwrap();
    let without = whole.replace(&format!("\nleader,{C},-0.25"), "");
    git.commit(
        SERVICE,
        "Update matches matrix for round 0",
        &file(&matrix, without.into_bytes()),
    );
    judged_again(
        &git,
        C,
        -3,
        "Match report: leader vs 5CCCCCCCCC\nUpdate matches matrix for round 0",
    );
    let report = git.audit();
    assert_eq!(problems(&report), [Code::Replaced]);
    let message = messages(&report, Code::Replaced)[0];
    assert!(
        message.contains("from -0.25 to -0.375") && !message.contains("qualifies"),
        "{message}"
    );
}

#[test]
fn a_match_judged_twice_before_its_row_was_written_is_told() {
    let git = Git::finished();
    let path = paths::duels_report(ROUND, &schema::Side::Leader, &Hotkey::new(C));
    let sides = [("leader", "generated_1"), (C, "submitted")];
    git.commit(
        SERVICE,
        "Match report: leader vs 5CCCCCCCCC",
        &file(&path, report("leader", C, sides, -1)),
    );
    git.commit(
        SERVICE,
        "Match report: leader vs 5CCCCCCCCC",
        &file(&path, report("leader", C, sides, -2)),
    );
    let report = git.audit();
    assert_eq!(problems(&report), [Code::Replaced]);
    assert_eq!(messages(&report, Code::Replaced).len(), 2);
}

#[test]
fn a_result_replaced_in_the_open_is_only_noted() {
    let git = Git::finished();
    let matrix = paths::matches_matrix(ROUND);
    let whole = String::from_utf8(finished()[&matrix].clone()).unwrap();
    let path = paths::duels_report(ROUND, &schema::Side::Leader, &Hotkey::new(C));
    let files = Files::from([
        (
            matrix,
            whole
                .replace(&format!("leader,{C},-0.25"), &format!("leader,{C},-0.125"))
                .into_bytes(),
        ),
        (
            path.clone(),
            report(
                "leader",
                C,
                [("leader", "generated_1"), (C, "submitted")],
                -1,
            ),
        ),
        (
            format!("rounds/{ROUND}/ledger/superseded/leader-{C}.json"),
            finished()[&path].clone(),
        ),
    ]);
    git.commit(
        "assize@example.org",
        "Judge again\n\nAssize-Step: judge_match\nAssize-Attempt: 1",
        &files,
    );
    let report = git.audit();
    let replaced = report
        .findings
        .iter()
        .find(|finding| finding.code == Code::Replaced)
        .unwrap();
    assert_eq!(replaced.severity, Severity::Note, "{replaced:?}");
}

/// What `assize round redraw` leaves behind: another result in its row and report, the old one kept, and who asked for it and why.
#[test]
fn a_round_whose_pictures_were_drawn_anew_is_accepted() {
    let git = Git::finished();
    let path = paths::duels_report(ROUND, &schema::Side::Leader, &Hotkey::new(C));
    let matrix = paths::matches_matrix(ROUND);
    let whole = String::from_utf8(finished()[&matrix].clone()).unwrap();
    let sides = [("leader", "generated_1"), (C, "submitted")];
    let ledger = |file: LedgerFile| paths::ledger(ROUND, &file);
    let lines = |lines: &[Value]| -> Vec<u8> {
        let text: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
        text.concat().into_bytes()
    };
    let files = Files::from([
        (
            matrix,
            whole
                .replace(&format!("leader,{C},-0.25"), &format!("leader,{C},-0.125"))
                .into_bytes(),
        ),
        (path.clone(), report("leader", C, sides, -1)),
        (
            ledger(LedgerFile::Superseded(format!("duels_leader-{C}.json"))),
            finished()[&path].clone(),
        ),
        (
            ledger(LedgerFile::Decisions),
            lines(&[json!({
                "kind": "result_superseded", "matrix": "matches", "left": "leader", "right": C, "score": -2,
                "margin": -0.25, "shown_sha256": "55", "because": "a side shows other modules or pictures",
            })]),
        ),
        (
            ledger(LedgerFile::Operators),
            lines(&[json!({
                "at": "2026-02-02T15:19:00Z", "operator": "ann", "action": "draw-anew", "target": "round/0/tournament",
                "reason": "the renderer was broken", "before": null, "after": {"jobs": []},
            })]),
        ),
    ]);
    git.commit(
        "assize@example.org",
        "Match report: leader vs 5CCCCCCCCC\nUpdate matches matrix for round 0\n\nAssize-Step: round/0/tournament\nAssize-Attempt: 1",
        &files,
    );
    let report = git.audit();
    // The small competition's round is closed without a checkpoint, whatever its ledger tells.
    assert_eq!(
        problems(&report),
        [Code::LedgerOpen],
        "{:#?}",
        report.findings
    );
    let replaced = messages(&report, Code::Replaced);
    assert_eq!(replaced.len(), 1, "the report says nothing beside its row");
    assert!(
        replaced[0].contains("from -0.25 to -0.125"),
        "{}",
        replaced[0]
    );
}

#[test]
fn a_winner_or_an_input_that_changed_and_a_stage_that_went_back() {
    let git = Git::finished();
    let winner = edited(&paths::winner(ROUND), "a/miner", "z/miner");
    git.commit(SERVICE, "Round 0 winner: 5AAAAAAAAA", &winner);
    git.commit(
        SERVICE,
        "Round 0 winner: 5AAAAAAAAA",
        &file(
            &paths::winner(ROUND),
            finished()[&paths::winner(ROUND)].clone(),
        ),
    );
    git.commit(
        SERVICE,
        "Round 0: duels",
        &file("state.json", state(0, "duels")),
    );
    git.commit(
        SERVICE,
        "Update state (open) for round 1",
        &file("state.json", state(1, "open")),
    );
    let report = git.audit();
    assert_eq!(problems(&report), [Code::Rewritten, Code::StageRewound]);
    assert_eq!(messages(&report, Code::Rewritten).len(), 2);
    assert!(
        messages(&report, Code::StageRewound)[0].contains("from round 1 open to round 0 duels")
    );
}

#[test]
fn deleted_files_are_listed() {
    let git = Git::finished();
    let path = paths::generation_audits(ROUND);
    let deleted = BTreeMap::from([(path.clone(), None)]);
    git.change(SERVICE, "Update generation audits for round 0", &deleted);
    let report = git.audit();
    assert_eq!(problems(&report), [Code::Deleted]);
    assert!(messages(&report, Code::Deleted)[0].contains(&path));
}

#[test]
fn an_older_configuration_is_used_for_the_round_it_was_in_force() {
    let git = Git::finished();
    git.commit(
        OPERATOR,
        "Raise the margin",
        &edited(
            "config.json",
            "\"win_margin\": 0.25",
            "\"win_margin\": 0.75",
        ),
    );
    git.commit(
        OPERATOR,
        "Another pool",
        &file(
            "prompts.txt",
            b"https://prompts.example.org/other.png".to_vec(),
        ),
    );
    // The next round is not collected yet, but its window was set by the time that was in force then.
    git.commit(
        OPERATOR,
        "Give miners less time",
        &edited(
            "config.json",
            "\"generation_stage_minutes\": 120",
            "\"generation_stage_minutes\": 60",
        ),
    );
    let report = git.audit();
    assert!(report.holds(), "{:#?}", report.findings);
    assert_eq!(report.rounds[0].win_margin, Some(0.25));
}

/// A repository that a signing mirror wrote.
pub fn signed(git: &Git) -> (MirrorRepository, SigningKey, MirrorOptions) {
    let key = SigningKey::generate();
    let options = MirrorOptions {
        signing_key: Some(key.clone()),
        author_email: "assize@example.org".to_owned(),
        ..MirrorOptions::new(
            git.folder.path().join("clone"),
            git.path().to_str().unwrap(),
        )
    };
    let mirror = MirrorRepository::open_or_clone(options.clone()).unwrap();
    let line = key.allowed_signers_line(&options.author_email) + "\n";
    step(&mirror, SIGNERS_PATH, line.into_bytes());
    (mirror, key, options)
}

pub fn step(mirror: &MirrorRepository, path: &str, content: Vec<u8>) {
    let change = Change::Put {
        path: path.to_owned(),
        content,
    };
    let trailers = [("Assize-Step".to_owned(), "test".to_owned())];
    assert!(
        mirror
            .commit(&[change], "Test", &trailers)
            .unwrap()
            .commit
            .is_some()
    );
    assert!(matches!(
        mirror.publish(3).unwrap().push,
        PushOutcome::Pushed(_)
    ));
}

#[test]
fn signed_commits_hold_and_unsigned_or_strange_ones_do_not() {
    let git = Git::finished();
    let (mirror, _, options) = signed(&git);
    let report = git.audit();
    assert!(report.holds(), "{:#?}", report.findings);
    assert!(messages(&report, Code::SignatureNone).is_empty());

    git.commit(
        "assize@example.org",
        "Test\n\nAssize-Step: forged",
        &file("state.json", state(1, "downloading")),
    );
    let report = git.audit();
    assert_eq!(problems(&report), [Code::SignatureMissing]);

    drop(mirror);
    let stranger = MirrorOptions {
        signing_key: Some(SigningKey::generate()),
        ..options
    };
    step(
        &MirrorRepository::open_or_clone(stranger).unwrap(),
        "README.md",
        b"Signed by a stranger".to_vec(),
    );
    assert!(problems(&git.audit()).contains(&Code::SignatureUnknown));
}

#[test]
fn a_ledger_holds_until_a_line_before_its_checkpoint_changes() {
    let git = Git::finished();
    let (mirror, key, _) = signed(&git);
    let lines = b"{\"artifact\":1}\n{\"artifact\":2}\n".to_vec();
    let checkpoint =
        crate::repository::Checkpoint::close(ROUND, None, [("decisions.jsonl", lines.as_slice())]);
    step(&mirror, "rounds/0/ledger/decisions.jsonl", lines);
    assert_eq!(problems(&git.audit()), [Code::LedgerOpen]);
    step(
        &mirror,
        "rounds/0/ledger/checkpoint.json",
        checkpoint.sign(&key).unwrap().to_bytes(),
    );
    assert!(git.audit().holds(), "{:#?}", git.audit().findings);
    step(
        &mirror,
        "rounds/0/ledger/decisions.jsonl",
        b"{\"artifact\":1}\n{\"artifact\":3}\n".to_vec(),
    );
    assert_eq!(problems(&git.audit()), [Code::LedgerChain]);
}

#[test]
fn any_clone_is_read() {
    let origin = Git::finished();
    let folder = origin.folder.path();
    git(folder, &["clone", "-q", "state.git", "worktree"]);
    assert!(audit_path(&folder.join("worktree")).holds());

    let url = format!("file://{}", origin.path().display());
    git(folder, &["clone", "-q", "--depth", "3", &url, "shallow"]);
    let report = audit_path(&folder.join("shallow"));
    assert!(report.holds(), "{:#?}", report.findings);
    assert_eq!(
        (
            report.source.commits,
            messages(&report, Code::HistoryIncomplete).len()
        ),
        (3, 1)
    );
}

#[test]
fn a_clone_with_objects_missing_is_read_as_far_as_it_goes() {
    let origin = Git::finished();
    git(origin.path(), &["config", "uploadpack.allowFilter", "true"]);
    let folder = origin.folder.path();
    let url = format!("file://{}", origin.path().display());
    git(
        folder,
        &[
            "clone",
            "-q",
            "--bare",
            "--filter=blob:none",
            &url,
            "blobless",
        ],
    );
    let report = audit_path(&folder.join("blobless"));
    assert!(report.source.missing_objects > 0);
    assert!(problems(&report).contains(&Code::ObjectMissing));
    assert!(!report.holds());

    git(
        folder,
        &["clone", "-q", "--bare", "--filter=tree:0", &url, "treeless"],
    );
    let cannot = audit(&AuditOptions {
        repository: folder.join("treeless"),
        ..AuditOptions::default()
    });
    assert!(cannot.is_err());
}

#[test]
fn the_exit_status_tells_what_was_found() {
    let args = |path: &Path| super::super::AuditArgs {
        repository: path.to_owned(),
        round: None,
        json: true,
        html: None,
        revision: None,
        signers: None,
    };
    let git = Git::finished();
    assert_eq!(run(args(git.path())), 0);
    git.commit(
        OPERATOR,
        "Forge",
        &file(&paths::winner(ROUND), pretty(&json!({}))),
    );
    assert_eq!(run(args(git.path())), 1);
    assert_eq!(run(args(Path::new("/nonexistent"))), 2);
    assert_eq!(run(args(&git.folder.path().join("state.git/objects"))), 2);
}
