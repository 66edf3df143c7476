//! A worker: claims jobs of its queues and runs them until it is told to stop.
//!
//! A worker has lives. A life begins with a row in `worker` and a lease; if the database declares the lease expired (the
//! machine slept, the network was cut), the life ends: running handlers are cancelled, their late results change nothing,
//! and the next life begins.

use std::{collections::HashMap, time::Duration};

use apalis_core::worker::builder::WorkerBuilder;
use sqlx::PgPool;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    db,
    engine::{
        committer::Committer,
        connection::{ANSWER_WITHIN, OwnConnection},
        dispatcher::Dispatcher,
        heartbeat,
        listener::{self, Hints},
        maintenance::{self, Nudge},
        probe::Probes,
        registry::Registry,
        run::Runner,
        running::Running,
        source::{JobSource, RunService},
    },
};

/// Claimed jobs on their way to the worker loop.
const HANDED_OVER: usize = 64;
/// How long handlers that were told to stop may take, their own grace included, before they are left behind.
const LEFT_BEHIND_AFTER: Duration = Duration::from_secs(10);

/// What a worker runs, and how much of it at once.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// Shown to operators; need not be unique.
    pub name: String,
    /// Most jobs of each queue at once in this process.
    pub slots: HashMap<String, usize>,
    /// How long the worker's claims outlive it. At most 45 s, so that with the sweep a dead worker's jobs run elsewhere
    /// within 60 s.
    pub lease: Duration,
    /// How long running jobs may go on after the worker was told to stop.
    pub grace: Duration,
    /// No other process works on this database: what earlier processes held is free at once.
    pub alone: bool,
    /// Answers the trace that the calling code runs in, kept with every attempt.
    pub current_trace: Option<fn() -> Option<String>>,
}

impl WorkerOptions {
    /// Options for these queues, with the lease and grace of production.
    pub fn new(name: impl Into<String>, slots: impl IntoIterator<Item = (String, usize)>) -> Self {
        Self {
            name: name.into(),
            slots: slots.into_iter().collect(),
            lease: Duration::from_secs(30),
            grace: Duration::from_secs(20),
            alone: false,
            current_trace: None,
        }
    }
}

/// Why a worker ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The heartbeat thread could not be started.
    #[error("cannot start the heartbeat thread")]
    Heartbeat(#[source] std::io::Error),
    /// The worker loop ended although nobody stopped it.
    #[error("the worker loop ended: {0}")]
    Loop(String),
}

/// Runs the jobs of some queues.
pub struct Worker {
    pool: PgPool,
    registry: Registry,
    options: WorkerOptions,
    probes: Probes,
}

impl Worker {
    /// A worker on this database.
    pub fn new(pool: PgPool, registry: Registry, options: WorkerOptions) -> Self {
        Self {
            pool,
            registry,
            options,
            probes: Probes::default(),
        }
    }

    /// The same, watched.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn probed(mut self, probe: std::sync::Arc<dyn crate::engine::probe::Probe>) -> Self {
        self.probes = Probes(Some(probe));
        self
    }

    /// Works until `stop`, then lets running jobs end, gives back the rest, and returns.
    ///
    /// # Errors
    ///
    /// [`WorkerError`]; an unreachable database is waited for, not an error.
    pub async fn run(self, stop: CancellationToken) -> Result<(), WorkerError> {
        while !stop.is_cancelled() {
            let Some(id) = self.begin_life(&stop).await else {
                return Ok(());
            };
            tracing::info!(worker.id = id, worker.name = %self.options.name, "worker started");
            self.live(id, &stop).await?;
        }
        Ok(())
    }

    /// Registers, waiting for the database for as long as it takes.
    async fn begin_life(&self, stop: &CancellationToken) -> Option<i64> {
        let host = host_name();
        loop {
            match self.register(&host).await {
                Ok(id) => return Some(id),
                Err(error) => {
                    tracing::warn!(error = %error, "cannot register with the database; trying again")
                }
            }
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(Duration::from_millis(500)) => {}
            }
        }
    }

    async fn register(&self, host: &str) -> sqlx::Result<i64> {
        let mut transaction = self.pool.begin().await?;
        let pid = i32::try_from(std::process::id()).unwrap_or(0);
        let is_dead = |other: &db::worker::Live| {
            let is_here = other.host == host;
            let is_this = is_here && other.pid == pid;
            (is_here && !process_lives(other.pid)) || (self.options.alone && !is_this)
        };
        let live = db::worker::live(&mut transaction).await?;
        let dead: Vec<i64> = live
            .iter()
            .filter(|other| is_dead(other))
            .map(|other| other.id)
            .collect();
        db::worker::expire(&mut transaction, &dead).await?;
        let queues: Vec<String> = self.options.slots.keys().cloned().collect();
        let lease = self.options.lease.as_secs_f64();
        let id = db::worker::register(
            &mut transaction,
            &self.options.name,
            host,
            pid,
            &queues,
            lease,
        )
        .await?;
        transaction.commit().await?;
        Ok(id)
    }

    async fn live(&self, id: i64, stop: &CancellationToken) -> Result<(), WorkerError> {
        let lost = CancellationToken::new();
        let life_over = CancellationToken::new();
        // Whatever ends this life ends its heartbeat, or the lease would outlive the work.
        let _heartbeat_ends = life_over.clone().drop_guard();
        // Cancelled when handlers must stop at once: the lease is lost, or the grace is over.
        let abort = CancellationToken::new();
        let hints = Hints::new(self.options.slots.keys().cloned());
        let running = Running::new(&self.options.slots, hints.clone(), abort.clone());
        let (nudge, nudges) = Nudge::channel();
        let (committer, mut lanes) = Committer::start(&self.pool, id, &nudge, &self.probes);
        let runner = Runner {
            registry: self.registry.clone(),
            committer,
            pool: self.pool.clone(),
            probes: self.probes.clone(),
            current_trace: self.options.current_trace,
        };

        let connect = (*self.pool.connect_options())
            .clone()
            .application_name("assize heartbeat");
        let heartbeat = heartbeat::start(
            connect,
            id,
            self.options.lease,
            life_over.clone(),
            lost.clone(),
        )
        .map_err(WorkerError::Heartbeat)?;
        let stop_claiming = CancellationToken::new();
        let (sender, claimed) = mpsc::channel(HANDED_OVER);
        let dispatcher = Dispatcher {
            connection: OwnConnection::for_claims(&self.pool),
            worker: id,
            registry: self.registry.clone(),
            running: running.clone(),
            hints: hints.clone(),
            claimed: sender,
        };
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(listener::run(
            self.pool.clone(),
            hints,
            running.clone(),
            life_over.clone(),
        ));
        tasks.spawn(maintenance::run(
            OwnConnection::new(&self.pool, "maintenance"),
            nudges,
            life_over.clone(),
        ));
        tasks.spawn(dispatcher.run(stop_claiming.clone()));

        let worker = WorkerBuilder::new(format!("{}-{id}", self.options.name))
            .backend(JobSource { claimed })
            .build(RunService { runner });
        let mut working = AbortOnDropHandle::new(tokio::spawn(worker.run()));

        let ended = tokio::select! {
            ended = &mut working => Some(ended),
            () = stop.cancelled() => None,
            () = lost.cancelled() => {
                tracing::warn!(worker.id = id, "the database has given this worker's jobs to others; starting anew");
                abort.cancel();
                None
            }
        };
        stop_claiming.cancel();
        if ended.is_none() {
            tracing::info!(
                worker.id = id,
                jobs = running.held().len(),
                "stopping: no new jobs, running ones may end"
            );
            if tokio::time::timeout(self.options.grace, &mut working)
                .await
                .is_err()
            {
                abort.cancel();
                if tokio::time::timeout(LEFT_BEHIND_AFTER, &mut working)
                    .await
                    .is_err()
                {
                    tracing::warn!(
                        worker.id = id,
                        "handlers do not stop; they are left behind, and what they bring will be ignored"
                    );
                }
            }
        }
        drop(working);
        // The runner is gone with the worker loop, so the lanes end when all results are committed.
        if !lost.is_cancelled() {
            drop(
                tokio::time::timeout(self.options.grace, async {
                    while lanes.join_next().await.is_some() {}
                })
                .await,
            );
        }
        lanes.shutdown().await;
        life_over.cancel();
        tasks.shutdown().await;
        drop(heartbeat.await);
        if !lost.is_cancelled() {
            self.sign_off(id).await;
        }
        match ended {
            Some(ended) if !stop.is_cancelled() => Err(WorkerError::Loop(format!("{ended:?}"))),
            _ => Ok(()),
        }
    }

    async fn sign_off(&self, id: i64) {
        let signed = async {
            let mut conn = self.pool.acquire().await?;
            db::worker::stop(&mut conn, id).await?;
            // What this worker could not finish goes to others now, not when the lease would have ended.
            db::worker::sweep(&mut conn).await
        };
        match tokio::time::timeout(ANSWER_WITHIN, signed).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(worker.id = id, error = %error, "could not sign off; the lease will expire by itself")
            }
            Err(_) => tracing::warn!(
                worker.id = id,
                "the database did not answer the sign-off; the lease will expire by itself"
            ),
        }
    }
}

/// The machine in this boot of it, and the process namespace: what a process id is unique in.
fn host_name() -> String {
    let read = |path: &str| {
        std::fs::read_to_string(path)
            .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
    };
    let namespace = std::fs::read_link("/proc/self/ns/pid")
        .map_or_else(|_| "pid".to_owned(), |link| link.display().to_string());
    format!(
        "{}@{}/{namespace}",
        read("/proc/sys/kernel/hostname"),
        read("/proc/sys/kernel/random/boot_id")
    )
}

/// Whether a process of this machine and namespace exists.
fn process_lives(pid: i32) -> bool {
    std::path::Path::new("/proc").join(pid.to_string()).exists()
}
