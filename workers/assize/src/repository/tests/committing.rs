use serde_json::json;

use super::super::testing::{World, commit, entry, put, row, run_git, trailers};
use super::super::{
    Change, CommitSignature, MirrorOptions, MirrorRepository, PushOutcome, RepositoryError,
    SigningKey, signature_of_commit,
};

#[test]
fn one_group_of_changes_is_one_commit_with_its_trailers() {
    let world = World::new();
    let mirror = world.mirror();
    let before = world.messages().len();
    let changes = [
        row("rounds/0/matches_matrix.csv", "leader", "5abc", 0.0078125),
        row("rounds/0/matches_matrix.csv", "leader", "5def", -1.0),
        entry("rounds/0/builds.json", "5abc", json!({"status": "success"})),
        Change::AppendLine {
            path: "rounds/0/ledger/decisions.jsonl".into(),
            line: "{}".into(),
        },
    ];
    let outcome = mirror
        .commit(
            &changes,
            "Match report: leader vs 5abc",
            &trailers("judge_match"),
        )
        .unwrap();
    assert_eq!(outcome.conflicts, []);
    let info = outcome.commit.unwrap();
    assert_eq!(
        info.paths,
        [
            "rounds/0/matches_matrix.csv",
            "rounds/0/builds.json",
            "rounds/0/ledger/decisions.jsonl"
        ]
    );
    assert_eq!(mirror.push().unwrap(), PushOutcome::Pushed(vec![info.oid]));

    assert_eq!(world.tip(), info.oid);
    assert_eq!(world.messages().len(), before + 1);
    assert_eq!(
        world.messages()[0],
        "Match report: leader vs 5abc\n\nAssize-Step: judge_match\nAssize-Attempt: 1"
    );
    assert_eq!(
        world.file("rounds/0/matches_matrix.csv").unwrap(),
        "left,right,margin\nleader,5abc,0.0078125\nleader,5def,-1.0"
    );
    let git = world.git();
    let author = git
        .find_commit(info.oid)
        .unwrap()
        .author()
        .name()
        .unwrap()
        .to_owned();
    assert_eq!(author, "Assize");
    run_git(&world.remote, &["fsck", "--strict"]);
}

#[test]
fn changes_that_change_nothing_make_no_commit() {
    let world = World::new();
    let mirror = world.mirror();
    let changes = [
        entry("rounds/0/builds.json", "5abc", json!({"status": "pending"})),
        put("a.txt", "x"),
    ];
    assert!(commit(&mirror, &changes).commit.is_some());
    let head = mirror.head().unwrap();
    assert!(commit(&mirror, &changes).commit.is_none());
    assert!(commit(&mirror, &[]).commit.is_none());
    assert!(
        commit(
            &mirror,
            &[Change::Delete {
                path: "missing".into()
            }]
        )
        .commit
        .is_none()
    );
    // There and back within one group.
    assert!(
        commit(&mirror, &[put("a.txt", "y"), put("a.txt", "x")])
            .commit
            .is_none()
    );
    assert_eq!(mirror.head().unwrap(), head);
}

#[test]
fn files_and_rows_can_be_taken_out_again() {
    let world = World::new();
    let mirror = world.mirror();
    let matrix = "rounds/0/matches_matrix.csv";
    commit(
        &mirror,
        &[
            row(matrix, "leader", "a", 0.5),
            row(matrix, "leader", "b", 0.25),
            put("rounds/0/x/y", "z"),
        ],
    );
    commit(
        &mirror,
        &[
            Change::RemoveRow {
                path: matrix.into(),
                left: "leader".into(),
                right: "a".into(),
            },
            Change::Delete {
                path: "rounds/0/x/y".into(),
            },
        ],
    );
    mirror.push().unwrap();
    assert_eq!(
        world.file(matrix).unwrap(),
        "left,right,margin\nleader,b,0.25"
    );
    assert_eq!(world.file("rounds/0/x/y"), None);
}

#[test]
fn a_path_outside_the_repository_changes_nothing_at_all() {
    let world = World::new();
    let mirror = world.mirror();
    let head = mirror.head().unwrap();
    let error = mirror
        .commit(&[put("good.txt", "x"), put("../evil", "x")], "Evil", &[])
        .unwrap_err();
    assert!(
        matches!(error, RepositoryError::InvalidPath { .. }),
        "{error:?}"
    );
    assert_eq!(mirror.head().unwrap(), head);
    let error = mirror
        .commit(&[put("config.json/inside", "x")], "Blocked", &[])
        .unwrap_err();
    assert!(
        matches!(error, RepositoryError::PathBlocked { .. }),
        "{error:?}"
    );
}

#[test]
fn signed_commits_are_valid_for_git_itself() {
    let world = World::new();
    let key = SigningKey::generate();
    let options = MirrorOptions {
        signing_key: Some(key.clone()),
        author_email: "assize@example.org".into(),
        ..world.options()
    };
    let mirror = MirrorRepository::open_or_clone(options).unwrap();
    let oid = commit(&mirror, &[put("rounds/0/a.json", "{}")])
        .commit
        .unwrap()
        .oid;
    mirror.push().unwrap();

    let git = world.git();
    let expected = CommitSignature::Valid {
        public_key: key.public_key(),
    };
    assert_eq!(signature_of_commit(&git, oid).unwrap(), expected);
    let first = git.find_commit(oid).unwrap().parent_id(0).unwrap();
    assert_eq!(
        signature_of_commit(&git, first).unwrap(),
        CommitSignature::Unsigned
    );

    let signers = world.clone_path("allowed_signers");
    std::fs::write(
        &signers,
        key.allowed_signers_line("assize@example.org") + "\n",
    )
    .unwrap();
    let allowed = format!("gpg.ssh.allowedSignersFile={}", signers.display());
    let printed = run_git(
        &world.remote,
        &["-c", &allowed, "verify-commit", "-v", &oid.to_string()],
    );
    assert!(
        printed.contains("Good \"git\" signature for assize@example.org"),
        "{printed}"
    );
    run_git(&world.remote, &["fsck", "--strict"]);
}

#[test]
fn a_signature_taken_from_another_commit_is_invalid() {
    let world = World::new();
    let options = MirrorOptions {
        signing_key: Some(SigningKey::generate()),
        ..world.options()
    };
    let mirror = MirrorRepository::open_or_clone(options).unwrap();
    let oid = commit(&mirror, &[put("rounds/0/a.json", "{}")])
        .commit
        .unwrap()
        .oid;
    mirror.push().unwrap();

    let git = world.git();
    let (signature, content) = git.extract_signature(&oid, None).unwrap();
    let forged = String::from_utf8(content.to_vec())
        .unwrap()
        .replace("Update builds", "Change winner");
    let forged = git
        .commit_signed(&forged, std::str::from_utf8(&signature).unwrap(), None)
        .unwrap();
    assert!(matches!(
        signature_of_commit(&git, forged).unwrap(),
        CommitSignature::Invalid { .. }
    ));
}
