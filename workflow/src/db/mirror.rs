//! Queries on the `mirror_file` outbox: from a finished step to a commit in the public repository.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::engine::effects::{MirrorChange, Publication};

/// Puts a publication into the outbox, in the transaction that completes its step. Whole files are also kept as the newest
/// known content, so that later steps read what earlier ones wrote before it is mirrored.
pub async fn publish(
    conn: &mut PgConnection,
    job_id: i64,
    attempt: i32,
    step: &str,
    round: Option<i32>,
    publication: &Publication,
) -> sqlx::Result<()> {
    for change in &publication.changes {
        let (kind, content): (&str, Vec<u8>) = match change {
            MirrorChange::Put { path, content } => {
                super::state_file::write(&mut *conn, path, content, "step").await?;
                ("put", content.clone())
            }
            MirrorChange::MergeEntry { key, value, .. } => (
                "merge_entry",
                json!({ "key": key, "value": value }).to_string().into(),
            ),
            MirrorChange::MatrixRow {
                left,
                right,
                margin,
                ..
            } => (
                "matrix_row",
                json!({ "left": left, "right": right, "margin": margin })
                    .to_string()
                    .into(),
            ),
            MirrorChange::AppendLine { line, .. } => ("append_line", line.clone().into_bytes()),
        };
        sqlx::query(
            "INSERT INTO mirror_file (job_id, attempt, step, round, message, urgent, path, change, content)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(job_id)
        .bind(attempt)
        .bind(step)
        .bind(round)
        .bind(&publication.message)
        .bind(publication.urgent)
        .bind(change.path())
        .bind(kind)
        .bind(content)
        .execute(&mut *conn)
        .await?;
    }
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(super::MIRROR_CHANNEL)
        .bind(if publication.urgent { "urgent" } else { "" })
        .execute(conn)
        .await
        .map(drop)
}

/// One row of the outbox.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingChange {
    /// Row id; rows of one step are adjacent.
    pub id: i64,
    /// The job whose end published it.
    pub job_id: i64,
    /// Its attempt.
    pub attempt: i32,
    /// Its key.
    pub step: String,
    /// Commit message.
    pub message: String,
    /// Push at once.
    pub urgent: bool,
    /// When the step committed.
    pub created_at: DateTime<Utc>,
    /// The change.
    pub change: MirrorChange,
}

#[derive(sqlx::FromRow)]
struct PendingRow {
    id: i64,
    job_id: i64,
    attempt: i32,
    step: String,
    message: String,
    urgent: bool,
    path: String,
    change: String,
    content: Vec<u8>,
    created_at: DateTime<Utc>,
}

/// The oldest rows that are not on the remote yet, in order; rows of one job are never torn apart.
///
/// # Errors
///
/// Also when a stored patch is not what its kind says.
pub async fn pending(conn: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<PendingChange>> {
    let rows: Vec<PendingRow> = sqlx::query_as(
        "SELECT id, job_id, attempt, step, message, urgent, path, change, content, created_at FROM mirror_file
         WHERE mirrored_at IS NULL AND id <= coalesce((
             SELECT max(m.id) FROM mirror_file m
             WHERE m.mirrored_at IS NULL AND (m.job_id, m.attempt) IN (
                 SELECT job_id, attempt FROM (
                     SELECT job_id, attempt FROM mirror_file WHERE mirrored_at IS NULL ORDER BY id LIMIT $1) first)), 0)
         ORDER BY id",
    )
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let change = decode(row.path, &row.change, row.content)
                .map_err(|error| sqlx::Error::Decode(error.into()))?;
            Ok(PendingChange {
                id: row.id,
                job_id: row.job_id,
                attempt: row.attempt,
                step: row.step,
                message: row.message,
                urgent: row.urgent,
                created_at: row.created_at,
                change,
            })
        })
        .collect()
}

fn decode(path: String, kind: &str, content: Vec<u8>) -> Result<MirrorChange, String> {
    let parse = |content: &[u8]| {
        serde_json::from_slice::<Value>(content).map_err(|error| error.to_string())
    };
    let text = |value: &Value, field: &str| {
        value[field]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| format!("the outbox row of {path} has no {field}"))
    };
    match kind {
        "put" => Ok(MirrorChange::Put { path, content }),
        "append_line" => {
            let line = String::from_utf8(content).map_err(|error| error.to_string())?;
            Ok(MirrorChange::AppendLine { path, line })
        }
        "merge_entry" => {
            let row = parse(&content)?;
            let key = text(&row, "key")?;
            Ok(MirrorChange::MergeEntry {
                path,
                key,
                value: row["value"].clone(),
            })
        }
        "matrix_row" => {
            let row = parse(&content)?;
            let (left, right) = (text(&row, "left")?, text(&row, "right")?);
            let margin = row["margin"]
                .as_f64()
                .ok_or_else(|| format!("the outbox row of {path} has no margin"))?;
            Ok(MirrorChange::MatrixRow {
                path,
                left,
                right,
                margin,
            })
        }
        other => Err(format!(
            "the outbox row of {path} has the unknown change {other}"
        )),
    }
}

/// Marks rows as on the remote, in this commit.
pub async fn mark_mirrored(conn: &mut PgConnection, ids: &[i64], commit: &str) -> sqlx::Result<()> {
    sqlx::query("UPDATE mirror_file SET mirrored_at = now(), commit_sha = $2 WHERE id = ANY($1) AND mirrored_at IS NULL")
        .bind(ids)
        .bind(commit)
        .execute(conn)
        .await
        .map(drop)
}

/// How many rows wait, and for how many seconds the oldest has.
pub async fn lag(conn: &mut PgConnection) -> sqlx::Result<(i64, f64)> {
    sqlx::query_as(
        "SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 FROM mirror_file WHERE mirrored_at IS NULL",
    )
    .fetch_one(conn)
    .await
}

/// How long state files took from the commit of their step to the remote.
#[derive(Debug, Clone, Copy, Default, PartialEq, sqlx::FromRow)]
pub struct Lag {
    /// Files that reached the remote within the window.
    pub files: i64,
    /// Seconds within which half of them did; none when there were none.
    pub p50_seconds: Option<f64>,
    /// Seconds within which 95 of 100 did.
    pub p95_seconds: Option<f64>,
    /// Seconds within which 99 of 100 did.
    pub p99_seconds: Option<f64>,
    /// The slowest.
    pub max_seconds: Option<f64>,
    /// Files that wait now.
    pub waiting: i64,
    /// For how many seconds the oldest of them has waited.
    pub oldest_waiting_seconds: f64,
}

/// The mirror's lag over the files that reached the remote in the last `window_seconds`.
///
/// A file's lag is from the start of the transaction that completed its step to the moment its push was known to have
/// arrived, so it is never less than what a reader of the remote saw.
///
/// # Errors
///
/// Whatever the database says.
pub async fn lag_within(conn: &mut PgConnection, window_seconds: f64) -> sqlx::Result<Lag> {
    sqlx::query_as(
        "WITH took AS (
             SELECT extract(epoch FROM mirrored_at - created_at)::float8 AS seconds FROM mirror_file
             WHERE mirrored_at >= now() - make_interval(secs => $1)
         ), waiting AS (
             SELECT count(*) AS files, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS oldest
             FROM mirror_file WHERE mirrored_at IS NULL
         )
         SELECT (SELECT count(*) FROM took) AS files,
                (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) FROM took) AS p50_seconds,
                (SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) FROM took) AS p95_seconds,
                (SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY seconds) FROM took) AS p99_seconds,
                (SELECT max(seconds) FROM took) AS max_seconds,
                waiting.files AS waiting, waiting.oldest AS oldest_waiting_seconds
         FROM waiting",
    )
    .bind(window_seconds)
    .fetch_one(conn)
    .await
}
