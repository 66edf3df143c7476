//! The statements by which attempts end. Each names the attempt it ends and does nothing for one that is no longer the
//! current one.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use sqlx::{PgConnection, types::Json};

use super::sql::{notify, tell_flows};
use crate::engine::{
    commit::{End, Ending},
    flow::{ChildState, NewJob},
};

/// The columns an end sets.
struct EndColumns<'a> {
    state: &'static str,
    outcome: &'static str,
    failures: i16,
    wait_seconds: f64,
    output: Option<Json<&'a Value>>,
    error: Option<&'a str>,
}

impl<'a> EndColumns<'a> {
    fn of(end: &'a End, failures: i16) -> Self {
        let plain = |state, outcome| EndColumns {
            state,
            outcome,
            failures,
            wait_seconds: 0.0,
            output: None,
            error: None,
        };
        let failed = |state, error| EndColumns {
            failures: failures.saturating_add(1),
            error: Some(error),
            ..plain(state, "errored")
        };
        match end {
            End::Completed { output, .. } => EndColumns {
                output: Some(Json(output)),
                ..plain("completed", "completed")
            },
            // Suspended flows are set by `suspend`.
            End::Suspended { .. } => plain("waiting", "suspended"),
            End::Snoozed(wait) if wait.is_zero() => plain("available", "snoozed"),
            End::Snoozed(wait) => EndColumns {
                wait_seconds: wait.as_secs_f64(),
                ..plain("scheduled", "snoozed")
            },
            End::Declined { because, wait } => EndColumns {
                wait_seconds: wait.as_secs_f64(),
                error: Some(because.as_str()),
                ..plain("scheduled", "released")
            },
            End::Errored { error, wait } => EndColumns {
                wait_seconds: wait.as_secs_f64(),
                ..failed("scheduled", error.as_str())
            },
            End::Parked(error) => failed("parked", error.as_str()),
            End::Failed(error) => failed("failed", error.as_str()),
            End::Released => plain("available", "released"),
        }
    }
}

/// What `attempt.outcome` says of an end.
pub fn outcome(end: &End) -> &'static str {
    EndColumns::of(end, 0).outcome
}

/// Ends attempts of claimed jobs (not inline steps, not suspended flows), keeps their history, tells the flows that wait for
/// them and the workers that have work now. A single statement. Answers the ids whose attempt was the current one.
pub async fn end(
    conn: &mut PgConnection,
    worker: i64,
    endings: &[&Ending],
) -> sqlx::Result<HashSet<i64>> {
    if endings.is_empty() {
        return Ok(HashSet::new());
    }
    let ends: Vec<EndColumns> = endings
        .iter()
        .map(|ending| EndColumns::of(&ending.end, ending.claim.failures))
        .collect();
    let (ended, _): (Vec<i64>, Option<String>) = sqlx::query_as(concat!(
        "WITH t AS MATERIALIZED (
             SELECT * FROM unnest($2::bigint[], $3::int[], $4::bigint[], $5::text[], $6::text[], $7::smallint[], $8::float8[],
                                  $9::jsonb[], $10::text[], $11::float8[], $12::text[])
                  AS t(id, attempt, parent_id, state, outcome, failures, wait, output, error, ran, trace)
         ), locked AS MATERIALIZED (
             SELECT id, attempt, claimed_by, queue, state FROM job
             WHERE id IN (SELECT id FROM t UNION SELECT parent_id FROM t
                          UNION SELECT flow_id FROM shared_job WHERE job_id IN (SELECT id FROM t))
             ORDER BY id FOR NO KEY UPDATE
         ), held AS MATERIALIZED (
             SELECT t.* FROM t JOIN locked USING (id, attempt) WHERE locked.claimed_by = $1 AND locked.state = 'running'
         ), ended AS (
             UPDATE job
             SET state = held.state, failures = held.failures, output = held.output, error = held.error,
                 run_at = CASE WHEN held.wait > 0 THEN now() + make_interval(secs => held.wait) ELSE run_at END,
                 finished_at = CASE WHEN held.state IN ('completed', 'failed') THEN now() END
             FROM held WHERE job.id = held.id
             RETURNING job.id, job.attempt, job.parent_id, job.wakes, job.join_id, job.queue, job.state,
                       held.outcome, held.error, held.ran, held.trace
         ), kept AS (
             INSERT INTO attempt (job_id, attempt, worker_id, started_at, outcome, error, trace)
             SELECT id, attempt, $1, now() - make_interval(secs => ran), outcome, error, trace FROM ended
         ), ",
        tell_flows!(),
        " SELECT array(SELECT id FROM ended), ",
        notify!("notices")
    ))
    .bind(worker)
    .bind(endings.iter().map(|ending| ending.claim.id).collect::<Vec<_>>())
    .bind(endings.iter().map(|ending| ending.claim.attempt).collect::<Vec<_>>())
    .bind(endings.iter().map(|ending| ending.claim.parent_id).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.state).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.outcome).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.failures).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.wait_seconds).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.output).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.error).collect::<Vec<_>>())
    .bind(endings.iter().map(|ending| ending.ran.as_secs_f64()).collect::<Vec<_>>())
    .bind(endings.iter().map(|ending| ending.trace.as_deref()).collect::<Vec<_>>())
    .fetch_one(conn)
    .await?;
    Ok(ended.into_iter().collect())
}

/// What became of an inline step.
#[derive(Debug, Clone)]
pub enum Recorded {
    /// It is a new row with this id.
    New(i64),
    /// Its key was there before: an earlier try, an earlier pass or another flow has recorded it.
    Before(ChildState),
    /// The flow's attempt is no longer the current one.
    Fenced,
}

/// Records inline steps, ended or handed to the queue, each under the current attempt of its flow; one answer each, in order.
/// A single statement, unless a key was there before.
pub async fn record_inline(
    conn: &mut PgConnection,
    worker: i64,
    steps: &[(&Ending, &NewJob)],
) -> sqlx::Result<Vec<Recorded>> {
    if steps.is_empty() {
        return Ok(Vec::new());
    }
    let ends: Vec<EndColumns> = steps
        .iter()
        .map(|(ending, _)| EndColumns::of(&ending.end, 0))
        .collect();
    let column = |pick: fn(&NewJob) -> &str| -> Vec<&str> {
        steps.iter().map(|(_, job)| pick(job)).collect()
    };
    let rows: Vec<(bool, Option<i64>)> = sqlx::query_as(
        "WITH t AS MATERIALIZED (
             SELECT * FROM unnest($2::bigint[], $3::int[], $4::text[], $5::text[], $6::int[], $7::text[], $8::smallint[], $9::text[],
                                  $10::smallint[], $11::jsonb[], $12::smallint[], $13::text[], $14::text[], $15::float8[],
                                  $16::jsonb[], $17::text[], $18::float8[], $19::text[])
                  WITH ORDINALITY
                  AS t(flow_id, flow_attempt, name, key, round, queue, priority, fair_key, max_failures, input, failures, state,
                       outcome, wait, output, error, ran, trace, place)
         ), locked AS MATERIALIZED (
             SELECT id, attempt, claimed_by, state FROM job WHERE id IN (SELECT flow_id FROM t) ORDER BY id FOR NO KEY UPDATE
         ), held AS MATERIALIZED (
             SELECT t.* FROM t JOIN locked ON locked.id = t.flow_id AND locked.attempt = t.flow_attempt
                                          AND locked.claimed_by = $1 AND locked.state = 'running'
         ), new AS (
             INSERT INTO job (kind, name, key, parent_id, round, queue, priority, fair_key, max_failures, input,
                              attempt, failures, claimed_by, claimed_at, state, run_at, output, error, finished_at)
             SELECT 'step', name, key, flow_id, round, queue, priority, fair_key, max_failures, input,
                    1, failures, $1, now() - make_interval(secs => ran), state, now() + make_interval(secs => wait), output, error,
                    CASE WHEN state IN ('completed', 'failed') THEN now() END
             FROM held ORDER BY place
             ON CONFLICT (key) DO NOTHING
             RETURNING id, key, parent_id
         ), kept AS (
             INSERT INTO attempt (job_id, attempt, worker_id, started_at, outcome, error, trace)
             SELECT DISTINCT ON (new.id) new.id, 1, $1, now() - make_interval(secs => ran), outcome, error, trace
             FROM new JOIN held ON held.key = new.key AND held.flow_id = new.parent_id ORDER BY new.id, place
         )
         SELECT held.place IS NOT NULL, new.id
         FROM t LEFT JOIN held USING (place) LEFT JOIN new ON new.key = held.key AND new.parent_id = held.flow_id ORDER BY t.place",
    )
    .bind(worker)
    .bind(steps.iter().map(|(ending, _)| ending.claim.id).collect::<Vec<_>>())
    .bind(steps.iter().map(|(ending, _)| ending.claim.attempt).collect::<Vec<_>>())
    .bind(column(|job| &job.name))
    .bind(column(|job| &job.key))
    .bind(steps.iter().map(|(_, job)| job.round).collect::<Vec<_>>())
    .bind(column(|job| &job.queue))
    .bind(steps.iter().map(|(_, job)| job.priority).collect::<Vec<_>>())
    .bind(steps.iter().map(|(_, job)| job.fair_key.as_deref()).collect::<Vec<_>>())
    .bind(steps.iter().map(|(_, job)| job.max_failures).collect::<Vec<_>>())
    .bind(steps.iter().map(|(_, job)| Json(&job.input)).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.failures).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.state).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.outcome).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.wait_seconds).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.output).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.error).collect::<Vec<_>>())
    .bind(steps.iter().map(|(ending, _)| ending.ran.as_secs_f64()).collect::<Vec<_>>())
    .bind(steps.iter().map(|(ending, _)| ending.trace.as_deref()).collect::<Vec<_>>())
    .fetch_all(&mut *conn)
    .await?;

    let before: Vec<(i64, &str)> = rows
        .iter()
        .zip(steps)
        .filter(|((held, id), _)| *held && id.is_none())
        .map(|(_, (ending, job))| (ending.claim.id, job.key.as_str()))
        .collect();
    super::job::share(conn, &before).await?;
    let known = super::job::states(
        conn,
        &before.iter().map(|(_, key)| *key).collect::<Vec<_>>(),
    )
    .await?;
    Ok(rows
        .into_iter()
        .zip(steps)
        .map(|((held, id), (_, job))| match (held, id) {
            (true, Some(id)) => Recorded::New(id),
            (true, None) => known
                .get(&job.key)
                .cloned()
                .map_or(Recorded::Fenced, Recorded::Before),
            (false, _) => Recorded::Fenced,
        })
        .collect())
}

/// Puts flows to sleep until something they wait for ends, or makes them due at once if it ended while they ran: a child left
/// the mark `woken`, or the flow is in `told`. The caller has locked the flows in an earlier statement. Answers the queues
/// that have work.
pub async fn suspend(
    conn: &mut PgConnection,
    worker: i64,
    flows: &[&Ending],
    told: &HashSet<i64>,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "WITH slept AS (
             UPDATE job SET failures = 0, error = NULL,
                    joining = coalesce((SELECT sum(greatest(open, 0)) FROM open_join WHERE flow_id = job.id), 0),
                    state = CASE WHEN job.woken OR t.told THEN 'available' ELSE 'waiting' END
             FROM unnest($2::bigint[], $3::bool[], $4::float8[], $5::text[]) AS t(id, told, ran, trace) WHERE job.id = t.id
             RETURNING job.id, job.attempt, job.queue, job.state, t.ran, t.trace
         ), kept AS (
             INSERT INTO attempt (job_id, attempt, worker_id, started_at, outcome, trace)
             SELECT id, attempt, $1, now() - make_interval(secs => ran), 'suspended', trace FROM slept
         )
         SELECT DISTINCT queue FROM slept WHERE state = 'available'",
    )
    .bind(worker)
    .bind(flows.iter().map(|flow| flow.claim.id).collect::<Vec<_>>())
    .bind(flows.iter().map(|flow| told.contains(&flow.claim.id)).collect::<Vec<_>>())
    .bind(flows.iter().map(|flow| flow.ran.as_secs_f64()).collect::<Vec<_>>())
    .bind(flows.iter().map(|flow| flow.trace.as_deref()).collect::<Vec<_>>())
    .fetch_all(conn)
    .await
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
    /// Queue.
    pub queue: String,
}

/// What a transaction of several statements will touch.
#[derive(Debug, Default)]
pub struct Touched<'a> {
    /// Jobs that end, flows whose steps are recorded, parents.
    pub ids: Vec<i64>,
    /// Flows to wake.
    pub wakes: Vec<&'a str>,
    /// Jobs to cancel with all below them.
    pub moot: Vec<&'a str>,
    /// Events to fire.
    pub events: Vec<&'a str>,
}

/// Locks everything a transaction will touch, in ascending id.
pub async fn lock(
    conn: &mut PgConnection,
    touched: &Touched<'_>,
) -> sqlx::Result<HashMap<i64, Held>> {
    let rows: Vec<(i64, i32, Option<i64>, String, String)> = sqlx::query_as(
        "WITH RECURSIVE moot(id, parent_id) AS (
             SELECT id, parent_id FROM job WHERE key = ANY($3)
             UNION SELECT job.id, job.parent_id FROM job JOIN moot ON job.parent_id = moot.id
         ), ending(id, parent_id) AS (
             SELECT unnest($1::bigint[]), NULL UNION SELECT * FROM moot
             UNION SELECT id, parent_id FROM job WHERE state = 'waiting' AND wait_event = ANY($4)
         )
         SELECT id, attempt, claimed_by, state, queue FROM job
         WHERE finished_at IS NULL AND id IN (
             SELECT id FROM ending UNION SELECT parent_id FROM ending
             UNION SELECT flow_id FROM shared_job WHERE job_id IN (SELECT id FROM ending)
             UNION SELECT id FROM job WHERE key = ANY($2))
         ORDER BY id FOR NO KEY UPDATE",
    )
    .bind(&touched.ids)
    .bind(&touched.wakes)
    .bind(&touched.moot)
    .bind(&touched.events)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, attempt, claimed_by, state, queue)| {
            (
                id,
                Held {
                    attempt,
                    claimed_by,
                    state,
                    queue,
                },
            )
        })
        .collect())
}
