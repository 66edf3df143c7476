//! Why an embedded PostgreSQL did not start, each in one sentence that says what to do.

use std::path::PathBuf;

/// Why an embedded PostgreSQL is not there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddedError {
    /// No folder with both `initdb` and `postgres` was found.
    #[error(
        "PostgreSQL's server programs were not found; install the package postgresql-15 or set PG_BIN_DIR to the folder that holds initdb and postgres"
    )]
    ProgramsMissing,

    /// The folder that was named explicitly lacks a program.
    #[error(
        "{} holds no PostgreSQL server programs (initdb and postgres); name the folder that does, for example /usr/lib/postgresql/15/bin",
        .folder.display()
    )]
    ProgramsMissingIn {
        /// The folder that was named.
        folder: PathBuf,
    },

    /// The cluster was made by another major version.
    #[error(
        "the data folder was made by PostgreSQL {cluster} but only version {found} is installed; install the package postgresql-{cluster} or use another data folder"
    )]
    WrongVersion {
        /// Major version the cluster was made by.
        cluster: u32,
        /// Major version of the programs found, `0` when it cannot be told.
        found: u32,
    },

    /// We are root and there is no unprivileged account to run the server as.
    #[error(
        "PostgreSQL cannot run as root and neither the user postgres nor nobody exists; create one or start as another user"
    )]
    NoAccount,

    /// A folder above the data folder keeps the server's account out.
    #[error(
        "PostgreSQL runs as user {user}, which may not enter {}; use a data folder outside it or run: chmod o+x {}",
        .folder.display(), .folder.display()
    )]
    ClosedFolder {
        /// The account the server would run as.
        user: String,
        /// The folder it may not enter.
        folder: PathBuf,
    },

    /// Something else already lies in the data folder.
    #[error(
        "{} is neither empty nor a data folder of Assize; choose another folder",
        .folder.display()
    )]
    ForeignFolder {
        /// The folder that was named.
        folder: PathBuf,
    },

    /// Another process of ours, or a server of somebody else, works in this folder.
    #[error(
        "the data folder {} is in use by another process; stop that one first or choose another folder",
        .folder.display()
    )]
    InUse {
        /// The folder that was named.
        folder: PathBuf,
    },

    /// A socket in the temporary folder belongs to somebody else.
    #[error(
        "{} belongs to another user; remove it or choose a data folder with a shorter path",
        .folder.display()
    )]
    ForeignSocketFolder {
        /// The folder that the socket would lie in.
        folder: PathBuf,
    },

    /// The path has bytes that PostgreSQL's settings cannot carry.
    #[error("the data folder's path {folder:?} is not UTF-8; choose another folder")]
    PathNotText {
        /// The folder that was named.
        folder: PathBuf,
    },

    /// A file or folder could not be made, read or changed.
    #[error("cannot {action} {}", .path.display())]
    Files {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system answered.
        #[source]
        source: std::io::Error,
    },

    /// One of PostgreSQL's programs could not be run at all.
    #[error("cannot run {} as user {user}", .program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// The account it should run as.
        user: String,
        /// What the system answered.
        #[source]
        source: std::io::Error,
    },

    /// `initdb` failed.
    #[error("PostgreSQL could not create its data folder: {said}")]
    Initdb {
        /// The last thing it said.
        said: String,
    },

    /// The server ended while it was starting.
    #[error("PostgreSQL ended while it was starting: {said} (more in {})", .log.display())]
    EndedEarly {
        /// The last thing it said.
        said: String,
        /// Its log.
        log: PathBuf,
    },

    /// The server did not become ready in time.
    #[error("PostgreSQL did not become ready within {seconds} s; see {}", .log.display())]
    NotReady {
        /// How long it was given, in seconds.
        seconds: u64,
        /// Its log.
        log: PathBuf,
    },

    /// A database could not be created.
    #[error("cannot create the database {name}")]
    CreateDatabase {
        /// Its name.
        name: String,
        /// What PostgreSQL answered.
        #[source]
        source: sqlx::Error,
    },

    /// Our own process is ending, so the start was given up.
    #[error("the start of PostgreSQL was interrupted")]
    Interrupted,
}

impl EmbeddedError {
    /// For `map_err` on a file operation.
    pub(super) fn files(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Files {
            action,
            path,
            source,
        }
    }
}
