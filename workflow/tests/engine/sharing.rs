//! Jobs that more than one flow asks for: asking twice is asking once, and everybody gets the answer.

use sqlx::PgPool;
use workflow::{
    db,
    engine::{
        Effects, NewJob,
        commit::{End, commit},
    },
};

use crate::support::*;

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn two_flows_that_ask_for_one_step_share_its_answer(pool: PgPool) {
    let world = World::working(pool);
    let shared = Task::new("shared", [Act::Gate("gate".to_owned())]);
    let flows = [
        world
            .start(&Plan::new(
                "a",
                [Op::Queue(shared.clone()), Op::Queue(Task::answer("a", 1))],
            ))
            .await,
        world
            .start(&Plan::new(
                "b",
                [Op::Queue(shared.clone()), Op::Queue(Task::answer("b", 2))],
            ))
            .await,
        world
            .start(&Plan::new(
                "c",
                [Op::Join(vec![shared.clone(), Task::answer("c", 3)])],
            ))
            .await,
    ];
    world.toys.until_started("work/shared", 1).await;
    for key in &flows {
        world.until_state(key, "waiting").await;
    }
    world.toys.open("gate");
    for (key, output) in flows.iter().zip([1, 2, 3]) {
        assert_eq!(world.output(key).await, output);
    }
    // A flow that asks when all is over is answered at once.
    let late = world
        .start(&Plan::new(
            "late",
            [Op::Queue(shared), Op::Queue(Task::answer("late", 4))],
        ))
        .await;
    assert_eq!(world.output(&late).await, 4);
    assert_eq!(
        world
            .toys
            .started()
            .iter()
            .filter(|run| run.key == "work/shared")
            .count(),
        1
    );
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_flow_may_wait_for_a_flow_that_was_started_by_nobody(pool: PgPool) {
    let world = World::working(pool);
    let other = Plan::new(
        "other",
        [
            Op::Queue(Task::new("slow", [Act::Gate("gate".to_owned())])),
            Op::Inline(Task::answer("i", 5)),
        ],
    );
    world.start(&other).await;
    let key = world
        .start(&Plan::new("waits", [Op::Flows(vec![other])]))
        .await;
    world.until_state(&key, "waiting").await;
    world.toys.open("gate");
    assert_eq!(world.output(&key).await, 5);
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn an_inline_step_of_another_flow_is_shared_too(pool: PgPool) {
    let world = World::working(pool);
    let shared = Task::new("shared", [Act::Answer(7), Act::Answer(8)]);
    let first = world
        .start(&Plan::new("a", [Op::Inline(shared.clone())]))
        .await;
    assert_eq!(world.output(&first).await, 7);
    let second = world
        .start(&Plan::new(
            "b",
            [Op::Inline(shared), Op::Queue(Task::answer("b", 0))],
        ))
        .await;
    assert_eq!(
        world.output(&second).await,
        7,
        "what is recorded counts, not what the second handler answered"
    );
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn an_end_that_the_asking_flow_did_not_see_is_told_by_the_next_look(pool: PgPool) {
    let world = World::new(pool);
    let shared = NewJob::step::<Work>(&Task::answer("shared", 1)).unwrap();
    world.start_job(shared.clone()).await;
    world.start(&Plan::new("f", [])).await;
    let worker = world.puppet().await;
    let (step, flow) = (
        world.claim(worker, "work").await,
        world.claim(worker, "flow").await,
    );
    let mut conn = world.conn().await;
    let asleep = End::Suspended {
        starts: vec![shared],
        moot: Vec::new(),
        effects: Effects::default(),
    };
    commit(&mut conn, worker, &[ending(flow.clone(), asleep)])
        .await
        .unwrap();
    // The step's end was under way and saw nobody to tell.
    sqlx::query("UPDATE job SET state = 'completed', finished_at = now() WHERE id = $1")
        .bind(step.id)
        .execute(&mut *conn)
        .await
        .unwrap();
    assert_eq!(world.find(&flow.key).await.unwrap().state, "waiting");
    for _ in 0..2 {
        db::event::promote(&mut conn).await.unwrap();
        assert_eq!(world.find(&flow.key).await.unwrap().state, "available");
    }
}
