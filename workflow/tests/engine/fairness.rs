//! Priorities, and turns within a priority.

use sqlx::PgPool;
use workflow::{db, engine::NewJob};

use crate::support::*;

fn of(miner: &str, place: usize) -> Task {
    Task {
        fair: Some(miner.to_owned()),
        ..Task::answer(format!("{miner}{place:03}"), 1)
    }
}

async fn start(world: &World, tasks: impl IntoIterator<Item = Task>) {
    let jobs: Vec<NewJob> = tasks
        .into_iter()
        .map(|task| NewJob::step::<Work>(&task).unwrap())
        .collect();
    db::start(&mut *world.conn().await, &jobs).await.unwrap();
}

/// The miners whose steps come next, in order.
async fn next(world: &World, worker: i64, count: usize) -> String {
    let mut miners = String::new();
    for _ in 0..count {
        miners.push_str(&world.claim(worker, "work").await.key["work/".len()..][..1]);
    }
    miners
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn one_miners_many_steps_do_not_starve_the_others(pool: PgPool) {
    let world = World::new(pool);
    let worker = world.puppet().await;
    start(&world, (0..128).map(|place| of("a", place))).await;
    assert_eq!(next(&world, worker, 10).await, "aaaaaaaaaa");
    start(&world, (0..4).map(|place| of("b", place))).await;
    start(&world, (0..2).map(|place| of("c", place))).await;
    // Whoever comes later gets the next turn, then everybody one after the other.
    assert_eq!(next(&world, worker, 12).await, "abcabcababaa");
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn steps_of_many_miners_inserted_at_once_take_turns(pool: PgPool) {
    let world = World::new(pool);
    let worker = world.puppet().await;
    start(
        &world,
        ["a", "b", "c"]
            .into_iter()
            .flat_map(|miner| (0..3).map(move |place| of(miner, place))),
    )
    .await;
    // More of a miner that has steps waiting goes behind those.
    start(&world, [of("a", 7)]).await;
    assert_eq!(next(&world, worker, 10).await, "abcabcabca");
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_higher_priority_goes_first(pool: PgPool) {
    let world = World::new(pool);
    let worker = world.puppet().await;
    start(&world, [of("a", 1), of("b", 1)]).await;
    world.start_step::<Urgent>(&Task::answer("u", 1)).await;
    assert_eq!(world.claim(worker, "work").await.key, "urgent/u");
    assert_eq!(next(&world, worker, 2).await, "ab");
}
