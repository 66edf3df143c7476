//! Having pictures drawn anew: an operator's action, with a reason, for when ours were broken (weakness W4).
//!
//! The stored modules are drawn again under the same addresses, each by a step of its own, and the tournament waits for them.
//! Where the pictures come out otherwise, matches that were judged on the old ones lose their ground and are judged again:
//! see [`super::shown`]. Where they come out the same, nothing changes.

use schema::{RoundNumber, Side, Stem};
use serde_json::json;
use sqlx::{Connection as _, PgConnection, types::Json};

use super::{
    operator::{Operator, OperatorError, Target, check, keep},
    rejudge::hold_tournament,
};
use crate::{
    engine::{NewJob, Step as _},
    round::{
        flows::tournament_key,
        steps::{Redraw, RedrawInput, Render, RenderInput},
    },
};

/// Whose pictures.
#[derive(Debug, Clone)]
pub struct Pictures {
    /// Round.
    pub round: RoundNumber,
    /// Miner or leader.
    pub side: Side,
    /// 0 for what was submitted, 1 and up for what was generated; the leader's are 1.
    pub repeat: u32,
    /// Of this prompt only.
    pub stem: Option<Stem>,
}

/// Has pictures drawn anew. Answers how many entries are.
///
/// # Errors
///
/// [`OperatorError`]: without a reason, when the round has its champion, or when nothing of it was drawn.
pub async fn draw_anew(
    conn: &mut PgConnection,
    which: &Pictures,
    operator: &Operator<'_>,
) -> Result<usize, OperatorError> {
    check(operator)?;
    let mut transaction = conn.begin().await?;
    hold_tournament(&mut transaction, which.round).await?;
    // The newest drawing of each entry: a regeneration that began anew has drawn other modules.
    let drawn: Vec<(Json<RenderInput>, i64)> = sqlx::query_as(
        "SELECT input, (SELECT count(*) FROM job redraw WHERE redraw.round = $1 AND redraw.name = $5
                            AND starts_with(redraw.key, newest.key || '/redraw/'))
         FROM (SELECT DISTINCT ON (input #>> '{entry,stem}') key, state, input FROM job
               WHERE round = $1 AND name = $6 AND input #>> '{entry,side}' = $2 AND (input #>> '{entry,repeat}')::int = $3
                 AND ($4::text IS NULL OR input #>> '{entry,stem}' = $4)
               ORDER BY input #>> '{entry,stem}', id DESC) newest
         WHERE state = 'completed'",
    )
    .bind(which.round.0 as i32)
    .bind(which.side.as_str())
    .bind(which.repeat as i32)
    .bind(which.stem.as_ref().map(Stem::as_str))
    .bind(Redraw::NAME)
    .bind(Render::NAME)
    .fetch_all(&mut *transaction)
    .await?;
    let what = which.stem.as_ref().map_or("anything", Stem::as_str);
    if drawn.is_empty() {
        let Pictures { side, repeat, .. } = which;
        return Err(OperatorError::NotDrawn(format!(
            "{what} of {side} (repeat {repeat})"
        )));
    }
    let jobs = drawn
        .into_iter()
        .map(|(render, times)| {
            NewJob::step::<Redraw>(&RedrawInput {
                render: render.0,
                time: u32::try_from(times).unwrap_or(u32::MAX - 1) + 1,
            })
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| sqlx::Error::Encode(error.into()))?;
    let started = super::start(&mut transaction, &jobs).await?;
    let stems: Vec<&str> = jobs.iter().map(|job| job.key.as_str()).collect();
    keep(
        &mut transaction,
        operator,
        "draw-anew",
        &Target::job(&tournament_key(which.round)),
        None,
        Some(json!({ "jobs": stems })),
    )
    .await?;
    super::wake(&mut transaction, &[tournament_key(which.round)]).await?;
    transaction.commit().await?;
    Ok(started)
}
