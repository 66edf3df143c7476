//! The world: all services of one rehearsal, started together and kept in one folder.
//!
//! A world follows from its folder and its seed. Killed at any moment and started again with the same options, it is
//! the same world at the same addresses: the chain goes on from the newest block anyone saw, builds and pods from where
//! they were, the repository and the objects as they lie on disk.

mod addresses;
mod auditor;
mod bootstrap;
mod commitments;
mod images;
mod kept;
mod options;
mod setup;
mod subnet;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use addresses::Addresses;
pub use options::{Start, WorldOptions};
pub use subnet::Standing;

use crate::chain::{Ledger, Node, serve_chain};
use crate::clock::{ChainClock, WorldClock};
use crate::clouds::{self, Fleet, PodHost};
use crate::discord;
use crate::faults::{Faults, Service};
use crate::gateway::{
    self, BucketCdn, ImageRegistry, MinerCdns, OutsideHost, PromptHosts, WorldFetch,
};
use crate::git::{self, Remote};
use crate::github::{GitHub, Workflow};
use crate::http::{Door, serve};
use crate::miners::Cast;
use crate::s3::{create_bucket, s3_service};
use crate::vlm::Vlm;
use addresses::{BUCKET, PUBLIC_CDN_HOST, REPOSITORY, cloud_keys, discord_token};
use auditor::Auditor;
use commitments::Commitments;
use kept::{FolderLock, Kept, Listeners};

/// A running world. Dropping it ends its services; [`World::stop`] also waits for them.
pub struct World {
    addresses: Addresses,
    cast: Arc<Cast>,
    chain: ChainClock,
    clock: WorldClock,
    faults: Faults,
    fleet: Fleet,
    ledger: Arc<Ledger>,
    remote: Remote,
    vlm: Vlm,
    notices: Vec<String>,
    stop: CancellationToken,
    tasks: TaskTracker,
    _lock: FolderLock,
}

impl World {
    /// Starts the world in the folder of `options`, or a new one there. Must be called within a Tokio runtime.
    ///
    /// # Errors
    ///
    /// One sentence naming what is wrong: the folder is in use or holds another world, a port is taken, the state to
    /// start from is no state repository.
    pub async fn start(options: WorldOptions) -> anyhow::Result<Self> {
        let lock = FolderLock::take(&options.dir)?;
        let dir = options.dir.clone();
        let clock = WorldClock::open(dir.join("clock.json"))?;
        let cast = Arc::new(Cast::new(options.seed, options.miners));
        let kept = Kept::read(&options)?;
        // Before ports are chosen: a wrong folder to start from leaves nothing behind.
        let (remote, mut notices) = setup::open_remote(&options, kept.is_none(), &cast, &clock)?;
        let listeners = Listeners::open(
            &kept
                .as_ref()
                .map(|kept| kept.ports.clone())
                .unwrap_or_default(),
        )
        .await?;
        let ports = listeners.ports()?;
        if kept.is_none() {
            Kept::write(&options, ports.clone())?;
        }
        let addresses = Addresses::new(
            options.seed,
            &ports,
            remote.path().to_owned(),
            &options.vlm.model,
        );
        let keys = cloud_keys(options.seed);
        let faults = Faults::new(clock.clone());
        let stop = CancellationToken::new();
        let stop_on_error = stop.clone().drop_guard();
        let tasks = TaskTracker::new();
        let door = |service| Door {
            service,
            faults: faults.clone(),
            stop: stop.clone(),
        };

        // The chain.
        let start = setup::chain_start(&remote, &options, clock.now_ms())?;
        let chain = ChainClock::open(dir.join("chain.json"), start, options.blocks_per_second)?;
        let ledger = subnet::ledger(
            options.seed,
            &cast,
            &setup::leaders(&remote)?,
            dir.join("reveals.json"),
        )?;
        let ledger = Arc::new(ledger);
        let commitments = Commitments {
            seed: options.seed,
            cast: cast.clone(),
            ledger: ledger.clone(),
            clock: chain.clone(),
            remote: remote.clone(),
        };
        commitments.look()?;
        if ledger.reveals().is_empty() {
            notices.push("the round is past its reveal window, so no miner of the cast reveals anything for it".to_owned());
        }
        let node = Arc::new(Node::new(
            options.seed,
            chain.clone(),
            ledger.clone(),
            faults.clone(),
        ));
        tasks.spawn(chain.clone().run(stop.clone()));
        tasks.spawn(commitments.run(stop.clone()));
        tasks.spawn(serve_chain(listeners.chain, door(Service::Chain), node));

        // The state repository: git, GitHub, the auditor.
        tasks.spawn(remote.clone().run(stop.clone()));
        tasks.spawn(serve(
            listeners.git,
            door(Service::Git),
            git::router(remote.clone(), REPOSITORY),
        ));
        let conclusions = setup::conclusions(&options, &cast);
        let workflow = Workflow::open(
            dir.join("github.json"),
            remote.clone(),
            clock.clone(),
            options.build_times,
            conclusions.clone(),
        )?;
        tasks.spawn(workflow.clone().run(stop.clone()));
        let github = GitHub::new(
            REPOSITORY,
            &addresses.github_token,
            remote.clone(),
            workflow,
        );
        tasks.spawn(serve(
            listeners.github,
            door(Service::GitHub),
            github.router(),
        ));
        if options.source_auditor {
            tasks.spawn(
                Auditor {
                    remote: remote.clone(),
                }
                .run(stop.clone()),
            );
        }

        // The object store.
        let objects = dir.join("objects");
        create_bucket(&objects, BUCKET)?;
        let s3 = s3_service(&objects, &addresses.s3_access_key, &addresses.s3_secret_key)?;
        tasks.spawn(serve(listeners.s3, door(Service::S3), s3));

        // The clouds, and the host names of everything.
        let fetch = Arc::new(WorldFetch::new(&addresses.gateway)?);
        let images = images::images(cast.clone(), remote.clone(), fetch.clone(), conclusions);
        let fleet = Fleet::open(
            dir.join("clouds.json"),
            clock.clone(),
            options.clouds,
            images.clone(),
            stop.clone(),
        )?;
        let targon = clouds::targon_router(fleet.clone(), &keys.targon_api_key);
        let runpod = clouds::runpod_router(fleet.clone(), &keys.runpod_api_key);
        tasks.spawn(serve(listeners.targon, door(Service::Targon), targon));
        tasks.spawn(serve(
            listeners.verda,
            door(Service::Verda),
            clouds::verda_router(fleet.clone(), &keys),
        ));
        tasks.spawn(serve(listeners.runpod, door(Service::RunPod), runpod));
        let hosts: Vec<Arc<dyn OutsideHost>> = vec![
            Arc::new(PodHost::new(fleet.clone(), &keys.verda_generation_token)?),
            Arc::new(BucketCdn::new(PUBLIC_CDN_HOST, &objects.join(BUCKET))),
            Arc::new(MinerCdns::new(cast.clone())),
            Arc::new(ImageRegistry::new(images)),
            Arc::new(PromptHosts::new(options.prompt_images.clone())),
        ];
        tasks.spawn(serve(
            listeners.gateway,
            door(Service::Gateway),
            gateway::router(hosts),
        ));

        // The vision model.
        let vlm = Vlm::new(options.vlm.clone(), fetch);
        tasks.spawn(serve(listeners.vlm, door(Service::Vlm), vlm.router()));

        // The channel where people are told.
        let channel = discord::router(&discord_token(options.seed), &dir);
        tasks.spawn(serve(listeners.discord, door(Service::Discord), channel));

        tasks.close();
        stop_on_error.disarm();
        Ok(Self {
            addresses,
            cast,
            chain,
            clock,
            faults,
            fleet,
            ledger,
            remote,
            vlm,
            notices,
            stop,
            tasks,
            _lock: lock,
        })
    }

    /// Where everything is.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The chain's clock: current block, rate, advance.
    pub fn chain(&self) -> &ChainClock {
        &self.chain
    }

    /// The world's wall clock, for builds, pods and outages.
    pub fn clock(&self) -> &WorldClock {
        &self.clock
    }

    /// The miners.
    pub fn cast(&self) -> &Arc<Cast> {
        &self.cast
    }

    /// The standing of a miner on the chain, by its place in the cast.
    pub fn standing(&self, index: usize) -> Standing {
        subnet::standing(&self.cast, index)
    }

    /// The hotkeys whose submissions the first round of this world has to accept, in the order of the cast. In the
    /// next round the late miner is there too: what it revealed after one window lies in the following one.
    pub fn expected_submitters(&self) -> Vec<String> {
        subnet::expected_submitters(&self.cast)
    }

    /// The faults of all services.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The rented pods of all clouds.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// What the chain knows about the subnet.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The state repository, as its operator has it.
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// The vision model.
    pub fn vlm(&self) -> &Vlm {
        &self.vlm
    }

    /// What the world had to add to what it was given, one sentence each: worth showing.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// Ends all services and waits for them.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Calls `look` now and after every move of the branch, until `stop`. `who` is named when it fails.
async fn on_every_move(
    remote: &Remote,
    stop: CancellationToken,
    who: &'static str,
    look: impl Fn() -> anyhow::Result<()> + Clone + Send + 'static,
) {
    let mut moves = remote.moves();
    loop {
        let looked = tokio::task::spawn_blocking(look.clone()).await;
        if let Ok(Err(error)) = looked {
            tracing::warn!(
                error = format!("{error:#}"),
                "{who} of the rehearsal cannot act"
            );
        }
        // Moves missed while looking are seen by the next look.
        tokio::select! {
            () = stop.cancelled() => return,
            moved = moves.recv() => {
                if matches!(moved, Err(tokio::sync::broadcast::error::RecvError::Closed)) {
                    return;
                }
            }
        }
    }
}
