//! A toy world: a database, workers, and steps and flows that do what their input tells them.

mod script;
mod toys;

use std::{collections::HashMap, time::Duration};

use sqlx::{PgConnection, PgPool, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;
use workflow::{
    db::{self, job::JobRow},
    engine::{
        Effects, NewJob, Registry, Step, Worker, WorkerOptions,
        commit::{Claim, End, Ending},
    },
};

pub use self::{script::*, toys::*};

/// Longer than anything here takes on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

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
