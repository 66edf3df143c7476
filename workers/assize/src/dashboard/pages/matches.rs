//! One match as a strip of prompts: what both sides made of each, who won, which stage decided and by which scores.

use std::sync::Arc;

use axum::extract::Path;
use chrono::{DateTime, Utc};
use schema::Side;
use schema::files::report::{DuelDetail, DuelWinner, MatchReport};
use schema::files::{AuditLeft, report::Duel};
use workflow::rules::matches::{
    MEASURED_FLIP_RATE, MarginInterval, margin_interval, near_interval,
};

use super::{
    DashboardError, DashboardState, Frame, HeaderMap, IntoResponse, Part, Shown, State, Template,
    Uri, assets, bar, format, live_parts, show,
};
use crate::dashboard::judged::{Scores, scores};
use crate::dashboard::queries::matches::{self, DuelRow, MatchFacts, OtherRun};

#[derive(Template)]
#[template(path = "match.html")]
struct MatchPage {
    frame: Frame,
    round: i32,
    left: String,
    right: String,
    is_audit: bool,
    /// Whether there is a result, and the round's tournament still goes on.
    can_judge_anew: bool,
}

#[derive(Template)]
#[template(path = "match_summary.html")]
struct Summary {
    facts: MatchFacts,
    tally: Tally,
    interval: Option<MarginInterval>,
    threshold: Option<f64>,
    /// Whether noise could carry the margin over the threshold.
    is_near: bool,
    other_runs: Vec<OtherRun>,
    duels: Vec<Card>,
    now: DateTime<Utc>,
}

#[derive(Template)]
#[template(path = "match_duels.html")]
struct DuelStrip {
    round: i32,
    sides: Option<Sides>,
    duels: Vec<Card>,
}

/// Whose pictures a match shows: side and repeat, as in addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sides {
    left: (String, u32),
    right: (String, u32),
}

/// How the duels went so far.
#[derive(Default)]
struct Tally {
    left: usize,
    right: usize,
    draw: usize,
    open: usize,
}

/// One prompt of the strip.
#[derive(Clone)]
struct Card {
    stem: String,
    /// The class of its mark: `left`, `right`, `draw`, or how a duel without a verdict stands.
    mark: &'static str,
    verdict: String,
    /// The job that judges it, while it does.
    job_id: Option<i64>,
    /// Whether there are pictures of left and of right; of a duel under way nobody knows yet.
    has_pictures: (bool, bool),
    scores: Scores,
}

impl Card {
    fn of_report(duel: &Duel) -> Self {
        let (mark, verdict) = match duel.winner {
            DuelWinner::Left => ("left", "left wins"),
            DuelWinner::Right => ("right", "right wins"),
            DuelWinner::Draw => ("draw", "draw"),
            DuelWinner::Skipped => ("ahead", "not judged"),
        };
        Self {
            stem: duel.name.to_string(),
            mark,
            verdict: verdict.to_owned(),
            job_id: None,
            has_pictures: (duel.left_png.is_some(), duel.right_png.is_some()),
            scores: duel
                .detail
                .clone()
                .map(|detail| scores(&detail.in_published_order()))
                .unwrap_or_default(),
        }
    }

    fn of_row(row: DuelRow) -> Self {
        let detail = row.detail.and_then(|detail| {
            serde_json::from_value::<Option<DuelDetail>>(detail.0)
                .ok()
                .flatten()
        });
        let (mark, verdict) = match row.winner.as_deref() {
            Some("left") => ("left", "left wins".to_owned()),
            Some("right") => ("right", "right wins".to_owned()),
            Some("draw") => ("draw", "draw".to_owned()),
            _ => standing(&row.state, row.failures, row.error.as_deref()),
        };
        Self {
            stem: row.stem,
            mark,
            verdict,
            job_id: Some(row.id),
            has_pictures: (true, true),
            scores: detail
                .map(|detail| scores(&detail.in_published_order()))
                .unwrap_or_default(),
        }
    }
}

/// How a duel without a verdict stands.
fn standing(state: &str, failures: i16, error: Option<&str>) -> (&'static str, String) {
    let error = error.unwrap_or("no error kept");
    match state {
        "parked" => ("parked", format!("parked: {error}")),
        "running" | "waiting" => ("running", "being judged".to_owned()),
        "paused" => ("paused", "paused".to_owned()),
        "cancelled" => ("ahead", "cancelled".to_owned()),
        _ if failures > 0 => ("retrying", format!("will be tried again: {error}")),
        _ => ("waiting", "waiting for the model".to_owned()),
    }
}

impl Tally {
    fn of(duels: &[Card]) -> Self {
        let count = |mark: &str| duels.iter().filter(|duel| duel.mark == mark).count();
        let (left, right, draw) = (count("left"), count("right"), count("draw"));
        Self {
            left,
            right,
            draw,
            open: duels.len() - left - right - draw,
        }
    }
}

/// Whose entries stand behind the sides of a match or an audit.
fn sides(matrix: &str, left: &str, right: &str) -> Option<Sides> {
    let repeat_of = |side: &Side| u32::from(side.is_leader());
    if matrix == "matches" {
        let left = Side::from(left);
        return Some(Sides {
            left: (left.to_string(), repeat_of(&left)),
            right: (right.to_owned(), 0),
        });
    }
    let left = AuditLeft::parse(left)?;
    let right = (right.to_owned(), left.repeat());
    let left = match left {
        AuditLeft::Submitted { .. } => (right.0.clone(), 0),
        AuditLeft::Defender { defender, .. } => (defender.to_string(), repeat_of(&defender)),
    };
    Some(Sides { left, right })
}

/// The threshold that decides: an audit against the own submission may lose by as much as a challenger must win by.
pub(super) fn threshold(matrix: &str, left: &str, win_margin: f64) -> f64 {
    let is_submitted = matches!(AuditLeft::parse(left), Some(AuditLeft::Submitted { .. }));
    if matrix == "audits" && is_submitted {
        -win_margin
    } else {
        win_margin
    }
}

#[derive(Clone)]
struct Which {
    round: i32,
    matrix: String,
    left: String,
    right: String,
}

async fn parts(state: Arc<DashboardState>, which: Which) -> Result<Vec<Part>, DashboardError> {
    let Which {
        round,
        matrix,
        left,
        right,
    } = &which;
    let missing = || DashboardError::NotFound(format!("match {left} against {right}"));
    if !matches!(matrix.as_str(), "matches" | "audits") {
        return Err(missing());
    }
    let mut connection = state.pool.acquire().await?;
    let (bar, now) = bar(&mut connection).await?;
    let facts = matches::find(&mut connection, *round, matrix, left, right)
        .await?
        .ok_or_else(missing)?;
    let win_margin = matches::win_margin(&mut connection, *round).await?;
    let near_band = matches::near_band(&mut connection, *round).await?;
    let rows = matches::duels(&mut connection, facts.id).await?;
    let other_runs = matches::other_runs(&mut connection, *round, matrix, left, right).await?;
    drop(connection);

    let report = facts
        .report
        .as_ref()
        .and_then(|report| serde_json::from_value::<MatchReport>(report.0.clone()).ok());
    let duels: Vec<Card> = match &report {
        Some(report) => report.duels.iter().map(Card::of_report).collect(),
        None => rows.into_iter().map(Card::of_row).collect(),
    };
    let prompts = u32::try_from(facts.prompts).unwrap_or(0);
    let interval = facts
        .margin
        .filter(|_| report.is_some())
        .map(|margin| margin_interval(margin, prompts, MEASURED_FLIP_RATE));
    let threshold = win_margin.map(|by| threshold(matrix, left, by));
    let measured = facts.margin.filter(|_| report.is_some());
    let is_near = measured.zip(threshold).is_some_and(|(margin, threshold)| {
        near_interval(margin, &[threshold], prompts, near_band).is_some()
    });
    let sides = sides(matrix, left, right).filter(|_| state.pictures.is_some());
    Ok(vec![
        bar,
        Part::new(
            "summary",
            &Summary {
                tally: Tally::of(&duels),
                threshold,
                is_near,
                interval,
                facts,
                other_runs,
                duels: duels.clone(),
                now,
            },
        )?,
        Part::new(
            "duels",
            &DuelStrip {
                round: *round,
                sides,
                duels,
            },
        )?,
    ])
}

pub(super) async fn page(
    state: State,
    headers: HeaderMap,
    uri: Uri,
    Path((round, matrix, left, right)): Path<(i32, String, String, String)>,
) -> Shown {
    let which = Which {
        round,
        matrix,
        left,
        right,
    };
    let can_judge_anew = {
        let mut connection = state.pool.acquire().await?;
        matches::can_be_judged_anew(
            &mut connection,
            round,
            &which.matrix,
            &which.left,
            &which.right,
        )
        .await?
    };
    let parts = parts(Arc::clone(&state), which.clone()).await?;
    let title = format!(
        "{} against {} in round {round}",
        format::short(&which.right),
        format::short(&which.left)
    );
    let frame = Frame::new(&state, &headers, &uri, title, "rounds").with_parts(parts);
    show(&MatchPage {
        frame,
        round,
        is_audit: which.matrix == "audits",
        can_judge_anew,
        left: which.left,
        right: which.right,
    })
}

pub(super) async fn live(
    axum::extract::State(state): State,
    Path((round, matrix, left, right)): Path<(i32, String, String, String)>,
) -> impl IntoResponse {
    let which = Which {
        round,
        matrix,
        left,
        right,
    };
    live_parts(state, move |state| parts(state, which.clone()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn each_side_shows_the_entries_that_were_judged() {
        let shown = |matrix, left| {
            let sides = sides(matrix, left, "5B").unwrap();
            (sides.left, sides.right)
        };
        let side = |name: &str, repeat| (name.to_owned(), repeat);
        assert_eq!(
            shown("matches", "leader"),
            (side("leader", 1), side("5B", 0))
        );
        assert_eq!(shown("matches", "5A"), (side("5A", 0), side("5B", 0)));
        assert_eq!(
            shown("audits", "submitted_2"),
            (side("5B", 0), side("5B", 2))
        );
        assert_eq!(
            shown("audits", "leader_1"),
            (side("leader", 1), side("5B", 1))
        );
        assert_eq!(shown("audits", "5A_3"), (side("5A", 0), side("5B", 3)));
        assert_eq!(sides("audits", "nonsense", "5B"), None);
    }

    #[test]
    fn an_audit_against_the_own_submission_has_the_lower_threshold() {
        assert_eq!(threshold("matches", "leader", 0.05), 0.05);
        assert_eq!(threshold("audits", "leader_1", 0.05), 0.05);
        assert_eq!(threshold("audits", "submitted_1", 0.05), -0.05);
    }
}
