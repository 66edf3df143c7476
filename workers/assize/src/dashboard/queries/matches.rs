//! One match, prompt by prompt.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use workflow::round::judging::Judging;

/// A match or an audit, being played or measured.
#[derive(Debug, sqlx::FromRow)]
pub struct MatchFacts {
    /// Id of the flow that measures it.
    pub id: i64,
    pub state: String,
    /// Of the right side, once it is measured.
    pub margin: Option<f64>,
    /// Number of prompts.
    pub prompts: i64,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    /// The published report, once the match is finished; a walkover has none.
    pub report: Option<Json<Value>>,
}

/// A duel that is being judged, or was.
#[derive(Debug, sqlx::FromRow)]
pub struct DuelRow {
    pub id: i64,
    pub stem: String,
    pub state: String,
    pub failures: i16,
    pub error: Option<String>,
    /// `left`, `right` or `draw`.
    pub winner: Option<String>,
    pub detail: Option<Json<Value>>,
}

/// A run beside the first, or a result that was judged anew.
#[derive(Debug, sqlx::FromRow)]
pub struct OtherRun {
    pub judgement: i32,
    /// 0 for a result that an operator set aside.
    pub run: i32,
    pub score: i32,
    pub margin: f64,
    pub recorded_at: DateTime<Utc>,
    /// Who had it judged anew, and why.
    pub superseded_by: Option<String>,
}

/// The newest judgement of a match of a round.
///
/// - `matrix`: `matches` or `audits`.
pub async fn find(
    conn: &mut PgConnection,
    round: i32,
    matrix: &str,
    left: &str,
    right: &str,
) -> sqlx::Result<Option<MatchFacts>> {
    sqlx::query_as(
        "SELECT j.id, j.state, r.margin, jsonb_array_length(j.input -> 'prompts')::bigint AS prompts,
                j.created_at, j.finished_at, nullif(j.output -> 'report', 'null') AS report
         FROM job j
         LEFT JOIN match_result r ON r.round = $1 AND r.matrix = $2 AND r.job_key = j.key
         WHERE j.round = $1 AND j.name = CASE $2 WHEN 'matches' THEN 'match' ELSE 'compare' END AND j.kind = 'flow'
           AND j.input ->> 'left' = $3 AND j.input ->> 'right' = $4
           AND coalesce((j.input #>> '{measurement,run}')::int, 0) = 0
         ORDER BY j.id DESC LIMIT 1",
    )
    .bind(round)
    .bind(matrix)
    .bind(left)
    .bind(right)
    .fetch_optional(conn)
    .await
}

/// A match that is being played.
#[derive(Debug, sqlx::FromRow)]
pub struct BeingPlayed {
    pub left_side: String,
    pub right_side: String,
    pub state: String,
    pub created_at: DateTime<Utc>,
}

/// The matches of a matrix that are being played, their later runs left out.
pub async fn being_played(
    conn: &mut PgConnection,
    round: i32,
    matrix: &str,
) -> sqlx::Result<Vec<BeingPlayed>> {
    sqlx::query_as(
        "SELECT input ->> 'left' AS left_side, input ->> 'right' AS right_side, state, created_at FROM job
         WHERE round = $1 AND name = CASE $2 WHEN 'matches' THEN 'match' ELSE 'compare' END AND kind = 'flow'
           AND finished_at IS NULL AND coalesce((input #>> '{measurement,run}')::int, 0) = 0
         ORDER BY id LIMIT 500",
    )
    .bind(round)
    .bind(matrix)
    .fetch_all(conn)
    .await
}

/// By how much a challenger must win in a round, once its tournament has begun.
pub async fn win_margin(conn: &mut PgConnection, round: i32) -> sqlx::Result<Option<f64>> {
    let found: Option<Option<f64>> = sqlx::query_scalar(
        "SELECT (input ->> 'win_margin')::double precision FROM job WHERE round = $1 AND name = 'tournament' LIMIT 1",
    )
    .bind(round)
    .fetch_optional(conn)
    .await?;
    Ok(found.flatten())
}

/// Within how many points of a threshold the matches of a round are measured again: by its rules, once they are public.
pub async fn near_band(conn: &mut PgConnection, round: i32) -> sqlx::Result<f64> {
    let found: Option<Option<f64>> = sqlx::query_scalar(
        "SELECT (judging ->> 'near_band_prompts')::double precision FROM round WHERE round = $1",
    )
    .bind(round)
    .fetch_optional(conn)
    .await?;
    Ok(found
        .flatten()
        .unwrap_or_else(|| Judging::default().near_band_prompts))
}

/// Whether a match has a result, and the tournament that uses it goes on.
pub async fn can_be_judged_anew(
    conn: &mut PgConnection,
    round: i32,
    matrix: &str,
    left: &str,
    right: &str,
) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM match_result
                        WHERE round = $1 AND matrix = $2 AND left_side = $3 AND right_side = $4)
            AND EXISTS (SELECT FROM job WHERE round = $1 AND name = 'tournament' AND finished_at IS NULL)",
    )
    .bind(round)
    .bind(matrix)
    .bind(left)
    .bind(right)
    .fetch_one(conn)
    .await
}

/// The duels of a match, by stem.
pub async fn duels(conn: &mut PgConnection, match_id: i64) -> sqlx::Result<Vec<DuelRow>> {
    sqlx::query_as(
        "SELECT id, input #>> '{prompt,stem}' AS stem, state, failures, left(error, 300) AS error,
                output ->> 'winner' AS winner, output -> 'detail' AS detail
         FROM job WHERE parent_id = $1 AND name = 'duel' AND input #>> '{prompt,stem}' IS NOT NULL ORDER BY stem",
    )
    .bind(match_id)
    .fetch_all(conn)
    .await
}

/// What was measured of a match beside the result that counts.
pub async fn other_runs(
    conn: &mut PgConnection,
    round: i32,
    matrix: &str,
    left: &str,
    right: &str,
) -> sqlx::Result<Vec<OtherRun>> {
    sqlx::query_as(
        "SELECT judgement, run, score, margin, recorded_at, NULL AS superseded_by FROM repeated_match
         WHERE round = $1 AND matrix = $2 AND left_side = $3 AND right_side = $4
         UNION ALL
         SELECT judgement, 0, score, margin, superseded_at, operator || ': ' || reason FROM superseded_match
         WHERE round = $1 AND matrix = $2 AND left_side = $3 AND right_side = $4
         ORDER BY judgement, run",
    )
    .bind(round)
    .bind(matrix)
    .bind(left)
    .bind(right)
    .fetch_all(conn)
    .await
}

/// The public prefix of an entry's views.
pub async fn views(
    conn: &mut PgConnection,
    round: i32,
    side: &str,
    repeat: i32,
    stem: &str,
) -> sqlx::Result<Option<String>> {
    let found: Option<Option<String>> = sqlx::query_scalar(
        "SELECT views FROM entry WHERE round = $1 AND hotkey = $2 AND repeat = $3 AND stem = $4",
    )
    .bind(round)
    .bind(side)
    .bind(repeat)
    .bind(stem)
    .fetch_optional(conn)
    .await?;
    Ok(found.flatten())
}
