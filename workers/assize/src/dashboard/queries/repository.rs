//! The public repository as the dashboard shows it: the mirror's lag, what people edited, and what waits for a word.

use sqlx::PgConnection;
use workflow::db::{self, conflict::ConflictRow, hand_edit::EditRow, mirror::Lag};

/// The lag is shown over the files of the last hour.
pub const LAG_WINDOW_SECONDS: f64 = 3600.0;
/// Edits that are shown.
const EDITS: i64 = 50;

/// Everything on the page.
#[derive(Debug)]
pub struct Repository {
    pub lag: Lag,
    pub conflicts: Vec<ConflictRow>,
    pub edits: Vec<EditRow>,
}

/// Reads it.
pub async fn repository(conn: &mut PgConnection) -> sqlx::Result<Repository> {
    Ok(Repository {
        lag: db::mirror::lag_within(conn, LAG_WINDOW_SECONDS).await?,
        conflicts: db::conflict::shown(conn).await?,
        edits: db::hand_edit::newest(conn, EDITS).await?,
    })
}

/// Edits that an operator has to do something about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Waiting {
    /// Edits of files that Assize owns.
    pub conflicts: i64,
    /// Files that stand with an edit that is not in force as a whole.
    pub refused: i64,
}

/// Counts them.
pub async fn waiting(conn: &mut PgConnection) -> sqlx::Result<Waiting> {
    sqlx::query_as(
        "SELECT (SELECT count(*) FROM mirror_conflict WHERE settled_at IS NULL AND owner = 'assize') AS conflicts,
                (SELECT count(*) FROM repository_edit e WHERE e.problems <> '{}'
                 AND NOT EXISTS (SELECT FROM repository_edit later WHERE later.path = e.path AND later.id > e.id)) AS refused",
    )
    .fetch_one(conn)
    .await
}
