//! Having a match judged anew: an operator's action, with a reason, whose old result stays public.
//!
//! The result leaves the table of those that count and goes to `superseded_match`; its report goes to `ledger/superseded/`, and
//! a line of the ledger says who did it and why. The tournament then finds the match missing and has it judged again, under a
//! new judgement. All of that commits together, or nothing does.

use schema::{
    RoundNumber, Side, messages,
    paths::{self, LedgerFile},
};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::{
    measurement::MatchName,
    operator::{Operator, OperatorError, Target, check, keep},
};
use crate::{
    engine::{MirrorChange, Publication},
    round::{flows::tournament_key, ledger::Decision},
};

/// A result that was set aside.
#[derive(sqlx::FromRow)]
struct SetAside {
    judgement: i32,
    score: i32,
    margin: f64,
    duels: i32,
    job_key: String,
}

/// Sets the result of a match or an audit aside, so that it is judged anew. Answers the number of the judgement that follows.
///
/// # Errors
///
/// [`OperatorError`]: without a reason, when the round's tournament is not under way, or when the match has no result.
pub async fn judge_anew(
    conn: &mut PgConnection,
    round: RoundNumber,
    name: &MatchName,
    operator: &Operator<'_>,
) -> Result<u32, OperatorError> {
    check(operator)?;
    let mut transaction = conn.begin().await?;
    let (tournament_id, attempt) = hold_tournament(&mut transaction, round)
        .await?
        .ok_or(OperatorError::NoTournament(round))?;
    let left = Side::from(name.left.as_str());
    let old: SetAside = sqlx::query_as(
        "WITH old AS (
             DELETE FROM match_result WHERE round = $1 AND matrix = $2 AND left_side = $3 AND right_side = $4 RETURNING *
         ), kept AS (
             INSERT INTO superseded_match (round, matrix, left_side, right_side, judgement, score, margin, duels, job_key,
                                           operator, reason)
             SELECT round, matrix, left_side, right_side, judgement, score, margin, duels, job_key, $5, $6 FROM old
         )
         SELECT judgement, score, margin, duels, job_key FROM old",
    )
    .bind(round.0 as i32)
    .bind(name.matrix)
    .bind(&name.left)
    .bind(name.right.as_str())
    .bind(operator.name)
    .bind(operator.reason)
    .fetch_optional(&mut *transaction)
    .await?
    .ok_or_else(|| OperatorError::NotMeasured(format!("{} vs {}", name.left, name.right)))?;
    let report: Option<Value> =
        sqlx::query_scalar("SELECT nullif(output -> 'report', 'null') FROM job WHERE key = $1")
            .bind(&old.job_key)
            .fetch_optional(&mut *transaction)
            .await?
            .flatten();

    let file = LedgerFile::Superseded(format!(
        "{}_{}_{}_{}.json",
        name.matrix,
        name.left,
        name.right.short(),
        old.judgement
    ));
    let facts = json!({
        "matrix": name.matrix, "left": name.left, "right": name.right.as_str(), "judgement": old.judgement,
        "score": old.score, "margin": old.margin, "duels": old.duels,
    });
    let line = Decision::JudgedAnew {
        matrix: name.matrix.to_owned(),
        left: name.left.clone(),
        right: name.right.clone(),
        judgement: u32::try_from(old.judgement).unwrap_or(0),
        score: i64::from(old.score),
        margin: old.margin,
        operator: operator.name.to_owned(),
        reason: operator.reason.to_owned(),
        kept_as: paths::ledger(round, &file),
    };
    let content = json!({ "result": facts, "report": report });
    let publication = Publication {
        message: messages::judged_anew(&left, &name.right),
        changes: vec![
            MirrorChange::Put {
                path: paths::ledger(round, &file),
                content: schema::format::json::pretty(&content),
            },
            line.append(round),
        ],
        urgent: false,
    };
    super::mirror::publish(
        &mut transaction,
        tournament_id,
        attempt,
        "judge_anew",
        Some(round.0 as i32),
        &publication,
    )
    .await?;
    let target = Target::job(&old.job_key);
    keep(
        &mut transaction,
        operator,
        "judge-anew",
        &target,
        Some(facts),
        None,
    )
    .await?;
    super::wake(&mut transaction, &[tournament_key(round)]).await?;
    transaction.commit().await?;
    Ok(u32::try_from(old.judgement).unwrap_or(0) + 1)
}

/// Holds the round's tournament until the transaction ends, so that a pass which ends it and an operator's action exclude each
/// other. Answers its id and attempt; none if it has not begun.
///
/// # Errors
///
/// [`OperatorError::TournamentOver`] when it has its champion.
pub(super) async fn hold_tournament(
    conn: &mut PgConnection,
    round: RoundNumber,
) -> Result<Option<(i64, i32)>, OperatorError> {
    let held: Option<(i64, i32, bool)> = sqlx::query_as(
        "SELECT id, attempt, finished_at IS NOT NULL FROM job WHERE key = $1 FOR NO KEY UPDATE",
    )
    .bind(tournament_key(round))
    .fetch_optional(conn)
    .await?;
    match held {
        Some((_, _, true)) => Err(OperatorError::TournamentOver(round)),
        Some((id, attempt, false)) => Ok(Some((id, attempt))),
        None => Ok(None),
    }
}
