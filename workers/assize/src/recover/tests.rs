//! Rounds that another service seeded: no ledger, no digests, no derivation of the seed.
#![allow(clippy::unwrap_used)]

use sqlx::PgPool;
use workflow::db;

use super::{RecoverError, RecoverOptions, Recovery, recover};
use crate::audit::tests::world::Git;

async fn recovered(pool: &PgPool, git: &Git) -> anyhow::Result<Recovery> {
    let options = RecoverOptions {
        repository: git.path().to_owned(),
        despite_findings: None,
    };
    recover(pool, &options).await
}

/// Jobs of a kind by whether they are done.
async fn jobs(pool: &PgPool, name: &str) -> (i64, i64) {
    sqlx::query_as(
        "SELECT count(*) FILTER (WHERE state = 'completed'), count(*) FILTER (WHERE finished_at IS NULL)
         FROM job WHERE name = $1",
    )
    .bind(name)
    .fetch_one(pool)
    .await
    .unwrap()
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn it_goes_on_while_nothing_is_judged_and_fetches_again_what_has_no_digest(pool: PgPool) {
    let git = Git::until("Update submitted.json for round 0, miner 5AAAAAAAAA");
    let recovery = recovered(&pool, &git).await.unwrap();
    assert_eq!(recovery.stage, "downloading");
    assert!(recovery.seeded_elsewhere);
    assert_eq!((recovery.submissions, recovery.builds), (3, 3));
    assert_eq!((recovery.entries, recovery.fetched_again), (0, 8));
    let said = recovery.to_string();
    assert!(
        said.contains("Another service seeded the round") && said.contains("8 delivered modules"),
        "{said}"
    );
    assert_eq!(
        jobs(&pool, "seed").await,
        (1, 0),
        "the seed is as published"
    );
    assert_eq!(jobs(&pool, "prepare").await, (0, 0));
    assert_eq!(jobs(&pool, "round").await, (0, 1));
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn it_is_left_to_the_other_service_while_that_judges(pool: PgPool) {
    let git = Git::until("Match report: leader vs 5AAAAAAAAA\nUpdate matches matrix for round 0");
    let error = recovered(&pool, &git).await.unwrap_err();
    assert!(
        matches!(
            error.downcast_ref(),
            Some(RecoverError::JudgedElsewhere { .. })
        ),
        "{error:#}"
    );
    assert!(error.to_string().contains("Let that service end the round"));
    let mut conn = pool.acquire().await.unwrap();
    assert!(db::recovered::is_fresh(&mut conn).await.unwrap());
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn once_it_is_decided_only_its_end_is_left(pool: PgPool) {
    let git = Git::until("Update state (finalizing) for round 0");
    let recovery = recovered(&pool, &git).await.unwrap();
    assert_eq!(recovery.stage, "finalizing");
    assert_eq!((recovery.matches, recovery.fetched_again), (6, 0));
    let told: (i64, i64) =
        sqlx::query_as("SELECT count(*), count(*) FILTER (WHERE sent_at IS NULL) FROM notice")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert!(told.0 > 0, "the winner was told");
    assert_eq!(told.1, 0, "nobody is told again");
    assert_eq!(jobs(&pool, "prepare").await, (24, 0));
    assert_eq!(jobs(&pool, "tournament").await, (1, 0));
    assert_eq!(jobs(&pool, "declare").await, (1, 0));
    assert_eq!(jobs(&pool, "round").await, (0, 1));
}
