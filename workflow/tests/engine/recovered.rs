//! Recovery: what another database had finished is put back, and flows go on from it.

use serde_json::Value;
use sqlx::PgPool;
use workflow::db::{self, recovered::Recovered};

use crate::support::*;

async fn put_back(world: &World, recovered: &[Recovered]) {
    let mut conn = world.conn().await;
    assert!(db::recovered::is_fresh(&mut conn).await.unwrap());
    db::recovered::insert(&mut conn, recovered).await.unwrap();
    assert!(!db::recovered::is_fresh(&mut conn).await.unwrap());
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_flow_finds_what_was_put_back_done_and_runs_only_the_rest(pool: PgPool) {
    let world = World::working(pool);
    let never = |name: &str| Task::new(name, [Act::Panic]);
    let child = Plan::new("child", [Op::Queue(never("in child"))]);
    let told = Task {
        fires: Some("told".to_owned()),
        ..never("told")
    };
    put_back(
        &world,
        &[
            Recovered::step::<Work>(&never("a"), &5).unwrap(),
            Recovered::step::<Work>(&told, &100).unwrap(),
            Recovered::flow::<Script>(&child, &30).unwrap(),
        ],
    )
    .await;

    let plan = Plan::new(
        "goes on",
        [
            Op::Join(vec![never("a"), Task::answer("b", 1)]),
            Op::Flows(vec![child]),
            Op::Event("told".to_owned()),
        ],
    );
    let key = world.start(&plan).await;
    assert_eq!(world.output(&key).await, 5 + 1 + 30 + 100);
    let started: Vec<String> = world
        .toys
        .started()
        .into_iter()
        .map(|run| run.key)
        .collect();
    assert_eq!(started, ["work/b"], "nothing that was put back ran");
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_cancelled_flow_that_was_put_back_is_not_started_again(pool: PgPool) {
    let world = World::working(pool);
    let child = Plan::new("moot", [Op::Queue(Task::new("never", [Act::Panic]))]);
    put_back(
        &world,
        &[Recovered::cancelled_flow::<Script>(&child, "nobody needs it").unwrap()],
    )
    .await;
    let key = world
        .start(&Plan::new("parent", [Op::Begin(child.clone())]))
        .await;
    assert_eq!(world.output(&key).await, 0);
    assert_eq!(world.find(&child.key()).await.unwrap().state, "cancelled");
    assert_eq!(world.toys.started(), []);
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn an_operators_action_is_published_in_the_ledger_of_its_round(pool: PgPool) {
    let world = World::working(pool);
    let task = Task {
        round: Some(7),
        ..Task::new("broken", [Act::Fail("no disk".to_owned())])
    };
    let mut plan = Plan::new("p", [Op::Queue(task)]);
    plan.round = Some(7);
    world.start(&plan).await;
    world.until_state("work/broken", "parked").await;
    let mut conn = world.conn().await;
    let filter = db::operator::Filter {
        key: Some("work/broken".to_owned()),
        ..db::operator::Filter::default()
    };
    let ada = db::operator::Operator {
        name: "ada",
        reason: "the disk is back",
    };
    db::operator::retry(&mut conn, &filter, &ada).await.unwrap();
    let (path, content): (String, Vec<u8>) =
        sqlx::query_as("SELECT path, content FROM mirror_file")
            .fetch_one(&mut *conn)
            .await
            .unwrap();
    assert_eq!(path, "rounds/7/ledger/operators.jsonl");
    let line: Value = serde_json::from_slice(&content).unwrap();
    assert_eq!(
        (&line["operator"], &line["action"], &line["reason"]),
        (&"ada".into(), &"retry".into(), &"the disk is back".into())
    );
    assert_eq!(line["before"]["jobs"][0]["state"], "parked");
    assert_eq!(line["after"]["state"], "available");
    assert_eq!(line["after"]["jobs"], 1);
    drop(conn);
    world.until_state("work/broken", "parked").await;
    world.done().await;
}
