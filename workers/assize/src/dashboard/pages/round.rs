//! One round: its stages, what it waits for, how far each kind of step is, every miner's entries, matches and audits.

use std::sync::Arc;

use axum::extract::Path;
use chrono::{DateTime, Utc};
use schema::stage::Stage;
use workflow::db::queue::{Outage, outages};
use workflow::rules::matches::{MarginInterval, near_interval};

use super::grid::Grid;
use super::matches as matches_page;
use super::{
    DashboardError, DashboardState, Frame, HeaderMap, IntoResponse, Part, Shown, State, Template,
    Uri, assets, bar, format, live_parts, show,
};
use crate::dashboard::queries::matches;
use crate::dashboard::queries::rounds::{self, Audit, Match, Round, StepKind};

#[derive(Template)]
#[template(path = "round.html")]
struct RoundPage {
    frame: Frame,
    round: i32,
}

#[derive(Template)]
#[template(path = "round_summary.html")]
struct Summary {
    round: Round,
    stages: Vec<StageMark>,
    /// What is out of service while the round goes on.
    outages: Vec<Outage>,
    now: DateTime<Utc>,
}

/// A match that is measured or being played.
struct MatchLine {
    left_side: String,
    right_side: String,
    score: i32,
    margin: f64,
    duels: i32,
    recorded_at: DateTime<Utc>,
    /// The state of its flow, while it is being played.
    state: Option<String>,
    /// Where judging again would find the margin, if that might decide otherwise.
    near: Option<MarginInterval>,
}

/// The matches of a matrix: measured ones in the order in which they were, then those being played.
async fn match_lines(
    connection: &mut sqlx::PgConnection,
    round: i32,
    matrix: &str,
    win_margin: Option<f64>,
    near_band: f64,
) -> Result<Vec<MatchLine>, DashboardError> {
    let measured = rounds::matches(connection, round, matrix).await?;
    let playing = matches::being_played(connection, round, matrix).await?;
    let measured = measured.into_iter().map(|found| {
        let Match {
            left_side,
            right_side,
            score,
            margin,
            duels,
            recorded_at,
        } = found;
        let threshold = win_margin.map(|by| matches_page::threshold(matrix, &left_side, by));
        let prompts = u32::try_from(duels).unwrap_or(0);
        let near =
            threshold.and_then(|threshold| near_interval(margin, &[threshold], prompts, near_band));
        MatchLine {
            left_side,
            right_side,
            score,
            margin,
            duels,
            recorded_at,
            state: None,
            near,
        }
    });
    let playing = playing.into_iter().map(|found| MatchLine {
        left_side: found.left_side,
        right_side: found.right_side,
        score: 0,
        margin: 0.0,
        duels: 0,
        recorded_at: found.created_at,
        state: Some(found.state),
        near: None,
    });
    Ok(measured.chain(playing).collect())
}

/// A stage on the way of a round.
struct StageMark {
    name: String,
    /// `past`, `now` or `ahead`.
    place: &'static str,
}

#[derive(Template)]
#[template(path = "round_kinds.html")]
struct Kinds {
    round: i32,
    kinds: Vec<StepKind>,
}

#[derive(Template)]
#[template(path = "round_results.html")]
struct Results {
    round: i32,
    matches: Vec<MatchLine>,
    audit_matches: Vec<MatchLine>,
    audits: Vec<Audit>,
    now: DateTime<Utc>,
}

async fn parts(state: Arc<DashboardState>, number: i32) -> Result<Vec<Part>, DashboardError> {
    let mut connection = state.pool.acquire().await?;
    let (bar, now) = bar(&mut connection).await?;
    let round = rounds::find(&mut connection, number)
        .await?
        .ok_or_else(|| DashboardError::NotFound(format!("round {number}")))?;
    let kinds = rounds::step_kinds(&mut connection, number).await?;
    let miners = rounds::miners(&mut connection, number).await?;
    let cells = rounds::cells(&mut connection, number, None).await?;
    let win_margin = matches::win_margin(&mut connection, number).await?;
    let near_band = matches::near_band(&mut connection, number).await?;
    let matches = match_lines(&mut connection, number, "matches", win_margin, near_band).await?;
    let audit_matches =
        match_lines(&mut connection, number, "audits", win_margin, near_band).await?;
    let audits = rounds::audits(&mut connection, number).await?;
    let outages = if round.closed_at.is_none() && round.stage != CLOSED {
        outages(&mut connection).await?
    } else {
        Vec::new()
    };
    drop(connection);

    let stages = stages(&round);
    Ok(vec![
        bar,
        Part::new(
            "summary",
            &Summary {
                round,
                stages,
                outages,
                now,
            },
        )?,
        Part::new(
            "kinds",
            &Kinds {
                round: number,
                kinds,
            },
        )?,
        Part::new("grid", &Grid::new(number, &miners, &cells))?,
        Part::new(
            "results",
            &Results {
                round: number,
                matches,
                audit_matches,
                audits,
                now,
            },
        )?,
    ])
}

/// A round whose successor has begun.
const CLOSED: &str = "closed";

/// The stages of an ordinary round, marked by where this one is. A paused round shows them all as ahead: its stage says
/// no more.
fn stages(round: &Round) -> Vec<StageMark> {
    let current: Option<Stage> = round.stage.parse().ok();
    let ordinary = Stage::ALL
        .iter()
        .filter(|stage| !matches!(stage, Stage::Finished | Stage::Paused));
    ordinary
        .map(|stage| StageMark {
            name: format::words(stage.as_str()),
            place: match current {
                _ if round.closed_at.is_some() || round.stage == CLOSED => "past",
                Some(Stage::Finished) => "past",
                Some(Stage::Paused) | None => "ahead",
                Some(current) if *stage < current => "past",
                Some(current) if *stage == current => "now",
                Some(_) => "ahead",
            },
        })
        .collect()
}

pub(super) async fn page(
    state: State,
    headers: HeaderMap,
    uri: Uri,
    Path(round): Path<i32>,
) -> Shown {
    let parts = parts(Arc::clone(&state), round).await?;
    let frame =
        Frame::new(&state, &headers, &uri, format!("Round {round}"), "rounds").with_parts(parts);
    show(&RoundPage { frame, round })
}

pub(super) async fn live(
    axum::extract::State(state): State,
    Path(round): Path<i32>,
) -> impl IntoResponse {
    live_parts(state, move |state| parts(state, round))
}
