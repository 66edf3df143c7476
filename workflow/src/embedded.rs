//! A PostgreSQL of our own, run from the programs the system already has.
//!
//! `assize` needs no database server to be set up: without `DATABASE_URL` it keeps one cluster in a data folder and talks
//! to it through a unix socket inside that folder. Four things make this safe to rely on:
//!
//! - **It never outlives us.** The server is a child of a thread that lives as long as the server does, and asks the
//!   kernel for SIGQUIT when that thread ends (`PR_SET_PDEATHSIG`), however our process ended.
//! - **It always starts again.** A killed server leaves `postmaster.pid` and perhaps a few dying processes behind. The
//!   next start waits for those to go, removes the stale file and lets PostgreSQL recover from its log.
//! - **Two never share a folder.** A file lock, which the kernel drops with our process, is held next to the cluster.
//! - **It is not root.** PostgreSQL refuses to run as root, so a root process runs it as `postgres`, or `nobody`.
//!
//! ```text
//! <data_dir>/            0700, owned by the account the server runs as
//!   lock                 held while a process of ours uses the folder
//!   cluster/             the PostgreSQL cluster; appears complete or not at all
//!   server.log           what the server said
//!   .s.PGSQL.5432        the socket (in the system's temporary folder when this path would be too long for one)
//! ```

mod account;
mod error;
mod folder;
mod programs;
mod server;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

pub use account::Account;
pub use error::EmbeddedError;

use folder::Folder;
use programs::Programs;
use server::Server;

/// The superuser of every embedded cluster. Local connections need no password: the socket's folder lets nobody else in.
const SUPERUSER: &str = "postgres";

/// The database that every new cluster has, used to create others.
const MAINTENANCE_DATABASE: &str = "postgres";

/// How an embedded cluster is kept.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// The folder that holds the cluster. It is created when missing; an existing one must be empty or hold a cluster made
    /// here.
    pub data_dir: PathBuf,
    /// Whether a commit survives a power cut. `false` is for tests only: it is faster, and a machine that stops at the wrong
    /// moment leaves a broken cluster (a killed process does not).
    pub durable: bool,
    /// The most connections that may be open at one time.
    pub max_connections: u16,
    /// The folder with `initdb` and `postgres`. `None` looks in `PG_BIN_DIR`, then where Debian puts them, then in `PATH`.
    pub binaries: Option<PathBuf>,
}

impl EmbeddedOptions {
    /// A durable cluster in `data_dir`, run by the programs the system has.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            durable: true,
            max_connections: 200,
            binaries: None,
        }
    }

    /// The same, but fast and not durable: for tests.
    pub fn for_tests(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            durable: false,
            ..Self::new(data_dir)
        }
    }
}

/// A running PostgreSQL server. Dropping it stops the server.
#[derive(Debug)]
pub struct EmbeddedPostgres {
    server: Server,
    /// Where the socket lies.
    socket_dir: PathBuf,
    data_dir: PathBuf,
}

impl EmbeddedPostgres {
    /// Starts the cluster in `options.data_dir`, making it first when there is none, and returns once it takes connections.
    ///
    /// # Errors
    ///
    /// Each [`EmbeddedError`] is one sentence that says what was wrong and what to do. Nothing half-made is left behind: a
    /// cluster appears in its place only when it is complete.
    pub async fn start(options: EmbeddedOptions) -> Result<Self, EmbeddedError> {
        // Everything here is files and processes: a thread may block on it, the runtime may not.
        let folder = tokio::task::spawn_blocking(move || -> Result<_, EmbeddedError> {
            let account = Account::for_server()?;
            let folder = Folder::open(&options.data_dir, &account)?;
            let programs = Programs::find(options.binaries.as_deref(), folder.version()?)?;
            Ok((account, folder, programs, options))
        });
        let (account, folder, programs, options) =
            folder.await.map_err(|_| EmbeddedError::Interrupted)??;

        let socket_dir = folder.socket_dir().to_path_buf();
        let data_dir = folder.path().to_path_buf();
        let server = Server::start(folder, account, programs, options).await?;
        Ok(Self {
            server,
            socket_dir,
            data_dir,
        })
    }

    /// Whether a cluster can be kept in `data_dir`, without touching anything: for choosing a default folder.
    ///
    /// # Errors
    ///
    /// [`EmbeddedError::ClosedFolder`] when the account that the server runs as may not enter a folder above it.
    pub fn check_folder(data_dir: &Path) -> Result<(), EmbeddedError> {
        let account = Account::for_server()?;
        account.can_reach(data_dir)
    }

    /// The address of `database`, for sqlx and for `psql`. The database need not exist yet.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://{SUPERUSER}@localhost/{}?host={}",
            percent_encode(database),
            percent_encode(&self.socket_dir.to_string_lossy()),
        )
    }

    /// The folder that holds the cluster, as an absolute path.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The process id of the server.
    pub fn pid(&self) -> i32 {
        self.server.pid()
    }

    /// Creates `name` unless it exists.
    ///
    /// # Errors
    ///
    /// [`EmbeddedError::CreateDatabase`] with what PostgreSQL answered.
    pub async fn create_database(&self, name: &str) -> Result<(), EmbeddedError> {
        let failed = |source| EmbeddedError::CreateDatabase {
            name: name.to_owned(),
            source,
        };
        let mut connection = PgConnection::connect(&self.url(MAINTENANCE_DATABASE))
            .await
            .map_err(failed)?;
        // A name cannot be a bind parameter; doubling the quotes is how PostgreSQL escapes one.
        let statement = format!("CREATE DATABASE \"{}\"", name.replace('"', "\"\""));
        let created = sqlx::query(AssertSqlSafe(statement))
            .execute(&mut connection)
            .await;
        let _ = connection.close().await;
        match created {
            Ok(_) => Ok(()),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P04") => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    /// Stops the server: open transactions are rolled back, everything committed is written, then the process ends.
    pub async fn stop(mut self) {
        self.server.stop().await;
    }
}

/// `text` with everything but unreserved characters and `/` written as `%XX`.
fn percent_encode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}
