//! Measurements of matches and audits: `match_result`, the runs beside it, and results that were judged anew.

use std::collections::HashMap;

use anyhow::Context as _;
use schema::{
    Hotkey, RoundNumber,
    files::report::{DuelDetail, MatchReport},
};
use serde_json::Value;
use sqlx::PgConnection;

use super::tournament::Standing;
use crate::round::judging::Measurement;

/// A match or an audit, as its row in a matrix names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MatchName {
    /// `matches` or `audits`.
    pub matrix: &'static str,
    /// Left side as in the matrix.
    pub left: String,
    /// Right side.
    pub right: Hotkey,
}

/// A result that counts.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredMatch {
    /// Which.
    pub name: MatchName,
    /// Its judgement.
    pub judgement: u32,
    /// Its margin.
    pub margin: f64,
    /// Duels that were judged; 0 for a walkover.
    pub duels: u32,
}

/// A match that is being played.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchUnderWay {
    /// Which.
    pub name: MatchName,
    /// Key of its flow.
    pub key: String,
}

/// How reasons begin for which the tournament cancels work: what it cancelled itself it may start anew, what an operator
/// cancelled it may not.
pub const MOOT: &str = "moot: ";

/// A row of `match_result` or `repeated_match`.
#[derive(sqlx::FromRow)]
struct MeasurementRow {
    matrix: String,
    left_side: String,
    right_side: String,
    judgement: i32,
    run: i32,
    margin: f64,
    duels: i32,
    published: bool,
    job_key: String,
}

impl MeasurementRow {
    fn name(&self) -> MatchName {
        MatchName {
            matrix: matrix(&self.matrix),
            left: self.left_side.clone(),
            right: Hotkey::new(self.right_side.clone()),
        }
    }

    fn measurement(&self) -> Measurement {
        Measurement {
            judgement: number(self.judgement),
            run: number(self.run),
        }
    }
}

/// The constraint of the tables leaves no third word.
fn matrix(word: &str) -> &'static str {
    if word == "matches" {
        "matches"
    } else {
        "audits"
    }
}

/// The constraints of the tables leave no negative ones.
pub(super) fn number(column: i32) -> u32 {
    u32::try_from(column).unwrap_or(0)
}

/// Reads what is measured, and the reports of what is not public.
pub(super) async fn read(
    conn: &mut PgConnection,
    round: RoundNumber,
    standing: &mut Standing,
) -> anyhow::Result<()> {
    let rows: Vec<MeasurementRow> = sqlx::query_as(
        "SELECT matrix, left_side, right_side, judgement, 0 AS run, margin, duels, published, job_key, position
         FROM match_result WHERE round = $1
         UNION ALL
         SELECT matrix, left_side, right_side, judgement, run, margin, duels, published, job_key, NULL
         FROM repeated_match WHERE round = $1
         ORDER BY position NULLS LAST, matrix, left_side, right_side, judgement, run",
    )
    .bind(round.0 as i32)
    .fetch_all(&mut *conn)
    .await?;
    for row in rows.iter().filter(|row| row.run == 0) {
        let name = row.name();
        let (all, shown) = if name.matrix == "matches" {
            (
                &mut standing.observation.matches,
                &mut standing.published.matches,
            )
        } else {
            (
                &mut standing.observation.audits,
                &mut standing.published.audits,
            )
        };
        all.insert(&name.left.as_str(), &name.right, row.margin);
        if row.published {
            shown.insert(&name.left.as_str(), &name.right, row.margin);
        }
        standing.measured.push(MeasuredMatch {
            name,
            judgement: number(row.judgement),
            margin: row.margin,
            duels: number(row.duels),
        });
    }
    let repeated = rows.iter().filter(|row| row.run > 0);
    standing.repeated = repeated
        .map(|row| (row.name(), row.measurement()))
        .collect();

    let unpublished: Vec<&MeasurementRow> = rows.iter().filter(|row| !row.published).collect();
    let keys: Vec<&str> = unpublished.iter().map(|row| row.job_key.as_str()).collect();
    let reports: Vec<(String, Value)> = sqlx::query_as(
        "SELECT key, output -> 'report' FROM job WHERE key = ANY($1) AND output -> 'report' IS NOT NULL",
    )
    .bind(&keys)
    .fetch_all(conn)
    .await?;
    let mut by_key: HashMap<String, MatchReport> = HashMap::new();
    for (key, report) in reports {
        let mut report: Option<MatchReport> = serde_json::from_value(report)
            .with_context(|| format!("the stored report of {key} has another shape"))?;
        let duels = report.iter_mut().flat_map(|report| &mut report.duels);
        for duel in duels {
            duel.detail = duel.detail.take().map(DuelDetail::in_published_order);
        }
        by_key.extend(report.map(|report| (key, report)));
    }
    standing.published.pending = unpublished
        .into_iter()
        .map(|row| (row.name(), row.measurement(), by_key.remove(&row.job_key)))
        .collect();
    Ok(())
}

/// A flow of a match or an audit.
#[derive(sqlx::FromRow)]
struct MatchJob {
    name: String,
    key: String,
    state: String,
    error: Option<String>,
    left_side: String,
    right_side: String,
    judgement: i32,
    run: i32,
}

/// Reads which matches are played, were cancelled, or were judged anew.
pub(super) async fn read_jobs(
    conn: &mut PgConnection,
    round: RoundNumber,
    standing: &mut Standing,
) -> anyhow::Result<()> {
    let superseded: Vec<(String, String, String, i32)> = sqlx::query_as(
        "SELECT matrix, left_side, right_side, max(judgement) FROM superseded_match WHERE round = $1 GROUP BY 1, 2, 3",
    )
    .bind(round.0 as i32)
    .fetch_all(&mut *conn)
    .await?;
    let mut used = |name: MatchName, judgement: i32| {
        let next = standing.next_judgement.entry(name).or_default();
        *next = (*next).max(number(judgement) + 1);
    };
    for (word, left, right, judgement) in superseded {
        let name = MatchName {
            matrix: matrix(&word),
            left,
            right: Hotkey::new(right),
        };
        used(name, judgement);
    }
    let jobs: Vec<MatchJob> = sqlx::query_as(
        "SELECT name, key, state, left(error, 200) AS error, input ->> 'left' AS left_side, input ->> 'right' AS right_side,
                coalesce((input #>> '{measurement,judgement}')::int, 0) AS judgement,
                coalesce((input #>> '{measurement,run}')::int, 0) AS run
         FROM job WHERE round = $1 AND name IN ('match', 'compare') AND kind = 'flow' ORDER BY id",
    )
    .bind(round.0 as i32)
    .fetch_all(conn)
    .await?;
    for job in jobs {
        let name = MatchName {
            matrix: if job.name == "match" {
                "matches"
            } else {
                "audits"
            },
            left: job.left_side,
            right: Hotkey::new(job.right_side),
        };
        let has_ended = matches!(job.state.as_str(), "completed" | "failed" | "cancelled");
        let was_moot = job.state == "cancelled" && is_moot(job.error.as_deref());
        if job.run > 0 {
            let measurement = Measurement {
                judgement: number(job.judgement),
                run: number(job.run),
            };
            standing.repeats.insert((name, measurement));
        } else if was_moot {
            used(name, job.judgement);
        } else if !has_ended {
            let key = job.key;
            standing.under_way.push(MatchUnderWay { name, key });
        }
    }
    Ok(())
}

/// Whether a job was cancelled by the tournament.
pub(super) fn is_moot(reason: Option<&str>) -> bool {
    reason.is_some_and(|reason| reason.starts_with(MOOT))
}
