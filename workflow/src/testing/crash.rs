//! Runs of a scenario with workers that die.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use async_trait::async_trait;
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    Point, Probe, Scenario,
    snapshot::{self, Snapshot, differences},
};
use crate::{
    db,
    engine::{Worker, WorkerOptions},
};

/// What a crash test did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CrashReport {
    /// Jobs that were crashed.
    pub jobs: usize,
    /// Runs, the one without crashes included.
    pub runs: usize,
    /// Workers that died.
    pub crashes: usize,
}

/// Crashes each job once at each point of its life, every crash in a run of its own, and compares the result of each run with
/// that of a run without crashes.
///
/// # Errors
///
/// If a run does not end, ends with other rows, or does not come to where it should crash.
pub async fn crash_each_job(pool: &PgPool, scenario: &dyn Scenario) -> anyhow::Result<CrashReport> {
    on_own_pool(pool, async |pool| crash_each(pool, scenario).await).await
}

async fn crash_each(pool: &PgPool, scenario: &dyn Scenario) -> anyhow::Result<CrashReport> {
    let (expected, targets) = run_without_crash(pool, scenario).await?;
    let jobs: HashSet<&String> = targets.iter().map(|(_, key)| key).collect();
    let mut report = CrashReport {
        jobs: jobs.len(),
        runs: 1,
        crashes: 0,
    };
    for (point, key) in &targets {
        crash_once(pool, scenario, &expected, *point, key).await?;
        report.runs += 1;
        report.crashes += 1;
    }
    Ok(report)
}

/// Crashes every job once, at one point of its life in each run: four runs, however many jobs there are. Cheaper than
/// [`crash_each_job`], and harder: jobs die in company.
///
/// # Errors
///
/// As [`crash_each_job`].
pub async fn crash_every_job_in_one_run(
    pool: &PgPool,
    scenario: &dyn Scenario,
) -> anyhow::Result<CrashReport> {
    on_own_pool(pool, async |pool| crash_every(pool, scenario).await).await
}

async fn crash_every(pool: &PgPool, scenario: &dyn Scenario) -> anyhow::Result<CrashReport> {
    let (expected, targets) = run_without_crash(pool, scenario).await?;
    let jobs: HashSet<&String> = targets.iter().map(|(_, key)| key).collect();
    let mut report = CrashReport {
        jobs: jobs.len(),
        runs: 1,
        crashes: 0,
    };
    for point in [
        Point::BeforeHandler,
        Point::AfterHandler,
        Point::BeforeCommit,
        Point::AfterCommit,
    ] {
        let what = || format!("with a crash at {point:?} of every job");
        let watcher = Arc::new(Watcher::new(Plan::Each { point }));
        let (found, crashes) = run_watched(pool, scenario, &watcher)
            .await
            .with_context(what)?;
        compare(&expected, &found).with_context(what)?;
        // Of a batch of ends, all are lost when the worker dies after its commit, and only the first has its moment.
        if point != Point::AfterCommit {
            let crashed = watcher.lock().crashed.clone();
            nothing_was_spared(pool, &crashed)
                .await
                .with_context(what)?;
        }
        report.runs += 1;
        report.crashes += crashes;
    }
    Ok(report)
}

/// What a crash test has covered: the moments at which a job of each [`Scenario::kind`] was crashed.
pub type Coverage = BTreeMap<String, BTreeSet<Point>>;

/// Crashes one job of each kind at each point of its life, every crash in a run of its own: as exact as [`crash_each_job`],
/// for scenarios of many alike jobs. The first key of each kind is taken, and `coverage` left out and added to, so that each
/// kind is crashed in the cheapest of several scenarios.
///
/// # Errors
///
/// As [`crash_each_job`].
pub async fn crash_one_job_of_each_kind(
    pool: &PgPool,
    scenario: &dyn Scenario,
    coverage: &mut Coverage,
) -> anyhow::Result<()> {
    on_own_pool(pool, async |pool| {
        crash_one_each(pool, scenario, coverage).await
    })
    .await
}

async fn crash_one_each(
    pool: &PgPool,
    scenario: &dyn Scenario,
    coverage: &mut Coverage,
) -> anyhow::Result<()> {
    let (expected, targets) = run_without_crash(pool, scenario).await?;
    let names: HashMap<String, String> = sqlx::query_as("SELECT key, name FROM job")
        .fetch_all(pool)
        .await?
        .into_iter()
        .collect();
    for (point, key) in &targets {
        let name = names
            .get(key)
            .with_context(|| format!("{key} was attempted and is no job"))?;
        let kind = scenario.kind(name, key);
        if coverage.entry(kind).or_default().insert(*point) {
            crash_once(pool, scenario, &expected, *point, key).await?;
        }
    }
    Ok(())
}

/// Workers that die here do so in the middle of whatever their handlers do, which only a pool as in production survives.
async fn on_own_pool<T>(
    pool: &PgPool,
    runs: impl AsyncFnOnce(&PgPool) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let own = db::pool_options()
        .max_connections(pool.options().get_max_connections())
        .connect_with((*pool.connect_options()).clone())
        .await?;
    let result = runs(&own).await;
    own.close().await;
    result
}

/// Crashes one job at one point, in a run of its own.
async fn crash_once(
    pool: &PgPool,
    scenario: &dyn Scenario,
    expected: &Snapshot,
    point: Point,
    key: &str,
) -> anyhow::Result<()> {
    let what = || format!("with a crash at {point:?} of {key}");
    let plan = Plan::Once {
        point,
        key: key.to_owned(),
    };
    let (found, crashes) = run(pool, scenario, plan).await.with_context(what)?;
    compare(expected, &found).with_context(what)?;
    if crashes != 1 {
        bail!(
            "the run {} never came to its crash: is the key made from the input alone?",
            what()
        );
    }
    Ok(())
}

async fn run_without_crash(
    pool: &PgPool,
    scenario: &dyn Scenario,
) -> anyhow::Result<(Snapshot, Vec<(Point, String)>)> {
    let watcher = Arc::new(Watcher::new(Plan::Never));
    let (expected, _) = run_watched(pool, scenario, &watcher)
        .await
        .context("without a crash")?;
    let mut seen = watcher.lock().reached.clone();
    // In the order of a job's life, which makes a failure easier to read.
    seen.sort_by(|left, right| (&left.1, left.0 as u8).cmp(&(&right.1, right.0 as u8)));
    seen.dedup();
    Ok((expected, seen))
}

async fn run(
    pool: &PgPool,
    scenario: &dyn Scenario,
    plan: Plan,
) -> anyhow::Result<(Snapshot, usize)> {
    run_watched(pool, scenario, &Arc::new(Watcher::new(plan))).await
}

async fn run_watched(
    pool: &PgPool,
    scenario: &dyn Scenario,
    watcher: &Arc<Watcher>,
) -> anyhow::Result<(Snapshot, usize)> {
    snapshot::forget_everything(pool).await?;
    scenario.begin(pool).await?;
    let mut crashes = 0;
    let lives = async {
        loop {
            let worker = Worker::new(
                pool.clone(),
                scenario.registry(pool),
                WorkerOptions::new("crashing", scenario.slots()),
            );
            let stop = CancellationToken::new();
            let mut living = tokio::spawn(worker.probed(watcher.clone()).run(stop.clone()));
            tokio::select! {
                over = until_over(pool, scenario) => {
                    over?;
                    stop.cancel();
                    living.await??;
                    return anyhow::Ok(());
                }
                ended = &mut living => bail!("the worker ended by itself: {ended:?}"),
                () = watcher.crash.notified() => {
                    living.abort();
                    // It was cancelled: that is what a crash is.
                    let _ = living.await;
                    crashes += 1;
                }
            }
            // Its lease has run out, and no heartbeat that is still on its way prolongs it. What died with it was our doing,
            // not the jobs'.
            sqlx::query(
                "UPDATE worker SET state = 'lost', lease_expires_at = now() - interval '1 s' WHERE state = 'live'",
            )
            .execute(pool)
            .await?;
            sqlx::query("UPDATE job SET failures = 0 WHERE failures > 0 AND finished_at IS NULL")
                .execute(pool)
                .await?;
        }
    };
    match tokio::time::timeout(scenario.patience(), lives).await {
        Ok(ended) => ended?,
        Err(_) => return Err(stuck(pool, scenario.patience()).await),
    }
    nothing_ended_twice(pool).await?;
    scenario.check(pool).await?;
    Ok((snapshot::take(pool, scenario).await?, crashes))
}

async fn until_over(pool: &PgPool, scenario: &dyn Scenario) -> anyhow::Result<()> {
    while !scenario.is_over(pool).await? {
        scenario.drive(pool).await?;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// The same rows can come of two ends; the history cannot.
async fn nothing_ended_twice(pool: &PgPool) -> anyhow::Result<()> {
    let twice: Vec<String> = sqlx::query_scalar(
        "SELECT key FROM attempt JOIN job ON job.id = job_id WHERE outcome = 'completed' GROUP BY key HAVING count(*) > 1",
    )
    .fetch_all(pool)
    .await?;
    if twice.is_empty() {
        return Ok(());
    }
    Err(anyhow!("completed more than once: {}", twice.join(", ")))
}

/// Every job that was brought to its end must have crashed before.
async fn nothing_was_spared(pool: &PgPool, crashed: &HashSet<String>) -> anyhow::Result<()> {
    let ended: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT key FROM attempt JOIN job ON job.id = job_id WHERE outcome = 'completed' AND kind = 'step'",
    )
    .fetch_all(pool)
    .await?;
    match ended.iter().find(|key| !crashed.contains(*key)) {
        Some(key) => bail!("{key} never came to its crash"),
        None => Ok(()),
    }
}

async fn stuck(pool: &PgPool, patience: Duration) -> anyhow::Error {
    let open: Result<Vec<(String, String, i32, Option<String>)>, _> = sqlx::query_as(
        "SELECT key, state, attempt, error FROM job WHERE finished_at IS NULL ORDER BY id LIMIT 30",
    )
    .fetch_all(pool)
    .await;
    anyhow!(
        "the run did not end within {} s; open: {open:#?}",
        patience.as_secs()
    )
}

fn compare(expected: &Snapshot, found: &Snapshot) -> anyhow::Result<()> {
    let differences = differences(expected, found);
    if differences.is_empty() {
        return Ok(());
    }
    Err(anyhow!(
        "the result differs from that of the run without a crash:\n{}",
        differences.join("\n")
    ))
}

/// Where to die.
enum Plan {
    Never,
    Once { point: Point, key: String },
    Each { point: Point },
}

/// Notes every moment, and lets the worker die at the planned ones.
struct Watcher {
    plan: Plan,
    seen: Mutex<Seen>,
    crash: Notify,
}

#[derive(Default)]
struct Seen {
    reached: Vec<(Point, String)>,
    crashed: HashSet<String>,
}

impl Watcher {
    fn new(plan: Plan) -> Self {
        Self {
            plan,
            seen: Mutex::default(),
            crash: Notify::new(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_the_moment(&self, point: Point, key: &str) -> bool {
        let mut seen = self.lock();
        match &self.plan {
            Plan::Never => {
                seen.reached.push((point, key.to_owned()));
                false
            }
            Plan::Once { point: at, key: of } => {
                *at == point && of == key && seen.crashed.insert(key.to_owned())
            }
            Plan::Each { point: at } => *at == point && seen.crashed.insert(key.to_owned()),
        }
    }
}

#[async_trait]
impl Probe for Watcher {
    async fn reached(&self, point: Point, key: &str) {
        if self.is_the_moment(point, key) {
            self.crash.notify_one();
            // From here on the worker is dead; it only has not been carried away yet.
            std::future::pending::<()>().await;
        }
    }
}
