//! Chaos: thousands of flows on real worker processes while everything around them fails, and a count of what was lost.
//!
//! ```text
//!  feed ──▶ Postgres ◀── unix socket ── proxy ◀── veth ── worker replica in its own network namespace   × 4
//!             ▲ stopped, killed            ▲ silent           ▲ link down        ▲ SIGKILL
//!             │ connections terminated     │ (without         │
//!             └── every few seconds        └── namespaces)    └── longer than a lease
//! ```
//!
//! - Every step writes to a ledger in its effects. The ledger keeps each write, so that whatever was recorded twice shows
//!   ([`proof`]).
//! - Where the machine allows it (root, `ip`, `unshare`, `nsenter`), replicas live in network namespaces and are partitioned
//!   by taking their link down. Elsewhere they are plain processes and their way to the database falls silent.
//! - Every process ends with this one: the kernel kills it (`PR_SET_PDEATHSIG`), and a namespace without processes is gone.

mod feed;
mod flows;
mod network;
mod process;
mod proof;
mod proxy;
mod replica;
mod server;
mod troubles;

use std::{ops::RangeInclusive, time::Duration};

use anyhow::Context as _;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

pub use network::Net;
pub use process::{die_with_parent, hold_namespace};
pub use replica::{ReplicaOptions, work};

use feed::Feed;
use proof::Proof;
use server::Server;
use troubles::Troubles;

/// How bad it gets.
#[derive(Debug, Clone)]
pub struct ChaosOptions {
    /// Flows to run; each has nine steps and a child flow.
    pub flows: u64,
    /// Worker replicas.
    pub replicas: usize,
    /// The flows are started evenly over this time.
    pub feed: Duration,
    /// Lease of the workers.
    pub lease: Duration,
    /// Longest time that one step's handler takes.
    pub longest_step: Duration,
    /// Pauses between kills of a replica.
    pub kill_every: RangeInclusive<f64>,
    /// Pauses between stops of Postgres, in seconds.
    pub restart_every: RangeInclusive<f64>,
    /// Pauses between cuts of connections, in seconds.
    pub cut_every: RangeInclusive<f64>,
    /// Pauses between partitions, in seconds.
    pub partition_every: RangeInclusive<f64>,
    /// Whether replicas get network namespaces, where the machine allows it.
    pub namespaces: bool,
    /// Decides when what fails.
    pub seed: u64,
    /// Longest time until everything must have ended.
    pub patience: Duration,
}

impl ChaosOptions {
    /// 5,000 flows under the settings of production: minutes.
    pub fn long() -> Self {
        Self {
            flows: 5_000,
            replicas: 4,
            feed: Duration::from_secs(120),
            lease: Duration::from_secs(30),
            longest_step: Duration::from_millis(200),
            kill_every: 2.0..=8.0,
            restart_every: 5.0..=20.0,
            cut_every: 1.0..=5.0,
            partition_every: 10.0..=20.0,
            namespaces: true,
            seed: 1,
            patience: Duration::from_secs(900),
        }
    }

    /// The same in half a minute, with shorter leases so that partitions outlast them.
    pub fn short() -> Self {
        Self {
            flows: 400,
            feed: Duration::from_secs(20),
            lease: Duration::from_secs(4),
            longest_step: Duration::from_millis(100),
            kill_every: 1.5..=4.0,
            restart_every: 5.0..=8.0,
            cut_every: 1.0..=3.0,
            partition_every: 3.0..=6.0,
            patience: Duration::from_secs(100),
            ..Self::long()
        }
    }
}

/// What happened, and what came of it.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// `ok`, or what is wrong.
    pub chaos: String,
    /// Wall time.
    pub seconds: f64,
    /// Whether replicas had network namespaces.
    pub namespaces: bool,
    /// What failed meanwhile.
    #[serde(flatten)]
    pub troubles: Troubles,
    /// The count.
    #[serde(flatten)]
    pub proof: Proof,
}

/// Runs the flows through the troubles and counts.
///
/// # Errors
///
/// If the parts cannot be started or the flows do not end in time. A result that is not exact is no error but in the summary.
pub async fn run(options: ChaosOptions) -> anyhow::Result<Summary> {
    let home = tempfile::tempdir().context("no folder for the database")?;
    let server = Server::start(home.path()).await?;
    let net = Net::new(options.namespaces);
    let started = tokio::time::Instant::now();
    let stop = CancellationToken::new();

    let mut replicas = Vec::with_capacity(options.replicas);
    for place in 0..options.replicas {
        let link = net.link(place, &server).await?;
        replicas.push(replica::Replica::start(place, link, &options)?);
    }
    let feed = Feed::new(&server, &options);
    let over = async {
        feed.run().await?;
        proof::until_over(&server, feed.flows()).await
    };
    let mut random = StdRng::seed_from_u64(options.seed);
    let mut troubles = Troubles::default();
    let ended = tokio::select! {
        ended = tokio::time::timeout(options.patience, over) => ended,
        trouble = troubles.make(&options, &server, &replicas, random.random(), &stop) => {
            trouble?;
            anyhow::bail!("nothing fails any more");
        }
    };
    stop.cancel();
    let seconds = started.elapsed().as_secs_f64();
    // Whatever failed last is whole again, so that the count can be made.
    server.ensure_running().await?;
    let proof = Proof::of(&server, feed.flows()).await?;
    drop(replicas);
    server.stop().await;
    let chaos = match ended {
        Err(_) => format!("not over after {} s", options.patience.as_secs()),
        Ok(Err(error)) => format!("{error:#}"),
        Ok(Ok(())) if !proof.is_exact() => "not exact".to_owned(),
        Ok(Ok(())) => "ok".to_owned(),
    };
    Ok(Summary {
        chaos,
        seconds,
        namespaces: net.has_namespaces(),
        troubles,
        proof,
    })
}
