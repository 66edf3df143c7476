//! Queries on the `job` table, in the order of a job's life.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, Row as _, types::Json};

use crate::engine::{
    commit::{Claim, End, Ending},
    flow::{ChildState, NewJob},
};

/// What an insert brought about.
#[derive(Debug, Default)]
pub struct Inserted {
    /// Queues that have new work.
    pub queues: Vec<String>,
    /// Parents of inserted waits that had already ended (their event had fired, their block was reached).
    pub ended_parents: HashSet<i64>,
    /// Jobs that did not exist before.
    pub count: usize,
}

/// Inserts jobs; a key that exists is left as it is. One statement, whatever the number.
///
/// Jobs with a fairness key get a rank: the least rank waiting in their queue or one more than their key's last, then
/// one more each, so that keys take turns however many jobs one of them has.
pub async fn insert(conn: &mut PgConnection, jobs: &[(Option<i64>, &NewJob)]) -> sqlx::Result<Inserted> {
    if jobs.is_empty() {
        return Ok(Inserted::default());
    }
    let column = |pick: fn(&NewJob) -> &str| -> Vec<&str> { jobs.iter().map(|(_, job)| pick(job)).collect() };
    let rows = sqlx::query(
        "WITH new AS (
             SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::bigint[], $6::int[], $7::text[], $8::smallint[],
                                  $9::text[], $10::smallint[], $11::text[], $12::jsonb[], $13::timestamptz[], $14::text[], $15::bigint[])
                  WITH ORDINALITY
                  AS t(kind, name, version, key, parent_id, round, queue, priority, fair_key, max_failures, wakes, input, run_at,
                       wait_event, wait_block, place)
         ), fair AS (
             SELECT queue, fair_key, greatest(
                        (SELECT coalesce(max(j.fair_rank) + 1, 0) FROM job j
                         WHERE j.queue = n.queue AND j.fair_key = n.fair_key AND j.state = 'available'),
                        (SELECT coalesce(min(j.fair_rank), 0) FROM job j
                         WHERE j.queue = n.queue AND j.fair_key IS NOT NULL AND j.state = 'available')) AS base
             FROM (SELECT DISTINCT queue, fair_key FROM new WHERE fair_key IS NOT NULL) n
         ), ready AS (
             SELECT new.*, e.payload, (e.name IS NOT NULL OR coalesce(new.wait_block <= h.block, false)) AS ended, h.block AS head,
                    coalesce(fair.base + row_number() OVER (PARTITION BY new.queue, new.fair_key ORDER BY place) - 1, 0) AS rank
             FROM new
             LEFT JOIN event e ON e.name = new.wait_event
             LEFT JOIN chain_head h ON new.wait_block IS NOT NULL
             LEFT JOIN fair ON fair.queue = new.queue AND fair.fair_key = new.fair_key
         )
         INSERT INTO job (kind, name, version, key, parent_id, round, queue, priority, fair_key, fair_rank, max_failures, wakes, input,
                          run_at, wait_event, wait_block, state, output, finished_at)
         SELECT kind, name, version, key, parent_id, round, queue, priority, fair_key, rank, max_failures, wakes, input,
                coalesce(run_at, now()), wait_event, wait_block,
                CASE WHEN ended THEN 'completed'
                     WHEN wait_event IS NOT NULL OR wait_block IS NOT NULL THEN 'waiting'
                     WHEN run_at IS NOT NULL THEN 'scheduled'
                     ELSE 'available' END,
                CASE WHEN ended THEN coalesce(payload, to_jsonb(head)) END,
                CASE WHEN ended THEN now() END
         FROM ready ORDER BY place
         ON CONFLICT (key) DO NOTHING
         RETURNING queue, state, parent_id",
    )
    .bind(column(|job| job.kind))
    .bind(column(|job| &job.name))
    .bind(jobs.iter().map(|(_, job)| job.version).collect::<Vec<_>>())
    .bind(column(|job| &job.key))
    .bind(jobs.iter().map(|(parent, _)| *parent).collect::<Vec<_>>())
    .bind(jobs.iter().map(|(_, job)| job.round).collect::<Vec<_>>())
    .bind(column(|job| &job.queue))
    .bind(jobs.iter().map(|(_, job)| job.priority).collect::<Vec<_>>())
    .bind(jobs.iter().map(|(_, job)| job.fair_key.as_deref()).collect::<Vec<_>>())
    .bind(jobs.iter().map(|(_, job)| job.max_failures).collect::<Vec<_>>())
    .bind(column(|job| job.wakes))
    .bind(jobs.iter().map(|(_, job)| Json(&job.input)).collect::<Vec<_>>())
    .bind(jobs.iter().map(|(_, job)| job.run_at).collect::<Vec<_>>())
    .bind(jobs.iter().map(|(_, job)| job.wait_event.as_deref()).collect::<Vec<_>>())
    .bind(jobs.iter().map(|(_, job)| job.wait_block).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;

    let mut inserted = Inserted { count: rows.len(), ..Inserted::default() };
    let mut queues = HashSet::new();
    for row in rows {
        match row.try_get::<&str, _>("state")? {
            "available" => {
                queues.insert(row.try_get::<String, _>("queue")?);
            }
            "completed" => inserted.ended_parents.extend(row.try_get::<Option<i64>, _>("parent_id")?),
            _ => {}
        }
    }
    inserted.queues = queues.into_iter().collect();
    Ok(inserted)
}

/// Records inline steps, ended or handed to the queue; answers their ids by key.
pub async fn insert_inline(conn: &mut PgConnection, worker: i64, live: &[&Ending]) -> sqlx::Result<HashMap<String, i64>> {
    let jobs: Vec<(&NewJob, &Ending)> =
        live.iter().filter_map(|ending| ending.inline.as_ref().map(|job| (job, *ending))).collect();
    if jobs.is_empty() {
        return Ok(HashMap::new());
    }
    let ends: Vec<EndColumns> = jobs.iter().map(|(_, ending)| EndColumns::of(&ending.end, 0)).collect();
    let column = |pick: fn(&NewJob) -> &str| -> Vec<&str> { jobs.iter().map(|(job, _)| pick(job)).collect() };
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "INSERT INTO job (kind, name, key, parent_id, round, queue, priority, fair_key, max_failures, wakes, input,
                          attempt, failures, claimed_by, claimed_at, state, run_at, output, error, finished_at)
         SELECT 'step', name, key, parent_id, round, queue, priority, fair_key, max_failures, 'each', input,
                1, failures, $15, now(), state, now() + make_interval(secs => wait), output, error,
                CASE WHEN state IN ('completed', 'failed') THEN now() END
         FROM unnest($1::text[], $2::text[], $3::bigint[], $4::int[], $5::text[], $6::smallint[], $7::text[], $8::smallint[],
                     $9::jsonb[], $10::smallint[], $11::text[], $12::float8[], $13::jsonb[], $14::text[])
              AS t(name, key, parent_id, round, queue, priority, fair_key, max_failures, input, failures, state, wait, output, error)
         ON CONFLICT (key) DO NOTHING
         RETURNING key, id",
    )
    .bind(column(|job| &job.name))
    .bind(column(|job| &job.key))
    .bind(jobs.iter().map(|(_, ending)| ending.claim.id).collect::<Vec<_>>())
    .bind(jobs.iter().map(|(job, _)| job.round).collect::<Vec<_>>())
    .bind(column(|job| &job.queue))
    .bind(jobs.iter().map(|(job, _)| job.priority).collect::<Vec<_>>())
    .bind(jobs.iter().map(|(job, _)| job.fair_key.as_deref()).collect::<Vec<_>>())
    .bind(jobs.iter().map(|(job, _)| job.max_failures).collect::<Vec<_>>())
    .bind(jobs.iter().map(|(job, _)| Json(&job.input)).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.failures).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.state).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.wait_seconds).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.output.map(Json)).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.error).collect::<Vec<_>>())
    .bind(worker)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().collect())
}

/// Claims due jobs: at most `limit` of each queue, by priority, then turn of the fairness key, then age. Callers never
/// wait for each other: rows locked by one are skipped by the rest.
pub async fn claim(conn: &mut PgConnection, worker: i64, queues: &[String], limits: &[i32]) -> sqlx::Result<Vec<Claim>> {
    let rows = sqlx::query(
        "WITH due AS MATERIALIZED (
             SELECT j.id FROM unnest($2::text[], $3::int[]) AS want(queue, most)
             CROSS JOIN LATERAL (
                 SELECT id FROM job
                 WHERE job.queue = want.queue AND job.state = 'available'
                 ORDER BY priority, fair_rank, id
                 LIMIT want.most FOR UPDATE SKIP LOCKED
             ) j
         )
         UPDATE job SET state = 'running', attempt = job.attempt + 1, claimed_by = $1, claimed_at = now(), woken = false
         FROM due WHERE job.id = due.id
         RETURNING job.id, job.attempt, job.kind, job.name, job.version, job.key, job.parent_id, job.round, job.queue, job.failures,
                   job.max_failures, job.input, job.claimed_at",
    )
    .bind(worker)
    .bind(queues)
    .bind(limits)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Claim {
                id: row.try_get("id")?,
                attempt: row.try_get("attempt")?,
                kind: row.try_get("kind")?,
                name: row.try_get("name")?,
                version: row.try_get("version")?,
                key: row.try_get("key")?,
                parent_id: row.try_get("parent_id")?,
                round: row.try_get("round")?,
                queue: row.try_get("queue")?,
                failures: row.try_get("failures")?,
                max_failures: row.try_get("max_failures")?,
                input: row.try_get("input")?,
                claimed_at: row.try_get("claimed_at")?,
                history: HashMap::new(),
            })
        })
        .collect()
}

/// The children of flows: what a pass remembers.
pub async fn histories(conn: &mut PgConnection, flows: &[i64]) -> sqlx::Result<HashMap<i64, HashMap<String, ChildState>>> {
    let rows: Vec<(i64, String, String, Option<Value>, Option<String>)> = sqlx::query_as(
        "SELECT parent_id, key, state, CASE WHEN state = 'completed' THEN output END, CASE WHEN state = 'failed' THEN error END
         FROM job WHERE parent_id = ANY($1)",
    )
    .bind(flows)
    .fetch_all(conn)
    .await?;
    let mut histories: HashMap<i64, HashMap<String, ChildState>> = HashMap::new();
    for (parent, key, state, output, error) in rows {
        histories.entry(parent).or_default().insert(key, ChildState { state, output, error });
    }
    Ok(histories)
}

/// Who holds a job.
#[derive(Debug, Clone)]
pub struct Held {
    /// Fencing token.
    pub attempt: i32,
    /// Worker of the last claim.
    pub claimed_by: Option<i64>,
    /// State.
    pub state: String,
}

/// Locks jobs in ascending id.
pub async fn lock(conn: &mut PgConnection, ids: &[i64]) -> sqlx::Result<HashMap<i64, Held>> {
    let rows: Vec<(i64, i32, Option<i64>, String)> =
        sqlx::query_as("SELECT id, attempt, claimed_by, state FROM job WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE")
            .bind(ids)
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().map(|(id, attempt, claimed_by, state)| (id, Held { attempt, claimed_by, state })).collect())
}

/// Which of the keys exist.
pub async fn existing_keys(conn: &mut PgConnection, keys: &[&str]) -> sqlx::Result<HashSet<String>> {
    let keys: Vec<String> =
        sqlx::query_scalar("SELECT key FROM job WHERE key = ANY($1)").bind(keys).fetch_all(conn).await?;
    Ok(keys.into_iter().collect())
}

/// The columns an end sets.
struct EndColumns<'a> {
    state: &'static str,
    failures: i16,
    wait_seconds: f64,
    output: Option<&'a Value>,
    error: Option<&'a str>,
}

impl<'a> EndColumns<'a> {
    fn of(end: &'a End, failures: i16) -> Self {
        let plain = EndColumns { state: "available", failures, wait_seconds: 0.0, output: None, error: None };
        let failures = failures.saturating_add(1);
        match end {
            End::Completed { output, .. } => EndColumns { state: "completed", output: Some(output), ..plain },
            // Suspended flows are set by `suspend`, which knows what they wait for.
            End::Suspended { .. } => EndColumns { state: "waiting", ..plain },
            End::Snoozed(wait) if wait.is_zero() => plain,
            End::Snoozed(wait) => EndColumns { state: "scheduled", wait_seconds: wait.as_secs_f64(), ..plain },
            End::Errored { error, wait } => EndColumns {
                state: "scheduled",
                failures,
                wait_seconds: wait.as_secs_f64(),
                error: Some(error),
                ..plain
            },
            End::Parked(error) => EndColumns { state: "parked", failures, error: Some(error), ..plain },
            End::Failed(error) => EndColumns { state: "failed", failures, error: Some(error), ..plain },
            End::Released => plain,
        }
    }
}

/// Ends the attempts of claimed jobs (not of inline steps, not of suspended flows).
pub async fn end(conn: &mut PgConnection, live: &[&Ending]) -> sqlx::Result<()> {
    let ended: Vec<&&Ending> = live
        .iter()
        .filter(|ending| ending.inline.is_none() && !matches!(ending.end, End::Suspended { .. }))
        .collect();
    if ended.is_empty() {
        return Ok(());
    }
    let ends: Vec<EndColumns> = ended.iter().map(|ending| EndColumns::of(&ending.end, ending.claim.failures)).collect();
    sqlx::query(
        "UPDATE job
         SET state = t.state, failures = t.failures, run_at = CASE WHEN t.wait > 0 THEN now() + make_interval(secs => t.wait) ELSE run_at END,
             output = t.output, error = t.error, finished_at = CASE WHEN t.state IN ('completed', 'failed') THEN now() END
         FROM unnest($1::bigint[], $2::text[], $3::smallint[], $4::float8[], $5::jsonb[], $6::text[])
              AS t(id, state, failures, wait, output, error)
         WHERE job.id = t.id",
    )
    .bind(ended.iter().map(|ending| ending.claim.id).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.state).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.failures).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.wait_seconds).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.output.map(Json)).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.error).collect::<Vec<_>>())
    .execute(conn)
    .await
    .map(drop)
}

/// Tells the parents of ended jobs; answers the queues that have work again.
pub async fn wake_parents(conn: &mut PgConnection, live: &[&Ending]) -> sqlx::Result<Vec<String>> {
    let ended: Vec<i64> = live
        .iter()
        .filter(|ending| ending.inline.is_none() && ending.claim.parent_id.is_some())
        .filter(|ending| matches!(ending.end, End::Completed { .. } | End::Failed(_)))
        .map(|ending| ending.claim.id)
        .collect();
    wake_parents_of(conn, &ended).await
}

/// Tells the parents of these ended jobs.
pub(crate) async fn wake_parents_of(conn: &mut PgConnection, ended: &[i64]) -> sqlx::Result<Vec<String>> {
    if ended.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query_scalar(
        "WITH told AS (
             SELECT parent_id AS id, bool_or(wakes = 'each') AS each, count(*) FILTER (WHERE wakes = 'last')::int AS last
             FROM job WHERE id = ANY($1) AND parent_id IS NOT NULL GROUP BY parent_id
         ), woken AS (
             UPDATE job p
             SET joining = greatest(p.joining - told.last, 0),
                 woken = p.woken OR told.each,
                 state = CASE WHEN p.state = 'waiting' AND (told.each OR (told.last > 0 AND p.joining <= told.last))
                              THEN 'available' ELSE p.state END
             FROM told WHERE p.id = told.id AND p.state IN ('running', 'waiting')
             RETURNING p.queue, p.state
         )
         SELECT queue FROM woken WHERE state = 'available'
         UNION
         -- Another transaction has just made it available, and claims skipped it because this one holds its row.
         SELECT p.queue FROM job p JOIN told USING (id) WHERE p.state = 'available'",
    )
    .bind(ended)
    .fetch_all(conn)
    .await
}

/// Puts flows to sleep until a child ends, or makes them due at once if one ended while they ran.
///
/// The rows are locked, so a child that ends now waits for this transaction and then wakes the sleeping flow; one that
/// ended before is seen by the count, or left the mark `woken`.
pub async fn suspend(conn: &mut PgConnection, flows: &[(i64, bool)], ended: &HashSet<i64>) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "WITH sleeping AS (
             SELECT t.id, t.joins, t.ended,
                    CASE WHEN t.joins THEN (SELECT count(*) FROM job c WHERE c.parent_id = t.id AND c.wakes = 'last'
                                            AND c.state NOT IN ('completed', 'failed', 'cancelled'))::int ELSE 0 END AS open
             FROM unnest($1::bigint[], $2::bool[], $3::bool[]) AS t(id, joins, ended)
         ), slept AS (
             UPDATE job SET joining = s.open, failures = 0, error = NULL,
                    state = CASE WHEN job.woken OR s.ended OR (s.joins AND s.open = 0) THEN 'available' ELSE 'waiting' END
             FROM sleeping s WHERE job.id = s.id
             RETURNING job.queue, job.state
         )
         SELECT DISTINCT queue FROM slept WHERE state = 'available'",
    )
    .bind(flows.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind(flows.iter().map(|(_, joins)| *joins).collect::<Vec<_>>())
    .bind(flows.iter().map(|(id, _)| ended.contains(id)).collect::<Vec<_>>())
    .fetch_all(conn)
    .await
}

/// Wakes flows by key, because something they look at has changed.
pub async fn wake_by_key(conn: &mut PgConnection, keys: &[String]) -> sqlx::Result<Vec<String>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query_scalar(
        "WITH woken AS (
             UPDATE job SET woken = true, state = CASE WHEN state = 'waiting' THEN 'available' ELSE state END
             WHERE key = ANY($1) AND kind = 'flow' AND state IN ('running', 'waiting')
             RETURNING queue, state
         )
         SELECT DISTINCT queue FROM woken WHERE state = 'available'",
    )
    .bind(keys)
    .fetch_all(conn)
    .await
}

/// Cancels a job and everything below it that has not ended; running handlers are told. Answers the cancelled ids.
pub async fn cancel_unfinished(conn: &mut PgConnection, key: &str, reason: &str) -> sqlx::Result<Vec<i64>> {
    let cancelled: Vec<(i64, String)> = sqlx::query_as(
        "WITH RECURSIVE tree AS (
             SELECT id FROM job WHERE key = $1
             UNION ALL
             SELECT job.id FROM job JOIN tree ON job.parent_id = tree.id
         ), open AS (
             SELECT job.id, job.state FROM job JOIN tree USING (id)
             WHERE job.state NOT IN ('completed', 'failed', 'cancelled') ORDER BY job.id FOR UPDATE OF job
         ), ended AS (
             UPDATE job SET state = 'cancelled', error = $2, finished_at = now() FROM open WHERE job.id = open.id
             RETURNING job.id, job.attempt, job.claimed_by, job.claimed_at, open.state AS before
         ), kept AS (
             INSERT INTO attempt (job_id, attempt, worker_id, started_at, outcome, error)
             SELECT id, attempt, claimed_by, claimed_at, 'cancelled', $2 FROM ended WHERE before = 'running'
             ON CONFLICT DO NOTHING
         )
         SELECT id, before FROM ended",
    )
    .bind(key)
    .bind(reason)
    .fetch_all(&mut *conn)
    .await?;
    let running: Vec<i64> = cancelled.iter().filter(|(_, before)| before == "running").map(|(id, _)| *id).collect();
    tell_cancelled(conn, &running).await?;
    Ok(cancelled.into_iter().map(|(id, _)| id).collect())
}

/// Tells the workers that these running jobs are no longer theirs.
pub(crate) async fn tell_cancelled(conn: &mut PgConnection, ids: &[i64]) -> sqlx::Result<()> {
    sqlx::query("SELECT pg_notify($1, id::text) FROM unnest($2::bigint[]) AS id")
        .bind(super::CANCEL_CHANNEL)
        .bind(ids)
        .execute(conn)
        .await
        .map(drop)
}

/// A job as people and tests look at it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct JobRow {
    /// Id.
    pub id: i64,
    /// `flow`, `step` or `wait`.
    pub kind: String,
    /// Stored name.
    pub name: String,
    /// Unique key.
    pub key: String,
    /// State.
    pub state: String,
    /// Claims so far.
    pub attempt: i32,
    /// Failures so far.
    pub failures: i16,
    /// Result.
    pub output: Option<Value>,
    /// Last error chain.
    pub error: Option<String>,
    /// When it is due.
    pub run_at: DateTime<Utc>,
}

/// Finds a job by key.
pub async fn find(conn: &mut PgConnection, key: &str) -> sqlx::Result<Option<JobRow>> {
    sqlx::query_as(
        "SELECT id, kind, name, key, state, attempt, failures, output, error, run_at FROM job WHERE key = $1",
    )
    .bind(key)
    .fetch_optional(conn)
    .await
}
