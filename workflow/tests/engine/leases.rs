//! Leases: dead workers, blocked workers, hung handlers.

use std::time::Duration;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use workflow::{
    db,
    engine::{Worker, WorkerOptions},
};

use crate::support::*;

/// A worker in a process's stead: with a runtime and threads of its own.
struct Process {
    stop: CancellationToken,
    thread: std::thread::JoinHandle<()>,
}

impl Process {
    fn start(world: &World, threads: usize, options: WorkerOptions) -> Self {
        let stop = CancellationToken::new();
        let (stopped, registry, connect) = (
            stop.clone(),
            world.registry(),
            (*world.pool.connect_options()).clone(),
        );
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(threads)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let pool = db::pool_options()
                    .max_connections(2)
                    .connect_lazy_with(connect);
                // On a worker thread, as in a real process.
                tokio::spawn(Worker::new(pool, registry, options).run(stopped))
                    .await
                    .unwrap()
                    .unwrap();
            });
        });
        Self { stop, thread }
    }

    async fn done(self) {
        self.stop.cancel();
        tokio::task::spawn_blocking(move || self.thread.join().unwrap())
            .await
            .unwrap();
    }
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_killed_workers_steps_run_elsewhere_when_its_lease_ends(pool: PgPool) {
    let mut world = World::working(pool);
    let key = world
        .start(&Plan::new(
            "k",
            [Op::Queue(Task::new("k", [Act::Hang, Act::Answer(5)]))],
        ))
        .await;
    world.toys.until_started("work/k", 1).await;
    world.kill_first().await;
    world.work();
    world.expire_leases().await;
    world.sweep().await;
    assert_eq!(world.output(&key).await, 5);
    assert_eq!(world.outcomes("work/k").await, ["lost", "completed"]);
    let by: Vec<i64> = sqlx::query_scalar(
        "SELECT DISTINCT worker_id FROM attempt JOIN job ON job.id = job_id WHERE key = 'work/k'",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    assert_eq!(by.len(), 2, "the history names both workers");
    world.done().await;
}

/// What a killed process held is free after its lease, when the next sweep comes.
#[test]
fn a_lease_and_a_sweep_fit_into_a_minute() {
    let lease = WorkerOptions::new("w", []).lease;
    assert!(lease + Duration::from_secs(10) < Duration::from_secs(60));
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_worker_whose_every_thread_is_blocked_keeps_its_lease(pool: PgPool) {
    let world = World::new(pool);
    let lease = Duration::from_millis(900);
    let process = Process::start(&world, 1, WorkerOptions { lease, ..options() });
    let key = world
        .start_step::<Work>(&Task::new("blocked", [Act::Block(3000)]))
        .await;
    world.toys.until_started(&key, 1).await;
    // Three leases long nothing else runs in that process, and all the while others look for dead workers.
    while world.find(&key).await.unwrap().state != "completed" {
        world.sweep().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(world.outcomes(&key).await, ["completed"]);
    process.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_hung_handler_meets_its_deadline(pool: PgPool) {
    let world = World::working(pool);
    let key = world
        .start_step::<Hasty>(&Task::new("hung", [Act::Hang, Act::Answer(1)]))
        .await;
    assert_eq!(world.output(&key).await, 1);
    let error: String = sqlx::query_scalar("SELECT error FROM attempt WHERE outcome = 'errored'")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(
        error,
        "the handler did not end within its deadline of 0.05 s and was stopped"
    );
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_handler_that_blocks_its_thread_meets_its_deadline(pool: PgPool) {
    let world = World::new(pool);
    let process = Process::start(&world, 3, options());
    let key = world
        .start_step::<Hasty>(&Task::new("blocked", [Act::Block(4000), Act::Answer(1)]))
        .await;
    assert_eq!(world.output(&key).await, 1);
    assert_eq!(world.outcomes(&key).await, ["errored", "completed"]);
    assert!(
        world.toys.ended().iter().all(|run| run.attempt == 2),
        "the first attempt's thread is still blocked"
    );
    process.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_panic_is_a_failure_of_ours(pool: PgPool) {
    let world = World::working(pool);
    let key = world
        .start_step::<Work>(&Task::new("broken", [Act::Panic, Act::Answer(1)]))
        .await;
    assert_eq!(world.output(&key).await, 1);
    let error: String = sqlx::query_scalar("SELECT error FROM attempt WHERE outcome = 'errored'")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(error, "the handler panicked: the toy broke");
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_step_that_kills_its_worker_each_time_comes_to_an_end(pool: PgPool) {
    let world = World::new(pool);
    let key = world.start_step::<Work>(&Task::answer("poison", 1)).await;
    // Ten more than it may fail: whoever dies with it should not be parked with it.
    for _ in 0..13 {
        let lost = world.find(&key).await.unwrap();
        assert_eq!(lost.state, "available");
        let worker = world.puppet().await;
        world.claim(worker, "work").await;
        world.expire_leases().await;
        world.sweep().await;
    }
    let parked = world.find(&key).await.unwrap();
    assert_eq!((parked.state.as_str(), parked.failures), ("parked", 13));
    assert_eq!(
        parked.error.unwrap(),
        "the worker that ran it stopped answering and lost its lease"
    );
    assert_eq!(world.outcomes(&key).await, ["lost"; 13]);
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_worker_declared_lost_stops_its_handlers_and_begins_a_new_life(pool: PgPool) {
    let mut world = World::new(pool);
    world.work_as(
        world.registry(),
        WorkerOptions {
            lease: Duration::from_millis(600),
            ..options()
        },
    );
    let key = world
        .start_step::<Work>(&Task::new("l", [Act::UntilCancelled, Act::Answer(2)]))
        .await;
    world.toys.until_started(&key, 1).await;
    sqlx::query("UPDATE worker SET state = 'lost'")
        .execute(&world.pool)
        .await
        .unwrap();
    world.sweep().await;
    // The first handler is told, its late answer changes nothing, and the second answer comes from the next life.
    assert_eq!(world.output(&key).await, 2);
    assert_eq!(world.outcomes(&key).await, ["lost", "completed"]);
    assert_eq!(world.count("SELECT count(*) FROM worker").await, 2);
    assert!(world.toys.ended()[0].cancelled);
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_stopping_worker_gives_back_what_it_cannot_finish(pool: PgPool) {
    let mut world = World::new(pool);
    world.work_as(
        world.registry(),
        WorkerOptions {
            grace: Duration::from_millis(50),
            ..options()
        },
    );
    let key = world
        .start_step::<Patient>(&Task::new("s", [Act::Hang, Act::Answer(1)]))
        .await;
    let told = world
        .start_step::<Work>(&Task::new("told", [Act::UntilCancelled]))
        .await;
    world.toys.until_running(2).await;
    world.stop().await;
    assert_eq!(
        world.find(&told).await.unwrap().state,
        "completed",
        "it stopped by itself, with an answer"
    );
    let given_back = world.find(&key).await.unwrap();
    assert_eq!(
        (given_back.state.as_str(), given_back.failures),
        ("available", 0),
        "stopping is nobody's failure"
    );
    world.work();
    assert_eq!(world.output(&key).await, 1);
    assert_eq!(world.outcomes(&key).await, ["released", "completed"]);
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn what_a_dead_process_of_this_machine_held_is_free_at_the_next_start(pool: PgPool) {
    let mut world = World::new(pool);
    world.work_as(
        world.registry(),
        WorkerOptions::new("other", [("work".to_owned(), 1)]),
    );
    let first = world.start_step::<Work>(&Task::answer("first", 1)).await;
    world.output(&first).await;
    // A process of this machine that no longer exists, with an hour left of its lease.
    let key = world.start_step::<Limited>(&Task::answer("held", 1)).await;
    let dead = world.puppet().await;
    world.claim(dead, "vlm").await;
    sqlx::query("UPDATE worker SET pid = 999999999, host = (SELECT host FROM worker WHERE id <> $1 LIMIT 1) WHERE id = $1")
        .bind(dead)
        .execute(&world.pool)
        .await
        .unwrap();
    world.work();
    world.output(&key).await;
    assert_eq!(world.outcomes(&key).await, ["lost", "completed"]);
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn jobs_whose_claim_was_never_answered_are_given_back(pool: PgPool) {
    let world = World::new(pool);
    for name in ["known", "unknown"] {
        world.start_step::<Work>(&Task::answer(name, 1)).await;
    }
    let worker = world.puppet().await;
    let known = world.claim(worker, "work").await;
    world.claim(worker, "work").await;
    let mut conn = world.conn().await;
    assert_eq!(
        db::worker::release_unknown(&mut conn, worker, &[(known.id, known.attempt)])
            .await
            .unwrap(),
        1
    );
    assert_eq!(world.find("work/known").await.unwrap().state, "running");
    let unknown = world.find("work/unknown").await.unwrap();
    assert_eq!((unknown.state.as_str(), unknown.failures), ("available", 0));
    assert_eq!(world.outcomes("work/unknown").await, ["released"]);
}
