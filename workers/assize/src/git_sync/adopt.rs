//! An accepted edit of a file that Assize owns, carried into the tables that the round works with.

use schema::{
    Document, IndexMap, RoundNumber,
    files::{AnyGenerationReports, AnyGenerations, Builds, Generations, Matrix},
    paths::{self, StatePath},
};
use sqlx::PgConnection;
use workflow::{
    db::{
        self,
        records::{EntryRecord, Record},
    },
    round::{
        flows::tournament_key,
        judging::Measurement,
        steps::{DecidedBuild, build_event},
    },
};

use super::LARGEST_KEPT_BYTES;

/// Makes `now` what the round knows of the file at `path`; `before` is what it knew. Only rows that differ are written.
///
/// # Errors
///
/// If the file cannot be read, or the database fails.
pub(super) async fn adopt(
    conn: &mut PgConnection,
    path: &str,
    before: Option<&[u8]>,
    now: Option<&[u8]>,
) -> anyhow::Result<()> {
    let Some(kind) = paths::classify(path) else {
        return Ok(());
    };
    if let Some(content) = now.filter(|content| content.len() <= LARGEST_KEPT_BYTES) {
        db::state_file::write(conn, path, content, "repository").await?;
    }
    let read = |content: Option<&[u8]>| content.map(|content| Document::parse(path, content));
    // What cannot be read had no rows.
    let before = read(before).and_then(Result::ok);
    let now = read(now).transpose()?;
    match &kind {
        StatePath::Builds(round) => {
            let rows = |document: Option<Document>| match document {
                Some(Document::Builds(builds)) => builds,
                _ => Builds::default(),
            };
            builds(conn, round.0, &rows(before), &rows(now)).await?;
        }
        StatePath::GenerationReports(round) => {
            let rows = |document: Option<Document>| match document {
                Some(Document::GenerationReports(AnyGenerationReports::Current(reports))) => {
                    reports.0
                }
                _ => IndexMap::new(),
            };
            reports(conn, round.0, &rows(before), &rows(now)).await?;
        }
        StatePath::MatchesMatrix(round) => {
            margins(conn, round.0, "matches", &matrix(before), &matrix(now)).await?;
        }
        StatePath::AuditMatrix(round) => {
            margins(conn, round.0, "audits", &matrix(before), &matrix(now)).await?;
        }
        StatePath::Submitted { round, hotkey } => {
            let (before, now) = (generations(before), generations(now));
            entries(conn, round.0, hotkey.as_str(), 0, &before, &now).await?;
        }
        StatePath::Generated {
            round,
            side,
            repeat,
        } => {
            let (before, now, repeat) = (generations(before), generations(now), *repeat as i32);
            entries(conn, round.0, side.as_str(), repeat, &before, &now).await?;
        }
        _ => {}
    }
    if let Some(round) = kind.round() {
        db::wake(conn, &[tournament_key(round)]).await?;
    }
    Ok(())
}

fn matrix(document: Option<Document>) -> Matrix {
    match document {
        Some(Document::Matrix(matrix)) => matrix,
        _ => Matrix::default(),
    }
}

fn generations(document: Option<Document>) -> Generations {
    match document {
        Some(Document::Generations(AnyGenerations::Current(generations))) => generations,
        _ => Generations::default(),
    }
}

async fn builds(
    conn: &mut PgConnection,
    round: u32,
    before: &Builds,
    now: &Builds,
) -> anyhow::Result<()> {
    for (hotkey, build) in now {
        if before.get(hotkey) != Some(build) {
            let record = Record::Build {
                round,
                hotkey: hotkey.to_string(),
                status: build.status.as_str().to_owned(),
                docker_image: build.docker_image.clone(),
                // What was measured belongs to what was there before.
                digest: None,
            };
            record.write(conn).await?;
            if build.status.is_terminal() {
                let event = build_event(RoundNumber(round), hotkey);
                let decided = DecidedBuild {
                    build: build.clone(),
                    digest: None,
                };
                db::event::correct(conn, &event, &serde_json::to_value(decided)?).await?;
            }
        }
    }
    for hotkey in before.keys().filter(|hotkey| !now.contains_key(*hotkey)) {
        sqlx::query("DELETE FROM build WHERE round = $1 AND hotkey = $2")
            .bind(round as i32)
            .bind(hotkey.as_str())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

type Reports = IndexMap<schema::Hotkey, schema::files::GenerationReport>;

async fn reports(
    conn: &mut PgConnection,
    round: u32,
    before: &Reports,
    now: &Reports,
) -> anyhow::Result<()> {
    for (hotkey, report) in now {
        if before.get(hotkey) != Some(report) {
            let record = Record::Report {
                round,
                hotkey: hotkey.to_string(),
                outcome: report.outcome.to_string(),
                repeats: serde_json::to_value(&report.repeats)?,
                reason: report.reason.clone(),
            };
            record.write(conn).await?;
        }
    }
    for hotkey in before.keys().filter(|hotkey| !now.contains_key(*hotkey)) {
        sqlx::query("DELETE FROM generation_report WHERE round = $1 AND hotkey = $2")
            .bind(round as i32)
            .bind(hotkey.as_str())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

async fn margins(
    conn: &mut PgConnection,
    round: u32,
    matrix: &'static str,
    before: &Matrix,
    now: &Matrix,
) -> sqlx::Result<()> {
    // A score counts duels; all matches of a round have as many.
    let duels: i32 = sqlx::query_scalar(
        "SELECT coalesce(max(duels), 0) FROM match_result WHERE round = $1 AND matrix = $2",
    )
    .bind(round as i32)
    .bind(matrix)
    .fetch_one(&mut *conn)
    .await?;
    for (left, right, margin) in now.rows() {
        if before.get(&left, right) == Some(margin) || !(-1.0..=1.0).contains(&margin) {
            continue;
        }
        let record = Record::Match {
            round,
            matrix,
            left: left.to_owned(),
            right: right.to_string(),
            score: (margin * f64::from(duels)).round() as i32,
            margin,
            duels,
            measurement: Measurement::default(),
            job_key: String::new(),
        };
        record.write(conn).await?;
        let shown = Record::MatchPublished {
            round,
            matrix,
            left: left.to_owned(),
            right: right.to_string(),
            measurement: Measurement::default(),
        };
        shown.write(conn).await?;
    }
    for (left, right, _) in before.rows() {
        if !now.contains(&left, right) {
            sqlx::query(
                "DELETE FROM match_result WHERE round = $1 AND matrix = $2 AND left_side = $3 AND right_side = $4",
            )
            .bind(round as i32)
            .bind(matrix)
            .bind(left)
            .bind(right.as_str())
            .execute(&mut *conn)
            .await?;
        }
    }
    Ok(())
}

async fn entries(
    conn: &mut PgConnection,
    round: u32,
    side: &str,
    repeat: i32,
    before: &Generations,
    now: &Generations,
) -> sqlx::Result<()> {
    for (stem, generation) in now {
        if before.get(stem) != Some(generation) {
            let record = Record::Entry(EntryRecord {
                round,
                hotkey: side.to_owned(),
                repeat,
                stem: stem.to_string(),
                js: generation.js.clone(),
                views: generation.views.clone(),
                failure_reason: generation.failure_reason.clone(),
                size: i64::try_from(generation.size).unwrap_or(i64::MAX),
                ..EntryRecord::default()
            });
            record.write(conn).await?;
        }
    }
    for stem in before.keys().filter(|stem| !now.contains_key(*stem)) {
        sqlx::query(
            "DELETE FROM entry WHERE round = $1 AND hotkey = $2 AND repeat = $3 AND stem = $4",
        )
        .bind(round as i32)
        .bind(side)
        .bind(repeat)
        .bind(stem.as_str())
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}
