//! `assize dashboard`: the dashboard as a process of its own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context as _, ensure};
use clap::Args;
use secrecy::SecretString;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{DashboardState, Pictures, serve};

/// Options of the dashboard.
#[derive(Debug, Clone, Args)]
pub struct DashboardArgs {
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080))]
    pub listen: SocketAddr,
    /// Asked of whoever wants to act; needed to listen on more than this machine.
    #[arg(
        long,
        env = "DASHBOARD_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    pub token: Option<SecretString>,
    /// Where the public state can be seen, for links.
    #[arg(long, env = "STATE_REPOSITORY", value_name = "ADDRESS")]
    pub repository: Option<String>,
    /// Secret of the repository's webhook (`POST /hooks/repository`, signed as GitHub does), which lets edits be read at once.
    #[arg(
        long,
        env = "GITHUB_WEBHOOK_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub webhook_secret: Option<SecretString>,
}

/// Serves the dashboard on `pool` until `stop`.
///
/// # Errors
///
/// When the address cannot be used, or reaches beyond this machine without a token.
pub async fn run(
    args: DashboardArgs,
    pool: PgPool,
    pictures: Option<Pictures>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let address = args.listen;
    let token = args
        .token
        .filter(|token| !secrecy::ExposeSecret::expose_secret(token).is_empty());
    ensure!(
        token.is_some() || address.ip().is_loopback(),
        "{address} can be reached from other machines, so actions need a token; set DASHBOARD_TOKEN or listen on 127.0.0.1"
    );
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("{address} cannot be used for the dashboard; is its port in use?")
    })?;
    let state = DashboardState {
        pool,
        token,
        repository: args.repository,
        webhook_secret: args
            .webhook_secret
            .filter(|secret| !secrecy::ExposeSecret::expose_secret(secret).is_empty()),
        pictures,
        shutdown: stop,
    };
    serve(listener, state).await.context("the dashboard ended")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn lazy_pool() -> PgPool {
        PgPool::connect_lazy("postgres://nobody@localhost/none").unwrap()
    }

    fn args(listen: &str, token: Option<&str>) -> DashboardArgs {
        DashboardArgs {
            listen: listen.parse().unwrap(),
            token: token.map(SecretString::from),
            repository: None,
            webhook_secret: None,
        }
    }

    #[tokio::test]
    async fn it_is_open_to_other_machines_only_with_a_token() {
        let stop = CancellationToken::new();
        stop.cancel();
        for token in [None, Some("")] {
            let error = run(args("0.0.0.0:0", token), lazy_pool(), None, stop.clone())
                .await
                .unwrap_err();
            assert!(error.to_string().contains("DASHBOARD_TOKEN"), "{error}");
        }
        run(
            args("127.0.0.1:0", Some("t")),
            lazy_pool(),
            None,
            stop.clone(),
        )
        .await
        .unwrap();
        run(args("127.0.0.1:0", None), lazy_pool(), None, stop)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_port_in_use_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let error = run(
            args(&address, None),
            lazy_pool(),
            None,
            CancellationToken::new(),
        )
        .await
        .unwrap_err();
        assert!(error.to_string().contains(&address), "{error}");
    }
}
