//! What makes a folder a world: its seed, its size, its start and its ports, in `world.json`.

use std::fs::{File, TryLockError};
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use super::options::{Start, WorldOptions};
use crate::files::{read_json, write_json};

const FILE: &str = "world.json";
/// Raised when an older folder cannot be opened any more.
const FORMAT: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    format: u32,
    pub seed: u64,
    pub miners: usize,
    /// The folder the competition was imported from, if it was.
    pub from: Option<String>,
    pub ports: Ports,
}

/// Chosen once, so that addresses written down anywhere stay right.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ports {
    pub chain: u16,
    pub gateway: u16,
    pub github: u16,
    pub git: u16,
    pub targon: u16,
    pub verda: u16,
    pub runpod: u16,
    pub vlm: u16,
    pub s3: u16,
    /// Chosen at the next start of a world that had none.
    #[serde(default)]
    pub discord: u16,
}

pub(super) struct Listeners {
    pub chain: TcpListener,
    pub gateway: TcpListener,
    pub github: TcpListener,
    pub git: TcpListener,
    pub targon: TcpListener,
    pub verda: TcpListener,
    pub runpod: TcpListener,
    pub vlm: TcpListener,
    pub s3: TcpListener,
    pub discord: TcpListener,
}

/// Keeps another world out of the folder while it lives.
#[derive(Debug)]
pub(super) struct FolderLock(#[expect(dead_code, reason = "the lock is the open file")] File);

impl FolderLock {
    pub(super) fn take(dir: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let path = dir.join("world.lock");
        let file =
            File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => {
                bail!(
                    "another rehearsal is running in {}; stop it or name another folder",
                    dir.display()
                )
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }
}

impl Kept {
    /// What the folder holds already; `None` for a new world.
    pub(super) fn read(options: &WorldOptions) -> anyhow::Result<Option<Self>> {
        let known = read_json::<Self>(&options.dir.join(FILE))?;
        if let Some(known) = &known {
            known.check(options)?;
        }
        Ok(known)
    }

    /// Writes down a new world, whose other files are all there.
    pub(super) fn write(options: &WorldOptions, ports: Ports) -> anyhow::Result<()> {
        let kept = Self {
            format: FORMAT,
            seed: options.seed,
            miners: options.miners,
            from: from(options),
            ports,
        };
        write_json(&options.dir.join(FILE), &kept)
    }

    /// Refuses a folder that holds another world than the one asked for.
    fn check(&self, options: &WorldOptions) -> anyhow::Result<()> {
        let dir = options.dir.display();
        if self.format != FORMAT {
            bail!("{dir} holds a rehearsal of another version; remove it or name another folder");
        }
        let asked = (options.seed, options.miners, from(options));
        if asked != (self.seed, self.miners, self.from.clone()) {
            let from = self.from.as_deref().unwrap_or("a generated bootstrap");
            bail!(
                "{dir} holds a rehearsal with seed {} and {} miners from {from}; ask for the same, or name another folder",
                self.seed,
                self.miners
            );
        }
        Ok(())
    }
}

impl Listeners {
    /// Listens on the ports of the world; on any free ones for a new world.
    pub(super) async fn open(ports: &Ports) -> anyhow::Result<Self> {
        Ok(Self {
            chain: listen("chain", ports.chain).await?,
            gateway: listen("gateway", ports.gateway).await?,
            github: listen("github", ports.github).await?,
            git: listen("git", ports.git).await?,
            targon: listen("targon", ports.targon).await?,
            verda: listen("verda", ports.verda).await?,
            runpod: listen("runpod", ports.runpod).await?,
            vlm: listen("vlm", ports.vlm).await?,
            s3: listen("s3", ports.s3).await?,
            discord: listen("discord", ports.discord).await?,
        })
    }

    pub(super) fn ports(&self) -> anyhow::Result<Ports> {
        let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
        Ok(Ports {
            chain: port(&self.chain)?,
            gateway: port(&self.gateway)?,
            github: port(&self.github)?,
            git: port(&self.git)?,
            targon: port(&self.targon)?,
            verda: port(&self.verda)?,
            runpod: port(&self.runpod)?,
            vlm: port(&self.vlm)?,
            s3: port(&self.s3)?,
            discord: port(&self.discord)?,
        })
    }
}

fn from(options: &WorldOptions) -> Option<String> {
    match &options.start {
        Start::Bootstrap => None,
        Start::FromDir(dir) => Some(
            dir.canonicalize()
                .unwrap_or_else(|_| dir.clone())
                .display()
                .to_string(),
        ),
    }
}

async fn listen(service: &str, port: u16) -> anyhow::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.with_context(|| {
        format!("port {port} of the rehearsal's {service} is taken; end the program that uses it, or name another folder")
    })
}
