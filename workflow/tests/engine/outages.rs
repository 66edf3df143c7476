//! The database goes away, at any moment.

use std::{task::Poll, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::{Connection as _, PgPool};
use workflow::embedded::{EmbeddedOptions, EmbeddedPostgres};

use crate::{
    proxy::{Answers, Proxy},
    support::*,
};

const FLOWS: i64 = 30;

/// The first flow does not end before this gate is open, however fast the others are.
const GATE: &str = "outages are over";

fn plans() -> Vec<Plan> {
    (0..FLOWS)
        .map(|n| {
            let join = (0..5)
                .map(|child| Task::answer(format!("{n}/{child}"), child))
                .collect();
            let event = Task {
                fires: Some(format!("done/{n}")),
                ..Task::answer(format!("i{n}"), n)
            };
            let queued = match n {
                0 => Act::Gate(GATE.to_owned()),
                _ => Act::Answer(0),
            };
            Plan::new(
                format!("{n}"),
                [
                    Op::Inline(event),
                    Op::Queue(Task::new(format!("q{n}"), [queued])),
                    Op::Join(join),
                    Op::Inline(Task::answer(format!("j{n}"), 1)),
                ],
            )
        })
        .collect()
}

/// Every flow has its result, and the history says that each job ended once.
async fn everything_is_exact(world: &World) {
    for plan in plans() {
        let n: i64 = plan.name.parse().unwrap();
        assert_eq!(world.output(&plan.key()).await, n + 10 + 1);
    }
    assert_eq!(
        world
            .count("SELECT count(*) FROM job WHERE state = 'completed'")
            .await,
        FLOWS * 9
    );
    assert_eq!(world.count("SELECT count(*) FROM job").await, FLOWS * 9);
    assert_eq!(
        world
            .count("SELECT count(*) FROM attempt WHERE outcome = 'completed'")
            .await,
        FLOWS * 9,
        "each ended once"
    );
    assert_eq!(world.count("SELECT count(*) FROM event").await, FLOWS);
    let gaps = "SELECT count(*) FROM (SELECT count(*) AS n, max(attempt.attempt) AS last, max(job.attempt) AS claims FROM attempt
                JOIN job ON job.id = job_id GROUP BY job_id) a WHERE n <> last OR last <> claims";
    assert_eq!(world.count(gaps).await, 0, "the history has every attempt");
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn workers_go_on_when_every_connection_is_cut_again_and_again(pool: PgPool) {
    let mut world = World::new(pool.clone());
    for plan in plans() {
        world.start(&plan).await;
    }
    world.work();
    world.work();
    let mut cutter = connect(&pool).await;
    let mut cuts = 0;
    let open = "SELECT count(*) FROM job WHERE finished_at IS NULL";
    while sqlx::query_scalar::<_, i64>(open)
        .fetch_one(&mut cutter)
        .await
        .unwrap()
        > 0
    {
        let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let cut: i64 = sqlx::query_scalar(cut)
            .fetch_one(&mut cutter)
            .await
            .unwrap();
        cuts += cut;
        if cuts > 20 {
            world.toys.open(GATE);
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    everything_is_exact(&world).await;
    world.done().await;
}

/// A folder that a server under its own account may enter.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(
        home.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    home
}

async fn prepared(postgres: &EmbeddedPostgres) -> PgPool {
    let pool = workflow::db::pool_options()
        .max_connections(5)
        .acquire_timeout(PATIENCE)
        .connect(&postgres.url("postgres"))
        .await
        .unwrap();
    workflow::db::migrate(&pool).await.unwrap();
    pool
}

/// Claims are not waited for until they are on the disk.
#[tokio::test]
async fn a_claim_that_the_server_forgot_when_it_died_is_made_again_and_ends_once() {
    let home = home();
    let postgres = EmbeddedPostgres::start(EmbeddedOptions::new(home.path().join("data")))
        .await
        .unwrap();
    let pool = prepared(&postgres).await;
    let mut world = World::new(pool.clone());
    world.work();
    let settled = Task::answer("the worker has settled", 0);
    world.start_step::<Work>(&settled).await;
    world
        .until_state("work/the worker has settled", "completed")
        .await;

    // Nobody writes what nobody waits for.
    let writers: Vec<i32> = sqlx::query_scalar(
        "SELECT pid FROM pg_stat_activity WHERE backend_type IN ('walwriter', 'background writer')",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let signal = |signal| {
        for writer in &writers {
            kill(Pid::from_raw(*writer), signal).unwrap();
        }
    };
    signal(Signal::SIGSTOP);
    let task = Task {
        fires: Some("told".to_owned()),
        ..Task::new("forgotten", [Act::UntilCancelled, Act::Answer(5)])
    };
    world.start_step::<Work>(&task).await;
    world.toys.until_started("work/forgotten", 1).await;
    // The server takes the death of one of its processes for its own.
    signal(Signal::SIGKILL);

    world.toys.until_started("work/forgotten", 2).await;
    world.until_state("work/forgotten", "completed").await;
    let numbers: Vec<i32> = world
        .toys
        .started()
        .iter()
        .filter(|run| run.key == "work/forgotten")
        .map(|run| run.attempt)
        .collect();
    assert_eq!(
        numbers,
        [1, 1],
        "the number of the forgotten claim comes again"
    );
    let told: Vec<i64> = sqlx::query_scalar("SELECT (payload #>> '{}')::bigint FROM event")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(told, [world.output("work/forgotten").await]);
    assert_eq!(world.outcomes("work/forgotten").await, ["completed"]);
    world.done().await;
    pool.close().await;
    postgres.stop().await;
}

#[tokio::test]
async fn workers_go_on_when_postgres_is_restarted() {
    let home = home();
    let start = async || {
        // Of the cluster only the data survives: it is durable, as in production.
        EmbeddedPostgres::start(EmbeddedOptions::new(home.path().join("data")))
            .await
            .unwrap()
    };
    let postgres = start().await;
    let pool = prepared(&postgres).await;
    let mut world = World::new(pool.clone());
    for plan in plans() {
        world.start(&plan).await;
    }
    world.work();
    world.work();
    world.toys.until_started("work/q0", 1).await;
    let mut postgres = Some(postgres);
    for _ in 0..3 {
        drop(postgres.take());
        postgres = Some(start().await);
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    world.toys.open(GATE);
    everything_is_exact(&world).await;
    world.done().await;
    pool.close().await;
    drop(postgres);
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn nothing_is_lost_or_repeated_when_answers_are_lost_after_their_commit(pool: PgPool) {
    let world = World::new(pool.clone());
    let proxy = Proxy::before(&pool, Answers::GetLost);
    let mut behind = World::new(proxy.pool(&pool));
    behind.toys = world.toys.clone();
    for plan in plans() {
        world.start(&plan).await;
    }
    world.toys.open(GATE);
    behind.work();
    everything_is_exact(&world).await;
    let lost = proxy.lost_commits();
    assert!(lost >= 5, "only {lost} answers of commits were lost");
    behind.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_transaction_given_up_while_it_began_swallows_nobodys_rows(pool: PgPool) {
    let of_one = workflow::db::pool_options()
        .max_connections(1)
        .connect_with((*pool.connect_options()).clone())
        .await
        .unwrap();
    let mut connection = of_one.acquire().await.unwrap();
    // Dropped while `BEGIN` is on its way; now and then the answer is faster than that.
    loop {
        let mut begin = std::pin::pin!(connection.begin());
        let first = std::future::poll_fn(|context| Poll::Ready(begin.as_mut().poll(context))).await;
        if first.is_pending() {
            break;
        }
    }
    drop(connection);

    sqlx::query("INSERT INTO event (name, payload) VALUES ('written', '1')")
        .execute(&of_one)
        .await
        .unwrap();
    let is_committed: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM event)")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert!(is_committed, "the next one wrote into an open transaction");
    of_one.close().await;
}
