//! Connections of the engine's own.
//!
//! Claims and commits do not share the pool with handlers: handlers that take every connection of the pool must not keep the
//! engine from recording what is done. They also run with planner settings of their own, see [`SETTINGS`].

use std::time::Duration;

use sqlx::{ConnectOptions as _, Executor as _, PgConnection, PgPool, postgres::PgConnectOptions};

/// The engine's statements touch few rows by their keys, whatever the planner has heard of the tables' sizes: planning them
/// anew each time costs more than running them, compiling them costs a hundred times more, and a plan made while a table was
/// empty must not read the whole of it when it has a million rows. Nor must one made in sight of a long queue: a claim of
/// fifty jobs would be hashed against the whole table, because a generic plan takes a tenth of the queue for its share.
const SETTINGS: &str =
    "SET jit = off; SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;
    SET enable_mergejoin = off; SET enable_hashjoin = off";

/// A claim is not waited for until it is on the disk: whatever comes of it, the end above all, is, and the log is written in
/// order. A server that dies forgets claims of its last moments, never an end whose claim it forgot. The job is then due again
/// under the same number, and the attempt nobody knows of is fenced by the name of its worker.
const UNFLUSHED: &str = "SET synchronous_commit = off";

/// Longest wait for an answer. A connection whose other side is gone without a word would keep us waiting for hours.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// One connection, made when it is needed and again after it failed.
pub(crate) struct OwnConnection {
    options: PgConnectOptions,
    is_flushed: bool,
    open: Option<PgConnection>,
}

impl OwnConnection {
    pub(crate) fn new(pool: &PgPool, purpose: &str) -> Self {
        let options = (*pool.connect_options())
            .clone()
            .application_name(&format!("assize {purpose}"));
        Self {
            options,
            is_flushed: true,
            open: None,
        }
    }

    /// A connection whose commits may be forgotten if the server dies, see [`UNFLUSHED`].
    pub(crate) fn for_claims(pool: &PgPool) -> Self {
        Self {
            is_flushed: false,
            ..Self::new(pool, "claim")
        }
    }

    /// The open connection, or a new one.
    pub(crate) async fn get(&mut self) -> sqlx::Result<&mut PgConnection> {
        if self.open.is_none() {
            let mut connection = self.options.connect().await?;
            connection.execute(SETTINGS).await?;
            if !self.is_flushed {
                connection.execute(UNFLUSHED).await?;
            }
            return Ok(self.open.insert(connection));
        }
        self.open.as_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// Runs one exchange with the database within [`ANSWER_WITHIN`]. After a failure the connection is in an unknown state
    /// and not used again.
    pub(crate) async fn run<T>(
        &mut self,
        exchange: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>,
    ) -> sqlx::Result<T> {
        let answer =
            tokio::time::timeout(ANSWER_WITHIN, async { exchange(self.get().await?).await });
        let answer = answer.await.unwrap_or_else(|_| {
            let silence = format!("no answer within {} s", ANSWER_WITHIN.as_secs());
            Err(sqlx::Error::Io(std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                silence,
            )))
        });
        if answer.is_err() {
            self.open = None;
        }
        answer
    }
}
