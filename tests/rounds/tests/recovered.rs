//! A round whose database is lost twice goes on from the public repository, and ends with the same winner.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

use assize::{
    audit::{AuditOptions, Finding, Severity, audit},
    cli::{Cli, run},
    recover::{RecoverError, RecoverOptions, Recovery, recover},
    rehearse::RehearseArgs,
};
use clap::Parser as _;
use rehearsal::miners::Cast;
use rounds::{Process, database_url};
use schema::{RoundNumber, Stage, StateFile as _, files::State};
use sqlx::PgPool;
use workflow::{
    db,
    embedded::{EmbeddedOptions, EmbeddedPostgres},
};

const PROMPTS: u32 = 4;
const ENTRIES: i64 = 20;

/// The rehearsal's public repository.
fn remote(state_dir: &Path) -> PathBuf {
    state_dir.join("world").join("state.git")
}

async fn database(state_dir: &Path) -> (EmbeddedPostgres, PgPool) {
    let postgres = EmbeddedPostgres::start(EmbeddedOptions::new(state_dir.join("postgres")))
        .await
        .unwrap();
    postgres.create_database("assize").await.unwrap();
    let pool = db::pool_options()
        .max_connections(4)
        .connect(&postgres.url("assize"))
        .await
        .unwrap();
    db::migrate(&pool).await.unwrap();
    (postgres, pool)
}

/// Loses the database and the local clone, and builds a fresh database from the repository.
async fn lose_and_recover(state_dir: &Path) -> Recovery {
    std::fs::remove_dir_all(state_dir.join("postgres")).unwrap();
    std::fs::remove_dir_all(state_dir.join("mirror.git")).unwrap();
    let (postgres, pool) = database(state_dir).await;
    let options = RecoverOptions {
        repository: remote(state_dir),
        despite_findings: None,
    };
    let recovery = recover(&pool, &options).await.unwrap();

    let again = recover(&pool, &options).await.unwrap_err();
    assert!(
        matches!(again.downcast_ref(), Some(RecoverError::NotFresh)),
        "a database in use is never written over: {again:#}"
    );
    pool.close().await;
    postgres.stop().await;
    recovery
}

/// Steps of a kind by whether this database ran them.
async fn ended(pool: &PgPool, name: &str) -> (i64, i64) {
    sqlx::query_as(
        "SELECT count(*) FILTER (WHERE attempt = 0), count(*) FILTER (WHERE attempt > 0)
         FROM job WHERE name = $1 AND state = 'completed'",
    )
    .bind(name)
    .fetch_one(pool)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_that_loses_its_database_while_downloading_and_while_judging_ends_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let state_dir = dir.path().join("rehearsal");
    let args = rounds::small_rehearsal(&state_dir, PROMPTS);

    let mut first = Process::start(&args, 1).unwrap();
    first
        .until(
            "SELECT EXISTS (SELECT FROM round WHERE round = 0 AND stage = 'downloading')
             AND (SELECT count(*) BETWEEN 3 AND 15 FROM mirror_file
                  WHERE path LIKE '%/submitted.json' AND mirrored_at IS NOT NULL)",
        )
        .await
        .unwrap();
    first.kill().unwrap();
    let downloading = lose_and_recover(&state_dir).await;
    assert_eq!(downloading.stage, "downloading");
    assert_eq!(downloading.submissions, 5);
    assert!(
        downloading.entries >= 3 && (downloading.entries as i64) < ENTRIES,
        "{downloading:?}"
    );

    let mut second = Process::start(&args, 2).unwrap();
    second
        .until(
            "SELECT EXISTS (SELECT FROM round WHERE round = 0 AND stage = 'duels')
             AND (SELECT count(*) > 3 FROM mirror_file
                  WHERE path LIKE '%/ledger/duels/%' AND mirrored_at IS NOT NULL)",
        )
        .await
        .unwrap();
    second.kill().unwrap();
    let judging = lose_and_recover(&state_dir).await;
    assert_eq!(judging.stage, "duels");
    assert_eq!(
        judging.entries as i64, ENTRIES,
        "every entry was public, so none is made again"
    );
    assert!(
        judging.duels + judging.matches > 0,
        "finished duels are not judged again: {judging:?}"
    );

    let summary = Process::start(&args, 3).unwrap().summary().await.unwrap();
    let cast = Cast::new(args.seed, 6);
    assert_eq!(
        summary["winner"],
        cast.expected_winner().unwrap().hotkey.as_str()
    );
    assert_eq!(summary["entries"], ENTRIES);

    let (postgres, pool) = database(&state_dir).await;
    assert_eq!(ended(&pool, "prepare").await, (ENTRIES, 0));
    assert_eq!(ended(&pool, "download").await, (ENTRIES, 0));
    let (put_back, judged) = ended(&pool, "duel").await;
    assert_eq!(put_back, judging.duels as i64);
    assert!(judged > 0, "the rest was judged");
    pool.close().await;
    postgres.stop().await;

    assert_eq!(errors_found(&state_dir), []);
}

/// What contradicts itself in the public repository.
fn errors_found(state_dir: &Path) -> Vec<Finding> {
    let options = AuditOptions {
        repository: remote(state_dir),
        ..AuditOptions::default()
    };
    let mut findings = audit(&options).unwrap().findings;
    findings.retain(|finding| finding.severity == Severity::Error);
    findings
}

/// What `state.json` has said since round 0 has a winner, the first version first.
fn states_since_the_winner(state_dir: &Path) -> Vec<(Stage, RoundNumber)> {
    let git = git2::Repository::open_bare(remote(state_dir)).unwrap();
    let mut walk = git.revwalk().unwrap();
    walk.push_head().unwrap();
    walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::REVERSE)
        .unwrap();
    let mut states = Vec::new();
    for commit in walk {
        let tree = git.find_commit(commit.unwrap()).unwrap().tree().unwrap();
        if tree.get_path(Path::new("rounds/0/winner.json")).is_err() {
            continue;
        }
        let blob = tree.get_path(Path::new("state.json")).unwrap().id();
        let blob = git.find_blob(blob).unwrap();
        let state = State::parse("state.json", blob.content()).unwrap();
        let seen = (state.stage, state.current_round);
        if states.last() != Some(&seen) {
            states.push(seen);
        }
    }
    states
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_that_stops_at_the_ends_of_its_stages_is_put_back_standing_still_and_goes_on_when_it_may()
 {
    let dir = tempfile::tempdir().unwrap();
    let state_dir = dir.path().join("rehearsal");
    let args = RehearseArgs {
        pause_on_stage_end: true,
        ..rounds::small_rehearsal(&state_dir, 2)
    };
    let stands_still = "SELECT EXISTS (SELECT FROM job WHERE state = 'paused')
        AND NOT EXISTS (SELECT FROM mirror_file WHERE mirrored_at IS NULL)";

    let mut first = Process::start(&args, 1).unwrap();
    first.until(stands_still).await.unwrap();
    first.kill().unwrap();
    let before_finalizing = lose_and_recover(&state_dir).await;
    assert_eq!(
        (before_finalizing.round, before_finalizing.stage.as_str()),
        (0, "finalizing")
    );

    let mut second = Process::start(&args, 2).unwrap();
    second.until(stands_still).await.unwrap();
    resume(&state_dir, 0).await;
    second
        .until("SELECT EXISTS (SELECT FROM round WHERE round = 1 AND stage = 'open')")
        .await
        .unwrap();
    second.until(stands_still).await.unwrap();
    second.kill().unwrap();
    let before_open = lose_and_recover(&state_dir).await;
    assert_eq!((before_open.round, before_open.stage.as_str()), (1, "open"));

    let mut third = Process::start(&args, 3).unwrap();
    third.until(stands_still).await.unwrap();
    resume(&state_dir, 1).await;
    third
        .until(
            "SELECT EXISTS (SELECT FROM job WHERE key = 'round/1/open_round' AND state = 'completed')
             AND NOT EXISTS (SELECT FROM mirror_file WHERE path = 'state.json' AND mirrored_at IS NULL)",
        )
        .await
        .unwrap();
    third.kill().unwrap();
    let (ended, next) = (RoundNumber(0), RoundNumber(1));
    assert_eq!(
        states_since_the_winner(&state_dir)[..4],
        [
            (Stage::Paused, ended),
            (Stage::Finalizing, ended),
            (Stage::Paused, next),
            (Stage::Open, next),
        ]
    );
    assert_eq!(errors_found(&state_dir), []);
}

/// An operator lets a round go on.
async fn resume(state_dir: &Path, round: u32) {
    let database = database_url(state_dir);
    let line = format!("assize round resume {round} --operator ann --reason seen --database-url");
    let words = line.split(' ').chain([database.as_str()]);
    run(Cli::try_parse_from(words).unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_contradicts_itself_is_refused_with_the_file_and_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let state_dir = dir.path().join("rehearsal");
    let args = rounds::small_rehearsal(&state_dir, 2);
    let mut process = Process::start(&args, 1).unwrap();
    process
        .until(
            "SELECT EXISTS (SELECT FROM mirror_file
                            WHERE path = 'rounds/0/submissions.json' AND mirrored_at IS NOT NULL)",
        )
        .await
        .unwrap();
    process.kill().unwrap();
    tamper(&remote(&state_dir));

    std::fs::remove_dir_all(state_dir.join("postgres")).unwrap();
    let (postgres, pool) = database(&state_dir).await;
    let mut options = RecoverOptions {
        repository: remote(&state_dir),
        despite_findings: None,
    };
    let refused = recover(&pool, &options).await.unwrap_err().to_string();
    assert!(
        refused.contains("not consistent") && refused.contains("rounds/0/"),
        "{refused}"
    );
    let jobs: i64 = sqlx::query_scalar("SELECT count(*) FROM job")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(jobs, 0, "nothing was changed");

    // An operator who knows better says why, and that is published.
    options.despite_findings = Some(("ada".to_owned(), "the seed was repaired by hand".to_owned()));
    recover(&pool, &options).await.unwrap();
    let line: Vec<u8> = sqlx::query_scalar(
        "SELECT content FROM mirror_file WHERE path = 'rounds/0/ledger/operators.jsonl'",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(
        (&line["operator"], &line["action"], &line["reason"]),
        (
            &"ada".into(),
            &"recover".into(),
            &"the seed was repaired by hand".into()
        )
    );
    pool.close().await;
    postgres.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_without_a_ledger_as_other_services_seed_them_goes_on_and_ends_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let state_dir = dir.path().join("rehearsal");
    let args = rounds::small_rehearsal(&state_dir, 2);
    let mut first = Process::start(&args, 1).unwrap();
    first
        .until(
            // A module that could not be had is known from its reason alone; only one that was had is fetched again.
            "SELECT EXISTS (SELECT FROM round WHERE round = 0 AND stage = 'downloading')
             AND EXISTS (SELECT FROM mirror_file
                         WHERE path LIKE '%/submitted.json' AND mirrored_at IS NOT NULL
                         AND convert_from(content, 'UTF8') LIKE '%.js\"%')",
        )
        .await
        .unwrap();
    first.kill().unwrap();
    take_out_the_ledger(&remote(&state_dir));
    let recovery = lose_and_recover(&state_dir).await;
    assert!(recovery.seeded_elsewhere);
    assert_eq!(recovery.stage, "downloading");
    assert!(recovery.fetched_again > 0, "{recovery:?}");

    let summary = Process::start(&args, 2).unwrap().summary().await.unwrap();
    let winner = Cast::new(args.seed, 6)
        .expected_winner()
        .unwrap()
        .hotkey
        .clone();
    assert_eq!(summary["winner"], winner.as_str());
}

/// The repository as if it had never had a ledger.
fn take_out_the_ledger(remote: &Path) {
    let git = git2::Repository::open_bare(remote).unwrap();
    let reference = "refs/heads/main";
    let tip = git
        .find_commit(git.refname_to_id(reference).unwrap())
        .unwrap();
    let tree = tip.tree().unwrap();
    let mut update = git2::build::TreeUpdateBuilder::new();
    tree.walk(git2::TreeWalkMode::PreOrder, |folder, entry| {
        if folder.contains("/ledger/") && entry.kind() == Some(git2::ObjectType::Blob) {
            update.remove(format!("{folder}{}", entry.name().unwrap()));
        }
        git2::TreeWalkResult::Ok
    })
    .unwrap();
    let tree = git
        .find_tree(update.create_updated(&git, &tree).unwrap())
        .unwrap();
    let author = git2::Signature::now("Somebody", "somebody@example.org").unwrap();
    git.commit(
        Some(reference),
        &author,
        &author,
        "No ledger",
        &tree,
        &[&tip],
    )
    .unwrap();
}

/// Somebody pushes another seed.
fn tamper(remote: &Path) {
    let repository = git2::Repository::open(remote).unwrap();
    let head = repository.head().unwrap().peel_to_commit().unwrap();
    let blob = repository.blob(b"{\"seed\": 7}").unwrap();
    let mut update = git2::build::TreeUpdateBuilder::new();
    update.upsert("rounds/0/seed.json", blob, git2::FileMode::Blob);
    let tree = update
        .create_updated(&repository, &head.tree().unwrap())
        .unwrap();
    let tree = repository.find_tree(tree).unwrap();
    let somebody = git2::Signature::now("Somebody", "somebody@example.org").unwrap();
    let reference = repository.head().unwrap().name().unwrap().to_owned();
    repository
        .commit(
            Some(&reference),
            &somebody,
            &somebody,
            "Draw again",
            &tree,
            &[&head],
        )
        .unwrap();
}
