//! Random flows under random crashes, in simulated time.
//!
//! No worker runs here: the test claims, ends, dies and lets time pass in the workers' names, in an order that proptest
//! makes up, through the very statements that workers use. Whatever the order, the flows end with the sums they must have,
//! and the history explains how.

mod made_up;
mod simulation;

use proptest::test_runner::{Config, TestRunner};
use sqlx::PgPool;

use made_up::{happenings, toys};
use simulation::Simulation;

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn random_flows_end_exactly_under_random_crashes_and_the_history_explains_it(pool: PgPool) {
    // proptest's cases are not async: they run one after the other on a thread of their own.
    let options = (*pool.connect_options()).clone();
    tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let pool = runtime.block_on(async {
            workflow::db::pool_options()
                .max_connections(2)
                .connect_lazy_with(options)
        });
        let mut runner = TestRunner::new(Config {
            cases: 48,
            failure_persistence: None,
            max_shrink_iters: 200,
            ..Config::default()
        });
        let ran = runner.run(&(toys(), happenings()), |(toys, happenings)| {
            runtime.block_on(async {
                let mut simulation = Simulation::begin(&pool, &toys).await;
                for happening in &happenings {
                    simulation.happen(&toys, happening).await;
                }
                simulation.settle(&toys).await;
                simulation.check(&toys).await;
            });
            Ok(())
        });
        ran.unwrap();
    })
    .await
    .unwrap();
}
