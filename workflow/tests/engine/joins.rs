//! Fan-out and join.

use std::time::Duration;

use sqlx::PgPool;
use workflow::db;

use crate::support::*;

fn tasks(name: &str, count: i64) -> Vec<Task> {
    (0..count)
        .map(|value| Task::answer(format!("{name}/{value}"), value))
        .collect()
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_fan_out_wakes_its_flow_once(pool: PgPool) {
    let mut world = World::working(pool);
    world.work();
    let key = world
        .start(&Plan::new("f", [Op::Join(tasks("f", 3000))]))
        .await;
    assert_eq!(world.output(&key).await, 3000 * 2999 / 2);
    assert_eq!(
        world.outcomes(&key).await,
        ["suspended", "completed"],
        "one pass to start the children, one to add up"
    );
    assert_eq!(
        world
            .count("SELECT count(*) FROM attempt WHERE outcome = 'completed'")
            .await,
        3001,
        "each child ran once"
    );
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn child_flows_join_as_steps_do(pool: PgPool) {
    let world = World::working(pool);
    let children = (0..20).map(|n| {
        Plan::new(
            format!("c{n}"),
            [
                Op::Inline(Task::answer(format!("i{n}"), n)),
                Op::Queue(Task::answer(format!("q{n}"), n)),
            ],
        )
    });
    let key = world
        .start(&Plan::new("parent", [Op::Flows(children.collect())]))
        .await;
    assert_eq!(world.output(&key).await, 380);
    assert_eq!(world.outcomes(&key).await, ["suspended", "completed"]);
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_join_collects_failures_or_fails_with_the_first(pool: PgPool) {
    let world = World::working(pool);
    let mixed = |name: &str| {
        let doomed = Task::new(format!("{name}/broken"), [Act::Fail("broken".to_owned())]);
        vec![
            Task::answer(format!("{name}/fine"), 10),
            doomed,
            Task::answer(format!("{name}/also"), 100),
        ]
    };
    let key = world
        .start(&Plan::new("collect", [Op::Collect(mixed("c"))]))
        .await;
    assert_eq!(world.output(&key).await, 109);

    // Steps that park when they fail keep their join waiting; a child that was cancelled fails it, by name.
    let key = world
        .start(&Plan::new(
            "fail",
            [Op::Join(vec![
                Task::new("fail/hung", [Act::Hang]),
                Task::answer("fail/fine", 1),
            ])],
        ))
        .await;
    world.toys.until_started("work/fail/hung", 1).await;
    db::operator::cancel(
        &mut *world.conn().await,
        &by_key("work/fail/hung"),
        &operator(),
    )
    .await
    .unwrap();
    let failed = world.until(&key, |flow| flow.failures > 0, "failed").await;
    assert_eq!(
        failed.error.as_deref(),
        Some("work/fail/hung was cancelled")
    );
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn joins_in_different_branches_end_each_on_its_own(pool: PgPool) {
    let world = World::working(pool);
    // The right branch's child ends only when the left branch has gone on after its join.
    let left = Op::Then(
        Box::new(Op::Join(tasks("left", 3))),
        Box::new(Op::Queue(Task::new(
            "opener",
            [Act::Open("gate".to_owned())],
        ))),
    );
    let right = Op::Join(vec![Task::new("right", [Act::Gate("gate".to_owned())])]);
    let key = world
        .start(&Plan::new("b", [Op::Both(Box::new(left), Box::new(right))]))
        .await;
    assert_eq!(world.output(&key).await, 3);
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_join_over_a_child_that_was_started_before_does_not_spin(pool: PgPool) {
    let world = World::working(pool);
    let child = Plan::new(
        "child",
        [Op::Queue(Task::new("slow", [Act::Gate("gate".to_owned())]))],
    );
    let between = Op::Queue(Task::answer("between", 1));
    let key = world
        .start(&Plan::new(
            "parent",
            [Op::Begin(child.clone()), between, Op::Flows(vec![child])],
        ))
        .await;
    world.toys.until_started("work/slow", 1).await;
    world.until_state("work/between", "completed").await;
    let before = world
        .until(
            &key,
            |flow| flow.state == "waiting" && flow.attempt >= 2,
            "waiting",
        )
        .await
        .attempt;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(
        world.find(&key).await.unwrap().attempt,
        before,
        "it sleeps until the child ends"
    );
    world.toys.open("gate");
    assert_eq!(world.output(&key).await, 1);
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_join_counts_right_when_children_end_fail_and_are_cancelled_at_once(pool: PgPool) {
    let mut world = World::new(pool);
    let mut children = tasks("c", 30);
    children
        .extend((0..10).map(|n| Task::new(format!("c/failing{n}"), [Act::Fail("no".to_owned())])));
    children.extend((0..10).map(|n| Task::new(format!("c/hung{n}"), [Act::Hang])));
    let key = world.start(&Plan::new("c", [Op::Collect(children)])).await;
    world.work();
    world.work();
    for n in 0..10 {
        world
            .toys
            .until_started(&format!("doomed/c/hung{n}"), 1)
            .await;
        db::operator::cancel(
            &mut *world.conn().await,
            &by_key(&format!("doomed/c/hung{n}")),
            &operator(),
        )
        .await
        .unwrap();
    }
    assert_eq!(world.output(&key).await, 30 * 29 / 2 - 20);
    assert_eq!(world.outcomes(&key).await, ["suspended", "completed"]);
    assert_eq!(
        world.count("SELECT sum(open)::bigint FROM open_join").await,
        0
    );
    world.done().await;
}
