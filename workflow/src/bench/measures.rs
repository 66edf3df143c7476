//! The measures of one process.

use std::{
    collections::HashMap,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use serde_json::json;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::{
    report::{Report, percentiles_of, report, round_to},
    toy::{self, FanOut, Noop, Nothing, TenSteps, Toys, Wait},
};
use crate::{
    db,
    engine::{FlowDefinition, NewJob, Worker, WorkerOptions, flow::FLOW_QUEUE},
};

/// Jobs that one process runs at once.
const IN_FLIGHT: usize = 50;
/// Autovacuum looks for work once a minute and takes a while for a million rows.
const SETTLED_WITHIN: Duration = Duration::from_secs(300);

/// Whether anything has not ended; by small indexes, so that asking does not disturb what is measured.
/// The last child of a join wakes its flow in the moment it ends, so nothing is missed in between.
pub(super) const OPEN: &str = "SELECT EXISTS (SELECT FROM job WHERE state = 'available') OR EXISTS (SELECT FROM job WHERE state = 'running')";

pub(super) struct Bench {
    pub(super) url: String,
    pub(super) pool: PgPool,
}

impl Bench {
    pub(super) async fn enqueue(&self, jobs: &[NewJob]) -> anyhow::Result<()> {
        let mut transaction = self.pool.begin().await?;
        db::start(&mut transaction, jobs).await?;
        Ok(transaction.commit().await?)
    }

    /// Work as one process does, until `until` has come true.
    pub(super) async fn work<T>(
        &self,
        toys: &Toys,
        until: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let slots = HashMap::from([
            (toy::QUEUE.to_owned(), IN_FLIGHT),
            (FLOW_QUEUE.to_owned(), IN_FLIGHT),
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
    pub(super) async fn recorded(&self, toys: &Toys, n: usize) -> anyhow::Result<()> {
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
    pub(super) async fn settled(&self) -> anyhow::Result<()> {
        const BUSY: &str = "SELECT EXISTS (SELECT FROM pg_stat_progress_vacuum)
            OR EXISTS (SELECT FROM pg_stat_user_tables WHERE relname IN ('job', 'attempt') AND n_dead_tup > 50 + 0.02 * n_live_tup)";
        let until = Instant::now() + SETTLED_WITHIN;
        while Instant::now() < until && sqlx::query_scalar(BUSY).fetch_one(&self.pool).await? {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }

    pub(super) async fn percentiles(&self, name: &str, n: usize) -> anyhow::Result<Vec<f64>> {
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

    pub(super) async fn steps(&self, flows: usize) -> anyhow::Result<Report> {
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

    pub(super) async fn jobs(&self, n: usize) -> anyhow::Result<Report> {
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

    pub(super) async fn enqueue_noops(&self, round: u32, n: usize) -> anyhow::Result<()> {
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

    pub(super) async fn fanout(&self, n: usize) -> anyhow::Result<Report> {
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

    pub(super) async fn pickup(&self, n: usize) -> anyhow::Result<Report> {
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

    pub(super) async fn aged(&self, n: usize) -> anyhow::Result<Report> {
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
