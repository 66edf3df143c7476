//! What fails, and when.

use std::{cell::RefCell, ops::RangeInclusive, time::Duration};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    ChaosOptions,
    replica::Replica,
    server::{Death, Server},
};

/// How long a killed replica and a stopped database stay away, in seconds.
const AWAY: RangeInclusive<f64> = 0.2..=2.0;
/// How much longer than a lease a partition lasts, in seconds: others must have taken over before it ends.
const BEYOND_LEASE: RangeInclusive<f64> = 1.0..=12.0;

/// How often what failed.
#[derive(Debug, Default, Serialize)]
pub struct Troubles {
    /// Replicas killed by SIGKILL.
    pub kills: u32,
    /// Times Postgres was stopped or killed, and started again.
    pub postgres_restarts: u32,
    /// Connections cut by `pg_terminate_backend`.
    pub connections_cut: u64,
    /// Times a replica was cut off for longer than its lease.
    pub partitions: u32,
}

impl Troubles {
    /// Makes troubles until `stop`, and counts them.
    ///
    /// # Errors
    ///
    /// If a replica ended by itself, or something that failed does not come back.
    pub(super) async fn make(
        &mut self,
        options: &ChaosOptions,
        server: &Server,
        replicas: &[Replica],
        seed: u64,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let random = |salt| StdRng::seed_from_u64(seed.wrapping_add(salt));
        // Whom a partition has cut off is not killed meanwhile: it must find out by itself.
        let cut_off = RefCell::new(None);
        let counted = RefCell::new(&mut *self);

        let kills = async {
            let mut random = random(1);
            loop {
                pause(random.random_range(options.kill_every.clone())).await;
                let place = random.random_range(0..replicas.len());
                if *cut_off.borrow() == Some(place) {
                    continue;
                }
                replicas[place].kill()?;
                counted.borrow_mut().kills += 1;
                pause(random.random_range(AWAY)).await;
                replicas[place].revive()?;
            }
        };
        let restarts = async {
            let mut random = random(2);
            let deaths = [Death::Fast, Death::Killed, Death::Immediate];
            for death in deaths.into_iter().cycle() {
                pause(random.random_range(options.restart_every.clone())).await;
                server.die(death).await;
                pause(random.random_range(AWAY)).await;
                server.ensure_running().await?;
                counted.borrow_mut().postgres_restarts += 1;
            }
            anyhow::Ok(())
        };
        let cuts = async {
            let mut random = random(3);
            loop {
                pause(random.random_range(options.cut_every.clone())).await;
                // A database that is away has no connections to cut.
                if let Ok(cut) = cut_connections(server).await {
                    counted.borrow_mut().connections_cut += cut;
                }
            }
        };
        let partitions = async {
            let mut random = random(4);
            loop {
                pause(random.random_range(options.partition_every.clone())).await;
                let place = random.random_range(0..replicas.len());
                *cut_off.borrow_mut() = Some(place);
                replicas[place].link().cut(true)?;
                pause(options.lease.as_secs_f64() + random.random_range(BEYOND_LEASE)).await;
                replicas[place].link().cut(false)?;
                *cut_off.borrow_mut() = None;
                counted.borrow_mut().partitions += 1;
            }
        };
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            ended = restarts => ended,
            ended = kills => ended,
            ended = partitions => ended,
            () = cuts => Ok(()),
        }
    }
}

/// Cuts about half of the replicas' connections, whatever they are doing.
async fn cut_connections(server: &Server) -> sqlx::Result<u64> {
    let mut connection = server.connect().await?;
    let cut: i64 = sqlx::query_scalar(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name LIKE 'assize%' AND random() < 0.5",
    )
    .fetch_one(&mut connection)
    .await?;
    Ok(u64::try_from(cut).unwrap_or(0))
}

async fn pause(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}
