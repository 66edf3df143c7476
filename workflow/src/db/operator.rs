//! What operators do to jobs and queues. Every action names who and why, and is kept.

use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

/// Who acts, and why.
#[derive(Debug, Clone)]
pub struct Operator<'a> {
    /// Name.
    pub name: &'a str,
    /// A reason for the record; must not be empty.
    pub reason: &'a str,
}

/// Why an operator's action was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// No reason was given.
    #[error("an action needs a reason: it is published in the ledger")]
    NoReason,
    /// Nothing has this key or id.
    #[error("there is no job {0}")]
    UnknownJob(String),
    /// The job is in a state the action does not fit.
    #[error("{key} is {state}: {action} is for {allowed}")]
    WrongState {
        /// Job key.
        key: String,
        /// Its state.
        state: String,
        /// What was asked.
        action: &'static str,
        /// States it fits.
        allowed: &'static str,
    },
    /// The database failed.
    #[error("the database did not answer as expected")]
    Database(#[from] sqlx::Error),
}

/// Which jobs an action is for; unset fields match everything, but at least one must be set.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Job id.
    pub id: Option<i64>,
    /// Key, or with a trailing `*` a prefix of it.
    pub key: Option<String>,
    /// Step or flow name.
    pub name: Option<String>,
    /// Queue.
    pub queue: Option<String>,
    /// Round.
    pub round: Option<i32>,
}

impl Filter {
    fn is_empty(&self) -> bool {
        self.id.is_none() && self.key.is_none() && self.name.is_none() && self.queue.is_none() && self.round.is_none()
    }

    fn as_json(&self) -> Value {
        json!({ "id": self.id, "key": self.key, "name": self.name, "queue": self.queue, "round": self.round })
    }
}

const MATCHES: &str = "($1::bigint IS NULL OR id = $1)
    AND ($2::text IS NULL OR CASE WHEN right($2, 1) = '*' THEN starts_with(key, left($2, -1)) ELSE key = $2 END)
    AND ($3::text IS NULL OR name = $3) AND ($4::text IS NULL OR queue = $4) AND ($5::int IS NULL OR round = $5)";

/// Tries again: parked, failed and waiting-for-their-backoff jobs become due now with a clean count of failures. Answers
/// how many.
///
/// # Errors
///
/// [`OperatorError`].
pub async fn retry(conn: &mut PgConnection, filter: &Filter, operator: &Operator<'_>) -> Result<u64, OperatorError> {
    act(conn, "retry", filter, operator, "state IN ('parked', 'failed', 'scheduled')",
        "state = 'available', failures = 0, run_at = now(), finished_at = NULL", Running::Untouched).await
}

/// Gives a running job to another worker: the attempt that holds it is fenced and told to stop.
///
/// # Errors
///
/// [`OperatorError`].
pub async fn force_retry(conn: &mut PgConnection, filter: &Filter, operator: &Operator<'_>) -> Result<u64, OperatorError> {
    act(conn, "force-retry", filter, operator, "state = 'running'", "state = 'available', claimed_by = NULL, failures = 0",
        Running::Superseded).await
}

/// Pauses what is not running yet; running attempts end as they do, and nothing of the filter starts after them.
///
/// # Errors
///
/// [`OperatorError`].
pub async fn pause(conn: &mut PgConnection, filter: &Filter, operator: &Operator<'_>) -> Result<u64, OperatorError> {
    act(conn, "pause", filter, operator, "state IN ('available', 'scheduled')", "state = 'paused'", Running::Untouched).await
}

/// Lets paused jobs go on.
///
/// # Errors
///
/// [`OperatorError`].
pub async fn resume(conn: &mut PgConnection, filter: &Filter, operator: &Operator<'_>) -> Result<u64, OperatorError> {
    act(conn, "resume", filter, operator, "state = 'paused'", "state = 'available'", Running::Untouched).await
}

/// Cancels a job and all below it. Running handlers are told by their token; their late results change nothing.
///
/// # Errors
///
/// [`OperatorError`].
pub async fn cancel(conn: &mut PgConnection, key: &str, operator: &Operator<'_>) -> Result<u64, OperatorError> {
    check(operator)?;
    let mut transaction = conn.begin().await?;
    if super::job::find(&mut transaction, key).await?.is_none() {
        return Err(OperatorError::UnknownJob(key.to_owned()));
    }
    let reason = format!("cancelled by {}: {}", operator.name, operator.reason);
    let cancelled = super::job::cancel_unfinished(&mut transaction, key, &reason).await?;
    let queues = super::job::wake_parents_of(&mut transaction, &cancelled).await?;
    super::notify_jobs(&mut transaction, queues).await?;
    keep(&mut transaction, operator, "cancel", key, json!({ "jobs": cancelled.len() })).await?;
    transaction.commit().await?;
    Ok(cancelled.len() as u64)
}

/// Pauses or resumes a whole queue over all replicas.
///
/// # Errors
///
/// [`OperatorError`].
pub async fn pause_queue(conn: &mut PgConnection, queue: &str, paused: bool, operator: &Operator<'_>) -> Result<(), OperatorError> {
    check(operator)?;
    let mut transaction = conn.begin().await?;
    sqlx::query("INSERT INTO queue (name, paused) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET paused = excluded.paused")
        .bind(queue)
        .bind(paused)
        .execute(&mut *transaction)
        .await?;
    super::notify_jobs(&mut transaction, vec![queue.to_owned()]).await?;
    keep(&mut transaction, operator, if paused { "pause-queue" } else { "resume-queue" }, queue, Value::Null).await?;
    Ok(transaction.commit().await?)
}

#[derive(PartialEq)]
enum Running {
    Untouched,
    Superseded,
}

async fn act(
    conn: &mut PgConnection,
    action: &'static str,
    filter: &Filter,
    operator: &Operator<'_>,
    from: &str,
    set: &str,
    running: Running,
) -> Result<u64, OperatorError> {
    check(operator)?;
    if filter.is_empty() {
        return Err(OperatorError::UnknownJob("without a filter".to_owned()));
    }
    let mut transaction = conn.begin().await?;
    let sql = format!(
        "WITH chosen AS (SELECT id, claimed_by FROM job WHERE {MATCHES} AND {from} ORDER BY id FOR UPDATE)
         UPDATE job SET {set} FROM chosen WHERE job.id = chosen.id
         RETURNING job.id, job.queue, job.attempt, chosen.claimed_by, job.claimed_at"
    );
    let changed: Vec<(i64, String, i32, Option<i64>, Option<chrono::DateTime<chrono::Utc>>)> =
        sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(filter.id)
            .bind(&filter.key)
            .bind(&filter.name)
            .bind(&filter.queue)
            .bind(filter.round)
            .fetch_all(&mut *transaction)
            .await?;
    if running == Running::Superseded {
        for (id, _, attempt, worker, started_at) in &changed {
            sqlx::query(
                "INSERT INTO attempt (job_id, attempt, worker_id, started_at, outcome, error)
                 VALUES ($1, $2, $3, $4, 'superseded', $5) ON CONFLICT DO NOTHING",
            )
            .bind(id)
            .bind(attempt)
            .bind(worker)
            .bind(started_at)
            .bind(format!("taken away by {}: {}", operator.name, operator.reason))
            .execute(&mut *transaction)
            .await?;
        }
        let ids: Vec<i64> = changed.iter().map(|(id, ..)| *id).collect();
        super::job::tell_cancelled(&mut transaction, &ids).await?;
    }
    super::notify_jobs(&mut transaction, changed.iter().map(|(_, queue, ..)| queue.clone()).collect()).await?;
    keep(&mut transaction, operator, action, &filter.as_json().to_string(), json!({ "jobs": changed.len() })).await?;
    transaction.commit().await?;
    Ok(changed.len() as u64)
}

fn check(operator: &Operator<'_>) -> Result<(), OperatorError> {
    if operator.reason.trim().is_empty() { Err(OperatorError::NoReason) } else { Ok(()) }
}

async fn keep(conn: &mut PgConnection, operator: &Operator<'_>, action: &str, target: &str, after: Value) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO operator_action (operator, action, target, reason, after) VALUES ($1, $2, $3, $4, $5)")
        .bind(operator.name)
        .bind(action)
        .bind(target)
        .bind(operator.reason)
        .bind(after)
        .execute(conn)
        .await
        .map(drop)
}
