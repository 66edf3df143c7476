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

/// The tournament of the round, as far as an operator's action looks at it.
async fn with_tournament(pool: &PgPool) {
    with_round(pool).await;
    sqlx::raw_sql(
        r#"INSERT INTO job (kind, name, key, round, queue, state, input)
           VALUES ('flow', 'tournament', 'round/3/tournament', 3, 'flow', 'waiting', '{}');
           INSERT INTO job (kind, name, key, round, queue, state, input, output, finished_at)
           VALUES ('flow', 'match', 'round/3/match/leader/winner', 3, 'flow', 'completed', '{}', '{"report": {"score": 1}}', now());
           UPDATE match_result SET job_key = 'round/3/match/leader/winner' WHERE margin = 0.125"#,
    )
    .execute(pool)
    .await
    .unwrap();
}

const QUALIFIED: &str = "5F3sa2TJAWMqDhXG6jhV4N8ko9SxwGy8TpaNS1repo5EYjQX";

async fn refusal(pool: &PgPool, line: &str) -> String {
    act(pool, line).await.unwrap_err().to_string()
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_match_is_judged_anew_by_command_and_the_ledger_says_by_whom_and_why(pool: PgPool) {
    with_tournament(&pool).await;
    act(&pool, &format!("round rejudge 3 leader {QUALIFIED}"))
        .await
        .unwrap();
    assert_eq!(
        count(
            &pool,
            "SELECT count(*) FROM match_result WHERE margin = 0.125"
        )
        .await,
        0,
        "the result counts no more"
    );
    let published: Vec<(String, String)> = sqlx::query_as(
        "SELECT path, convert_from(content, 'UTF8') FROM mirror_file WHERE path LIKE 'rounds/3/ledger/%' ORDER BY id",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let of = |name: &str| {
        let found = published.iter().find(|(path, _)| path.contains(name));
        serde_json::from_str::<serde_json::Value>(&found.unwrap().1).unwrap()
    };
    let kept = published[0].0.as_str();
    assert!(kept.starts_with("rounds/3/ledger/superseded/"), "{kept}");
    let old = of("superseded/");
    assert_eq!(
        (&old["result"]["margin"], &old["report"]["score"]),
        (&0.125.into(), &1.into())
    );
    let line = of("decisions.jsonl");
    assert_eq!(line["kind"], "judged_anew");
    assert_eq!(
        (&line["operator"], &line["reason"], &line["kept_as"]),
        (&"ann".into(), &"tests".into(), &kept.into())
    );
    assert_eq!(of("operators.jsonl")["action"], "judge-anew");
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn what_cannot_be_judged_anew_is_refused_in_a_sentence(pool: PgPool) {
    with_tournament(&pool).await;
    let line = format!("round rejudge 3 leader {QUALIFIED} --operator ann");
    let without = assize(&pool, &line).await.unwrap_err().to_string();
    assert!(without.contains("--reason"), "{without}");
    let empty = assize(&pool, &format!("{line} --reason ")).await;
    assert_eq!(
        empty.unwrap_err().to_string(),
        "an action needs a reason: it is published in the ledger"
    );
    assert_eq!(
        refusal(&pool, "round rejudge 3 leader 5Nobody").await,
        "leader vs 5Nobody has no result: there is nothing to judge anew"
    );
    assert_eq!(
        refusal(
            &pool,
            &format!("round rejudge 3 leader {QUALIFIED} --audit")
        )
        .await,
        format!("leader vs {QUALIFIED} has no result: there is nothing to judge anew")
    );
    assert_eq!(
        refusal(&pool, "round rejudge 9 leader 5Nobody").await,
        "round 9 has no tournament yet: there is nothing to judge anew"
    );
    assert_eq!(
        refusal(&pool, "round redraw 3 leader --stem chair").await,
        "chair of leader (repeat 1) was not drawn: there is nothing to draw anew"
    );
    sqlx::query(
        "UPDATE job SET state = 'completed', finished_at = now() WHERE key = 'round/3/tournament'",
    )
    .execute(&pool)
    .await
    .unwrap();
    for line in [
        format!("round rejudge 3 leader {QUALIFIED}"),
        "round redraw 3 leader".to_owned(),
    ] {
        assert_eq!(
            refusal(&pool, &line).await,
            "round 3 has its champion: nothing of it is judged or drawn anew any more"
        );
    }
    let untouched = "SELECT count(*) FROM match_result WHERE margin = 0.125";
    assert_eq!(count(&pool, untouched).await, 1);
}
