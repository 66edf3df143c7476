//! Operators' commands on a real Postgres with a round in full swing.
#![allow(clippy::unwrap_used, missing_docs)]

use clap::{CommandFactory as _, Parser as _};
use sqlx::{ConnectOptions as _, PgPool};

use assize::cli::{Cli, run};

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
