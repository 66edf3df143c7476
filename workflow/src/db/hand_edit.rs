//! Queries on `repository_edit` and `mirror_cursor`: what people changed in their own files, and up to where that is known.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// What became of an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditOutcome {
    /// All of it is in force.
    InForce,
    /// Rows that cannot be read are set aside; the rest is in force.
    PartlyInForce,
    /// The last valid version stays in force.
    Refused,
}

impl EditOutcome {
    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InForce => "in_force",
            Self::PartlyInForce => "partly_in_force",
            Self::Refused => "refused",
        }
    }
}

/// An edit and what became of it.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct EditRow {
    /// Row id.
    pub id: i64,
    /// Path in the repository.
    pub path: String,
    /// The commit.
    pub commit_sha: String,
    /// Its author.
    pub author: String,
    /// `in_force`, `partly_in_force` or `refused`.
    pub outcome: String,
    /// What is wrong, a sentence each.
    pub problems: Vec<String>,
    /// When it was read.
    pub created_at: DateTime<Utc>,
    /// Whether a later edit of the same path exists.
    pub replaced: bool,
}

/// Records an edit; true if it was not known.
///
/// # Errors
///
/// Whatever the database says.
pub async fn record(
    conn: &mut PgConnection,
    path: &str,
    commit_sha: &str,
    author: &str,
    outcome: EditOutcome,
    problems: &[String],
) -> sqlx::Result<bool> {
    let added = sqlx::query(
        "INSERT INTO repository_edit (path, commit_sha, author, outcome, problems) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (commit_sha, path) DO NOTHING",
    )
    .bind(path)
    .bind(commit_sha)
    .bind(author)
    .bind(outcome.as_str())
    .bind(problems)
    .execute(conn)
    .await?;
    Ok(added.rows_affected() == 1)
}

/// The newest edits first.
///
/// # Errors
///
/// Whatever the database says.
pub async fn newest(conn: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<EditRow>> {
    sqlx::query_as(
        "SELECT e.id, e.path, e.commit_sha, e.author, e.outcome, e.problems, e.created_at,
                EXISTS (SELECT FROM repository_edit later WHERE later.path = e.path AND later.id > e.id) AS replaced
         FROM repository_edit e ORDER BY e.id DESC LIMIT $1",
    )
    .bind(limit)
    .fetch_all(conn)
    .await
}

/// The commit up to which foreign changes are stored.
///
/// # Errors
///
/// Whatever the database says.
pub async fn cursor(conn: &mut PgConnection) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar("SELECT commit_sha FROM mirror_cursor")
        .fetch_optional(conn)
        .await
}

/// Moves the cursor, in the transaction that stores the changes.
///
/// # Errors
///
/// Whatever the database says.
pub async fn move_cursor(conn: &mut PgConnection, commit_sha: &str) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO mirror_cursor (commit_sha) VALUES ($1)
         ON CONFLICT (only_row) DO UPDATE SET commit_sha = excluded.commit_sha, fetched_at = now()",
    )
    .bind(commit_sha)
    .execute(conn)
    .await
    .map(drop)
}

/// Something that people have not been told yet.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Untold {
    /// `edit` or `conflict`.
    pub kind: String,
    /// Its row.
    pub id: i64,
    /// Path in the repository.
    pub path: String,
    /// Who edited it.
    pub author: String,
    /// In which commit.
    pub commit_sha: String,
    /// What is wrong; empty for a conflict.
    pub problems: Vec<String>,
    /// When it was read.
    pub created_at: DateTime<Utc>,
}

/// Refused edits and undecided conflicts that nobody was told of, oldest first.
///
/// # Errors
///
/// Whatever the database says.
pub async fn untold(conn: &mut PgConnection) -> sqlx::Result<Vec<Untold>> {
    sqlx::query_as(
        "SELECT 'edit' AS kind, id, path, author, commit_sha, problems, created_at FROM repository_edit
         WHERE problems <> '{}' AND noticed_at IS NULL
         UNION ALL
         SELECT 'conflict', id, path, author, commit_sha, '{}', created_at FROM mirror_conflict
         WHERE decision IS NULL AND owner = 'assize' AND noticed_at IS NULL
         ORDER BY created_at LIMIT 20",
    )
    .fetch_all(conn)
    .await
}

/// Marks them as told.
///
/// # Errors
///
/// Whatever the database says.
pub async fn mark_told(conn: &mut PgConnection, told: &Untold) -> sqlx::Result<()> {
    let statement = if told.kind == "edit" {
        "UPDATE repository_edit SET noticed_at = now() WHERE id = $1"
    } else {
        "UPDATE mirror_conflict SET noticed_at = now() WHERE id = $1"
    };
    sqlx::query(statement)
        .bind(told.id)
        .execute(conn)
        .await
        .map(drop)
}
