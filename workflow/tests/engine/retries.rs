//! Failures, backoff, snoozes, parking.

use sqlx::PgPool;
use workflow::db;

use crate::support::*;

fn fail(text: &str) -> Act {
    Act::Fail(text.to_owned())
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_failed_attempt_waits_in_the_database_and_frees_its_slot(pool: PgPool) {
    let mut world = World::new(pool);
    world.work_as(
        world.registry(),
        workflow::engine::WorkerOptions::new("one", slots(1)),
    );
    let patient = world
        .start_step::<Patient>(&Task::new(
            "p",
            [fail("the service is away"), Act::Answer(1)],
        ))
        .await;
    let failed = world.until_state(&patient, "scheduled").await;
    let minutes = (failed.run_at - chrono::Utc::now()).num_minutes();
    assert!(
        (40..=80).contains(&minutes),
        "an hour, give or take a quarter: {minutes} min"
    );
    // The only slot is free for others meanwhile.
    let other = world.start_step::<Work>(&Task::answer("other", 2)).await;
    world.output(&other).await;
    assert_eq!(world.find(&patient).await.unwrap().state, "scheduled");

    // The hour passes.
    sqlx::query("UPDATE job SET run_at = now() WHERE state = 'scheduled'")
        .execute(&world.pool)
        .await
        .unwrap();
    db::event::promote(&mut *world.conn().await).await.unwrap();
    assert_eq!(world.output(&patient).await, 1);
    assert_eq!(world.outcomes(&patient).await, ["errored", "completed"]);
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn failures_back_off_and_succeed_later_inline_as_in_the_queue(pool: PgPool) {
    let world = World::working(pool);
    let acts = || [fail("away"), fail("still away"), Act::Answer(1)];
    let plan = Plan::new(
        "f",
        [
            Op::Inline(Task::new("i", acts())),
            Op::Queue(Task::new("q", acts())),
        ],
    );
    let key = world.start(&plan).await;
    assert_eq!(world.output(&key).await, 2);
    for step in ["inline/i", "work/q"] {
        assert_eq!(
            world.outcomes(step).await,
            ["errored", "errored", "completed"]
        );
    }
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_snooze_costs_no_attempt(pool: PgPool) {
    let world = World::working(pool);
    let snoozes = std::iter::repeat_n(Act::Snooze(1), 7).chain([Act::Answer(1)]);
    let key = world
        .start(&Plan::new("s", [Op::Queue(Task::new("s", snoozes))]))
        .await;
    assert_eq!(world.output(&key).await, 1);
    let step = world.find("work/s").await.unwrap();
    assert_eq!(
        (step.failures, step.attempt),
        (0, 8),
        "more snoozes than failures it may have, all of them in the history"
    );
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_step_without_failures_left_is_parked_with_its_error_and_goes_on_when_retried(
    pool: PgPool,
) {
    let world = World::working(pool);
    let acts = [
        fail("1"),
        fail("2"),
        fail("the doubling service is away"),
        Act::Answer(9),
    ];
    let key = world
        .start(&Plan::new("p", [Op::Queue(Task::new("p", acts))]))
        .await;
    let parked = world.until_state("work/p", "parked").await;
    assert_eq!(
        parked.error.as_deref(),
        Some("the doubling service is away")
    );
    assert_eq!(
        world.until_state(&key, "waiting").await.attempt,
        1,
        "the flow goes on waiting"
    );

    assert_eq!(
        db::operator::retry(&mut *world.conn().await, &by_key("work/p*"), &operator())
            .await
            .unwrap(),
        1
    );
    assert_eq!(world.output(&key).await, 9);
    let step = world.find("work/p").await.unwrap();
    assert_eq!(
        (step.failures, step.error),
        (0, None),
        "a retry begins with a clean sheet"
    );
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_step_that_may_fail_tells_its_flow(pool: PgPool) {
    let world = World::working(pool);
    let key = world
        .start(&Plan::new(
            "d",
            [Op::Doomed(Task::new("d", [fail("gone for good")]))],
        ))
        .await;
    let parked = world.until(&key, |flow| flow.failures > 0, "failed").await;
    assert_eq!(
        parked.error.as_deref(),
        Some("doomed/d failed: gone for good")
    );
    assert_eq!(
        world.outcomes("doomed/d").await,
        ["errored", "errored", "errored"]
    );

    // Once the step has been retried with success, the flow goes on.
    sqlx::query("UPDATE job SET input = jsonb_set(input, '{acts}', '[{\"Answer\": 4}]') WHERE key = 'doomed/d'").execute(&world.pool).await.unwrap();
    let mut conn = world.conn().await;
    db::operator::retry(&mut conn, &by_key("doomed/d"), &operator())
        .await
        .unwrap();
    assert_eq!(world.output("doomed/d").await, 4);
    db::operator::retry(&mut conn, &by_key(&key), &operator())
        .await
        .unwrap();
    assert_eq!(world.output(&key).await, 4);
    drop(conn);
    world.done().await;
}
