//! How the looks of a step went that looks again and again, and how long nobody looked.
#![allow(clippy::unwrap_used, missing_docs)]

use sqlx::PgPool;
use workflow::db::{self, attempt::Looks};

/// A job whose attempts (outcome, begin and end in seconds from now) are these, running again since `running`.
async fn job(pool: &PgPool, attempts: &[(&str, f64, f64)], running: f64) {
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO job (kind, name, key, queue, state, attempt, claimed_by, claimed_at, input)
         VALUES ('step', 'look', 'look', 'q', 'running', $1, 1, now() + make_interval(secs => $2), '{}') RETURNING id",
    )
    .bind(attempts.len() as i32 + 1)
    .bind(running)
    .fetch_one(pool)
    .await
    .unwrap();
    for (place, (outcome, began, ended)) in (1..).zip(attempts) {
        sqlx::query(
            "INSERT INTO attempt (job_id, attempt, started_at, ended_at, outcome)
             VALUES ($1, $2, now() + make_interval(secs => $3), now() + make_interval(secs => $4), $5)",
        )
        .bind(id)
        .bind(place)
        .bind(began)
        .bind(ended)
        .bind(outcome)
        .execute(pool)
        .await
        .unwrap();
    }
}

async fn unattended(pool: &PgPool) -> f64 {
    let mut conn = pool.acquire().await.unwrap();
    let seconds = db::attempt::unattended_seconds(&mut conn, "look", 10.0);
    // The fixture's moments are not all of one transaction.
    (seconds.await.unwrap() * 10.0).round() / 10.0
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn the_first_look_has_missed_nothing(pool: PgPool) {
    job(&pool, &[], 0.0).await;
    assert_eq!(unattended(&pool).await, 0.0);
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn the_usual_pauses_do_not_count(pool: PgPool) {
    job(
        &pool,
        &[("snoozed", -30.0, -29.0), ("errored", -20.0, -10.0)],
        0.0,
    )
    .await;
    assert_eq!(unattended(&pool).await, 0.0);
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn an_outage_counts_from_the_pause_that_would_have_been_usual(pool: PgPool) {
    job(&pool, &[("snoozed", -3700.0, -3610.0)], 0.0).await;
    assert_eq!(unattended(&pool).await, 3600.0);
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_look_that_died_with_its_worker_is_none(pool: PgPool) {
    job(
        &pool,
        &[("snoozed", -110.0, -100.0), ("lost", -99.0, -40.0)],
        -38.0,
    )
    .await;
    assert_eq!(unattended(&pool).await, 50.0);
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn failures_count_from_the_last_look_that_went_well(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let none = db::attempt::looks(&mut conn, "look").await.unwrap();
    assert_eq!(none, Looks::default());
    let attempts = [
        ("errored", -90.0, -89.0),
        ("snoozed", -80.0, -79.0),
        ("errored", -70.0, -69.0),
        ("snoozed", -60.0, -59.0),
        ("errored", -50.0, -49.0),
        ("lost", -40.0, -39.0),
        ("errored", -30.0, -29.0),
    ];
    job(&pool, &attempts, 0.0).await;
    let looks = db::attempt::looks(&mut conn, "look").await.unwrap();
    assert_eq!((looks.went_well, looks.failed_since), (2, 2));
}
