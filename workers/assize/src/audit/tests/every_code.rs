//! For each code a competition that has it: a new code does not compile before somebody says what provokes it. That nothing
//! else is said then is for the tests beside this one.

use std::collections::BTreeMap;

use git2::{ObjectType, Oid};
use schema::{Hotkey, Side, Stem, paths};

use super::super::{AuditReport, Code};
use super::fixture::{self, CRITICAL_PROMPT};
use super::history::{edited, file, judged_again, signed, step};
use super::told::{image_line, match_line, superseded_line, told};
use super::world::{
    A, B, C, Files, Git, OPERATOR, ROUND, SERVICE, audit_files, edit, finished, image, prompts,
    state,
};

/// The audit of the finished competition after a change of its files.
fn files(change: impl Fn(&mut Files)) -> AuditReport {
    let mut files = finished();
    change(&mut files);
    audit_files(&files)
}

/// The same for the replacement of a text.
fn text(path: &str, from: &str, to: &str) -> AuditReport {
    files(|files| edit(files, path, from, to))
}

fn without(path: &str) -> AuditReport {
    files(|files| drop(files.remove(path)))
}

fn with(path: &str, content: &[u8]) -> AuditReport {
    files(|files| drop(files.insert(path.to_owned(), content.to_vec())))
}

/// The audit of the finished competition's repository after something happened to it.
fn git(happen: impl Fn(&Git)) -> AuditReport {
    let git = Git::finished();
    happen(&git);
    git.audit()
}

/// After a commit of `email`.
fn commit(email: &str, message: &str, changed: &Files) -> AuditReport {
    git(|git| {
        git.commit(email, message, changed);
    })
}

/// Takes an object out of the repository, as partial clones lack it.
fn lose(git: &Git, content: &[u8]) {
    let blob = Oid::hash_object(ObjectType::Blob, content)
        .unwrap()
        .to_string();
    let (folder, name) = blob.split_at(2);
    std::fs::remove_file(git.path().join("objects").join(folder).join(name)).unwrap();
}

/// Puts the signature of the newest commit under another text.
fn move_signature(git: &Git) {
    let repository = &git.repository;
    let tip = repository.refname_to_id("refs/heads/main").unwrap();
    let (signature, content) = repository.extract_signature(&tip, None).unwrap();
    let content = String::from_utf8(content.to_vec()).unwrap() + "\nSomething else\n";
    let signature = String::from_utf8(signature.to_vec()).unwrap();
    let forged = repository
        .commit_signed(&content, &signature, None)
        .unwrap();
    repository
        .reference("refs/heads/main", forged, true, "forged")
        .unwrap();
}

fn duels_of_c() -> String {
    paths::duels_report(ROUND, &Side::Leader, &Hotkey::new(C))
}

/// A competition with such a finding.
fn provoked(code: Code) -> AuditReport {
    let next_schedule = paths::schedule(ROUND.next());
    let (submissions, builds) = (paths::submissions(ROUND), paths::builds(ROUND));
    let (matches, audits) = (paths::matches_matrix(ROUND), paths::audit_matrix(ROUND));
    let ledger = |name: &str| format!("rounds/{ROUND}/ledger/{name}");
    let row_of_c = format!("leader,{C},-0.25");
    match code {
        Code::FileUnreadable => text("state.json", "\"open\"", "\"opened\""),
        Code::RowUnreadable => text(&paths::source_audit(ROUND), "[", "[\n  {\"hotkey\": 7},"),
        Code::FileMissing => without("leader.json"),
        Code::ObjectMissing => git(|git| lose(git, &finished()[&builds])),
        Code::FileForm => text("config.json", "  \"name\"", "\t\"name\""),
        Code::FileUnknown => with("rounds/0/notes.md", b"Notes"),
        Code::InnerHotkey => {
            let inner = |hotkey: &str| format!("\"hotkey\": \"{hotkey}\"");
            text(&paths::generation_audits(ROUND), &inner(A), &inner(B))
        }
        Code::Config => text("config.json", "\"win_margin\": 0.25", "\"win_margin\": 2.5"),

        Code::ScheduleWindow => text(&next_schedule, "1001", "2001"),
        Code::ScheduleGap => text(&next_schedule, "1001", "1002"),
        Code::ScheduleDeadline => text(&next_schedule, "2600", "2601"),

        Code::PromptsCount => text(
            "config.json",
            "\"prompts_per_round\": 8",
            "\"prompts_per_round\": 9",
        ),
        Code::PromptsRepeated => {
            let all = prompts();
            text(&paths::prompts(ROUND), &all[7], &all[0])
        }
        Code::PromptsCarryover => fixture::edited("rounds/1/seed.json", "3274970996", "3274970997"),
        Code::PromptsDraw => text(&paths::seed(ROUND), "42", "43"),
        Code::PromptsPoolAbsent => without("prompts.txt"),

        Code::SeedProof => {
            let block = schema::BlockNumber(999);
            let proof = workflow::rules::seed::SeedProof::derive(block, [7; 32], ROUND, "mini");
            with(&ledger("seed.json"), &schema::format::json::pretty(&proof))
        }

        Code::SubmissionsOrder | Code::SubmissionsWindow => {
            let block = |block: u32| format!("\"revealed_at_block\": {block}");
            text(&submissions, &block(500), &block(1001))
        }
        Code::SubmissionsLabel => text(&submissions, "mini-0", "mini-1"),

        Code::BuildsSubmissions => text(&builds, "b/miner", "x/miner"),
        Code::BuildsTag => text(&builds, "\"bbbbbbb-mini-0\"", "\"bbbbbbc-mini-0\""),
        Code::BuildsImage => text(&builds, "5bbbbbbbbb:", "5cccccbbbb:"),
        Code::BuildsShared => text(
            &builds,
            "5bbbbbbbbb:bbbbbbb-mini-0",
            "5aaaaaaaaa:aaaaaaa-mini-0",
        ),
        Code::BuildsUndecided => text(
            &builds,
            "\"status\": \"success\"",
            "\"status\": \"pending\"",
        ),

        Code::OutputsPrompts => {
            let stem = Stem::of_url(&prompts()[0]);
            let path = paths::submitted(ROUND, &Hotkey::new(C));
            text(&path, &format!("\"{stem}\""), "\"other\"")
        }
        Code::BaselineIncomplete => {
            let path = paths::generated(ROUND, &Side::Leader, 1);
            text(&path, "\"views\": \"", "\"views\": null, \"was\": \"")
        }
        Code::RegenerationIncomplete | Code::MatrixExcluded => {
            super::world::audit_path(fixture::unpacked().path())
        }

        Code::ReportScore => text(&duels_of_c(), "\"score\": -2", "\"score\": -1"),
        Code::ReportMargin => text(&duels_of_c(), "\"margin\": -0.25", "\"margin\": -0.125"),
        Code::ReportPrompts => text(
            &duels_of_c(),
            "prompts.example.org",
            "elsewhere.example.org",
        ),
        Code::ReportSides => files(|files| {
            let report = files.remove(&duels_of_c()).unwrap();
            files.insert(
                paths::duels_report(ROUND, &B.into(), &Hotkey::new(C)),
                report,
            );
        }),
        Code::ReportGate => text(
            &duels_of_c(),
            "\"left_png\": \"",
            "\"left_png\": null, \"ignored\": \"",
        ),
        Code::ReportInputs => text(&duels_of_c(), "/submitted/", "/forged/"),
        Code::ReportSkipped => text(
            &duels_of_c(),
            "\"winner\": \"draw\"",
            "\"winner\": \"skipped\"",
        ),

        Code::MatrixMargin => text(&audits, "0.375", "0.5"),
        Code::MatrixNoReport => without(&duels_of_c()),
        Code::MatrixNoRow | Code::MatrixIncomplete => text(&matches, &format!("{row_of_c}\n"), ""),
        Code::MatrixStranger => text(&matches, "margin\n", "margin\nleader,5Stranger,-1.0\n"),
        Code::MatrixRange => text(&matches, &row_of_c, &format!("leader,{C},-2.5")),
        Code::MatrixOrder => files(|files| {
            edit(files, &matches, &format!("\n{row_of_c}"), "");
            edit(
                files,
                &matches,
                "margin\n",
                &format!("margin\n{row_of_c}\n"),
            );
        }),

        Code::WinnerDerived => text(&paths::winner(ROUND), A, "leader"),
        Code::WinnerUnverified => without(&paths::source_audit(ROUND)),
        Code::WinnerImage => text(
            &paths::winner(ROUND),
            "registry.example",
            "elsewhere.example",
        ),

        Code::AuditUnexplained => {
            let requested = |hotkey: &str| format!("\"hotkey\": \"{hotkey}\"");
            text(&paths::require_audit(ROUND), &requested(A), &requested(C))
        }
        Code::AuditRequest => text(
            &paths::require_audit(ROUND),
            "\"leader\"",
            &format!("\"{B}\""),
        ),
        Code::AuditSample => {
            let another = "2d8474b455962c855358c4dba6bc6b196adce3168d577ab47e31bf27bea0b2cc";
            fixture::edited("rounds/0/require_audit.json", CRITICAL_PROMPT, another)
        }
        Code::AuditThreshold => fixture::edited(
            "config.json",
            "\"win_margin\": 0.05",
            "\"win_margin\": 0.04",
        ),
        Code::AuditVerdict => text(&paths::generation_audits(ROUND), "\"passed\"", "\"failed\""),
        Code::AuditNumbers => text(
            &paths::generation_reports(ROUND),
            "\"failed_prompts\": 0",
            "\"failed_prompts\": 1",
        ),

        Code::LeaderEntry => {
            let hotkey = |hotkey: &str| format!("\"hotkey\": \"{hotkey}\"");
            text("leader.json", &hotkey(A), &hotkey(B))
        }
        Code::LeaderWeight => text("leader.json", "\"weight\": 1.0", "\"weight\": 0.9"),
        Code::LeaderList => text(
            "leader.json",
            "\"effective_block\": 2000",
            "\"effective_block\": 2001",
        ),

        Code::LedgerChain => files(|files| {
            let line: &[u8] = b"{\"artifact\":1}\n";
            let closed =
                crate::repository::Checkpoint::close(ROUND, None, [("decisions.jsonl", line)]);
            files.insert(ledger("decisions.jsonl"), b"{\"artifact\":2}\n".to_vec());
            files.insert(ledger("checkpoint.json"), closed.to_bytes());
        }),
        Code::LedgerUnreadable => with(&ledger("decisions.jsonl"), b"{\n"),
        Code::LedgerArtifact => with(&ledger("artifacts.jsonl"), b"{}\n"),
        Code::LedgerImage => audit_files(&told(&[image_line("registry.example.org/x/y:1", None)])),
        Code::LedgerImageUnproven => audit_files(&told(&[image_line(&image(), None)])),
        Code::LedgerDecision => audit_files(&told(&[match_line("matches", "leader", C, 1.0)])),
        Code::LedgerSuperseded => audit_files(&told(&[superseded_line("superseded/a", "00")])),
        Code::LedgerOpen => with(&ledger("decisions.jsonl"), b"{}\n"),

        Code::SignatureInvalid => git(|git| {
            drop(signed(git));
            move_signature(git);
        }),
        Code::SignatureUnknown => git(|git| {
            let (mirror, _, options) = signed(git);
            drop(mirror);
            let stranger = crate::repository::MirrorOptions {
                signing_key: Some(crate::repository::SigningKey::generate()),
                ..options
            };
            let mirror = crate::repository::MirrorRepository::open_or_clone(stranger).unwrap();
            step(&mirror, "README.md", b"Signed by a stranger".to_vec());
        }),
        Code::SignatureMissing => git(|git| {
            drop(signed(git));
            let forged = "Test\n\nAssize-Step: forged";
            git.commit(
                "assize@example.org",
                forged,
                &file("state.json", state(1, "downloading")),
            );
        }),

        Code::Replaced => git(|git| judged_again(git, A, 1, "Match report: leader vs 5AAAAAAAAA")),
        Code::Rewritten => {
            let winner = edited(&paths::winner(ROUND), "a/miner", "z/miner");
            commit(SERVICE, "Round 0 winner: 5AAAAAAAAA", &winner)
        }
        Code::Deleted => git(|git| {
            let deleted = BTreeMap::from([(paths::generation_audits(ROUND), None)]);
            git.change(SERVICE, "Update generation audits for round 0", &deleted);
        }),
        Code::StageRewound => commit(
            SERVICE,
            "Round 0: duels",
            &file("state.json", state(0, "duels")),
        ),
        Code::HandEdit => {
            let reports = edited(&paths::generation_reports(ROUND), "60.5", "61.5");
            commit(OPERATOR, "Retry the regeneration", &reports)
        }
        Code::OtherAuthor => {
            let changed = file("state.json", state(1, "downloading"));
            commit("other@example.org", "Round 1: downloading", &changed)
        }
        Code::HistoryIncomplete => git(|git| {
            let first = format!("left,right,margin\nleader,{A},0.5");
            lose(git, first.as_bytes());
        }),

        // What a reader should know of every such folder or repository.
        Code::SeedUnproven
        | Code::SubmissionsTies
        | Code::MatrixNear
        | Code::Rules
        | Code::HistoryAbsent => audit_files(&finished()),
        Code::PeopleEdit | Code::SignatureNone => Git::finished().audit(),
    }
}

#[test]
fn every_finding_can_be_provoked() {
    let silent: Vec<&str> = Code::ALL
        .iter()
        .filter(|code| {
            let findings = provoked(**code).findings;
            !findings.iter().any(|finding| finding.code == **code)
        })
        .map(|code| code.as_str())
        .collect();
    assert_eq!(silent, [""; 0]);
}
