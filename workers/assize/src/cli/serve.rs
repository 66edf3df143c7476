//! `assize dashboard`, `assize render serve` and `assize miner serve`.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use render::{Renderer, RendererConfig};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    database::{DatabaseArgs, connect},
    work::interrupted,
};
use crate::{dashboard, services::pictures, settings::Variables};

/// Options of `assize dashboard`.
#[derive(Debug, Clone, Args)]
pub struct DashboardCommand {
    /// The dashboard's own.
    #[command(flatten)]
    pub dashboard: dashboard::DashboardArgs,
    /// Where the database is.
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// `assize render …`.
#[derive(Debug, Clone, Subcommand)]
pub enum RenderCommand {
    /// Serve /views, /render, /render/grid, /health, /ping.
    Serve {
        /// Where to listen. When missing: at `PORT` on every address, or at 127.0.0.1:8000 where that is not set.
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<SocketAddr>,
        /// Modules at once; `RENDER_POOL_SIZE` when missing, else 2.
        #[arg(long)]
        pages: Option<usize>,
    },
}

/// `assize miner …`.
#[derive(Debug, Clone, Subcommand)]
pub enum MinerCommand {
    /// Serve the pod's routes with the example module, on every address, as the contract says.
    Serve {
        /// Where to listen.
        #[arg(long, value_name = "ADDRESS:PORT", default_value_t = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), miner::POD_PORT))]
        listen: SocketAddr,
    },
}

pub(super) async fn dashboard(args: DashboardCommand) -> anyhow::Result<()> {
    let pool = connect(&args.database).await?;
    let stop = CancellationToken::new();
    let pictures = pictures(&Variables::of_process())?;
    let serving = dashboard::run(args.dashboard, pool, pictures, stop.clone());
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return ended,
        () = interrupted() => stop.cancel(),
    }
    serving.await
}

pub(super) async fn render(command: RenderCommand) -> anyhow::Result<()> {
    let RenderCommand::Serve { listen, pages } = command;
    let listen = match listen {
        Some(listen) => listen,
        None => render_address(std::env::var("PORT").ok().as_deref())?,
    };
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("{listen} cannot be used for the renderer; is its port in use?")
    })?;
    let config = RendererConfig::from_env();
    let config = RendererConfig {
        pages: pages.unwrap_or(config.pages).max(1),
        ..config
    };
    let renderer = Arc::new(
        Renderer::launch(config)
            .await
            .context("the renderer cannot be started")?,
    );
    tracing::info!(address = %listen, "renderer started");
    render::serve(listener, renderer, interrupted())
        .await
        .context("the render service ended")
}

/// Where the renderer listens when nobody says so: as the reference does where its variable is set.
fn render_address(port: Option<&str>) -> anyhow::Result<SocketAddr> {
    const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8000);
    match port {
        None | Some("") => Ok(DEFAULT),
        Some(port) => {
            let port = port
                .parse()
                .with_context(|| format!("PORT is `{port}`, which is no port"))?;
            Ok((Ipv4Addr::UNSPECIFIED, port).into())
        }
    }
}

pub(super) async fn miner(command: MinerCommand) -> anyhow::Result<()> {
    let MinerCommand::Serve { listen } = command;
    miner::serve(listen).await.context("the pod service ended")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_renderer_listens_as_its_container_says() {
        let address = |port| render_address(port).unwrap().to_string();
        assert_eq!(address(None), "127.0.0.1:8000");
        assert_eq!(address(Some("")), "127.0.0.1:8000");
        assert_eq!(address(Some("80")), "0.0.0.0:80");
        assert!(render_address(Some("eighty")).is_err());
    }
}
