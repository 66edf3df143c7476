//! Pause, resume, cancel, retry.

use sqlx::PgPool;
use workflow::{
    db::operator::{self, Filter, OperatorError},
    engine::{
        Effects, NewJob,
        commit::{End, Verdict, commit},
    },
};

use crate::support::*;

async fn pause(world: &World, filter: &Filter) -> u64 {
    operator::pause(&mut *world.conn().await, filter, &operator())
        .await
        .unwrap()
}

async fn resume(world: &World, filter: &Filter) -> u64 {
    operator::resume(&mut *world.conn().await, filter, &operator())
        .await
        .unwrap()
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_paused_step_does_not_start_until_it_is_resumed(pool: PgPool) {
    let mut world = World::new(pool);
    let key = world.start_step::<Work>(&Task::answer("p", 1)).await;
    let other = world.start_step::<Work>(&Task::answer("other", 1)).await;
    assert_eq!(pause(&world, &by_key(&key)).await, 1);
    world.work();
    world.output(&other).await;
    assert_eq!(world.find(&key).await.unwrap().state, "paused");
    assert_eq!(resume(&world, &by_key(&key)).await, 1);
    world.output(&key).await;
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_paused_round_holds_back_what_becomes_due_later(pool: PgPool) {
    let world = World::working(pool);
    let round = Filter {
        round: Some(7),
        ..Filter::default()
    };
    let gate = Task {
        round: None,
        ..Task::new("before", [Act::Gate("gate".to_owned())])
    };
    let plan = Plan {
        round: Some(7),
        ..Plan::new(
            "r",
            [
                Op::Queue(gate),
                Op::Inline(Task::answer("i", 1)),
                Op::Queue(Task::answer("after", 1)),
            ],
        )
    };
    let key = world.start(&plan).await;
    world.toys.until_started("work/before", 1).await;
    assert_eq!(
        pause(&world, &round).await,
        0,
        "nothing of the round was due"
    );
    assert_eq!(
        pause(&world, &round).await,
        0,
        "pausing twice is pausing once"
    );
    // What runs ends as it does; the flow that it wakes is put aside, and so is what is started anew.
    world.toys.open("gate");
    world.until_state(&key, "paused").await;
    assert_eq!(world.find("work/before").await.unwrap().state, "completed");
    let new = world
        .start_step::<Work>(&Task {
            round: Some(7),
            ..Task::answer("new", 1)
        })
        .await;
    world.until_state(&new, "paused").await;
    let elsewhere = world
        .start_step::<Work>(&Task {
            round: Some(8),
            ..Task::answer("elsewhere", 1)
        })
        .await;
    world.output(&elsewhere).await;
    assert_eq!(
        world.toys.started().len(),
        2,
        "only the first step and the one of the other round"
    );

    assert_eq!(resume(&world, &round).await, 2);
    assert_eq!(world.output(&key).await, 2);
    world.output(&new).await;
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn pausing_a_flow_pauses_everything_below_it(pool: PgPool) {
    let world = World::working(pool);
    let child = Plan::new(
        "child",
        [
            Op::Queue(Task::new("first", [Act::Gate("gate".to_owned())])),
            Op::Queue(Task::answer("second", 1)),
        ],
    );
    let key = world
        .start(&Plan::new("parent", [Op::Flows(vec![child.clone()])]))
        .await;
    world.toys.until_started("work/first", 1).await;
    pause(&world, &by_key(&key)).await;
    world.toys.open("gate");
    world.until_state(&child.key(), "paused").await;
    assert_eq!(resume(&world, &by_key(&key)).await, 1);
    assert_eq!(world.output(&key).await, 1);
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_job_that_two_pauses_match_waits_for_both(pool: PgPool) {
    let world = World::working(pool);
    let by_name = Filter {
        name: Some("work".to_owned()),
        ..Filter::default()
    };
    let by_round = Filter {
        round: Some(1),
        ..Filter::default()
    };
    pause(&world, &by_name).await;
    pause(&world, &by_round).await;
    let key = world
        .start_step::<Work>(&Task {
            round: Some(1),
            ..Task::answer("both", 1)
        })
        .await;
    world.until_state(&key, "paused").await;
    assert_eq!(resume(&world, &by_name).await, 0);
    assert_eq!(resume(&world, &by_round).await, 1);
    world.output(&key).await;
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_paused_queue_stands_still_over_all_workers(pool: PgPool) {
    let mut world = World::working(pool);
    world.work();
    operator::pause_queue(&mut *world.conn().await, "vlm", true, &operator())
        .await
        .unwrap();
    let key = world.start_step::<Limited>(&Task::answer("q", 1)).await;
    let other = world.start_step::<Work>(&Task::answer("other", 1)).await;
    world.output(&other).await;
    assert_eq!(world.find(&key).await.unwrap().state, "available");
    operator::pause_queue(&mut *world.conn().await, "vlm", false, &operator())
        .await
        .unwrap();
    world.output(&key).await;
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn cancelling_a_flow_reaches_its_running_handlers_and_everything_below(pool: PgPool) {
    let world = World::working(pool);
    let child = Plan::new(
        "child",
        [Op::Queue(Task::new("running", [Act::UntilCancelled]))],
    );
    let waiting = Plan::new("waiting", [Op::Event("never".to_owned())]);
    let key = world
        .start(&Plan::new(
            "parent",
            [Op::Flows(vec![child.clone(), waiting])],
        ))
        .await;
    world.toys.until_started("work/running", 1).await;
    world
        .until_state("script/waiting/event/never", "waiting")
        .await;
    let cancelled = operator::cancel(&mut *world.conn().await, &by_key(&key), &operator())
        .await
        .unwrap();
    assert_eq!(
        cancelled, 5,
        "two flows, the step, the wait and the flow itself"
    );
    for key in [
        &key,
        "work/running",
        "script/waiting",
        "script/waiting/event/never",
        "script/child",
    ] {
        assert_eq!(world.find(key).await.unwrap().state, "cancelled", "{key}");
    }
    tokio::time::timeout(PATIENCE, async {
        while world.toys.ended().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the handler is told by its token");
    let error = world.find("work/running").await.unwrap().error.unwrap();
    assert_eq!(error, "cancelled by ann: a test");
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_flow_that_is_cancelled_while_it_starts_children_leaves_none_running(pool: PgPool) {
    let world = World::new(pool);
    let plan = Plan::new("f", []);
    world.start(&plan).await;
    let worker = world.puppet().await;
    let flow = world.claim(worker, "flow").await;
    let children = (0..5)
        .map(|n| NewJob::step::<Work>(&Task::answer(format!("c{n}"), 1)).unwrap())
        .collect();
    let asleep = ending(
        flow,
        End::Suspended {
            starts: children,
            moot: Vec::new(),
            effects: Effects::default(),
        },
    );
    // The flow's pass holds its row, its children are not visible yet: the cancel looks at the tree now and waits.
    let mut connection = connect(&world.pool).await;
    let mut transaction = sqlx::Connection::begin(&mut connection).await.unwrap();
    assert_eq!(
        commit(&mut transaction, worker, &[asleep]).await.unwrap(),
        [Verdict::Applied]
    );
    let pool = world.pool.clone();
    let key = plan.key();
    let cancel = tokio::spawn(async move {
        operator::cancel(
            &mut *pool.acquire().await.unwrap(),
            &by_key(&key),
            &operator(),
        )
        .await
        .unwrap()
    });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while world.count(waits).await == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    transaction.commit().await.unwrap();
    assert_eq!(cancel.await.unwrap(), 6);
    assert_eq!(
        world
            .count("SELECT count(*) FROM job WHERE state <> 'cancelled'")
            .await,
        0
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_moot_child_is_cancelled_and_its_late_result_changes_nothing(pool: PgPool) {
    let world = World::new(pool);
    world.start(&Plan::new("watcher", [])).await;
    let worker = world.puppet().await;
    let flow = world.claim(worker, "flow").await;
    let child = NewJob::step::<Work>(&Task::answer("child", 1)).unwrap();
    let mut conn = world.conn().await;
    let start = End::Suspended {
        starts: vec![child.clone()],
        moot: Vec::new(),
        effects: Effects::default(),
    };
    commit(&mut conn, worker, &[ending(flow, start)])
        .await
        .unwrap();
    let step = world.claim(worker, "work").await;
    workflow::db::wake(&mut conn, &["script/watcher".to_owned()])
        .await
        .unwrap();
    let flow = world.claim(worker, "flow").await;
    let moot = End::Suspended {
        starts: Vec::new(),
        moot: vec![(child.key, "superseded".to_owned())],
        effects: Effects::default(),
    };
    commit(&mut conn, worker, &[ending(flow, moot)])
        .await
        .unwrap();
    assert_eq!(
        commit(&mut conn, worker, &[ending(step, completed(1))])
            .await
            .unwrap(),
        [Verdict::Fenced]
    );
    let child = world.find("work/child").await.unwrap();
    assert_eq!(
        (child.state.as_str(), child.error.as_deref()),
        ("cancelled", Some("superseded"))
    );
    assert_eq!(
        world.find("script/watcher").await.unwrap().state,
        "available",
        "it is told of its child's end"
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_forced_retry_fences_the_old_attempt_and_stops_its_handler(pool: PgPool) {
    let world = World::working(pool);
    let key = world
        .start_step::<Work>(&Task::new("f", [Act::UntilCancelled, Act::Answer(2)]))
        .await;
    world.toys.until_started(&key, 1).await;
    assert_eq!(
        operator::force_retry(&mut *world.conn().await, &by_key(&key), &operator())
            .await
            .unwrap(),
        1
    );
    assert_eq!(world.output(&key).await, 2);
    assert_eq!(world.outcomes(&key).await, ["superseded", "completed"]);
    let error: String =
        sqlx::query_scalar("SELECT error FROM attempt WHERE outcome = 'superseded'")
            .fetch_one(&world.pool)
            .await
            .unwrap();
    assert_eq!(error, "taken away by ann: a test");
    world.toys.until_started(&key, 2).await;
    assert!(
        world
            .toys
            .ended()
            .iter()
            .any(|run| run.attempt == 1 && run.cancelled)
    );
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_retry_leaves_waits_alone(pool: PgPool) {
    let world = World::working(pool);
    let tomorrow = (chrono::Utc::now() + chrono::Duration::days(1)).timestamp_millis();
    let plan = Plan {
        round: Some(3),
        ..Plan::new("w", [Op::Until(tomorrow), Op::Queue(Task::answer("w", 1))])
    };
    let key = world.start(&plan).await;
    let wait = format!("{key}/until/{tomorrow}");
    world.until_state(&wait, "scheduled").await;
    let round = Filter {
        round: Some(3),
        ..Filter::default()
    };
    assert_eq!(
        operator::retry(&mut *world.conn().await, &round, &operator())
            .await
            .unwrap(),
        0
    );
    pause(&world, &round).await;
    resume(&world, &round).await;
    assert_eq!(world.find(&wait).await.unwrap().state, "scheduled");
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn every_action_names_who_and_why_and_is_kept(pool: PgPool) {
    let world = World::new(pool);
    let mut conn = world.conn().await;
    let nobody = operator::Operator {
        name: "ann",
        reason: " ",
    };
    let refused = operator::pause(&mut conn, &by_key("x"), &nobody)
        .await
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "an action needs a reason: it is published in the ledger"
    );
    let refused = operator::retry(&mut conn, &Filter::default(), &operator())
        .await
        .unwrap_err();
    assert!(matches!(refused, OperatorError::NoFilter));
    let refused = operator::cancel(&mut conn, &by_key("nothing"), &operator())
        .await
        .unwrap_err();
    assert_eq!(refused.to_string(), "there is no job nothing");
    operator::pause(&mut conn, &by_key("x"), &operator())
        .await
        .unwrap();
    operator::resume(&mut conn, &by_key("x"), &operator())
        .await
        .unwrap();
    operator::pause_queue(&mut conn, "vlm", true, &operator())
        .await
        .unwrap();
    operator::limit_queue(&mut conn, "vlm", Some(4), Some(2.0), &operator())
        .await
        .unwrap();
    let kept: Vec<(String, String, String)> =
        sqlx::query_as("SELECT operator, action, reason FROM operator_action ORDER BY id")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    let expected = ["pause", "resume", "pause-queue", "limit-queue"]
        .map(|action| ("ann".to_owned(), action.to_owned(), "a test".to_owned()));
    assert_eq!(kept, expected);
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_round_is_cancelled_with_everything_below_it_and_no_other_is_touched(pool: PgPool) {
    let world = World::working(pool);
    for round in [1, 2] {
        let below = Task::new(format!("below {round}"), [Act::UntilCancelled]);
        let plan = Plan {
            round: Some(round),
            ..Plan::new(format!("r{round}"), [Op::Queue(below)])
        };
        world.start(&plan).await;
        world
            .toys
            .until_started(&format!("work/below {round}"), 1)
            .await;
    }
    let round = Filter {
        round: Some(1),
        ..Filter::default()
    };
    let cancelled = operator::cancel(&mut *world.conn().await, &round, &operator()).await;
    assert_eq!(cancelled.unwrap(), 2, "the flow and its step");
    assert_eq!(world.find("script/r1").await.unwrap().state, "cancelled");
    assert_eq!(world.find("script/r2").await.unwrap().state, "waiting");
    assert_eq!(world.find("work/below 2").await.unwrap().state, "running");
    let again = operator::cancel(&mut *world.conn().await, &round, &operator()).await;
    assert_eq!(again.unwrap(), 0, "there is nothing left to cancel");
    let rest = operator::cancel(&mut *world.conn().await, &by_key("*"), &operator()).await;
    assert_eq!(rest.unwrap(), 2, "a prefix of keys");
    world.done().await;
}
