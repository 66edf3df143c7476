//! Steps: lists by filter, one with its attempts, and those that wait for an operator.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, Postgres, QueryBuilder};

/// How many steps a page lists.
pub const PAGE: i64 = 100;

/// Which steps to list; empty fields match all.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default)]
pub struct StepFilter {
    pub state: String,
    pub name: String,
    pub queue: String,
    /// A number.
    pub round: String,
    /// Part of a key.
    pub key: String,
    /// Only steps with a smaller id: the next page.
    pub before: String,
}

/// A line of a list of steps.
#[derive(Debug, sqlx::FromRow)]
pub struct StepLine {
    pub id: i64,
    pub kind: String,
    pub name: String,
    pub key: String,
    pub queue: String,
    pub state: String,
    pub attempt: i32,
    pub failures: i16,
    pub max_failures: i16,
    pub run_at: DateTime<Utc>,
    pub claimed_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    /// The beginning of the last error.
    pub error: Option<String>,
}

const LINE: &str = "SELECT id, kind, name, key, queue, state, attempt, failures, max_failures, run_at, claimed_at, created_at,
        finished_at, left(error, 300) AS error FROM job";

/// Steps that match, the newest first; one more than [`PAGE`] when there are more.
pub async fn list(conn: &mut PgConnection, filter: &StepFilter) -> sqlx::Result<Vec<StepLine>> {
    let mut query = QueryBuilder::<Postgres>::new(LINE);
    query.push(" WHERE true");
    for (column, value) in [
        ("state", &filter.state),
        ("name", &filter.name),
        ("queue", &filter.queue),
    ] {
        if !value.is_empty() {
            query
                .push(" AND ")
                .push(column)
                .push(" = ")
                .push_bind(value.as_str());
        }
    }
    // What is no number matches nothing, which is what the page then shows.
    for (condition, value) in [
        (" AND round = ", &filter.round),
        (" AND id < ", &filter.before),
    ] {
        if !value.is_empty() {
            query
                .push(condition)
                .push_bind(value.parse::<i64>().unwrap_or(-1));
        }
    }
    if !filter.key.is_empty() {
        query
            .push(" AND strpos(key, ")
            .push_bind(filter.key.as_str())
            .push(") > 0");
    }
    query.push(" ORDER BY id DESC LIMIT ").push_bind(PAGE + 1);
    query
        .build_query_as()
        .persistent(false)
        .fetch_all(conn)
        .await
}

/// How many steps are in each state that has an index; completed and waiting ones are not counted.
pub async fn state_counts(conn: &mut PgConnection) -> sqlx::Result<Vec<(String, i64)>> {
    sqlx::query_as(
        "SELECT 'running', count(*) FROM job WHERE state = 'running'
         UNION ALL SELECT 'available', count(*) FROM job WHERE state = 'available'
         UNION ALL SELECT 'scheduled', count(*) FROM job WHERE state = 'scheduled'
         UNION ALL SELECT 'paused', count(*) FROM job WHERE state = 'paused'
         UNION ALL SELECT 'parked', count(*) FROM job WHERE state = 'parked'
         UNION ALL SELECT 'failed', count(*) FROM job WHERE state = 'failed'",
    )
    .fetch_all(conn)
    .await
}

/// Names of steps and flows in the newest round that has any, for suggestions. Skips from name to name in the index.
pub async fn names(conn: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "WITH RECURSIVE found AS (
             (SELECT round, name FROM job WHERE round = (SELECT max(round) FROM job) ORDER BY name LIMIT 1)
             UNION ALL
             SELECT found.round, (SELECT name FROM job WHERE round = found.round AND name > found.name ORDER BY name LIMIT 1)
             FROM found WHERE found.name IS NOT NULL
         )
         SELECT name FROM found WHERE name IS NOT NULL",
    )
    .fetch_all(conn)
    .await
}

/// A step, flow or wait in full.
#[derive(Debug, sqlx::FromRow)]
pub struct StepDetail {
    pub id: i64,
    pub kind: String,
    pub name: String,
    pub version: i32,
    pub key: String,
    pub parent_id: Option<i64>,
    pub parent_key: Option<String>,
    pub round: Option<i32>,
    pub queue: String,
    pub priority: i16,
    pub state: String,
    pub run_at: DateTime<Utc>,
    pub attempt: i32,
    pub failures: i16,
    pub max_failures: i16,
    pub worker: Option<String>,
    pub claimed_at: Option<DateTime<Utc>>,
    pub joining: i32,
    pub wait_event: Option<String>,
    pub wait_block: Option<i64>,
    pub input: Value,
    pub output: Option<Value>,
    pub error: Option<String>,
    pub trace: Option<String>,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// One step.
pub async fn find(conn: &mut PgConnection, id: i64) -> sqlx::Result<Option<StepDetail>> {
    sqlx::query_as(
        "SELECT job.id, job.kind, job.name, job.version, job.key, job.parent_id, parent.key AS parent_key, job.round, job.queue,
                job.priority, job.state, job.run_at, job.attempt, job.failures, job.max_failures,
                CASE WHEN job.state = 'running' THEN worker.name END AS worker, job.claimed_at, job.joining, job.wait_event,
                job.wait_block, job.input, job.output, job.error, job.trace, job.created_at, job.finished_at
         FROM job LEFT JOIN job parent ON parent.id = job.parent_id LEFT JOIN worker ON worker.id = job.claimed_by
         WHERE job.id = $1",
    )
    .bind(id)
    .fetch_optional(conn)
    .await
}

/// A try that ended.
#[derive(Debug, sqlx::FromRow)]
pub struct Attempt {
    #[sqlx(rename = "attempt")]
    pub number: i32,
    pub worker: Option<String>,
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    pub outcome: String,
    pub error: Option<String>,
    pub trace: Option<String>,
}

/// Tries of a step, the last first.
pub async fn attempts(conn: &mut PgConnection, id: i64) -> sqlx::Result<Vec<Attempt>> {
    sqlx::query_as(
        "SELECT attempt.attempt, worker.name AS worker, attempt.started_at, attempt.ended_at, attempt.outcome, attempt.error,
                attempt.trace
         FROM attempt LEFT JOIN worker ON worker.id = attempt.worker_id
         WHERE attempt.job_id = $1 ORDER BY attempt.attempt DESC LIMIT 100",
    )
    .bind(id)
    .fetch_all(conn)
    .await
}

/// What a flow started, by state.
pub async fn child_counts(
    conn: &mut PgConnection,
    parent: i64,
) -> sqlx::Result<Vec<(String, i64)>> {
    sqlx::query_as("SELECT state, count(*) FROM job WHERE parent_id = $1 GROUP BY state ORDER BY count(*) DESC, state")
        .bind(parent)
        .fetch_all(conn)
        .await
}

/// What a flow started: those that need a look first, then the newest.
pub async fn children(conn: &mut PgConnection, parent: i64) -> sqlx::Result<Vec<StepLine>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{LINE} WHERE parent_id = $1
         ORDER BY coalesce(array_position(ARRAY['parked', 'failed', 'running', 'scheduled', 'available'], state), 9), id DESC
         LIMIT 50"
    )))
    .bind(parent)
    .fetch_all(conn)
    .await
}

/// Steps that wait for an operator for the same reason.
#[derive(Debug, sqlx::FromRow)]
pub struct ParkedGroup {
    pub name: String,
    pub round: Option<i32>,
    pub state: String,
    /// The first line of one of their errors, which differ by numbers only.
    pub error: String,
    pub steps: i64,
    pub newest_id: i64,
}

/// Parked and failed steps by name, round and error.
pub async fn parked_groups(conn: &mut PgConnection) -> sqlx::Result<Vec<ParkedGroup>> {
    sqlx::query_as(
        "SELECT name, round, state, max(error) AS error, count(*) AS steps, max(id) AS newest_id
         FROM (SELECT id, name, round, state, left(split_part(coalesce(error, 'no error kept'), E'\\n', 1), 300) AS error
               FROM job WHERE state IN ('parked', 'failed')) j
         GROUP BY name, round, state, regexp_replace(error, '\\d+', '#', 'g')
         ORDER BY state DESC, count(*) DESC, max(id) DESC LIMIT 100",
    )
    .fetch_all(conn)
    .await
}

/// Parked and failed steps, the newest first.
pub async fn parked(conn: &mut PgConnection) -> sqlx::Result<Vec<StepLine>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{LINE} WHERE state IN ('parked', 'failed') ORDER BY state DESC, id DESC LIMIT {PAGE}"
    )))
    .fetch_all(conn)
    .await
}
