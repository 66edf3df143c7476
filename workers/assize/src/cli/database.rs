//! Which database a command works on: the one of `DATABASE_URL`, or one of our own in a data folder.
//!
//! Without `DATABASE_URL`, what needs a database to itself (`work`, `migrate`, `recover`) runs PostgreSQL from the system's
//! programs in the data folder, for as long as the command runs. Commands beside it find it there by the address that is kept
//! next to it.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::Args;
use sqlx::{Connection as _, PgConnection, PgPool};
use workflow::{
    db,
    embedded::{EmbeddedOptions, EmbeddedPostgres},
};

/// Where the database is.
#[derive(Debug, Clone, Args)]
pub struct DatabaseArgs {
    /// Address of the database. Without it, one of its own is kept in the data folder.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// Where the database of its own is kept, which `work` starts.
    #[arg(
        long,
        env = "ASSIZE_DATA_DIR",
        value_name = "DIR",
        default_value = "assize-data"
    )]
    pub data_dir: PathBuf,
}

/// How long a start waits for the database.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The name of our own database.
const OWN: &str = "assize";

/// A database, and the server that runs only for us.
pub(super) struct Database {
    pub(super) pool: PgPool,
    own: Option<(EmbeddedPostgres, PathBuf)>,
}

impl Database {
    /// The database that is there, or one of our own, started now.
    pub(super) async fn open(args: &DatabaseArgs) -> anyhow::Result<Self> {
        let running = match args.given() {
            Some(url) => Some(connect_to(url).await?),
            // One that is kept but not running is started below.
            None => match args.kept() {
                Some(url) => connect_to(&url).await.ok(),
                None => None,
            },
        };
        if let Some(pool) = running {
            return Ok(Self { pool, own: None });
        }
        let data_dir = args.data_dir.display();
        std::fs::create_dir_all(&args.data_dir)
            .with_context(|| format!("the data folder {data_dir} cannot be made"))?;
        let options = EmbeddedOptions::new(args.data_dir.join("postgres"));
        let postgres = EmbeddedPostgres::start(options).await.with_context(|| {
            format!(
                "DATABASE_URL is not set, and no database of our own can be started in {data_dir}"
            )
        })?;
        postgres.create_database(OWN).await?;
        let url = postgres.url(OWN);
        let address = args.address();
        std::fs::write(&address, &url)
            .with_context(|| format!("cannot write {}", address.display()))?;
        tracing::info!(
            folder = %data_dir,
            "DATABASE_URL is not set: a database of our own runs in the data folder"
        );
        Ok(Self {
            pool: connect_to(&url).await?,
            own: Some((postgres, address)),
        })
    }

    /// Ends the connections, and the server if it is ours.
    pub(super) async fn close(self) {
        self.pool.close().await;
        if let Some((postgres, address)) = self.own {
            drop(std::fs::remove_file(address));
            postgres.stop().await;
        }
    }
}

impl DatabaseArgs {
    fn given(&self) -> Option<&str> {
        let url = self.database_url.as_deref().map(str::trim);
        url.filter(|url| !url.is_empty())
    }

    /// Where the address of our own database stands while it runs.
    fn address(&self) -> PathBuf {
        self.data_dir.join("database_url")
    }

    fn kept(&self) -> Option<String> {
        std::fs::read_to_string(self.address()).ok()
    }
}

/// Connects to a database that runs, with a sentence for the operator when that fails.
pub(super) async fn connect(args: &DatabaseArgs) -> anyhow::Result<PgPool> {
    if let Some(url) = args.given() {
        return connect_to(url).await;
    }
    let data_dir = args.data_dir.display();
    let kept = args.kept().with_context(|| {
        format!(
            "DATABASE_URL is not set, and no database of our own runs in {data_dir}; set it to the database's address, or \
             name the folder in which `assize work` keeps its own with --data-dir"
        )
    })?;
    connect_to(&kept).await.with_context(|| {
        format!("the database in {data_dir} does not run any more; `assize work` starts it")
    })
}

async fn connect_to(url: &str) -> anyhow::Result<PgPool> {
    // A pool would only say that time ran out; a single connection says why.
    let first = tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect(url)).await;
    let first = first
        .context("the database does not answer in time; check DATABASE_URL and the network")?;
    let first = first
        .context("the database cannot be reached; check DATABASE_URL and that PostgreSQL runs")?;
    drop(first.close().await);
    db::pool_options()
        .max_connections(30)
        .acquire_timeout(CONNECT_TIMEOUT)
        .connect(url)
        .await
        .context("the database does not answer; check DATABASE_URL and that PostgreSQL runs")
}
