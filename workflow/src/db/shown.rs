//! What measured matches were judged on, and which of them lost their ground because a side shows something else now.
//!
//! A margin is bound to the modules and pictures of both sides (weakness W4). When one of them changes, the match counts as not
//! measured: the tournament starts it again, under a key of its own. Duels whose own pictures are the same keep their verdicts.
//! The old result stays in `superseded_pictures` and in the ledger.

use std::collections::HashMap;

use schema::{
    Hotkey, RoundNumber, Side,
    files::{AuditLeft, Matrix},
};
use sqlx::PgConnection;

use super::tournament::{Shown, Standing};
use crate::round::judge::Pairing;

/// What both sides of a match or an audit show now, where that is not what its result was judged on: by the name of the
/// matrix, left and right side as in it.
pub type Stale = HashMap<(String, String, Hotkey), String>;

/// A result that was judged on other pictures, and is not in the ledger yet.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct SupersededResult {
    /// `matches` or `audits`.
    pub matrix: String,
    /// Left side as in the matrix.
    pub left_side: String,
    /// Right side.
    pub right_side: String,
    /// Right wins minus left wins.
    pub score: i32,
    /// Score by number of duels.
    pub margin: f64,
    /// Digest of what it was judged on.
    pub shown_sha256: String,
    /// The flow that judged it.
    pub job_key: String,
}

/// Takes results out of the observation whose sides show something else now. Results without a digest (walkovers, a recovered round) keep their ground.
///
/// # Errors
///
/// If the database fails or a stored report cannot be read.
pub async fn withdraw_stale(
    conn: &mut PgConnection,
    round: RoundNumber,
    standing: &mut Standing,
) -> anyhow::Result<()> {
    let judged: Vec<(String, String, String, String)> = sqlx::query_as(
        "SELECT matrix, left_side, right_side, shown_sha256 FROM match_shown WHERE round = $1",
    )
    .bind(round.0 as i32)
    .fetch_all(&mut *conn)
    .await?;
    let now = super::tournament::shown(conn, round).await?;
    for (matrix, left, right, shown) in judged {
        let right = Hotkey::new(right);
        let Some(current) = shown_now(&now, &matrix, &left, &right) else {
            continue;
        };
        if current == shown {
            continue;
        }
        let all = if matrix == Pairing::MATCHES {
            &mut standing.observation.matches
        } else {
            &mut standing.observation.audits
        };
        *all = without(all, &left, &right);
        standing.measured.retain(|measured| {
            (
                measured.name.matrix,
                &measured.name.left,
                &measured.name.right,
            ) != (matrix.as_str(), &left, &right)
        });
        standing.stale.insert((matrix, left, right), current);
    }
    standing.superseded = sqlx::query_as(
        "SELECT matrix, left_side, right_side, score, margin, shown_sha256, job_key FROM superseded_pictures
         WHERE round = $1 AND NOT published ORDER BY superseded_at, job_key",
    )
    .bind(round.0 as i32)
    .fetch_all(conn)
    .await?;
    Ok(())
}

/// What the sides of a match show now; none for a left side that cannot be read.
fn shown_now(now: &Shown, matrix: &str, left: &str, right: &Hotkey) -> Option<String> {
    let audited = Side::Miner(right.clone());
    if matrix == Pairing::MATCHES {
        let left = Side::from(left);
        let repeat = u32::from(left.is_leader());
        return Some(now.of(&(left, repeat), &(audited, 0)));
    }
    let audit = AuditLeft::parse(left)?;
    let left = match &audit {
        AuditLeft::Submitted { .. } => (audited.clone(), 0),
        AuditLeft::Defender { defender, .. } => (defender.clone(), u32::from(defender.is_leader())),
    };
    Some(now.of(&left, &(audited, audit.repeat())))
}

fn without(matrix: &Matrix, left: &str, right: &Hotkey) -> Matrix {
    let mut kept = Matrix::default();
    let rows = matrix.rows();
    for (other_left, other_right, margin) in
        rows.filter(|(other_left, other_right, _)| *other_left != left || *other_right != right)
    {
        kept.insert(&other_left, other_right, margin);
    }
    kept
}

/// The suffix of the key of a match that is judged again on other pictures.
pub(crate) fn suffix(shown_sha256: &str) -> String {
    match shown_sha256.get(..12) {
        Some(short) => format!("/pictures/{short}"),
        None => String::new(),
    }
}
