//! Changing the code of flows that are running.

use async_trait::async_trait;
use sqlx::PgPool;
use workflow::{
    db,
    engine::{Flow, FlowDefinition, FlowError, NewJob, Registry},
};

use crate::support::*;

macro_rules! version {
    ($name:ident, $version:literal, $continues:expr, $last:literal) => {
        /// One build's idea of the flow `changing`.
        struct $name;
        #[async_trait]
        impl FlowDefinition for $name {
            const NAME: &'static str = "changing";
            const VERSION: i32 = $version;
            const CONTINUES: &'static [i32] = $continues;
            type Input = String;
            type Output = i64;
            fn key(input: &String) -> String {
                format!("changing/{input}")
            }
            async fn run(flow: &Flow, input: String) -> Result<i64, FlowError> {
                let first = flow
                    .step::<Work>(Task::new(
                        format!("{input}/first"),
                        [Act::Gate(input.clone())],
                    ))
                    .await?;
                Ok(first
                    + flow
                        .step::<Work>(Task::answer(format!("{input}/{}", $last), $version))
                        .await?)
            }
        }
    };
}

version!(First, 1, &[], "second");
// A deploy replaces the second step; flows that are under way go on with it.
version!(Compatible, 2, &[1], "other");
version!(Incompatible, 2, &[], "other");

fn build<F: FlowDefinition>(world: &World) -> Registry {
    world.registry().flow::<F>()
}

/// A flow under way in the first build, which then stops.
async fn under_way(world: &mut World) -> String {
    world.work_as(build::<First>(world), options());
    let key = world
        .start_job(NewJob::flow::<First>(&"x".to_owned()).unwrap())
        .await;
    world.toys.until_started("work/x/first", 1).await;
    world.toys.open("x");
    world.until_state("work/x/first", "completed").await;
    key
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_build_that_lists_the_version_continues_open_flows(pool: PgPool) {
    let mut world = World::new(pool);
    db::operator::pause(
        &mut *world.conn().await,
        &by_key("work/x/second"),
        &operator(),
    )
    .await
    .unwrap();
    let key = under_way(&mut world).await;
    world.until_state("work/x/second", "paused").await;
    world.stop().await;
    world.work_as(build::<Compatible>(&world), options());
    // The flow wakes, finds its first step done, and goes on with the new code.
    db::wake(&mut *world.conn().await, std::slice::from_ref(&key))
        .await
        .unwrap();
    assert_eq!(world.output(&key).await, 2);
    assert_eq!(
        world
            .toys
            .started()
            .iter()
            .filter(|run| run.key == "work/x/first")
            .count(),
        1
    );
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_build_that_does_not_list_the_version_refuses_by_name(pool: PgPool) {
    let mut world = World::new(pool);
    db::operator::pause(
        &mut *world.conn().await,
        &by_key("work/x/second"),
        &operator(),
    )
    .await
    .unwrap();
    let key = under_way(&mut world).await;
    world.until_state("work/x/second", "paused").await;
    world.stop().await;
    world.work_as(build::<Incompatible>(&world), options());
    db::wake(&mut *world.conn().await, std::slice::from_ref(&key))
        .await
        .unwrap();
    let refused = world.until_state(&key, "parked").await.error.unwrap();
    assert_eq!(
        refused,
        "the flow changing was started as version 1, which this build (version 2) does not continue; deploy a build that does, or \
         cancel the flow and start it anew"
    );
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn an_older_worker_leaves_a_newer_builds_flows_and_steps_to_others(pool: PgPool) {
    let mut world = World::new(pool);
    world.work_as(build::<First>(&world), options());
    let key = world
        .start_job(NewJob::flow::<Compatible>(&"x".to_owned()).unwrap())
        .await;
    let unknown = NewJob {
        name: "of_tomorrow".to_owned(),
        ..NewJob::step::<Work>(&Task::answer("u", 1)).unwrap()
    };
    let step = world.start_job(unknown).await;
    for (key, because) in [
        (
            &key,
            "a newer build has started the flow changing as version 2, this one has version 1; left to workers of another build",
        ),
        (
            &step,
            "this build has no handler for the step of_tomorrow; left to workers of another build",
        ),
    ] {
        let job = world.until_state(key, "scheduled").await;
        assert_eq!(job.failures, 0, "not now, and nobody's failure");
        assert_eq!(job.error.as_deref(), Some(because), "refused by name");
        assert_eq!(world.outcomes(key).await, ["released"]);
    }
    // The deploy goes on.
    world.stop().await;
    world.toys.open("x");
    world.work_as(build::<Compatible>(&world), options());
    sqlx::query("UPDATE job SET run_at = now() WHERE state = 'scheduled'")
        .execute(&world.pool)
        .await
        .unwrap();
    db::event::promote(&mut *world.conn().await).await.unwrap();
    assert_eq!(world.output(&key).await, 2);
    world.done().await;
}
