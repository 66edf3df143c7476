//! Worker replicas: processes that work until they are killed.

use std::{
    cell::RefCell,
    process::{Child, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio_util::sync::CancellationToken;
use workflow::engine::{Worker, WorkerOptions, flow::FLOW_QUEUE};

use super::{ChaosOptions, flows, network::Link, process, server::DATABASE};

/// Steps that one replica runs at once.
const SLOTS: usize = 16;
/// Longest wait for a connection of the pool.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(5);

/// What a replica is told.
#[derive(Debug, Clone)]
pub struct ReplicaOptions {
    /// Its name.
    pub name: String,
    /// Address of the database: host and port.
    pub database: std::net::SocketAddr,
    /// Its lease.
    pub lease: Duration,
    /// Longest time of a step.
    pub longest_step: Duration,
}

/// Works until it is killed. The database need not be there.
///
/// # Errors
///
/// If the worker ends by itself, which it must not.
pub async fn work(options: ReplicaOptions) -> anyhow::Result<()> {
    let connect = PgConnectOptions::new()
        .host(&options.database.ip().to_string())
        .port(options.database.port())
        .username("postgres")
        .database(DATABASE)
        .ssl_mode(PgSslMode::Disable)
        .application_name("assize pool");
    let pool = workflow::db::pool_options()
        .max_connections(8)
        .acquire_timeout(ACQUIRE_WITHIN)
        .connect_lazy_with(connect);
    let slots = [
        (flows::QUEUE.to_owned(), SLOTS),
        (FLOW_QUEUE.to_owned(), SLOTS),
    ];
    let mut worker = WorkerOptions::new(options.name, slots);
    worker.lease = options.lease;
    Worker::new(pool, flows::registry(options.longest_step), worker)
        .run(CancellationToken::new())
        .await?;
    anyhow::bail!("the worker ended")
}

/// A replica's place: its link stays, its process comes and goes.
pub(super) struct Replica {
    name: String,
    link: Link,
    lease: Duration,
    longest_step: Duration,
    /// Troubles take turns on one thread.
    process: RefCell<Option<Child>>,
}

impl Replica {
    /// Starts the first process.
    pub(super) fn start(place: usize, link: Link, options: &ChaosOptions) -> anyhow::Result<Self> {
        let replica = Self {
            name: format!("replica-{place}"),
            link,
            lease: options.lease,
            longest_step: options.longest_step,
            process: RefCell::new(None),
        };
        replica.revive()?;
        Ok(replica)
    }

    /// Starts a process unless one lives.
    pub(super) fn revive(&self) -> anyhow::Result<()> {
        let mut process = self.process.borrow_mut();
        if process.is_none() {
            let child = process::ourselves(&self.link.prefix(), "work")?
                .args(["--name", &self.name])
                .args(["--database", &self.link.address().to_string()])
                .args(["--lease-ms", &self.lease.as_millis().to_string()])
                .args([
                    "--longest-step-ms",
                    &self.longest_step.as_millis().to_string(),
                ])
                .stdout(Stdio::null())
                .spawn()
                .with_context(|| format!("{} cannot be started", self.name))?;
            *process = Some(child);
        }
        Ok(())
    }

    /// Kills it: SIGKILL.
    ///
    /// # Errors
    ///
    /// If the process has ended by itself: a worker waits for its database, whatever happens.
    pub(super) fn kill(&self) -> anyhow::Result<()> {
        let Some(mut child) = self.process.borrow_mut().take() else {
            return Ok(());
        };
        if let Some(status) = child.try_wait()? {
            anyhow::bail!("{} ended by itself: {status}", self.name);
        }
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Its way to the database.
    pub(super) fn link(&self) -> &Link {
        &self.link
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Some(mut child) = self.process.borrow_mut().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
