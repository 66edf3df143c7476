//! How workers learn of work, and what they cost while there is none.

use std::time::Duration;

use sqlx::{PgPool, postgres::PgListener};
use workflow::{db, engine::NewJob};

use crate::{
    proxy::{Answers, Proxy},
    support::*,
};

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_statement_notifies_once_however_much_it_starts(pool: PgPool) {
    let world = World::new(pool);
    let mut listener = PgListener::connect_with(&world.pool).await.unwrap();
    listener.listen(db::JOB_CHANNEL).await.unwrap();
    let jobs: Vec<NewJob> = (0..500)
        .map(|n| NewJob::step::<Work>(&Task::answer(format!("{n}"), 1)).unwrap())
        .collect();
    db::start(&mut *world.conn().await, &jobs).await.unwrap();
    world.start_step::<Limited>(&Task::answer("last", 1)).await;
    assert_eq!(listener.recv().await.unwrap().payload(), "work");
    assert_eq!(listener.recv().await.unwrap().payload(), "vlm");
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn an_idle_worker_asks_less_than_once_a_second(pool: PgPool) {
    let proxy = Proxy::before(&pool, Answers::Arrive);
    let world = World::working(proxy.pool(&pool));
    let key = world.start_step::<Work>(&Task::answer("warm", 1)).await;
    world.output(&key).await;
    // Everything that is asked now and then has been asked once, and is prepared.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let before = proxy.asked();
    // The one thing that is measured here is time. Nothing comes round every ten seconds three times in it.
    let window = Duration::from_millis(19_500);
    tokio::time::sleep(window).await;
    let a_second = (proxy.asked() - before) as f64 / window.as_secs_f64();
    assert!(a_second < 1.0, "{a_second} questions a second");
    assert!(a_second > 0.1, "its heartbeat at least: {a_second}");
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_flow_that_a_claim_has_skipped_is_told_of_again(pool: PgPool) {
    let world = World::new(pool);
    let key = world.start(&Plan::new("f", [])).await;
    let mut listener = PgListener::connect_with(&world.pool).await.unwrap();
    listener.listen(db::JOB_CHANNEL).await.unwrap();
    // A child's end locks the flow's row. The flow is due, but a claim that comes by now does not see it.
    let child = NewJob::step::<Work>(&Task::answer("child", 1)).unwrap();
    world.start_job(child).await;
    sqlx::query(
        "UPDATE job SET parent_id = (SELECT id FROM job WHERE key = $1) WHERE key = 'work/child'",
    )
    .bind(&key)
    .execute(&world.pool)
    .await
    .unwrap();
    let worker = world.puppet().await;
    let claim = world.claim(worker, "work").await;
    let mut connection = connect(&world.pool).await;
    let mut transaction = sqlx::Connection::begin(&mut connection).await.unwrap();
    workflow::engine::commit::commit(&mut transaction, worker, &[ending(claim, completed(1))])
        .await
        .unwrap();
    let skipped = db::job::claim(
        &mut *world.conn().await,
        worker,
        &["flow".to_owned()],
        &[5],
        false,
    )
    .await
    .unwrap();
    assert!(skipped.claims.is_empty());
    transaction.commit().await.unwrap();
    assert_eq!(
        listener.recv().await.unwrap().payload(),
        "work",
        "the child's start"
    );
    assert_eq!(
        listener.recv().await.unwrap().payload(),
        "flow",
        "somebody has to look again"
    );
}
