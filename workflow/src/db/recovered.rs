//! Work that an earlier database had finished, put back from what it had published.
//!
//! A recovered job has the key, input and output that its step or flow would have, so a flow that runs again from the top
//! finds it done. It has no attempts: nothing ran here. Rows and events come from the step's own effects; state files do
//! not, because they are where all this comes from.

use schema::RoundNumber;
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, types::Json};

use super::{event, notify_jobs, records::Record};
use crate::engine::{Effects, FlowDefinition, NewJob, Reconciler, Step};

/// A finished job to put back.
#[derive(Debug, Clone)]
pub struct Recovered {
    job: NewJob,
    end: RecoveredEnd,
    effects: Effects,
}

#[derive(Debug, Clone)]
enum RecoveredEnd {
    Completed(Value),
    Cancelled(String),
}

impl Recovered {
    /// A completed step.
    ///
    /// # Errors
    ///
    /// If input or output cannot be written as JSON.
    pub fn step<S: Step>(input: &S::Input, output: &S::Output) -> Result<Self, serde_json::Error> {
        Self::completed(NewJob::step::<S>(input)?, output, S::effects(input, output))
    }

    /// A completed flow.
    ///
    /// # Errors
    ///
    /// As [`Self::step`].
    pub fn flow<F: FlowDefinition>(
        input: &F::Input,
        output: &F::Output,
    ) -> Result<Self, serde_json::Error> {
        Self::completed(NewJob::flow::<F>(input)?, output, F::effects(input, output))
    }

    /// A completed reconciler.
    ///
    /// # Errors
    ///
    /// As [`Self::step`].
    pub fn reconciler<R: Reconciler>(
        input: &R::Input,
        output: &R::Output,
    ) -> Result<Self, serde_json::Error> {
        Self::completed(NewJob::reconciler::<R>(input)?, output, Effects::default())
    }

    /// A flow that was cancelled, because nobody needed its result any more.
    ///
    /// # Errors
    ///
    /// As [`Self::step`].
    pub fn cancelled_flow<F: FlowDefinition>(
        input: &F::Input,
        reason: &str,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self {
            job: NewJob::flow::<F>(input)?,
            end: RecoveredEnd::Cancelled(reason.to_owned()),
            effects: Effects::default(),
        })
    }

    /// The same with one more row.
    #[must_use]
    pub fn with(mut self, record: Record) -> Self {
        self.effects.records.push(record);
        self
    }

    /// Its key.
    pub fn key(&self) -> &str {
        &self.job.key
    }

    fn completed(
        job: NewJob,
        output: &impl Serialize,
        effects: Effects,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self {
            job,
            end: RecoveredEnd::Completed(serde_json::to_value(output)?),
            effects,
        })
    }
}

/// Most rows in one statement.
const CHUNK: usize = 5_000;

/// Puts finished jobs back, in order, with the rows and events that came with their ends. A key that exists is left alone.
///
/// # Errors
///
/// Whatever the database says.
pub async fn insert(conn: &mut PgConnection, recovered: &[Recovered]) -> sqlx::Result<()> {
    for chunk in recovered.chunks(CHUNK) {
        insert_chunk(conn, chunk).await?;
    }
    let mut queues = Vec::new();
    for done in recovered {
        for record in &done.effects.records {
            record.write(conn).await?;
        }
        for (name, payload) in &done.effects.events {
            queues.extend(event::fire(conn, name, payload).await?);
        }
    }
    // What these records tell, people were told when it happened.
    sqlx::query("UPDATE notice SET sent_at = now() WHERE sent_at IS NULL")
        .execute(&mut *conn)
        .await?;
    notify_jobs(conn, queues).await
}

async fn insert_chunk(conn: &mut PgConnection, chunk: &[Recovered]) -> sqlx::Result<()> {
    let column = |pick: fn(&NewJob) -> &str| -> Vec<&str> {
        chunk.iter().map(|done| pick(&done.job)).collect()
    };
    let ends: Vec<(&str, Option<Json<&Value>>, Option<&str>)> = chunk
        .iter()
        .map(|done| match &done.end {
            RecoveredEnd::Completed(output) => ("completed", Some(Json(output)), None),
            RecoveredEnd::Cancelled(reason) => ("cancelled", None, Some(reason.as_str())),
        })
        .collect();
    sqlx::query(
        "INSERT INTO job (kind, name, version, key, round, queue, priority, fair_key, max_failures, input, state, output, error,
                          finished_at)
         SELECT kind, name, version, key, round, queue, priority, fair_key, max_failures, input, state, output, error, now()
         FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::int[], $6::text[], $7::smallint[], $8::text[],
                     $9::smallint[], $10::jsonb[], $11::text[], $12::jsonb[], $13::text[])
              WITH ORDINALITY
              AS t(kind, name, version, key, round, queue, priority, fair_key, max_failures, input, state, output, error, place)
         ORDER BY place
         ON CONFLICT (key) DO NOTHING",
    )
    .bind(column(|job| job.kind))
    .bind(column(|job| &job.name))
    .bind(chunk.iter().map(|done| done.job.version).collect::<Vec<_>>())
    .bind(column(|job| &job.key))
    .bind(chunk.iter().map(|done| done.job.round).collect::<Vec<_>>())
    .bind(column(|job| &job.queue))
    .bind(chunk.iter().map(|done| done.job.priority).collect::<Vec<_>>())
    .bind(chunk.iter().map(|done| done.job.fair_key.as_deref()).collect::<Vec<_>>())
    .bind(chunk.iter().map(|done| done.job.max_failures).collect::<Vec<_>>())
    .bind(chunk.iter().map(|done| Json(&done.job.input)).collect::<Vec<_>>())
    .bind(ends.iter().map(|(state, ..)| *state).collect::<Vec<_>>())
    .bind(ends.iter().map(|(_, output, _)| *output).collect::<Vec<_>>())
    .bind(ends.iter().map(|(.., error)| *error).collect::<Vec<_>>())
    .execute(conn)
    .await
    .map(drop)
}

/// Whether the database knows of any work or round.
///
/// # Errors
///
/// Whatever the database says.
pub async fn is_fresh(conn: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT NOT EXISTS (SELECT FROM job) AND NOT EXISTS (SELECT FROM round) AND NOT EXISTS (SELECT FROM mirror_file)",
    )
    .fetch_one(conn)
    .await
}

/// How many submitted entries of a round are settled.
///
/// # Errors
///
/// Whatever the database says.
pub async fn submitted_entries(conn: &mut PgConnection, round: RoundNumber) -> sqlx::Result<usize> {
    let count: i64 =
        sqlx::query_scalar("SELECT count(*) FROM entry WHERE round = $1 AND repeat = 0")
            .bind(round.0 as i32)
            .fetch_one(conn)
            .await?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Notes from which commit the database is built.
///
/// # Errors
///
/// Whatever the database says.
pub async fn note(conn: &mut PgConnection, commit_sha: &str) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO recovery (commit_sha) VALUES ($1)")
        .bind(commit_sha)
        .execute(conn)
        .await
        .map(drop)
}

/// The commit the database was built from, if it was.
///
/// # Errors
///
/// Whatever the database says.
pub async fn recovered_from(conn: &mut PgConnection) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar("SELECT commit_sha FROM recovery ORDER BY id DESC LIMIT 1")
        .fetch_optional(conn)
        .await
}
