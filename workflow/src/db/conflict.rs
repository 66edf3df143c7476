//! Queries on `mirror_conflict` and `held_change`: edits by others that stand in our way, and what waits because of them.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use super::operator::{Operator, OperatorError};

/// An edit that stands in our way.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct ConflictRow {
    /// Row id, by which operators name it.
    pub id: i64,
    /// Path in the repository.
    pub path: String,
    /// `people` or `assize`.
    pub owner: String,
    /// Author of the newest edit.
    pub author: String,
    /// Its commit.
    pub commit_sha: String,
    /// What the mirror needs to go on protecting the edit.
    pub contested: Value,
    /// The file before the first edit.
    pub before: Option<Vec<u8>>,
    /// The file after the newest edit.
    pub theirs: Option<Vec<u8>>,
    /// When the first edit was seen.
    pub created_at: DateTime<Utc>,
    /// `accepted`, `rejected`, `withdrawn`, or none yet.
    pub decision: Option<String>,
    /// The operator who decided.
    pub decided_by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// How many changes of ours wait.
    pub held: i64,
}

const COLUMNS: &str = "c.id, c.path, c.owner, c.author, c.commit_sha, c.contested, c.before, c.theirs, c.created_at, c.decision,
    c.decided_by, c.reason, (SELECT count(*) FROM held_change h WHERE h.conflict_id = c.id) AS held";

/// What is known of an edit when it is recorded.
#[derive(Debug, Clone)]
pub struct Edit<'a> {
    /// Path in the repository.
    pub path: &'a str,
    /// `people` or `assize`.
    pub owner: &'a str,
    /// Who.
    pub author: &'a str,
    /// In which commit.
    pub commit_sha: &'a str,
    /// See [`ConflictRow::contested`].
    pub contested: Value,
    /// The file before.
    pub before: Option<&'a [u8]>,
    /// The file after.
    pub theirs: Option<&'a [u8]>,
}

/// Records an edit; answers its conflict. A further edit of a path joins the unsettled conflict, whose decision is then open
/// again: what was decided upon is no longer what stands there.
///
/// # Errors
///
/// Whatever the database says.
pub async fn open(conn: &mut PgConnection, edit: &Edit<'_>) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "INSERT INTO mirror_conflict AS c (path, owner, author, commit_sha, contested, before, theirs)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (path) WHERE settled_at IS NULL DO UPDATE
         SET author = excluded.author, contested = excluded.contested, theirs = excluded.theirs, commit_sha = excluded.commit_sha,
             decision = CASE WHEN c.commit_sha = excluded.commit_sha THEN c.decision END,
             decided_by = CASE WHEN c.commit_sha = excluded.commit_sha THEN c.decided_by END,
             reason = CASE WHEN c.commit_sha = excluded.commit_sha THEN c.reason END,
             decided_at = CASE WHEN c.commit_sha = excluded.commit_sha THEN c.decided_at END,
             noticed_at = CASE WHEN c.commit_sha = excluded.commit_sha THEN c.noticed_at END
         RETURNING id",
    )
    .bind(edit.path)
    .bind(edit.owner)
    .bind(edit.author)
    .bind(edit.commit_sha)
    .bind(&edit.contested)
    .bind(edit.before)
    .bind(edit.theirs)
    .fetch_one(conn)
    .await
}

/// The unsettled conflict of a path.
///
/// # Errors
///
/// Whatever the database says.
pub async fn of_path(conn: &mut PgConnection, path: &str) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar("SELECT id FROM mirror_conflict WHERE path = $1 AND settled_at IS NULL")
        .bind(path)
        .fetch_optional(conn)
        .await
}

/// One conflict.
///
/// # Errors
///
/// Whatever the database says.
pub async fn find(conn: &mut PgConnection, id: i64) -> sqlx::Result<Option<ConflictRow>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM mirror_conflict c WHERE c.id = $1"
    )))
    .bind(id)
    .fetch_optional(conn)
    .await
}

/// Every conflict that is not settled, oldest first.
///
/// # Errors
///
/// Whatever the database says.
pub async fn unsettled(conn: &mut PgConnection) -> sqlx::Result<Vec<ConflictRow>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM mirror_conflict c WHERE c.settled_at IS NULL ORDER BY c.id"
    )))
    .fetch_all(conn)
    .await
}

/// What is to be shown: unsettled edits of our files, and of people's files those that something of ours waits for.
///
/// # Errors
///
/// Whatever the database says.
pub async fn shown(conn: &mut PgConnection) -> sqlx::Result<Vec<ConflictRow>> {
    let mut conflicts = unsettled(conn).await?;
    conflicts.retain(|conflict| conflict.owner == "assize" || conflict.held > 0);
    Ok(conflicts)
}

/// A change of ours that waits.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct HeldChange {
    /// The step that made it.
    pub step: String,
    /// Its attempt.
    pub attempt: i32,
    /// Why it was held.
    pub because: String,
    /// Kind of change, as the mirror stores it.
    pub change: String,
    /// The rest of the change.
    pub content: Vec<u8>,
}

/// Keeps a change until its conflict is decided. Keeping it twice is keeping it once.
///
/// # Errors
///
/// Whatever the database says.
pub async fn hold(conn: &mut PgConnection, conflict: i64, held: &HeldChange) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO held_change (conflict_id, step, attempt, because, change, content) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT DO NOTHING",
    )
    .bind(conflict)
    .bind(&held.step)
    .bind(held.attempt)
    .bind(&held.because)
    .bind(&held.change)
    .bind(&held.content)
    .execute(conn)
    .await
    .map(drop)
}

/// What waits for a conflict, in order.
///
/// # Errors
///
/// Whatever the database says.
pub async fn held(conn: &mut PgConnection, conflict: i64) -> sqlx::Result<Vec<HeldChange>> {
    sqlx::query_as(
        "SELECT step, attempt, because, change, content FROM held_change WHERE conflict_id = $1 ORDER BY id",
    )
    .bind(conflict)
    .fetch_all(conn)
    .await
}

/// Decides a conflict for an operator; git-sync settles it at once. Deciding otherwise is possible until it has.
///
/// # Errors
///
/// [`OperatorError`].
pub async fn decide(
    conn: &mut PgConnection,
    id: i64,
    accept: bool,
    operator: &Operator<'_>,
) -> Result<(), OperatorError> {
    if operator.reason.trim().is_empty() {
        return Err(OperatorError::NoReason);
    }
    let decided = sqlx::query(
        "UPDATE mirror_conflict SET decision = $2, decided_by = $3, reason = $4, decided_at = now()
         WHERE id = $1 AND settled_at IS NULL",
    )
    .bind(id)
    .bind(if accept { "accepted" } else { "rejected" })
    .bind(operator.name)
    .bind(operator.reason)
    .execute(&mut *conn)
    .await?;
    if decided.rows_affected() == 0 {
        return Err(OperatorError::UnknownConflict(id));
    }
    wake_mirror(conn, "").await?;
    Ok(())
}

/// Ends the protection of an edit that was taken back: what was held is made now.
///
/// # Errors
///
/// Whatever the database says.
pub async fn withdraw(conn: &mut PgConnection, path: &str) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE mirror_conflict SET decision = 'withdrawn', decided_by = NULL, reason = NULL, decided_at = now()
         WHERE path = $1 AND settled_at IS NULL",
    )
    .bind(path)
    .execute(conn)
    .await
    .map(drop)
}

/// Marks a decided conflict as carried out.
///
/// # Errors
///
/// Whatever the database says.
pub async fn settle(conn: &mut PgConnection, id: i64) -> sqlx::Result<()> {
    sqlx::query("UPDATE mirror_conflict SET settled_at = now() WHERE id = $1")
        .bind(id)
        .execute(conn)
        .await
        .map(drop)
}

/// Wakes git-sync: `urgent` and the empty word let it push, `fetch` lets it look at the remote.
///
/// # Errors
///
/// Whatever the database says.
pub async fn wake_mirror(conn: &mut PgConnection, what: &str) -> sqlx::Result<()> {
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(super::MIRROR_CHANNEL)
        .bind(what)
        .execute(conn)
        .await
        .map(drop)
}
