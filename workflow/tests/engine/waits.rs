//! Waits: until a time, until an event, until a block.

use sqlx::PgPool;
use workflow::db;

use crate::support::*;

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_flow_waits_for_a_block(pool: PgPool) {
    let world = World::working(pool);
    let key = world.start(&Plan::new("w", [Op::Block(100)])).await;
    world.until_state("script/w/block/100", "waiting").await;
    let mut conn = world.conn().await;
    db::chain::record_head(&mut conn, 99, "0x99").await.unwrap();
    assert_eq!(world.find(&key).await.unwrap().state, "waiting");
    db::chain::record_head(&mut conn, 101, "0x101")
        .await
        .unwrap();
    db::chain::record_head(&mut conn, 100, "0x100")
        .await
        .unwrap();
    assert_eq!(
        db::chain::head(&mut conn).await.unwrap(),
        Some((101, "0x101".to_owned())),
        "an older head changes nothing"
    );
    world.until_state(&key, "completed").await;
    // A block that was reached before is not waited for.
    let late = world.start(&Plan::new("late", [Op::Block(50)])).await;
    world.until_state(&late, "completed").await;
    drop(conn);
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn the_first_write_of_an_event_wins(pool: PgPool) {
    let world = World::working(pool);
    let key = world
        .start(&Plan::new("w", [Op::Event("go".to_owned())]))
        .await;
    world.until_state("script/w/event/go", "waiting").await;
    let mut conn = world.conn().await;
    for payload in [5, 6] {
        db::fire(&mut conn, "go", &payload.into()).await.unwrap();
    }
    assert_eq!(world.output(&key).await, 5);
    let late = world
        .start(&Plan::new("late", [Op::Event("go".to_owned())]))
        .await;
    assert_eq!(
        world.output(&late).await,
        5,
        "who asks later hears the same"
    );
    drop(conn);
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_steps_event_reaches_the_flows_that_wait_for_it(pool: PgPool) {
    let world = World::working(pool);
    let fires = Task {
        fires: Some("built".to_owned()),
        ..Task::answer("builder", 8)
    };
    let waits = [
        Plan::new("a", [Op::Event("built".to_owned())]),
        Plan::new("b", [Op::Event("built".to_owned())]),
    ];
    for plan in &waits {
        world.start(plan).await;
        world
            .until_state(&format!("{}/event/built", plan.key()), "waiting")
            .await;
    }
    world
        .start(&Plan::new("builder", [Op::Inline(fires)]))
        .await;
    for plan in &waits {
        assert_eq!(world.output(&plan.key()).await, 8);
    }
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_flow_waits_for_a_moment_of_the_databases_clock(pool: PgPool) {
    let world = World::working(pool);
    let soon = (chrono::Utc::now() + chrono::Duration::milliseconds(300)).timestamp_millis();
    let key = world
        .start(&Plan::new(
            "w",
            [Op::Until(soon), Op::Queue(Task::answer("w", 1))],
        ))
        .await;
    world.output(&key).await;
    assert!(chrono::Utc::now().timestamp_millis() >= soon);
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn what_two_transactions_missed_of_each_other_is_repaired(pool: PgPool) {
    let world = World::working(pool);
    let event = world
        .start(&Plan::new("e", [Op::Event("go".to_owned())]))
        .await;
    let block = world.start(&Plan::new("b", [Op::Block(7)])).await;
    world.until_state("script/e/event/go", "waiting").await;
    world.until_state("script/b/block/7", "waiting").await;
    // As if both had come while the waits were being inserted: each side committed without having seen the other.
    sqlx::query("INSERT INTO event (name, payload) VALUES ('go', '3')")
        .execute(&world.pool)
        .await
        .unwrap();
    sqlx::query("INSERT INTO chain_head (block, hash) VALUES (7, '0x7')")
        .execute(&world.pool)
        .await
        .unwrap();
    db::event::promote(&mut *world.conn().await).await.unwrap();
    assert_eq!(world.output(&event).await, 3);
    world.until_state(&block, "completed").await;
    world.done().await;
}
