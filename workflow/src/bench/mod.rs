//! Benchmarks of the engine, on a PostgreSQL of their own with the settings of production (fsync on).
//!
//! Every figure counts what is recorded in the database, not what handlers have run. Work is enqueued before the clock
//! starts, except where enqueueing is what is measured ([`Measure::Pickup`], [`Measure::Fanout`]).

mod measures;
mod replicas;
mod report;
mod toy;

use std::{io::Write as _, path::Path, time::Instant};

use sqlx::PgPool;

use self::measures::Bench;
pub use self::{replicas::replica, report::Report};
use crate::{
    db,
    embedded::{EmbeddedOptions, EmbeddedPostgres},
};

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

/// Runs one measure; some have several lines, and each says how long the disk took to flush (`flush_ms`) before and after, on
/// average. `home` is an empty folder for the cluster, `replica` the command that runs
/// [`replica`] in a process of its own.
///
/// # Errors
///
/// If PostgreSQL cannot be started or a result is not what the work should have given.
pub async fn run(measure: Measure, home: &Path, replica: &[String]) -> anyhow::Result<Vec<Report>> {
    let postgres = EmbeddedPostgres::start(EmbeddedOptions::new(home)).await?;
    let name = format!("bench_{}", measure.name());
    postgres.create_database(&name).await?;
    let before = flush_ms(home)?;
    let mut reports = run_at(measure, &postgres.url(&name), replica).await?;
    let flush_ms = report::round_to(f64::midpoint(before, flush_ms(home)?), 2);
    for report in &mut reports {
        report.more.insert("flush_ms".to_owned(), flush_ms.into());
    }
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

/// Median time in ms in which the disk that holds `folder` takes 8 KiB for good: what every commit waits for at least, and what
/// differs most between one machine, or one hour, and another.
fn flush_ms(folder: &Path) -> anyhow::Result<f64> {
    let path = folder.join("flush");
    let mut file = std::fs::File::create(&path)?;
    let mut took = Vec::new();
    for _ in 0..101 {
        let began = Instant::now();
        file.write_all(&[0; 8192])?;
        file.sync_data()?;
        took.push(began.elapsed());
    }
    std::fs::remove_file(&path)?;
    took.sort_unstable();
    Ok(took
        .get(took.len() / 2)
        .map_or(0.0, |median| median.as_secs_f64() * 1000.0))
}

async fn connect(url: &str) -> anyhow::Result<PgPool> {
    Ok(db::pool_options().max_connections(8).connect(url).await?)
}
