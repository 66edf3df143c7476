//! The database that is stopped and killed.

use std::{
    path::{Path, PathBuf},
    str::FromStr as _,
};

use anyhow::{Context as _, anyhow};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::{Connection as _, PgConnection, PgPool, postgres::PgConnectOptions};
use tokio::sync::Mutex;
use workflow::{
    db,
    embedded::{EmbeddedOptions, EmbeddedPostgres},
};

/// The database's name.
pub(super) const DATABASE: &str = "chaos";

/// The ledger: one line for each write of an entry, a second write of the same one included.
const LEDGER: [&str; 4] = [
    "CREATE TABLE fed (errand bigint PRIMARY KEY)",
    "CREATE TABLE ledger (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, step text NOT NULL)",
    "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS
         'BEGIN INSERT INTO ledger (step) VALUES (NEW.stem); RETURN NULL; END'",
    "CREATE TRIGGER keep AFTER INSERT OR UPDATE ON entry FOR EACH ROW EXECUTE FUNCTION keep()",
];

/// How the server goes away.
#[derive(Debug, Clone, Copy)]
pub(super) enum Death {
    /// Connections end, everything is written out.
    Fast,
    /// The server's processes end where they are; the next start recovers.
    Immediate,
    /// The postmaster is killed; the others notice.
    Killed,
}

/// An embedded PostgreSQL with the settings of production.
pub(super) struct Server {
    home: PathBuf,
    url: String,
    socket: PathBuf,
    running: Mutex<Option<EmbeddedPostgres>>,
}

impl Server {
    /// A new cluster in `home` with the engine's schema and the ledger.
    pub(super) async fn start(home: &Path) -> anyhow::Result<Self> {
        let home = home.join("postgres");
        let postgres = EmbeddedPostgres::start(EmbeddedOptions::new(&home)).await?;
        postgres.create_database(DATABASE).await?;
        let url = postgres.url(DATABASE);
        let pool = PgPool::connect(&url).await?;
        db::migrate(&pool).await?;
        for statement in LEDGER {
            sqlx::query(statement).execute(&pool).await?;
        }
        pool.close().await;
        let socket = PgConnectOptions::from_str(&url)?
            .get_socket()
            .context("the embedded server has a socket")?
            .join(".s.PGSQL.5432");
        Ok(Self {
            home,
            url,
            socket,
            running: Mutex::new(Some(postgres)),
        })
    }

    /// The socket that the replicas' proxies connect to.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// A connection that no trouble but a stop cuts.
    pub(super) async fn connect(&self) -> sqlx::Result<PgConnection> {
        PgConnection::connect_with(&PgConnectOptions::from_str(&self.url)?).await
    }

    /// Takes the server away.
    pub(super) async fn die(&self, death: Death) {
        let Some(postgres) = self.running.lock().await.take() else {
            return;
        };
        let signal = match death {
            Death::Fast => None,
            Death::Immediate => Some(Signal::SIGQUIT),
            Death::Killed => Some(Signal::SIGKILL),
        };
        if let Some(signal) = signal {
            // It is our child and not reaped before `stop` returns: the number is still its own.
            let _ = kill(Pid::from_raw(postgres.pid()), signal);
        }
        postgres.stop().await;
    }

    /// Brings it back unless it runs.
    pub(super) async fn ensure_running(&self) -> anyhow::Result<()> {
        let mut running = self.running.lock().await;
        if running.is_none() {
            let postgres = EmbeddedPostgres::start(EmbeddedOptions::new(&self.home))
                .await
                .map_err(|error| anyhow!("the database does not come back: {error}"))?;
            *running = Some(postgres);
        }
        Ok(())
    }

    /// Stops it for good.
    pub(super) async fn stop(&self) {
        self.die(Death::Fast).await;
    }
}
