//! The engine's SQL: one module a table or a moment of a job's life.
//!
//! Functions take a connection, so callers choose the transaction; one that says it is a single statement may also run
//! without one. Lock order: limited queues by name, then rows of `job` in ascending id, then everything else.

mod sql;

pub mod attempt;
pub mod cancel;
pub mod chain;
pub mod conflict;
pub mod ending;
pub mod entry;
pub mod event;
pub mod hand_edit;
pub mod job;
pub mod measurement;
pub mod mirror;
pub mod notice;
pub mod operator;
mod pool;
pub mod queue;
pub mod records;
pub mod recovered;
pub mod redraw;
pub mod rejudge;
pub mod retention;
pub mod shown;
pub mod state_file;
pub mod tournament;
pub mod waits;
pub mod worker;

pub use pool::pool_options;
use sqlx::{PgConnection, PgPool};

use crate::engine::NewJob;

/// Every migration, in order, embedded in the binary.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// The channel that tells workers which queues have work: a comma-separated list of queue names, or `*` after a change of
/// limits.
pub const JOB_CHANNEL: &str = "assize_job";
/// The channel that tells workers which running attempts were cancelled or fenced: job id, colon, attempt.
pub const CANCEL_CHANNEL: &str = "assize_cancel";
/// The channel that tells git-sync that the outbox has rows (`urgent` for a stage change), or with `fetch` that the remote has
/// moved.
pub const MIRROR_CHANNEL: &str = "assize_mirror";

/// Brings the database to this build's schema.
///
/// # Errors
///
/// If a migration fails or the database was migrated by a newer build.
pub async fn migrate(pool: &PgPool) -> Result<(), sqlx::migrate::MigrateError> {
    MIGRATOR.run(pool).await
}

/// Starts flows or steps inside the caller's transaction: they exist exactly if it commits. A key that exists is left as it
/// is. Answers how many are new.
///
/// # Errors
///
/// Whatever the database says.
pub async fn start(conn: &mut PgConnection, jobs: &[NewJob]) -> sqlx::Result<usize> {
    let jobs: Vec<(Option<i64>, &NewJob)> = jobs.iter().map(|job| (None, job)).collect();
    let inserted = job::insert(&mut *conn, &jobs).await?;
    notify_jobs(conn, inserted.queues).await?;
    Ok(inserted.count)
}

/// Fires an event inside the caller's transaction. The first payload of a name stays for ever.
///
/// # Errors
///
/// Whatever the database says.
pub async fn fire(
    conn: &mut PgConnection,
    name: &str,
    payload: &serde_json::Value,
) -> sqlx::Result<()> {
    let queues = event::fire(&mut *conn, name, payload).await?;
    notify_jobs(conn, queues).await
}

/// Wakes flows by key, because something they look at has changed.
///
/// # Errors
///
/// Whatever the database says.
pub async fn wake(conn: &mut PgConnection, keys: &[String]) -> sqlx::Result<()> {
    let queues = job::wake_by_key(&mut *conn, keys).await?;
    notify_jobs(conn, queues).await
}

/// Wakes the workers of `queues` when the transaction commits; one statement.
pub(crate) async fn notify_jobs(
    conn: &mut PgConnection,
    mut queues: Vec<String>,
) -> sqlx::Result<()> {
    queues.sort_unstable();
    queues.dedup();
    if queues.is_empty() {
        return Ok(());
    }
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(JOB_CHANNEL)
        .bind(queues.join(","))
        .execute(conn)
        .await
        .map(drop)
}

/// Whether trying again later can help: the connection or the server failed, not the statement.
pub fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(database) => database.code().is_some_and(|code| {
            // Connections, shutdowns, cancelled statements, a standby, serialisation and deadlocks, resources, locks, the disk.
            ["08", "57P", "57014", "25006", "40", "53", "55P", "58"]
                .iter()
                .any(|class| code.starts_with(class))
        }),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => true,
        _ => false,
    }
}
