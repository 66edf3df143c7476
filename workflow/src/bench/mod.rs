//! Benchmarks of the engine, on a PostgreSQL of their own with the settings of production (fsync on).
//!
//! Every figure counts what is recorded in the database, not what handlers have run. Work is enqueued before the clock
//! starts, except where enqueueing is what is measured ([`Measure::Pickup`], [`Measure::Fanout`]).

mod toy;

use std::{
    collections::HashMap,
    path::Path,
    process::Stdio,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::{
    db,
    embedded::{EmbeddedOptions, EmbeddedPostgres},
    engine::{FlowDefinition, NewJob, Worker, WorkerOptions},
};

use toy::{FanOut, Noop, Nothing, TenSteps, Toys, Wait};

/// Jobs that one process runs at once.
const IN_FLIGHT: usize = 50;
/// Jobs that one process of the `replicas` measure runs at once.
const REPLICA_SLOTS: usize = 10;
/// Processes of the `replicas` measure.
const REPLICAS: usize = 8;
/// Autovacuum looks for work once a minute and takes a while for a million rows.
const SETTLED_WITHIN: Duration = Duration::from_secs(300);
/// What names a replica's database in its environment.
const REPLICA_DATABASE: &str = "ASSIZE_BENCH_REPLICA_DATABASE";

/// Whether anything has not ended; by small indexes, so that asking does not disturb what is measured.
/// The last child of a join wakes its flow in the moment it ends, so nothing is missed in between.
const OPEN: &str = "SELECT EXISTS (SELECT FROM job WHERE state = 'available') OR EXISTS (SELECT FROM job WHERE state = 'running')";

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// 1,000 flows of 10 recorded steps, 50 in flight.
    Steps,
    /// 20,000 no-op steps in the queue, 50 in flight.
    Jobs,
    /// One flow with 10,000 and one with 100,000 children, joined.
    Fanout,
    /// From the call that enqueues to the handler's first line, on an idle worker.
    Pickup,
    /// Steps that wait 50 ms, by one process and by eight.
    Replicas,
    /// `jobs` again after 1,000,000 finished steps, once autovacuum has caught up with the burst that made them.
    Aged,
}

impl Measure {
    /// Every measure.
    pub const ALL: [Self; 6] = [
        Self::Steps,
        Self::Jobs,
        Self::Fanout,
        Self::Pickup,
        Self::Replicas,
        Self::Aged,
    ];

    /// The word on the command line and in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Jobs => "jobs",
            Self::Fanout => "fanout",
            Self::Pickup => "pickup",
            Self::Replicas => "replicas",
            Self::Aged => "aged",
        }
    }
}

/// One line of results.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Which measure.
    pub bench: &'static str,
    /// Recorded ends a second.
    pub per_s: f64,
    /// Median time of one: from claim to recorded end; for `pickup` from enqueueing to the handler's start.
    pub p50_ms: f64,
    /// Of the slowest 5 %, the fastest.
    pub p95_ms: f64,
    /// Of the slowest 1 %, the fastest.
    pub p99_ms: f64,
    /// How many.
    pub n: usize,
    /// What only this measure has.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// Runs one measure; some have several lines. `home` is an empty folder for the cluster, `replica` the command that runs
/// [`replica`] in a process of its own.
///
/// # Errors
///
/// If PostgreSQL cannot be started or a result is not what the work should have given.
pub async fn run(measure: Measure, home: &Path, replica: &[String]) -> anyhow::Result<Vec<Report>> {
    let postgres = EmbeddedPostgres::start(EmbeddedOptions::new(home)).await?;
    let name = format!("bench_{}", measure.name());
    postgres.create_database(&name).await?;
    let reports = run_at(measure, &postgres.url(&name), replica).await?;
    postgres.stop().await;
    Ok(reports)
}

/// The same in an empty database of a running server.
///
/// # Errors
///
/// As [`run`].
pub async fn run_at(
    measure: Measure,
    url: &str,
    replica: &[String],
) -> anyhow::Result<Vec<Report>> {
    let pool = connect(url).await?;
    db::migrate(&pool).await?;
    pool.close().await;
    // Settings of the database that the migration made count for new connections.
    let bench = Bench {
        url: url.to_owned(),
        pool: connect(url).await?,
    };
    let reports = match measure {
        Measure::Steps => vec![bench.steps(1_000).await?],
        Measure::Jobs => vec![bench.jobs(20_000).await?],
        Measure::Fanout => vec![bench.fanout(10_000).await?, bench.fanout(100_000).await?],
        Measure::Pickup => vec![bench.pickup(500).await?],
        Measure::Replicas => vec![bench.replicas(replica).await?],
        Measure::Aged => vec![bench.aged(1_000_000).await?],
    };
    bench.pool.close().await;
    Ok(reports)
}

/// One process of the `replicas` measure: works until it is killed.
///
/// # Errors
///
/// If it was not started by [`run`], or the database cannot be reached.
pub async fn replica() -> anyhow::Result<()> {
    let url = std::env::var(REPLICA_DATABASE).context("this is started by the benchmark only")?;
    let pool = connect(&url).await?;
    let slots = HashMap::from([(toy::QUEUE.to_owned(), REPLICA_SLOTS)]);
    let worker = Worker::new(
        pool,
        Toys::default().registry(),
        WorkerOptions::new("bench", slots),
    );
    Ok(worker.run(CancellationToken::new()).await?)
}

async fn connect(url: &str) -> anyhow::Result<PgPool> {
    Ok(db::pool_options().max_connections(8).connect(url).await?)
}

struct Bench {
    url: String,
    pool: PgPool,
}

impl Bench {
    async fn enqueue(&self, jobs: &[NewJob]) -> anyhow::Result<()> {
        let mut transaction = self.pool.begin().await?;
        db::start(&mut transaction, jobs).await?;
        Ok(transaction.commit().await?)
    }

    /// Work as one process does, until `until` has come true.
    async fn work<T>(
        &self,
        toys: &Toys,
        until: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let slots = HashMap::from([
            (toy::QUEUE.to_owned(), IN_FLIGHT),
            (crate::engine::flow::FLOW_QUEUE.to_owned(), IN_FLIGHT),
        ]);
        let worker = Worker::new(
            self.pool.clone(),
            toys.registry(),
            WorkerOptions::new("bench", slots),
        );
        let stop = CancellationToken::new();
        let working = tokio::spawn(worker.run(stop.clone()));
        let result = until.await;
        stop.cancel();
        working.await??;
        result
    }

    /// Waits until handlers have run `n` times, then until the database has all ends.
    async fn recorded(&self, toys: &Toys, n: usize) -> anyhow::Result<()> {
        while toys.runs.load(Ordering::Relaxed) < n {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        while sqlx::query_scalar::<_, bool>(OPEN)
            .fetch_one(&self.pool)
            .await?
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Waits until autovacuum has nothing left to do: what a burst of a million steps leaves for it to clean up is not what a
    /// million finished steps cost.
    async fn settled(&self) -> anyhow::Result<()> {
        const BUSY: &str = "SELECT EXISTS (SELECT FROM pg_stat_progress_vacuum)
            OR EXISTS (SELECT FROM pg_stat_user_tables WHERE relname IN ('job', 'attempt') AND n_dead_tup > 50 + 0.02 * n_live_tup)";
        let until = Instant::now() + SETTLED_WITHIN;
        while Instant::now() < until && sqlx::query_scalar(BUSY).fetch_one(&self.pool).await? {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }

    async fn percentiles(&self, name: &str, n: usize) -> anyhow::Result<Vec<f64>> {
        Ok(sqlx::query_scalar(
            "SELECT percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP
                        (ORDER BY 1000 * extract(epoch FROM finished_at - claimed_at)::float8)
             FROM (SELECT finished_at, claimed_at FROM job WHERE name = $1 ORDER BY id DESC LIMIT $2) newest",
        )
        .bind(name)
        .bind(n as i64)
        .fetch_one(&self.pool)
        .await?)
    }

    async fn steps(&self, flows: usize) -> anyhow::Result<Report> {
        let toys = Toys::default();
        let inputs: Vec<Nothing> = (0..flows)
            .map(|place| Nothing { round: 1, place })
            .collect();
        self.enqueue(
            &inputs
                .iter()
                .map(NewJob::flow::<TenSteps>)
                .collect::<Result<Vec<_>, _>>()?,
        )
        .await?;
        let n = flows * TenSteps::STEPS;
        let started = Instant::now();
        let took = self
            .work(&toys, async {
                self.recorded(&toys, n).await?;
                Ok(started.elapsed())
            })
            .await?;
        Ok(report(
            "steps",
            n,
            took,
            &percentiles_of(toys.take_durations()),
        ))
    }

    async fn jobs(&self, n: usize) -> anyhow::Result<Report> {
        let toys = Toys::default();
        self.enqueue_noops(0, n).await?;
        let started = Instant::now();
        let took = self
            .work(&toys, async {
                self.recorded(&toys, n).await?;
                Ok(started.elapsed())
            })
            .await?;
        Ok(report("jobs", n, took, &self.percentiles("noop", n).await?))
    }

    async fn enqueue_noops(&self, round: u32, n: usize) -> anyhow::Result<()> {
        for chunk in (0..n).collect::<Vec<_>>().chunks(5_000) {
            let inputs = chunk.iter().map(|place| {
                NewJob::step::<Noop>(&Nothing {
                    round,
                    place: *place,
                })
            });
            self.enqueue(&inputs.collect::<Result<Vec<_>, _>>()?)
                .await?;
        }
        Ok(())
    }

    async fn fanout(&self, n: usize) -> anyhow::Result<Report> {
        let toys = Toys::default();
        let input = Nothing { round: 2, place: n };
        let started = Instant::now();
        let took = self
            .work(&toys, async {
                self.enqueue(&[NewJob::flow::<FanOut>(&input)?]).await?;
                self.recorded(&toys, n).await?;
                Ok(started.elapsed())
            })
            .await?;
        let flow = db::job::find(&mut *self.pool.acquire().await?, &FanOut::key(&input))
            .await?
            .context("the flow is gone")?;
        ensure!(
            flow.output == Some(json!(n)),
            "the join of {n} children gave {:?}",
            flow.output
        );
        ensure!(
            flow.attempt == 2,
            "the flow was woken {} times instead of once",
            flow.attempt - 1
        );
        let mut report = report(
            "fanout",
            n,
            took,
            &self.percentiles("fan_out_child", n).await?,
        );
        report
            .more
            .insert("flow_passes".to_owned(), flow.attempt.into());
        Ok(report)
    }

    async fn pickup(&self, n: usize) -> anyhow::Result<Report> {
        let toys = Toys::default();
        let began = Instant::now();
        self.work(&toys, async {
            // The worker has settled once it has run something.
            for place in 0..n + 20 {
                let job = NewJob::step::<Wait>(&Wait::at_once(place))?;
                let told = Instant::now();
                self.enqueue(std::slice::from_ref(&job)).await?;
                while toys.runs.load(Ordering::Relaxed) <= place {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                toys.since(told);
                // Idle again, and not in step with any timer.
                tokio::time::sleep(Duration::from_millis(20 + (place as u64 * 7) % 30)).await;
            }
            Ok(())
        })
        .await?;
        let durations = toys.take_durations().split_off(20);
        Ok(report(
            "pickup",
            n,
            began.elapsed(),
            &percentiles_of(durations),
        ))
    }

    async fn replicas(&self, command: &[String]) -> anyhow::Result<Report> {
        let alone = self.replica_rate(command, 1, 1_000).await?;
        let together = self
            .replica_rate(command, REPLICAS, 1_000 * REPLICAS)
            .await?;
        let mut report = report(
            "replicas",
            1_000 * REPLICAS,
            together,
            &self.percentiles("wait", 1_000 * REPLICAS).await?,
        );
        let alone_per_s = 1_000.0 / alone.as_secs_f64();
        report.more.insert("processes".to_owned(), REPLICAS.into());
        report
            .more
            .insert("slots_each".to_owned(), REPLICA_SLOTS.into());
        report.more.insert(
            "one_process_per_s".to_owned(),
            round_to(alone_per_s, 1).into(),
        );
        report.more.insert(
            "ratio".to_owned(),
            round_to(report.per_s / alone_per_s, 2).into(),
        );
        Ok(report)
    }

    async fn replica_rate(
        &self,
        command: &[String],
        processes: usize,
        n: usize,
    ) -> anyhow::Result<Duration> {
        let (program, arguments) = command
            .split_first()
            .context("no command for a replica was given")?;
        let mut children = Vec::new();
        for _ in 0..processes {
            let child = tokio::process::Command::new(program)
                .args(arguments)
                .env(REPLICA_DATABASE, &self.url)
                .stdin(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .context("cannot start a replica")?;
            children.push(child);
        }
        let live = "SELECT count(*) FROM worker WHERE state = 'live'";
        while sqlx::query_scalar::<_, i64>(live)
            .fetch_one(&self.pool)
            .await?
            < processes as i64
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let inputs = (0..n)
            .map(|place| NewJob::step::<Wait>(&Wait::a_moment(place + processes * 1_000_000)));
        let jobs = inputs.collect::<Result<Vec<_>, _>>()?;
        let started = Instant::now();
        self.enqueue(&jobs).await?;
        while sqlx::query_scalar::<_, bool>(OPEN)
            .fetch_one(&self.pool)
            .await?
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let took = started.elapsed();
        for mut child in children {
            child.kill().await?;
        }
        // Their leases end with them, here and now.
        sqlx::query("UPDATE worker SET state = 'stopped' WHERE state = 'live'")
            .execute(&self.pool)
            .await?;
        Ok(took)
    }

    async fn aged(&self, n: usize) -> anyhow::Result<Report> {
        let first = self.jobs(20_000).await?;
        let toys = Toys::default();
        self.work(&toys, async {
            let chunk = 50_000;
            for round in 0..n / chunk {
                self.enqueue_noops(100 + round as u32, chunk).await?;
                self.recorded(&toys, (round + 1) * chunk).await?;
            }
            Ok(())
        })
        .await?;
        self.settled().await?;
        let toys = Toys::default();
        self.enqueue_noops(3, 20_000).await?;
        let started = Instant::now();
        let took = self
            .work(&toys, async {
                self.recorded(&toys, 20_000).await?;
                Ok(started.elapsed())
            })
            .await?;
        let mut report = report(
            "aged",
            20_000,
            took,
            &self.percentiles("noop", 20_000).await?,
        );
        report
            .more
            .insert("finished_before".to_owned(), (n + 20_000).into());
        report
            .more
            .insert("fresh_per_s".to_owned(), first.per_s.into());
        report.more.insert(
            "ratio".to_owned(),
            round_to(report.per_s / first.per_s, 2).into(),
        );
        Ok(report)
    }
}

fn percentiles_of(mut durations: Vec<Duration>) -> Vec<f64> {
    durations.sort_unstable();
    let at = |part: f64| {
        durations
            .get(((durations.len() as f64 * part) as usize).min(durations.len().saturating_sub(1)))
    };
    [0.5, 0.95, 0.99]
        .into_iter()
        .map(|part| at(part).map_or(0.0, |duration| duration.as_secs_f64() * 1000.0))
        .collect()
}

fn report(bench: &'static str, n: usize, took: Duration, percentiles: &[f64]) -> Report {
    let percentile = |place: usize| round_to(percentiles.get(place).copied().unwrap_or(0.0), 3);
    Report {
        bench,
        per_s: round_to(n as f64 / took.as_secs_f64(), 1),
        p50_ms: percentile(0),
        p95_ms: percentile(1),
        p99_ms: percentile(2),
        n,
        more: Map::new(),
    }
}

fn round_to(value: f64, decimals: i32) -> f64 {
    let factor = 10f64.powi(decimals);
    (value * factor).round() / factor
}
