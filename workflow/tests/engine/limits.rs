//! Limits by named resource, over all replicas.

use std::time::{Duration, Instant};

use sqlx::PgPool;
use workflow::{db, engine::NewJob};

use crate::support::*;

async fn start(world: &World, count: usize, act: Act) -> Vec<String> {
    let jobs: Vec<NewJob> = (0..count)
        .map(|place| {
            NewJob::step::<Limited>(&Task::new(format!("{place:03}"), [act.clone()])).unwrap()
        })
        .collect();
    db::start(&mut *world.conn().await, &jobs).await.unwrap();
    jobs.into_iter().map(|job| job.key).collect()
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn two_workers_together_keep_to_the_capacity_of_a_queue(pool: PgPool) {
    let mut world = World::new(pool);
    db::queue::limit(&mut *world.conn().await, "vlm", Some(4), None)
        .await
        .unwrap();
    let keys = start(&world, 40, Act::Gate("gate".to_owned())).await;
    world.work();
    world.work();
    world.toys.until_running(4).await;
    // Both workers have slots for all of them.
    assert_eq!(
        world
            .count("SELECT count(*) FROM job WHERE state = 'running'")
            .await,
        4
    );
    let opened = Instant::now();
    world.toys.open("gate");
    for key in keys {
        world.until_state(&key, "completed").await;
    }
    assert_eq!(world.toys.most_inside(), 4);
    // Each end makes room and says so; the ten-second look now and then is not what carries the work on.
    assert!(
        opened.elapsed() < Duration::from_secs(9),
        "{:?}",
        opened.elapsed()
    );
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn one_claim_fills_a_capacity(pool: PgPool) {
    let mut world = World::new(pool);
    db::queue::limit(&mut *world.conn().await, "vlm", Some(4), None)
        .await
        .unwrap();
    start(&world, 40, Act::Gate("gate".to_owned())).await;
    world.work();
    world.toys.until_running(4).await;
    let claims =
        "SELECT count(DISTINCT claimed_at) FROM job WHERE queue = 'vlm' AND state = 'running'";
    assert_eq!(world.count(claims).await, 1, "jobs were claimed one by one");
    world.toys.open("gate");
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_slot_of_a_dead_worker_is_free_when_its_lease_ends(pool: PgPool) {
    let mut world = World::new(pool);
    let keys = start(&world, 2, Act::Answer(1)).await;
    let dead = world.puppet().await;
    world.claim(dead, "vlm").await;
    db::queue::limit(&mut *world.conn().await, "vlm", Some(1), None)
        .await
        .unwrap();
    world.work();
    let other = world.start_step::<Work>(&Task::answer("other", 1)).await;
    world.output(&other).await;
    assert_eq!(
        world.find(&keys[1]).await.unwrap().state,
        "available",
        "the only slot is held by the dead"
    );
    world.expire_leases().await;
    world.sweep().await;
    for key in keys {
        world.output(&key).await;
    }
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_rate_limit_holds_over_two_workers(pool: PgPool) {
    let mut world = World::new(pool);
    let limited = Instant::now();
    db::queue::limit(&mut *world.conn().await, "vlm", None, Some(20.0))
        .await
        .unwrap();
    let keys = start(&world, 30, Act::Answer(1)).await;
    world.work();
    world.work();
    for key in keys {
        world.output(&key).await;
    }
    // The bucket was empty at first: the n-th start is not before n / 20 s.
    for (place, at) in world.toys.starts_at().into_iter().enumerate() {
        let earliest = Duration::from_secs_f64((place + 1) as f64 / 20.0);
        assert!(
            at - limited >= earliest,
            "start {place} after {:?}",
            at - limited
        );
    }
    assert!(
        limited.elapsed() < Duration::from_secs(9),
        "workers know when the bucket fills: {:?}",
        limited.elapsed()
    );
    world.done().await;
}
