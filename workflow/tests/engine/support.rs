//! A toy world: steps that do what their input tells them, flows that are lists of such steps.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool, postgres::PgConnectOptions};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use workflow::{
    db::{self, job::JobRow},
    engine::{
        Effects, Flow, FlowDefinition, FlowError, Handler, NewJob, OnExhausted, OnFailure, Outcome,
        Registry, Retry, Step, StepContext, Worker, WorkerOptions,
        commit::{Claim, End, Ending},
    },
};

/// Longer than anything here takes on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

// --- Steps ------------------------------------------------------------------------------------------------------------

/// What one attempt does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Act {
    /// Ends with this.
    Answer(i64),
    /// Our side fails.
    Fail(String),
    /// Not now: milliseconds.
    Snooze(u64),
    Panic,
    /// Never ends, but lets others run.
    Hang,
    /// Blocks its thread for so many milliseconds, then answers 0.
    Block(u64),
    /// Answers 0 when the gate is open.
    Gate(String),
    /// Answers 0 when told to stop.
    UntilCancelled,
    /// Opens a gate, then answers 0.
    Open(String),
}

/// An answer whose effects the database refuses.
pub const POISON: i64 = -77;

/// A step that does one act an attempt, the last one over and over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    pub name: String,
    pub acts: Vec<Act>,
    #[serde(default)]
    pub fair: Option<String>,
    #[serde(default)]
    pub round: Option<u32>,
    /// Fires this event when it ends.
    #[serde(default)]
    pub fires: Option<String>,
}

impl Task {
    pub fn new(name: impl Into<String>, acts: impl IntoIterator<Item = Act>) -> Self {
        Self {
            name: name.into(),
            acts: acts.into_iter().collect(),
            fair: None,
            round: None,
            fires: None,
        }
    }

    pub fn answer(name: impl Into<String>, value: i64) -> Self {
        Self::new(name, [Act::Answer(value)])
    }
}

macro_rules! toy_step {
    ($name:ident, $stored:literal, $queue:literal $(, $constant:ident: $type:ty = $value:expr)*) => {
        pub struct $name;
        impl Step for $name {
            const NAME: &'static str = $stored;
            const QUEUE: &'static str = $queue;
            const MAX_FAILURES: u16 = 3;
            $(const $constant: $type = $value;)*
            type Input = Task;
            type Output = i64;
            fn key(task: &Task) -> String {
                format!("{}/{}", $stored, task.name)
            }
            fn round(task: &Task) -> Option<u32> {
                task.round
            }
            fn fair_key(task: &Task) -> Option<String> {
                task.fair.clone()
            }
            fn effects(task: &Task, output: &i64) -> Effects {
                Effects {
                    events: task
                        .fires
                        .iter()
                        .cloned()
                        .chain((*output == POISON).then(|| "\0".to_owned()))
                        .map(|event| (event, (*output).into()))
                        .collect(),
                    ..Effects::default()
                }
            }
        }
        #[async_trait]
        impl Handler<$name> for Toys {
            type Error = anyhow::Error;
            async fn run(&self, task: Task, context: &StepContext) -> Result<Outcome<i64>, anyhow::Error> {
                self.act(task, context).await
            }
        }
    };
}

/// Soon again.
const SOON: Retry = Retry::doubling(Duration::from_millis(5), Duration::from_millis(20));

toy_step!(Work, "work", "work", RETRY: Retry = SOON);
toy_step!(Inline, "inline", "work", RETRY: Retry = SOON, INLINE: bool = true);
toy_step!(Hasty, "hasty", "work", RETRY: Retry = SOON, DEADLINE: Duration = Duration::from_millis(50));
toy_step!(Doomed, "doomed", "work", RETRY: Retry = SOON, ON_EXHAUSTED: OnExhausted = OnExhausted::Fail);
toy_step!(Urgent, "urgent", "work", RETRY: Retry = SOON, PRIORITY: i16 = 10);
toy_step!(Limited, "limited", "vlm", RETRY: Retry = SOON);
toy_step!(Patient, "patient", "work", RETRY: Retry = Retry::doubling(Duration::from_secs(3600), Duration::from_secs(3600)));

/// What a handler saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub key: String,
    pub attempt: i32,
    pub cancelled: bool,
}

#[derive(Default)]
struct Seen {
    started: Vec<Run>,
    starts_at: Vec<Instant>,
    ended: Vec<Run>,
    open_gates: Vec<String>,
    inside: usize,
    most_inside: usize,
}

/// The handlers' outside world.
#[derive(Clone, Default)]
pub struct Toys {
    seen: Arc<Mutex<Seen>>,
    changed: Arc<Notify>,
}

impl Toys {
    async fn act(&self, task: Task, context: &StepContext) -> Result<Outcome<i64>, anyhow::Error> {
        let run = Run {
            key: context.key.clone(),
            attempt: context.attempt,
            cancelled: false,
        };
        let place = {
            let mut seen = self.seen.lock().unwrap();
            let place = seen
                .started
                .iter()
                .filter(|earlier| earlier.key == run.key)
                .count();
            seen.started.push(run.clone());
            seen.starts_at.push(Instant::now());
            seen.inside += 1;
            seen.most_inside = seen.most_inside.max(seen.inside);
            place
        };
        self.changed.notify_waiters();
        let _leaves = Leaves(self.clone());
        let act = task
            .acts
            .get(place)
            .or(task.acts.last())
            .cloned()
            .unwrap_or(Act::Answer(0));
        let outcome = match act {
            Act::Answer(value) => Ok(Outcome::Done(value)),
            Act::Fail(text) => Err(anyhow::anyhow!(text)),
            Act::Snooze(ms) => Ok(Outcome::Snooze(Duration::from_millis(ms))),
            Act::Panic => panic!("the toy broke"),
            Act::Hang => std::future::pending().await,
            Act::Block(ms) => {
                std::thread::sleep(Duration::from_millis(ms));
                Ok(Outcome::Done(0))
            }
            Act::Gate(gate) => {
                self.until(|seen| seen.open_gates.contains(&gate)).await;
                Ok(Outcome::Done(0))
            }
            Act::Open(gate) => {
                self.open(&gate);
                Ok(Outcome::Done(0))
            }
            Act::UntilCancelled => {
                context.cancelled.cancelled().await;
                Ok(Outcome::Done(0))
            }
        };
        self.seen.lock().unwrap().ended.push(Run {
            cancelled: context.cancelled.is_cancelled(),
            ..run
        });
        self.changed.notify_waiters();
        outcome
    }

    async fn until(&self, mut is_so: impl FnMut(&Seen) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if is_so(&self.seen.lock().unwrap()) {
                return;
            }
            changed.await;
        }
    }

    pub fn open(&self, gate: &str) {
        self.seen.lock().unwrap().open_gates.push(gate.to_owned());
        self.changed.notify_waiters();
    }

    pub fn started(&self) -> Vec<Run> {
        self.seen.lock().unwrap().started.clone()
    }

    pub fn starts_at(&self) -> Vec<Instant> {
        self.seen.lock().unwrap().starts_at.clone()
    }

    pub fn ended(&self) -> Vec<Run> {
        self.seen.lock().unwrap().ended.clone()
    }

    /// Most handlers that ran at one time.
    pub fn most_inside(&self) -> usize {
        self.seen.lock().unwrap().most_inside
    }

    pub async fn until_started(&self, key: &str, times: usize) {
        let enough =
            self.until(|seen| seen.started.iter().filter(|run| run.key == key).count() >= times);
        tokio::time::timeout(PATIENCE, enough)
            .await
            .unwrap_or_else(|_| panic!("{key} did not start {times} times"));
    }

    pub async fn until_running(&self, count: usize) {
        let enough = self.until(|seen| seen.inside >= count);
        tokio::time::timeout(PATIENCE, enough)
            .await
            .unwrap_or_else(|_| panic!("never {count} handlers at one time"));
    }
}

struct Leaves(Toys);
impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.seen.lock().unwrap().inside -= 1;
        self.0.changed.notify_waiters();
    }
}

// --- Flows ------------------------------------------------------------------------------------------------------------

/// What a flow does, one thing after the other; it ends with the sum of all answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Op {
    Queue(Task),
    Inline(Task),
    Doomed(Task),
    Limited(Task),
    /// Fails with the first failure.
    Join(Vec<Task>),
    /// Counts failures as -1.
    Collect(Vec<Task>),
    Flows(Vec<Plan>),
    Event(String),
    Block(u64),
    /// Milliseconds after 1970.
    Until(i64),
    Both(Box<Op>, Box<Op>),
    Then(Box<Op>, Box<Op>),
    /// Starts a flow without waiting for it.
    Begin(Plan),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    pub name: String,
    pub ops: Vec<Op>,
    #[serde(default)]
    pub round: Option<u32>,
}

impl Plan {
    pub fn new(name: impl Into<String>, ops: impl IntoIterator<Item = Op>) -> Self {
        Self {
            name: name.into(),
            ops: ops.into_iter().collect(),
            round: None,
        }
    }

    pub fn key(&self) -> String {
        Script::key(self)
    }
}

pub struct Script;

#[async_trait]
impl FlowDefinition for Script {
    const NAME: &'static str = "script";
    type Input = Plan;
    type Output = i64;
    fn key(plan: &Plan) -> String {
        format!("script/{}", plan.name)
    }
    fn round(plan: &Plan) -> Option<u32> {
        plan.round
    }
    async fn run(flow: &Flow, plan: Plan) -> Result<i64, FlowError> {
        let mut sum = 0;
        for op in plan.ops {
            sum += perform(flow, op).await?;
        }
        Ok(sum)
    }
}

fn perform(
    flow: &Flow,
    op: Op,
) -> std::pin::Pin<Box<dyn Future<Output = Result<i64, FlowError>> + Send + '_>> {
    Box::pin(async move {
        match op {
            Op::Queue(task) => flow.step::<Work>(task).await,
            Op::Inline(task) => flow.step::<Inline>(task).await,
            Op::Doomed(task) => flow.step::<Doomed>(task).await,
            Op::Limited(task) => flow.step::<Limited>(task).await,
            Op::Join(tasks) => flow
                .join_steps::<Work>(tasks, OnFailure::Fail)
                .await?
                .into_iter()
                .sum(),
            Op::Collect(tasks) => {
                let answers = flow.join_steps::<Doomed>(tasks, OnFailure::Collect).await?;
                Ok(answers.into_iter().map(|answer| answer.unwrap_or(-1)).sum())
            }
            Op::Flows(plans) => flow
                .join_flows::<Script>(plans, OnFailure::Fail)
                .await?
                .into_iter()
                .sum(),
            Op::Event(name) => Ok(flow.event(&name).await?.as_i64().unwrap_or(0)),
            Op::Block(block) => flow.until_block(block).await.map(|()| 0),
            Op::Until(ms) => {
                let moment = chrono::DateTime::from_timestamp_millis(ms).unwrap();
                flow.until(&ms.to_string(), moment).await.map(|()| 0)
            }
            Op::Both(left, right) => {
                let (left, right) =
                    futures::try_join!(perform(flow, *left), perform(flow, *right))?;
                Ok(left + right)
            }
            Op::Then(first, second) => {
                Ok(perform(flow, *first).await? + perform(flow, *second).await?)
            }
            Op::Begin(plan) => flow.start_flow::<Script>(&plan).map(|_| 0),
        }
    })
}

// --- The world --------------------------------------------------------------------------------------------------------

pub struct World {
    pub pool: PgPool,
    pub toys: Toys,
    workers: Vec<(CancellationToken, tokio::task::JoinHandle<()>)>,
}

impl World {
    pub fn new(pool: PgPool) -> Self {
        let _ = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
            .with_test_writer()
            .try_init();
        Self {
            pool,
            toys: Toys::default(),
            workers: Vec::new(),
        }
    }

    pub fn registry(&self) -> Registry {
        registry(&self.toys)
    }

    /// A world with one worker.
    pub fn working(pool: PgPool) -> Self {
        let mut world = Self::new(pool);
        world.work();
        world
    }

    /// Starts one more worker.
    pub fn work(&mut self) {
        self.work_as(self.registry(), options());
    }

    pub fn work_as(&mut self, registry: Registry, options: WorkerOptions) {
        let worker = Worker::new(self.pool.clone(), registry, options);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        self.workers.push((
            stop,
            tokio::spawn(async move { worker.run(stopped).await.unwrap() }),
        ));
    }

    /// The first worker is gone, as if it had been killed.
    pub async fn kill_first(&mut self) {
        let (_, worker) = self.workers.remove(0);
        worker.abort();
        assert!(worker.await.unwrap_err().is_cancelled());
    }

    pub async fn conn(&self) -> sqlx::pool::PoolConnection<sqlx::Postgres> {
        self.pool.acquire().await.unwrap()
    }

    pub async fn start(&self, plan: &Plan) -> String {
        self.start_job(NewJob::flow::<Script>(plan).unwrap()).await
    }

    pub async fn start_step<S: Step>(&self, input: &S::Input) -> String {
        self.start_job(NewJob::step::<S>(input).unwrap()).await
    }

    pub async fn start_job(&self, job: NewJob) -> String {
        db::start(&mut *self.conn().await, std::slice::from_ref(&job))
            .await
            .unwrap();
        job.key
    }

    pub async fn find(&self, key: &str) -> Option<JobRow> {
        db::job::find(&mut *self.conn().await, key).await.unwrap()
    }

    pub async fn until_state(&self, key: &str, state: &str) -> JobRow {
        self.until(key, |job| job.state == state, state).await
    }

    pub async fn until(&self, key: &str, is_so: impl Fn(&JobRow) -> bool, what: &str) -> JobRow {
        let wait = async {
            loop {
                if let Some(job) = self.find(key).await.filter(&is_so) {
                    return job;
                }
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(job) => job,
            Err(_) => {
                let rows: Vec<(String, String, i32, Option<String>)> = sqlx::query_as(
                    "SELECT key, state, attempt, error FROM job ORDER BY id LIMIT 40",
                )
                .fetch_all(&self.pool)
                .await
                .unwrap();
                panic!("{key} never became {what}: {rows:#?}");
            }
        }
    }

    pub async fn output(&self, key: &str) -> i64 {
        self.until_state(key, "completed")
            .await
            .output
            .unwrap()
            .as_i64()
            .unwrap()
    }

    /// The outcomes of a job's attempts, in order.
    pub async fn outcomes(&self, key: &str) -> Vec<String> {
        let sql = "SELECT outcome FROM attempt JOIN job ON job.id = job_id WHERE key = $1 ORDER BY attempt.attempt";
        sqlx::query_scalar(sql)
            .bind(key)
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }

    /// Ends every lease, as if its time had passed.
    pub async fn expire_leases(&self) {
        sqlx::query(
            "UPDATE worker SET lease_expires_at = now() - interval '1 s' WHERE state = 'live'",
        )
        .execute(&self.pool)
        .await
        .unwrap();
    }

    pub async fn sweep(&self) {
        db::worker::sweep(&mut *self.conn().await).await.unwrap();
    }

    /// Registers a worker that does only what the test does in its name.
    pub async fn puppet(&self) -> i64 {
        db::worker::register(
            &mut *self.conn().await,
            "puppet",
            "elsewhere",
            1,
            &[],
            3600.0,
        )
        .await
        .unwrap()
    }

    /// Claims one job for a puppet.
    pub async fn claim(&self, worker: i64, queue: &str) -> Claim {
        let mut taken = db::job::claim(
            &mut *self.conn().await,
            worker,
            &[queue.to_owned()],
            &[1],
            false,
        )
        .await
        .unwrap();
        taken
            .claims
            .pop()
            .unwrap_or_else(|| panic!("nothing is due in {queue}"))
    }

    /// Stops all workers in good order.
    pub async fn stop(&mut self) {
        for (stop, _) in &self.workers {
            stop.cancel();
        }
        for (_, worker) in self.workers.drain(..) {
            tokio::time::timeout(PATIENCE, worker)
                .await
                .expect("the worker stops")
                .unwrap();
        }
    }

    pub async fn done(mut self) {
        self.stop().await;
    }
}

pub fn registry(toys: &Toys) -> Registry {
    Registry::new()
        .step::<Work, _>(toys.clone())
        .step::<Inline, _>(toys.clone())
        .step::<Hasty, _>(toys.clone())
        .step::<Doomed, _>(toys.clone())
        .step::<Urgent, _>(toys.clone())
        .step::<Limited, _>(toys.clone())
        .step::<Patient, _>(toys.clone())
        .flow::<Script>()
}

pub fn slots(each: usize) -> HashMap<String, usize> {
    ["work", "flow", "vlm"]
        .into_iter()
        .map(|queue| (queue.to_owned(), each))
        .collect()
}

pub fn options() -> WorkerOptions {
    WorkerOptions::new("test", slots(20))
}

pub fn operator() -> db::operator::Operator<'static> {
    db::operator::Operator {
        name: "ann",
        reason: "a test",
    }
}

pub fn by_key(key: &str) -> db::operator::Filter {
    db::operator::Filter {
        key: Some(key.to_owned()),
        ..db::operator::Filter::default()
    }
}

pub fn ending(claim: Claim, end: End) -> Ending {
    Ending {
        claim,
        inline: None,
        end,
        ran: Duration::from_millis(1),
        trace: None,
    }
}

pub fn completed(output: i64) -> End {
    End::Completed {
        output: output.into(),
        effects: Effects::default(),
    }
}

/// A connection of its own to the same database.
pub async fn connect(pool: &PgPool) -> PgConnection {
    use sqlx::ConnectOptions as _;
    let options: PgConnectOptions = (*pool.connect_options()).clone();
    options.connect().await.unwrap()
}
