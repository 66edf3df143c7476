//! Who did what, to what and why: kept in the transaction that does it, and published in the round's ledger.

use chrono::{DateTime, Utc};
use schema::{RoundNumber, messages, paths::classify};
use serde_json::Value;
use sqlx::PgConnection;

use super::{Filter, OperatorError};
use crate::{db::mirror, engine::Publication, round::ledger::OperatorAction};

/// Who acts, and why.
#[derive(Debug, Clone)]
pub struct Operator<'a> {
    /// Name.
    pub name: &'a str,
    /// A reason for the record; must not be empty.
    pub reason: &'a str,
}

pub(in crate::db) fn check(operator: &Operator<'_>) -> Result<(), OperatorError> {
    if operator.reason.trim().is_empty() {
        Err(OperatorError::NoReason)
    } else {
        Ok(())
    }
}

/// Keeps an action that is carried out elsewhere, with what it changed.
///
/// # Errors
///
/// [`OperatorError`].
pub async fn record(
    conn: &mut PgConnection,
    operator: &Operator<'_>,
    action: &str,
    target: &str,
    before: Value,
    after: Value,
) -> Result<(), OperatorError> {
    check(operator)?;
    let round = classify(target).and_then(|path| path.round());
    let target = Target::file(target, round);
    keep(conn, operator, action, &target, Some(before), Some(after)).await?;
    Ok(())
}

/// What an action is done to, and the round in whose ledger it is told.
#[derive(Debug, Clone)]
pub struct Target {
    text: String,
    round: Option<i32>,
    job: Option<String>,
}

impl Target {
    /// The jobs of a filter.
    pub fn jobs(filter: &Filter) -> Self {
        Self {
            text: filter.as_json().to_string(),
            round: filter.round,
            job: filter.key.clone(),
        }
    }

    /// A file of a round.
    pub fn file(path: &str, round: Option<RoundNumber>) -> Self {
        Self {
            text: path.to_owned(),
            round: round.map(|round| round.0 as i32),
            job: None,
        }
    }

    /// A job; told in its round's ledger.
    pub fn job(key: &str) -> Self {
        Self {
            text: key.to_owned(),
            round: None,
            job: Some(key.to_owned()),
        }
    }

    /// Anything else; told in the current round's ledger.
    pub fn other(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            round: None,
            job: None,
        }
    }
}

/// Keeps an action, and publishes it in the ledger of its round, in the transaction that does it. Before the first round
/// there is no ledger, so it is only kept.
///
/// # Errors
///
/// Whatever the database says.
pub async fn keep(
    conn: &mut PgConnection,
    operator: &Operator<'_>,
    action: &str,
    target: &Target,
    before: Option<Value>,
    after: Option<Value>,
) -> sqlx::Result<()> {
    keep_with(conn, operator, action, target, (before, after), None).await
}

/// As [`keep`]. What the action changes in state files of the round travels in one commit with its line.
pub(super) async fn keep_with(
    conn: &mut PgConnection,
    operator: &Operator<'_>,
    action: &str,
    target: &Target,
    (before, after): (Option<Value>, Option<Value>),
    changes: Option<Publication>,
) -> sqlx::Result<()> {
    let (id, at, round): (i64, DateTime<Utc>, Option<i32>) = sqlx::query_as(
        "INSERT INTO operator_action (operator, action, target, reason, before, after) VALUES ($1, $2, $3, $4, $5, $6)
         RETURNING id, created_at,
                   coalesce($7, (SELECT round FROM job WHERE key = $8), substring($8 FROM '^round/(\\d{1,9})/')::int,
                            (SELECT max(round) FROM round))",
    )
    .bind(operator.name)
    .bind(action)
    .bind(&target.text)
    .bind(operator.reason)
    .bind(&before)
    .bind(&after)
    .bind(target.round)
    .bind(&target.job)
    .fetch_one(&mut *conn)
    .await?;
    let Some(round) = round else { return Ok(()) };
    let line = OperatorAction {
        at,
        operator: operator.name.to_owned(),
        action: action.to_owned(),
        target: target.text.clone(),
        reason: operator.reason.to_owned(),
        before,
        after,
    };
    let number = RoundNumber(round as u32);
    let mut publication = changes.unwrap_or_else(|| Publication {
        message: messages::ledger(number),
        changes: Vec::new(),
        urgent: false,
    });
    publication.changes.push(line.append(number));
    // An action is no job; its number below zero keeps its line from being taken for a part of one. The moment tells it from
    // an action of an earlier database with the same number.
    let step = format!("operator/{id}/{}", at.timestamp_micros());
    mirror::publish(conn, -id, 0, &step, Some(round), &publication).await
}
