//! Operators' commands on a real Postgres with a round in full swing.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{process::Command, sync::Arc};

use clap::{CommandFactory as _, Parser as _};
use sqlx::{ConnectOptions as _, PgPool};
use workflow::{
    db,
    engine::{MirrorChange, Publication},
};

use assize::{
    cli::{Cli, run},
    clients::discord::FakeNotices,
    git_sync::GitSync,
    repository::MirrorOptions,
};

/// Runs a command line on the pool's database; words are separated by spaces.
async fn assize(pool: &PgPool, line: &str) -> anyhow::Result<u8> {
    let url = pool.connect_options().to_url_lossy().to_string();
    let words = line.split(' ').chain(["--database-url", &url]);
    run(Cli::try_parse_from(["assize"].into_iter().chain(words))?).await
}

async fn act(pool: &PgPool, line: &str) -> anyhow::Result<u8> {
    assize(pool, &format!("{line} --operator ann --reason tests")).await
}

async fn with_round(pool: &PgPool) {
    sqlx::raw_sql(include_str!("../src/dashboard/tests_round.sql"))
        .execute(pool)
        .await
        .unwrap();
}

async fn count(pool: &PgPool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

const DUE: &str = "SELECT count(*) FROM job WHERE state = 'available'";
const OPEN: &str = "SELECT count(*) FROM job WHERE finished_at IS NULL";

#[test]
fn every_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_round_is_paused_resumed_retried_and_cancelled_by_command(pool: PgPool) {
    with_round(&pool).await;
    let due = count(&pool, DUE).await;
    assert!(due > 0);
    act(&pool, "round pause 3").await.unwrap();
    assert_eq!(count(&pool, DUE).await, 0);
    act(&pool, "round resume 3").await.unwrap();
    assert_eq!(count(&pool, DUE).await, due);
    act(&pool, "round retry 3").await.unwrap();
    assert_eq!(
        count(&pool, DUE).await,
        due + 2,
        "the parked render and the one that waits for its backoff"
    );
    act(&pool, "round cancel 3").await.unwrap();
    assert_eq!(count(&pool, OPEN).await, 0);
    let actions =
        "SELECT count(*) FROM operator_action WHERE operator = 'ann' AND reason = 'tests'";
    assert_eq!(count(&pool, actions).await, 4);
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn jobs_are_changed_by_filter_and_an_unknown_one_is_named(pool: PgPool) {
    with_round(&pool).await;
    act(&pool, "job force-retry --name duel --round 3")
        .await
        .unwrap();
    let superseded = "SELECT count(*) FROM attempt WHERE outcome = 'superseded'";
    assert_eq!(count(&pool, superseded).await, 4, "the running duels");
    act(&pool, "job cancel --key round/3/duel/*").await.unwrap();
    let duels = "SELECT count(*) FROM job WHERE name = 'duel' AND state = 'cancelled'";
    assert_eq!(count(&pool, duels).await, 16);
    let refused = act(&pool, "job cancel --key nothing").await.unwrap_err();
    assert_eq!(refused.to_string(), "there is no job nothing");
    let refused = act(&pool, "job retry").await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "say which jobs: by id, key, name, queue or round"
    );
    assert!(
        assize(&pool, "round pause 3 --operator ann").await.is_err(),
        "nobody acts without a reason"
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_queue_is_paused_and_limited_by_command(pool: PgPool) {
    with_round(&pool).await;
    act(&pool, "queue pause vlm").await.unwrap();
    act(&pool, "queue limit vlm --capacity 3 --rate 0.5")
        .await
        .unwrap();
    let set: (bool, Option<i32>, Option<f64>) =
        sqlx::query_as("SELECT paused, capacity, rate_per_second FROM queue WHERE name = 'vlm'")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!(set, (true, Some(3), Some(0.5)), "a limit leaves the pause");
    act(&pool, "queue resume vlm").await.unwrap();
    assert_eq!(
        count(&pool, "SELECT count(*) FROM queue WHERE paused").await,
        0
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_round_that_goes_on_is_not_pruned(pool: PgPool) {
    with_round(&pool).await;
    let refused = act(&pool, "round prune 3").await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "round 3 is not closed: only the history of a closed round can be removed"
    );
    act(&pool, "round prune 2").await.unwrap();
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn everything_can_be_looked_at(pool: PgPool) {
    with_round(&pool).await;
    for line in [
        "round list",
        "round show 3",
        "queue list",
        "job list --state any --round 3",
        "job show round/3",
    ] {
        assize(&pool, line).await.unwrap();
    }
    let unknown = assize(&pool, "job show nothing").await.unwrap_err();
    assert_eq!(unknown.to_string(), "there is no job nothing");
    let unknown = assize(&pool, "round show 9").await.unwrap_err();
    assert_eq!(unknown.to_string(), "round 9 is not known here");
}

const BUILDS: &str = "rounds/0/builds.json";

fn builds(status: &str) -> String {
    let build = serde_json::json!({
        "repo": "a/b", "commit": "c".repeat(40), "revealed_at_block": 1, "tag": "ccccccc-mesh-0",
        "status": status, "docker_image": null,
    });
    serde_json::to_string_pretty(&serde_json::json!({ "5A": build })).unwrap()
}

/// A state repository, the git-sync that serves it, and a person's clone.
struct Repository {
    folder: tempfile::TempDir,
    sync: GitSync,
    pool: PgPool,
}

impl Repository {
    /// Assize writes that a build is pending, a person makes it `status`, and Assize goes on with it.
    async fn edited(pool: &PgPool, status: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let remote = folder.path().join("state.git");
        git2::Repository::init_opts(
            &remote,
            git2::RepositoryInitOptions::new()
                .bare(true)
                .initial_head("main"),
        )
        .unwrap();
        let options = MirrorOptions {
            bootstrap: true,
            ..MirrorOptions::new(folder.path().join("clone"), remote.to_str().unwrap())
        };
        let notices = Arc::new(FakeNotices::default());
        let sync = GitSync::with_options(pool.clone(), options, notices)
            .await
            .unwrap();
        let repository = Self {
            folder,
            sync,
            pool: pool.clone(),
        };
        repository.step(1, &builds("pending")).await;
        repository.git(&["clone", "-q", "state.git", "person"]);
        std::fs::write(
            repository.folder.path().join("person").join(BUILDS),
            builds(status),
        )
        .unwrap();
        for arguments in [
            &["config", "user.name", "Ann"][..],
            &["config", "user.email", "ann@example.org"],
            &["commit", "-qam", "Set it right"],
            &["push", "-q"],
        ] {
            repository.git(&[&["-C", "person"], arguments].concat());
        }
        repository.step(2, &builds("in_progress")).await;
        repository
    }

    /// The end of a step that writes the file.
    async fn step(&self, job: i64, content: &str) {
        let publication = Publication {
            message: "Update build statuses for round 0".to_owned(),
            changes: vec![MirrorChange::Put {
                path: BUILDS.to_owned(),
                content: content.into(),
            }],
            urgent: false,
        };
        let mut conn = self.pool.acquire().await.unwrap();
        let step = format!("build/{job}");
        db::mirror::publish(&mut conn, job, 1, &step, Some(0), &publication)
            .await
            .unwrap();
        assert!(self.sync.drain().await.unwrap());
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .current_dir(self.folder.path())
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "git {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn published(&self) -> String {
        self.git(&["-C", "state.git", "show", &format!("main:{BUILDS}")])
    }

    /// Runs the binary on the database: whether it succeeded, and what it printed on both streams.
    fn assize(&self, line: &str) -> (bool, String) {
        let url = self.pool.connect_options().to_url_lossy().to_string();
        let output = Command::new(env!("CARGO_BIN_EXE_assize"))
            .args(line.split(' '))
            .args(["--database-url", &url])
            .output()
            .unwrap();
        let printed = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(printed).unwrap())
    }
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn an_edit_of_our_file_is_listed_shown_and_taken_back_by_command(pool: PgPool) {
    let repository = Repository::edited(&pool, "failure").await;
    let (ok, listed) = repository.assize("conflict list");
    assert!(ok, "{listed}");
    assert!(
        listed.contains(&format!("1\t{BUILDS}\tundecided\tAnn"))
            && listed.contains("1 of our changes wait"),
        "{listed}"
    );
    let (ok, shown) = repository.assize("conflict show 1");
    assert!(ok, "{shown}");
    let parts = [
        "--- before",
        "\"pending\"",
        "--- after",
        "\"failure\"",
        "--- waiting: build/2",
    ];
    let places: Vec<_> = parts.iter().map(|part| shown.find(part)).collect();
    assert!(
        places.is_sorted() && places.iter().all(Option::is_some),
        "{shown}"
    );

    let (ok, refused) = repository.assize("conflict reject 1 --operator ann");
    assert!(!ok && refused.contains("--reason"), "{refused}");
    let (ok, refused) = repository.assize("conflict reject 7 --operator ann --reason mistaken");
    assert!(!ok && refused.contains("conflict list"), "{refused}");
    let (ok, said) = repository.assize("conflict reject 1 --operator ann --reason mistaken");
    assert!(ok && said.contains("is rejected"), "{said}");
    assert!(repository.sync.drain().await.unwrap());
    assert_eq!(repository.published(), builds("in_progress"));
    let (_, listed) = repository.assize("conflict list");
    assert!(listed.starts_with("0 edits"), "{listed}");
    let actions = "SELECT count(*) FROM operator_action WHERE operator = 'ann' AND action = 'reject-edit' AND reason = 'mistaken'";
    assert_eq!(count(&pool, actions).await, 1);
}

const ACCEPT: &str = "conflict accept 1 --operator ann --reason checked";

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn an_edit_that_is_accepted_by_command_stands(pool: PgPool) {
    let repository = Repository::edited(&pool, "failure").await;
    let (ok, said) = repository.assize(ACCEPT);
    assert!(ok && said.contains("is accepted"), "{said}");
    assert!(repository.sync.drain().await.unwrap());
    assert_eq!(repository.published(), builds("failure"));
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn an_edit_that_the_round_could_not_read_cannot_be_accepted(pool: PgPool) {
    let repository = Repository::edited(&pool, "perhaps").await;
    let (ok, refused) = repository.assize(ACCEPT);
    assert!(
        !ok && refused.contains("cannot be accepted") && refused.contains(BUILDS),
        "{refused}"
    );
    let (_, shown) = repository.assize("conflict show 1");
    assert!(shown.contains("--- it cannot be accepted"), "{shown}");
}
