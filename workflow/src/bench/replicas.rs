//! The measure `replicas`: what more processes bring.

use std::{
    collections::HashMap,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use super::{
    connect,
    measures::{Bench, OPEN},
    report::{Report, report, round_to},
    toy::{self, Toys, Wait},
};
use crate::engine::{NewJob, Worker, WorkerOptions};

/// Jobs that one process of the `replicas` measure runs at once.
const REPLICA_SLOTS: usize = 10;
/// Processes of the `replicas` measure.
const REPLICAS: usize = 8;
/// What names a replica's database in its environment.
const REPLICA_DATABASE: &str = "ASSIZE_BENCH_REPLICA_DATABASE";

/// One process of the `replicas` measure: works until it is killed.
///
/// # Errors
///
/// If it was not started by [`super::run`], or the database cannot be reached.
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

impl Bench {
    pub(super) async fn replicas(&self, command: &[String]) -> anyhow::Result<Report> {
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
}
