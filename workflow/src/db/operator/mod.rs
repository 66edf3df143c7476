//! What operators do to jobs and queues. Every action names who and why, and is kept.

mod filter;
mod public_stage;
mod record;

use schema::RoundNumber;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use self::filter::{FILTER, MATCHES, matching};
pub(super) use self::record::check;
use self::record::keep_with;
pub use self::{
    filter::Filter,
    record::{Operator, Target, keep, record},
};
use super::{cancel::cancel_unfinished, notify_jobs, sql::notify};

/// Why an operator's action was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// No reason was given.
    #[error("an action needs a reason: it is published in the ledger")]
    NoReason,
    /// The filter matches everything.
    #[error("say which jobs: by id, key, name, queue or round")]
    NoFilter,
    /// Nothing has this key or id.
    #[error("there is no job {0}")]
    UnknownJob(String),
    /// No edit waits for a decision under this number.
    #[error("there is no conflict {0} that waits for a decision")]
    UnknownConflict(i64),
    /// Nothing can be judged or drawn anew any more.
    #[error("round {0} has its champion: nothing of it is judged or drawn anew any more")]
    TournamentOver(RoundNumber),
    /// Nothing was judged yet.
    #[error("round {0} has no tournament yet: there is nothing to judge anew")]
    NoTournament(RoundNumber),
    /// The match has no result.
    #[error("{0} has no result: there is nothing to judge anew")]
    NotMeasured(String),
    /// The entries have no pictures and no verdict on their modules.
    #[error("{0} was not drawn: there is nothing to draw anew")]
    NotDrawn(String),
    /// The database failed.
    #[error("the database did not answer as expected")]
    Database(#[from] sqlx::Error),
}

/// Tries again: parked, failed and waiting-for-their-backoff jobs become due now with a clean count of failures. Answers
/// how many.
///
/// A flow that was told of a failed child and then parked is retried on its own, after the child: as long as the child stays
/// failed, the flow is told so again.
///
/// # Errors
///
/// [`OperatorError`].
pub async fn retry(
    conn: &mut PgConnection,
    filter: &Filter,
    operator: &Operator<'_>,
) -> Result<u64, OperatorError> {
    const RETRY: &str = "
        UPDATE job SET state = 'available', failures = 0, run_at = now(), finished_at = NULL, error = NULL
        FROM chosen WHERE job.id = chosen.id RETURNING job.queue";
    act(
        conn,
        "retry",
        filter,
        operator,
        "job.kind <> 'wait' AND job.state IN ('parked', 'failed', 'scheduled')",
        RETRY,
    )
    .await
}

/// Gives running jobs to other workers: the attempts that hold them are fenced and told to stop.
///
/// # Errors
///
/// [`OperatorError`].
pub async fn force_retry(
    conn: &mut PgConnection,
    filter: &Filter,
    operator: &Operator<'_>,
) -> Result<u64, OperatorError> {
    const TAKE: &str = "
        UPDATE job SET state = 'available', claimed_by = NULL, failures = 0
        FROM chosen WHERE job.id = chosen.id
        RETURNING job.id, job.attempt, job.queue, job.claimed_at, chosen.claimed_by,
                  pg_notify('assize_cancel', job.id || ':' || job.attempt)::text
    ), kept AS (
        INSERT INTO attempt (job_id, attempt, worker_id, started_at, outcome, error)
        SELECT id, attempt, claimed_by, claimed_at, 'superseded', 'taken away by ' || $2 || ': ' || $3 FROM changed";
    act(
        conn,
        "force-retry",
        filter,
        operator,
        "job.state = 'running'",
        TAKE,
    )
    .await
}

/// Pauses jobs: running attempts end as they do, and nothing that matches starts from now on, also what is started or becomes
/// due later. A filter by id or key stands for a flow with everything below it. Answers how many jobs were due and now are
/// paused.
///
/// # Errors
///
/// [`OperatorError`].
pub async fn pause(
    conn: &mut PgConnection,
    filter: &Filter,
    operator: &Operator<'_>,
) -> Result<u64, OperatorError> {
    check_both(filter, operator)?;
    let mut transaction = conn.begin().await?;
    let before = pauses(&mut transaction).await?;
    let set = format!(
        "INSERT INTO pause (job_id, key, name, queue, round)
         SELECT id, key, name, queue, round FROM {FILTER}
         WHERE NOT EXISTS (SELECT FROM pause p WHERE (p.job_id, p.key, p.name, p.queue, p.round)
                                                     IS NOT DISTINCT FROM (f.id, f.key, f.name, f.queue, f.round))"
    );
    sqlx::query(AssertSqlSafe(set))
        .bind(filter.as_json())
        .execute(&mut *transaction)
        .await?;
    let paused = sqlx::query(
        "WITH due AS MATERIALIZED (SELECT id FROM job WHERE state = 'available' AND is_paused(id)),
              locked AS MATERIALIZED (SELECT id FROM job WHERE id IN (SELECT id FROM due) ORDER BY id FOR NO KEY UPDATE)
         UPDATE job SET state = 'paused' FROM locked WHERE job.id = locked.id AND job.state = 'available'",
    )
    .execute(&mut *transaction)
    .await?
    .rows_affected();
    let after = pauses(&mut transaction).await?;
    keep(
        &mut transaction,
        operator,
        "pause",
        &Target::jobs(filter),
        Some(json!({ "pauses": before })),
        Some(json!({ "pauses": after, "jobs": paused })),
    )
    .await?;
    transaction.commit().await?;
    Ok(paused)
}

/// Lifts the pauses that this filter covers (all whose fields include those of the filter), and lets the jobs go on that no
/// other pause matches. Answers how many. If `state.json` says that a round is paused which goes on now, it says its stage
/// again.
///
/// # Errors
///
/// [`OperatorError`].
pub async fn resume(
    conn: &mut PgConnection,
    filter: &Filter,
    operator: &Operator<'_>,
) -> Result<u64, OperatorError> {
    check_both(filter, operator)?;
    let mut transaction = conn.begin().await?;
    // A claim under way may be about to put a job aside because of a pause that is lifted here. It ends before the lock is
    // granted, and the next one waits until this has committed.
    sqlx::query("LOCK TABLE pause IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *transaction)
        .await?;
    let before = pauses(&mut transaction).await?;
    let lift = format!(
        "WITH lifted AS (
             DELETE FROM pause p USING {FILTER}
             WHERE (f.id IS NULL OR p.job_id = f.id) AND (f.key IS NULL OR p.key = f.key) AND (f.name IS NULL OR p.name = f.name)
               AND (f.queue IS NULL OR p.queue = f.queue) AND (f.round IS NULL OR p.round = f.round)
             RETURNING p.job_id, p.key, p.name, p.queue, p.round)
         SELECT round FROM lifted WHERE num_nonnulls(job_id, key, name, queue) = 0"
    );
    let rounds: Vec<i32> = sqlx::query_scalar(AssertSqlSafe(lift))
        .bind(filter.as_json())
        .fetch_all(&mut *transaction)
        .await?;
    let (resumed, _): (i64, Option<String>) = sqlx::query_as(concat!(
        "WITH free AS MATERIALIZED (SELECT id FROM job WHERE state = 'paused' AND NOT is_paused(id)),
              locked AS MATERIALIZED (SELECT id FROM job WHERE id IN (SELECT id FROM free) ORDER BY id FOR NO KEY UPDATE),
              notices AS (
                  UPDATE job SET state = 'available' FROM locked WHERE job.id = locked.id AND job.state = 'paused'
                  RETURNING job.queue)
         SELECT (SELECT count(*) FROM notices), ",
        notify!("notices")
    ))
    .fetch_one(&mut *transaction)
    .await?;
    let after = pauses(&mut transaction).await?;
    let stage = public_stage::after_resuming(&mut transaction, &rounds).await?;
    keep_with(
        &mut transaction,
        operator,
        "resume",
        &Target::jobs(filter),
        (
            Some(json!({ "pauses": before })),
            Some(json!({ "pauses": after, "jobs": resumed })),
        ),
        stage,
    )
    .await?;
    transaction.commit().await?;
    Ok(u64::try_from(resumed).unwrap_or(0))
}

/// Cancels jobs and all below them. Running handlers are told by their token; their late results change nothing. Answers how
/// many had not ended.
///
/// # Errors
///
/// [`OperatorError`].
pub async fn cancel(
    conn: &mut PgConnection,
    filter: &Filter,
    operator: &Operator<'_>,
) -> Result<u64, OperatorError> {
    check_both(filter, operator)?;
    let mut transaction = conn.begin().await?;
    let chosen = format!(
        "SELECT coalesce(array_agg(job.key) FILTER (WHERE job.finished_at IS NULL), '{{}}'), count(*)
         FROM job, {FILTER} WHERE {MATCHES}"
    );
    let (keys, found): (Vec<String>, i64) = sqlx::query_as(AssertSqlSafe(chosen))
        .bind(filter.as_json())
        .fetch_one(&mut *transaction)
        .await?;
    if let (0, Some(one)) = (found, filter.one()) {
        return Err(OperatorError::UnknownJob(one));
    }
    let before = matching(&mut transaction, filter, "job.finished_at IS NULL").await?;
    let reason = format!("cancelled by {}: {}", operator.name, operator.reason);
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let cancelled = cancel_unfinished(&mut transaction, &keys, &reason).await?;
    keep(
        &mut transaction,
        operator,
        "cancel",
        &Target::jobs(filter),
        Some(json!({ "jobs": before })),
        Some(json!({ "state": "cancelled", "jobs": cancelled })),
    )
    .await?;
    transaction.commit().await?;
    Ok(u64::try_from(cancelled).unwrap_or(0))
}

/// Pauses or resumes a whole queue over all replicas.
///
/// # Errors
///
/// [`OperatorError`].
pub async fn pause_queue(
    conn: &mut PgConnection,
    queue: &str,
    paused: bool,
    operator: &Operator<'_>,
) -> Result<(), OperatorError> {
    check(operator)?;
    let mut transaction = conn.begin().await?;
    let before: Option<bool> = sqlx::query_scalar("SELECT paused FROM queue WHERE name = $1")
        .bind(queue)
        .fetch_optional(&mut *transaction)
        .await?;
    sqlx::query("INSERT INTO queue (name, paused) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET paused = excluded.paused")
        .bind(queue)
        .bind(paused)
        .execute(&mut *transaction)
        .await?;
    notify_jobs(&mut transaction, vec!["*".to_owned()]).await?;
    keep(
        &mut transaction,
        operator,
        if paused {
            "pause-queue"
        } else {
            "resume-queue"
        },
        &Target::other(queue),
        Some(json!({ "paused": before.unwrap_or(false) })),
        Some(json!({ "paused": paused })),
    )
    .await?;
    Ok(transaction.commit().await?)
}

/// Sets a queue's limits over all replicas: jobs at once, and starts a second; `None` is no limit.
///
/// # Errors
///
/// [`OperatorError`].
pub async fn limit_queue(
    conn: &mut PgConnection,
    queue: &str,
    capacity: Option<i32>,
    rate_per_second: Option<f64>,
    operator: &Operator<'_>,
) -> Result<(), OperatorError> {
    check(operator)?;
    let mut transaction = conn.begin().await?;
    let before: Option<(Option<i32>, Option<f64>)> =
        sqlx::query_as("SELECT capacity, rate_per_second FROM queue WHERE name = $1")
            .bind(queue)
            .fetch_optional(&mut *transaction)
            .await?;
    super::queue::limit(&mut transaction, queue, capacity, rate_per_second).await?;
    keep(
        &mut transaction,
        operator,
        "limit-queue",
        &Target::other(queue),
        before.map(|(capacity, rate)| json!({ "capacity": capacity, "rate_per_second": rate })),
        Some(json!({ "capacity": capacity, "rate_per_second": rate_per_second })),
    )
    .await?;
    Ok(transaction.commit().await?)
}

/// Changes the jobs that match `filter` and `from` by the statement `change`, which makes them available.
async fn act(
    conn: &mut PgConnection,
    action: &'static str,
    filter: &Filter,
    operator: &Operator<'_>,
    from: &str,
    change: &str,
) -> Result<u64, OperatorError> {
    check_both(filter, operator)?;
    let mut transaction = conn.begin().await?;
    let before = matching(&mut transaction, filter, from).await?;
    let sql = format!(
        "WITH chosen AS MATERIALIZED (
             SELECT job.id, job.claimed_by FROM job, {FILTER} WHERE {MATCHES} AND {from} ORDER BY job.id FOR NO KEY UPDATE OF job
         ), changed AS ({change}),
            notices AS (SELECT queue FROM changed)
         SELECT (SELECT count(*) FROM changed), {}, $2::text, $3::text",
        notify!("notices")
    );
    let (changed, ..): (i64, Option<String>, String, String) = sqlx::query_as(AssertSqlSafe(sql))
        .bind(filter.as_json())
        .bind(operator.name)
        .bind(operator.reason)
        .fetch_one(&mut *transaction)
        .await?;
    keep(
        &mut transaction,
        operator,
        action,
        &Target::jobs(filter),
        Some(json!({ "jobs": before })),
        Some(json!({ "state": "available", "jobs": changed })),
    )
    .await?;
    transaction.commit().await?;
    Ok(u64::try_from(changed).unwrap_or(0))
}

fn check_both(filter: &Filter, operator: &Operator<'_>) -> Result<(), OperatorError> {
    check(operator)?;
    if filter.is_empty() {
        return Err(OperatorError::NoFilter);
    }
    Ok(())
}

/// The pauses in force, as filters.
async fn pauses(conn: &mut PgConnection) -> sqlx::Result<Value> {
    sqlx::query_scalar(
        "SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                    'id', job_id, 'key', key, 'name', name, 'queue', queue, 'round', round)) ORDER BY id), '[]') FROM pause",
    )
    .fetch_one(conn)
    .await
}
