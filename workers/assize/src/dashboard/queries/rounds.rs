//! Rounds: where each stands, its grid of entries, its matches, audits and builds.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// A line of the list of rounds.
#[derive(Debug, sqlx::FromRow)]
pub struct Round {
    #[sqlx(rename = "round")]
    pub number: i32,
    pub stage: String,
    pub stage_since: DateTime<Utc>,
    pub waits_for: Vec<String>,
    pub winner: Option<String>,
    pub closed_at: Option<DateTime<Utc>>,
    pub miners: i64,
    /// Submitted modules that have their pictures.
    pub rendered: i64,
    /// Submitted modules that were refused or never came.
    pub rejected: i64,
    pub matches: i64,
    /// Steps that wait for an operator.
    pub parked: i64,
}

const ROUND: &str = "SELECT round, stage, stage_since, waits_for, winner, closed_at,
        (SELECT count(*) FROM submission s WHERE s.round = r.round) AS miners,
        (SELECT count(*) FROM entry e WHERE e.round = r.round AND e.repeat = 0 AND e.views IS NOT NULL) AS rendered,
        (SELECT count(*) FROM entry e WHERE e.round = r.round AND e.repeat = 0 AND e.failure_reason IS NOT NULL) AS rejected,
        (SELECT count(*) FROM match_result m WHERE m.round = r.round AND m.matrix = 'matches') AS matches,
        (SELECT count(*) FROM job j WHERE j.state = 'parked' AND j.round = r.round) AS parked
    FROM round r";

/// The newest rounds first.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<Round>> {
    let mut rounds: Vec<Round> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{ROUND} ORDER BY round DESC LIMIT 100"
    )))
    .fetch_all(&mut *conn)
    .await?;
    for round in &mut rounds {
        say_what_it_waits_for(conn, round).await?;
    }
    Ok(rounds)
}

/// Replaces what the tournament says by everything that is unfinished, in sentences.
async fn say_what_it_waits_for(conn: &mut PgConnection, round: &mut Round) -> sqlx::Result<()> {
    let is_over =
        round.closed_at.is_some() || matches!(round.stage.as_str(), "closed" | "finished");
    if !is_over {
        let unfinished = workflow::db::waits::unfinished(conn, round.number).await?;
        round.waits_for = workflow::round::waits::sentences(&unfinished);
    }
    Ok(())
}

/// One round.
pub async fn find(conn: &mut PgConnection, round: i32) -> sqlx::Result<Option<Round>> {
    let mut found: Option<Round> =
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{ROUND} WHERE round = $1")))
            .bind(round)
            .fetch_optional(&mut *conn)
            .await?;
    if let Some(round) = &mut found {
        say_what_it_waits_for(conn, round).await?;
    }
    Ok(found)
}

/// How far one kind of step or flow is in a round.
#[derive(Debug, sqlx::FromRow)]
pub struct StepKind {
    pub name: String,
    pub kind: String,
    pub total: i64,
    pub completed: i64,
    pub running: i64,
    /// Due or not due yet, or waiting for others; never failed so far.
    pub waiting: i64,
    /// Has failed and will be tried again by itself.
    pub retrying: i64,
    pub parked: i64,
    /// Ended without a result: failed or cancelled.
    pub lost: i64,
}

/// Steps and flows of a round by name, in the order in which they first came up.
pub async fn step_kinds(conn: &mut PgConnection, round: i32) -> sqlx::Result<Vec<StepKind>> {
    sqlx::query_as(
        "SELECT name, kind, count(*) AS total,
                count(*) FILTER (WHERE state = 'completed') AS completed,
                count(*) FILTER (WHERE state = 'running') AS running,
                count(*) FILTER (WHERE state IN ('available', 'scheduled', 'waiting', 'paused') AND failures = 0) AS waiting,
                count(*) FILTER (WHERE state IN ('available', 'scheduled', 'waiting', 'paused') AND failures > 0) AS retrying,
                count(*) FILTER (WHERE state = 'parked') AS parked,
                count(*) FILTER (WHERE state IN ('failed', 'cancelled')) AS lost
         FROM job WHERE round = $1 AND kind <> 'wait'
         GROUP BY name, kind ORDER BY kind = 'step', min(id)",
    )
    .bind(round)
    .fetch_all(conn)
    .await
}

/// A miner of the round, in the order of submission.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Miner {
    pub hotkey: String,
    pub position: i32,
    pub repo: String,
    pub commit: String,
    pub cdn_url: String,
    pub revealed_at_block: i64,
}

/// The miners of a round.
pub async fn miners(conn: &mut PgConnection, round: i32) -> sqlx::Result<Vec<Miner>> {
    sqlx::query_as(
        "SELECT hotkey, position, repo, commit, cdn_url, revealed_at_block FROM submission WHERE round = $1 ORDER BY position",
    )
    .bind(round)
    .fetch_all(conn)
    .await
}

/// What is known of one module, submitted or regenerated. Fields are those of the entry, or else those of the unfinished job for it that
/// most needs a look.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Cell {
    /// A hotkey, or `leader`.
    pub hotkey: String,
    /// 0 for the submission, 1 and up for what the miner's image generated.
    pub repeat: i32,
    pub stem: String,
    pub js: Option<String>,
    pub views: Option<String>,
    pub failure_reason: Option<String>,
    pub size: Option<i64>,
    pub module_sha256: Option<String>,
    pub recorded_at: Option<DateTime<Utc>>,
    pub job_id: Option<i64>,
    pub job_name: Option<String>,
    pub job_state: Option<String>,
    pub job_failures: Option<i16>,
    pub job_error: Option<String>,
}

/// Every module of a round (or of one miner) that has an entry or a job, by stem.
///
/// Steps name the module they are for in their input, a download at its top and a render under `entry`.
pub async fn cells(
    conn: &mut PgConnection,
    round: i32,
    hotkey: Option<&str>,
) -> sqlx::Result<Vec<Cell>> {
    sqlx::query_as(
        "WITH unfinished AS (
             SELECT DISTINCT ON (hotkey, repeat, stem) hotkey, repeat, stem, id, name, state, failures, error
             FROM (SELECT coalesce(input->'entry'->>'side', input->>'hotkey') AS hotkey,
                          coalesce(input->'entry'->'repeat', '0')::int AS repeat,
                          coalesce(input->'entry'->>'stem', input->>'stem') AS stem,
                          id, name, state, failures, left(error, 300) AS error
                   FROM job
                   WHERE round = $1 AND kind = 'step' AND name IN ('download', 'render')
                     AND state IN ('available', 'scheduled', 'running', 'paused', 'parked')) j
             WHERE hotkey IS NOT NULL AND stem IS NOT NULL AND ($2::text IS NULL OR hotkey = $2)
             ORDER BY hotkey, repeat, stem,
                      array_position(ARRAY['parked', 'running', 'paused', 'scheduled', 'available'], state), id
         ), recorded AS (
             SELECT hotkey, repeat, stem, js, views, failure_reason, size, module_sha256, recorded_at
             FROM entry WHERE round = $1 AND ($2::text IS NULL OR hotkey = $2)
         )
         SELECT hotkey, repeat, stem, js, views, failure_reason, size, module_sha256, recorded_at,
                u.id AS job_id, u.name AS job_name, u.state AS job_state, u.failures AS job_failures, u.error AS job_error
         FROM recorded FULL JOIN unfinished u USING (hotkey, repeat, stem)
         ORDER BY repeat, stem, hotkey",
    )
    .bind(round)
    .bind(hotkey)
    .persistent(false)
    .fetch_all(conn)
    .await
}

/// A finished match of the tournament or of an audit.
#[derive(Debug, sqlx::FromRow)]
pub struct Match {
    pub left_side: String,
    pub right_side: String,
    pub score: i32,
    pub margin: f64,
    pub duels: i32,
    pub recorded_at: DateTime<Utc>,
}

/// Matches of a round in the order they were recorded.
///
/// - `matrix`: `matches` or `audits`.
pub async fn matches(
    conn: &mut PgConnection,
    round: i32,
    matrix: &str,
) -> sqlx::Result<Vec<Match>> {
    sqlx::query_as(
        "SELECT left_side, right_side, score, margin, duels, recorded_at FROM match_result
         WHERE round = $1 AND matrix = $2 ORDER BY position LIMIT 500",
    )
    .bind(round)
    .bind(matrix)
    .fetch_all(conn)
    .await
}

/// What became of the audit of one miner.
#[derive(Debug, sqlx::FromRow)]
pub struct Audit {
    pub hotkey: String,
    pub build_status: Option<String>,
    pub docker_image: Option<String>,
    /// `pending`, `completed` or `rejected`; none before the miner is asked to generate again.
    pub outcome: Option<String>,
    pub reason: Option<String>,
}

/// Builds and regeneration reports of a round.
pub async fn audits(conn: &mut PgConnection, round: i32) -> sqlx::Result<Vec<Audit>> {
    sqlx::query_as(
        "WITH b AS (SELECT hotkey, status, docker_image FROM build WHERE round = $1),
              g AS (SELECT hotkey, outcome, reason FROM generation_report WHERE round = $1)
         SELECT hotkey, b.status AS build_status, b.docker_image, g.outcome, g.reason
         FROM b FULL JOIN g USING (hotkey) ORDER BY hotkey",
    )
    .bind(round)
    .fetch_all(conn)
    .await
}
