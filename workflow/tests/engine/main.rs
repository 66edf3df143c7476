//! The engine's guarantees on a real Postgres.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use workflow::{
    db,
    engine::{
        Flow, FlowDefinition, FlowError, Handler, NewJob, OnFailure, Outcome, Registry, Retry, Step, StepContext, Worker,
        WorkerOptions,
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Number {
    name: String,
    value: i64,
}

fn number(name: &str, value: i64) -> Number {
    Number { name: name.to_owned(), value }
}

/// Doubles, in the queue.
struct Double;
impl Step for Double {
    const NAME: &'static str = "double";
    const QUEUE: &'static str = "work";
    const RETRY: Retry = Retry { first: Duration::from_millis(5), cap: Duration::from_millis(20) };
    const MAX_FAILURES: u16 = 3;
    type Input = Number;
    type Output = i64;
    fn key(input: &Number) -> String {
        format!("double/{}/{}", input.name, input.value)
    }
}

/// Doubles, inside the pass.
struct DoubleInline;
impl Step for DoubleInline {
    const NAME: &'static str = "double_inline";
    const QUEUE: &'static str = "work";
    const INLINE: bool = true;
    const RETRY: Retry = Double::RETRY;
    const MAX_FAILURES: u16 = 3;
    type Input = Number;
    type Output = i64;
    fn key(input: &Number) -> String {
        format!("double_inline/{}/{}", input.name, input.value)
    }
}

#[derive(Default)]
struct Doubler {
    runs: AtomicU32,
    failures_left: AtomicU32,
    snoozes_left: AtomicU32,
}

impl Doubler {
    fn run_once(&self, input: &Number) -> Result<Outcome<i64>, anyhow::Error> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        let take = |left: &AtomicU32| left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if take(&self.snoozes_left) {
            return Ok(Outcome::Snooze(Duration::from_millis(5)));
        }
        if take(&self.failures_left) {
            return Err(anyhow::anyhow!("the doubling service is away"));
        }
        Ok(Outcome::Done(input.value * 2))
    }
}

struct Shared(Arc<Doubler>);
#[async_trait]
impl Handler<Double> for Shared {
    type Error = anyhow::Error;
    async fn run(&self, input: Number, _context: &StepContext) -> Result<Outcome<i64>, anyhow::Error> {
        self.0.run_once(&input)
    }
}
#[async_trait]
impl Handler<DoubleInline> for Shared {
    type Error = anyhow::Error;
    async fn run(&self, input: Number, _context: &StepContext) -> Result<Outcome<i64>, anyhow::Error> {
        self.0.run_once(&input)
    }
}

/// Doubles `value` times four: twice inline, twice in the queue.
struct Chain;
#[async_trait]
impl FlowDefinition for Chain {
    const NAME: &'static str = "chain";
    type Input = Number;
    type Output = i64;
    fn key(input: &Number) -> String {
        format!("chain/{}", input.name)
    }
    async fn run(flow: &Flow, input: Number) -> Result<i64, FlowError> {
        let mut value = input.value;
        for round in 0..2 {
            value = flow.step::<DoubleInline>(number(&format!("{}-{round}", input.name), value)).await?;
            value = flow.step::<Double>(number(&format!("{}-{round}", input.name), value)).await?;
        }
        Ok(value)
    }
}

/// Doubles every number below `value` and adds up.
struct FanOut;
#[async_trait]
impl FlowDefinition for FanOut {
    const NAME: &'static str = "fan_out";
    type Input = Number;
    type Output = i64;
    fn key(input: &Number) -> String {
        format!("fan_out/{}", input.name)
    }
    async fn run(flow: &Flow, input: Number) -> Result<i64, FlowError> {
        let inputs = (0..input.value).map(|value| number(&input.name, value));
        let doubled = flow.join_steps::<Double>(inputs, OnFailure::Fail).await?;
        doubled.into_iter().sum()
    }
}

/// Waits for a block, an event, and both branches of a pair of steps at once.
struct Waits;
#[async_trait]
impl FlowDefinition for Waits {
    const NAME: &'static str = "waits";
    type Input = Number;
    type Output = i64;
    fn key(input: &Number) -> String {
        format!("waits/{}", input.name)
    }
    async fn run(flow: &Flow, input: Number) -> Result<i64, FlowError> {
        flow.until_block(100).await?;
        let told = flow.event("go").await?;
        let (left, right) = futures::try_join!(
            flow.step::<Double>(number("left", input.value)),
            flow.step::<Double>(number("right", told.as_i64().unwrap_or(0)))
        )?;
        Ok(left + right)
    }
}

struct World {
    pool: PgPool,
    doubler: Arc<Doubler>,
    stop: CancellationToken,
    workers: Vec<tokio::task::JoinHandle<()>>,
}

impl World {
    fn new(pool: PgPool) -> Self {
        let _ = tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::WARN).with_test_writer().try_init();
        Self { pool, doubler: Arc::default(), stop: CancellationToken::new(), workers: Vec::new() }
    }

    fn registry(&self) -> Registry {
        Registry::new()
            .step::<Double, _>(Shared(self.doubler.clone()))
            .step::<DoubleInline, _>(Shared(self.doubler.clone()))
            .flow::<Chain>()
            .flow::<FanOut>()
            .flow::<Waits>()
    }

    fn work(mut self) -> Self {
        let slots = HashMap::from([("work".to_owned(), 20), ("flow".to_owned(), 20)]);
        let worker = Worker::new(self.pool.clone(), self.registry(), WorkerOptions::new("test", slots));
        let stop = self.stop.clone();
        self.workers.push(tokio::spawn(async move { worker.run(stop).await.unwrap() }));
        self
    }

    async fn start<F: FlowDefinition>(&self, input: F::Input) -> String {
        let job = NewJob::flow::<F>(&input).unwrap();
        let mut transaction = self.pool.begin().await.unwrap();
        db::start(&mut transaction, &[job]).await.unwrap();
        transaction.commit().await.unwrap();
        F::key(&input)
    }

    async fn until_state(&self, key: &str, state: &str) -> db::job::JobRow {
        let wait = async {
            loop {
                let job = db::job::find(&mut self.pool.acquire().await.unwrap(), key).await.unwrap();
                if let Some(job) = job.filter(|job| job.state == state) {
                    return job;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        match tokio::time::timeout(Duration::from_secs(20), wait).await {
            Ok(job) => job,
            Err(_) => {
                let rows: Vec<(String, String, i32, Option<String>)> =
                    sqlx::query_as("SELECT key, state, attempt, error FROM job ORDER BY id LIMIT 40").fetch_all(&self.pool).await.unwrap();
                panic!("{key} never became {state}: {rows:#?}");
            }
        }
    }

    async fn done(self) {
        self.stop.cancel();
        for worker in self.workers {
            worker.await.unwrap();
        }
    }
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_flow_of_inline_and_queued_steps_ends_with_its_result(pool: PgPool) {
    let world = World::new(pool).work();
    let key = world.start::<Chain>(number("a", 3)).await;
    assert_eq!(world.until_state(&key, "completed").await.output, Some(48.into()));
    assert_eq!(world.doubler.runs.load(Ordering::SeqCst), 4);
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_fan_out_wakes_its_flow_once(pool: PgPool) {
    let world = World::new(pool).work();
    let key = world.start::<FanOut>(number("f", 500)).await;
    let flow = world.until_state(&key, "completed").await;
    assert_eq!(flow.output, Some((500 * 499).into()));
    assert_eq!(flow.attempt, 2, "one pass to start the children, one to add up");
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn failures_back_off_and_succeed_later(pool: PgPool) {
    let world = World::new(pool).work();
    world.doubler.failures_left.store(2, Ordering::SeqCst);
    world.doubler.snoozes_left.store(5, Ordering::SeqCst);
    let key = world.start::<Chain>(number("a", 1)).await;
    assert_eq!(world.until_state(&key, "completed").await.output, Some(16.into()));
    let errored: Vec<String> =
        sqlx::query_scalar("SELECT error FROM attempt WHERE outcome = 'errored'").fetch_all(&world.pool).await.unwrap();
    assert_eq!(errored, ["the doubling service is away", "the doubling service is away"]);
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_step_without_failures_left_is_parked_and_goes_on_when_retried(pool: PgPool) {
    let world = World::new(pool).work();
    world.doubler.failures_left.store(3, Ordering::SeqCst);
    let key = world.start::<FanOut>(number("p", 1)).await;
    let parked = world.until_state("double/p/0", "parked").await;
    assert_eq!(parked.error.as_deref(), Some("the doubling service is away"));
    assert_eq!(world.until_state(&key, "waiting").await.attempt, 1);
    let operator = db::operator::Operator { name: "ann", reason: "the service is back" };
    let filter = db::operator::Filter { key: Some("double/p/*".to_owned()), ..Default::default() };
    let retried = db::operator::retry(&mut world.pool.acquire().await.unwrap(), &filter, &operator).await.unwrap();
    assert_eq!(retried, 1);
    world.until_state(&key, "completed").await;
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn waits_end_by_block_and_event(pool: PgPool) {
    let world = World::new(pool).work();
    let key = world.start::<Waits>(number("w", 4)).await;
    world.until_state(&key, "waiting").await;
    let mut conn = world.pool.acquire().await.unwrap();
    db::chain::record_head(&mut conn, 99, "0x99").await.unwrap();
    db::chain::record_head(&mut conn, 100, "0x100").await.unwrap();
    world.until_state("waits/w/event/go", "waiting").await;
    db::fire(&mut conn, "go", &5.into()).await.unwrap();
    db::fire(&mut conn, "go", &6.into()).await.unwrap();
    assert_eq!(world.until_state(&key, "completed").await.output, Some(18.into()));
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_flow_started_in_a_transaction_exists_exactly_if_it_commits(pool: PgPool) {
    let job = NewJob::flow::<Chain>(&number("t", 1)).unwrap();
    let mut transaction = pool.begin().await.unwrap();
    db::start(&mut transaction, &[job.clone()]).await.unwrap();
    transaction.rollback().await.unwrap();
    let mut conn = pool.acquire().await.unwrap();
    assert!(db::job::find(&mut conn, &job.key).await.unwrap().is_none());
    db::start(&mut conn, &[job.clone(), job.clone()]).await.unwrap();
    db::start(&mut conn, &[job.clone()]).await.unwrap();
    assert!(db::job::find(&mut conn, &job.key).await.unwrap().is_some());
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_killed_workers_jobs_run_elsewhere_and_its_late_result_changes_nothing(pool: PgPool) {
    use workflow::engine::commit::{End, Ending, Verdict, commit};
    let world = World::new(pool);
    world.start::<FanOut>(number("k", 1)).await;
    let mut conn = world.pool.acquire().await.unwrap();
    // A worker that claims and then says nothing more.
    let dead = db::worker::register(&mut conn, "dead", "elsewhere", 1, &[], 0.0).await.unwrap();
    let claim = db::job::claim(&mut conn, dead, &["flow".to_owned()], &[5], false).await.unwrap().claims.remove(0);
    let world = world.work();
    assert_eq!(world.until_state("fan_out/k", "completed").await.attempt, 3);
    let late = Ending {
        claim,
        inline: None,
        end: End::Completed { output: 77.into(), effects: workflow::engine::Effects::default() },
        ran: Duration::ZERO,
        trace: None,
    };
    assert_eq!(commit(&mut conn, dead, &[late]).await.unwrap(), [Verdict::Fenced]);
    assert_eq!(world.until_state("fan_out/k", "completed").await.output, Some(0.into()));
    let outcomes: Vec<String> = sqlx::query_scalar(
        "SELECT outcome FROM attempt JOIN job ON job.id = job_id WHERE key = 'fan_out/k' ORDER BY attempt.attempt",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    assert_eq!(outcomes, ["lost", "suspended", "completed"]);
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_commit_whose_answer_was_lost_is_applied_once(pool: PgPool) {
    use workflow::engine::commit::{End, Ending, Verdict, commit};
    let world = World::new(pool);
    world.start::<Chain>(number("c", 1)).await;
    let mut conn = world.pool.acquire().await.unwrap();
    let worker = db::worker::register(&mut conn, "w", "here", 1, &[], 60.0).await.unwrap();
    let claim = db::job::claim(&mut conn, worker, &["flow".to_owned()], &[5], false).await.unwrap().claims.remove(0);
    let effects = workflow::engine::Effects {
        events: vec![("told".to_owned(), 1.into())],
        starts: vec![NewJob::flow::<FanOut>(&number("next", 1)).unwrap()],
        ..Default::default()
    };
    let ending = Ending { claim, inline: None, end: End::Completed { output: 1.into(), effects }, ran: Duration::ZERO, trace: None };
    for _ in 0..3 {
        assert_eq!(commit(&mut conn, worker, std::slice::from_ref(&ending)).await.unwrap(), [Verdict::Applied]);
    }
    let counts: (i64, i64) = sqlx::query_as("SELECT (SELECT count(*) FROM attempt), (SELECT count(*) FROM job)")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(counts, (1, 2));
}
