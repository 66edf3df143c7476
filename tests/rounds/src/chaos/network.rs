//! How replicas reach the database: each by a link of its own, which can be taken away.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};

use super::{process, proxy::Proxy, server::Server};

/// Links of this process.
#[derive(Debug)]
pub struct Net {
    /// The second and third byte of our addresses in 198.18.0.0/15, the range for tests of networks; none without namespaces.
    subnet: Option<(u8, u8)>,
}

impl Net {
    /// Namespaces if they are `wanted` and the machine allows them.
    pub fn new(wanted: bool) -> Self {
        let allowed = wanted
            && nix::unistd::geteuid().is_root()
            && ip(&["link", "show"]).is_ok()
            && run(Command::new("unshare").args(["--net", "--", "nsenter", "--version"])).is_ok();
        // Two of these tests at one time must not meet.
        let [high, low] = (std::process::id() as u16).to_be_bytes();
        Self {
            subnet: allowed.then_some((18 + (high & 1), low)),
        }
    }

    /// Whether replicas get network namespaces.
    pub fn has_namespaces(&self) -> bool {
        self.subnet.is_some()
    }

    /// The link of one replica.
    pub(super) async fn link(&self, place: usize, server: &Server) -> anyhow::Result<Link> {
        match self.subnet {
            Some(subnet) => Link::namespace(subnet, place, server).await,
            None => Ok(Link {
                proxy: Proxy::start("127.0.0.1", server.socket()).await?,
                namespace: None,
            }),
        }
    }
}

/// One replica's way to the database.
pub(super) struct Link {
    proxy: Proxy,
    namespace: Option<Namespace>,
}

/// A network namespace with one virtual cable to us. Both are gone when the process that holds it is.
struct Namespace {
    holder: Child,
    cable: String,
}

impl Link {
    async fn namespace(
        (second, third): (u8, u8),
        place: usize,
        server: &Server,
    ) -> anyhow::Result<Self> {
        let own = std::process::id();
        let unshare = ["unshare", "--net", "--"].map(str::to_owned);
        let holder = process::ourselves(&unshare, "hold")?
            .stdin(Stdio::piped())
            .spawn()
            .context("a network namespace cannot be held")?;
        let namespace = Namespace {
            cable: format!("chaos{own}-{place}"),
            holder,
        };
        namespace.until_apart().await?;
        let (here, there) = (4 * place + 1, 4 * place + 2);
        let address = |host: usize| format!("198.{second}.{third}.{host}");
        let holder = namespace.holder.id().to_string();
        let cable = namespace.cable.as_str();
        ip(&[
            "link", "add", cable, "type", "veth", "peer", "name", "cable", "netns", &holder,
        ])?;
        ip(&[
            "address",
            "add",
            &format!("{}/30", address(here)),
            "dev",
            cable,
        ])?;
        ip(&["link", "set", cable, "up"])?;
        let inside = |words: &[&str]| {
            run(Command::new("nsenter")
                .args(["--net", "--target", &holder, "--", "ip"])
                .args(words))
        };
        inside(&[
            "address",
            "add",
            &format!("{}/30", address(there)),
            "dev",
            "cable",
        ])?;
        inside(&["link", "set", "cable", "up"])?;
        Ok(Self {
            proxy: Proxy::start(&address(here), server.socket()).await?,
            namespace: Some(namespace),
        })
    }

    /// Where the replica finds the database.
    pub(super) fn address(&self) -> std::net::SocketAddr {
        self.proxy.address()
    }

    /// What a command needs before it to run at the other end.
    pub(super) fn prefix(&self) -> Vec<String> {
        self.namespace.as_ref().map_or_else(Vec::new, |namespace| {
            let target = namespace.holder.id().to_string();
            ["nsenter", "--net", "--target", &target, "--"]
                .map(str::to_owned)
                .to_vec()
        })
    }

    /// Cuts the link without a word to either side, or mends it.
    pub(super) fn cut(&self, cut: bool) -> anyhow::Result<()> {
        match &self.namespace {
            Some(namespace) => ip(&[
                "link",
                "set",
                &namespace.cable,
                if cut { "down" } else { "up" },
            ]),
            None => {
                self.proxy.silence(cut);
                Ok(())
            }
        }
    }
}

impl Namespace {
    /// Waits until the holder has left our namespace.
    async fn until_apart(&self) -> anyhow::Result<()> {
        let of = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net"));
        let ours = of("self").context("this process has no network namespace")?;
        for _ in 0..1000 {
            let theirs = of(&self.holder.id().to_string());
            if theirs.is_ok_and(|theirs| theirs != ours) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bail!("the network namespace does not come about")
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The cable goes with either end; the namespace would take a moment.
        let _ = ip(&["link", "delete", &self.cable]);
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn ip(words: &[&str]) -> anyhow::Result<()> {
    run(Command::new("ip").args(words))
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{command:?} cannot be started"))?;
    if !output.status.success() {
        bail!(
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}
