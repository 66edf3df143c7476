//! One round: its stages, what it waits for, how far each kind of step is, every miner's entries, matches and audits.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use axum::extract::Path;
use chrono::{DateTime, Utc};
use schema::stage::Stage;

use super::{
    DashboardError, DashboardState, Frame, HeaderMap, IntoResponse, Part, Shown, State, Template,
    Uri, assets, bar, format, live_parts, show,
};
use crate::dashboard::queries::rounds::{self, Audit, Cell, Match, Miner, Round, StepKind};

/// Up to so many cells each is drawn by itself; in a larger grid neighbours that need no look are drawn as one.
const MOST_SINGLE_CELLS: usize = 3000;

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
    now: DateTime<Utc>,
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
#[template(path = "round_grid.html")]
struct Grid {
    round: i32,
    stems: Vec<String>,
    rows: Vec<GridRow>,
    is_large: bool,
}

/// A miner's line of the grid.
pub(super) struct GridRow {
    pub hotkey: String,
    pub rendered: i64,
    pub rejected: i64,
    pub runs: Vec<Run>,
}

/// Neighbouring cells drawn as one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub mark: &'static str,
    pub cells: usize,
    /// Left out where neighbours are drawn as one: it would be most of a large page.
    pub title: Option<String>,
}

#[derive(Template)]
#[template(path = "round_results.html")]
struct Results {
    round: i32,
    matches: Vec<Match>,
    audit_matches: Vec<Match>,
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
    let matches = rounds::matches(&mut connection, number, "matches").await?;
    let audit_matches = rounds::matches(&mut connection, number, "audits").await?;
    let audits = rounds::audits(&mut connection, number).await?;
    drop(connection);

    let stages = stages(&round);
    Ok(vec![
        bar,
        Part::new("summary", &Summary { round, stages, now })?,
        Part::new(
            "kinds",
            &Kinds {
                round: number,
                kinds,
            },
        )?,
        Part::new("grid", &grid(number, &miners, &cells))?,
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
                _ if round.closed_at.is_some() => "past",
                Some(Stage::Finished) => "past",
                Some(Stage::Paused) | None => "ahead",
                Some(current) if *stage < current => "past",
                Some(current) if *stage == current => "now",
                Some(_) => "ahead",
            },
        })
        .collect()
}

fn grid(round: i32, miners: &[Miner], cells: &[Cell]) -> Grid {
    let stems: BTreeSet<&str> = cells.iter().map(|cell| cell.stem.as_str()).collect();
    let mut by_miner: HashMap<&str, HashMap<&str, &Cell>> = HashMap::new();
    for cell in cells {
        by_miner
            .entry(&cell.hotkey)
            .or_default()
            .insert(&cell.stem, cell);
    }
    // The leader's baseline has entries without a submission.
    let submitted = miners.iter().map(|miner| miner.hotkey.as_str());
    let others: BTreeSet<&str> = by_miner
        .keys()
        .copied()
        .filter(|hotkey| !miners.iter().any(|miner| miner.hotkey == *hotkey))
        .collect();
    let hotkeys: Vec<&str> = others.into_iter().chain(submitted).collect();

    let is_large = hotkeys.len() * stems.len() > MOST_SINGLE_CELLS;
    let rows = hotkeys
        .into_iter()
        .map(|hotkey| {
            let own = by_miner.get(hotkey);
            let marked: Vec<(&str, &'static str, String)> = stems
                .iter()
                .map(|stem| {
                    let cell = own.and_then(|own| own.get(stem));
                    let (mark, note) =
                        cell.map_or(("ahead", "nothing yet".to_owned()), |cell| mark(cell));
                    (*stem, mark, note)
                })
                .collect();
            let count =
                |wanted: &str| marked.iter().filter(|(_, mark, _)| *mark == wanted).count() as i64;
            GridRow {
                hotkey: hotkey.to_owned(),
                rendered: count("ready"),
                rejected: count("rejected"),
                runs: runs(&marked, is_large),
            }
        })
        .collect();
    Grid {
        round,
        stems: stems.into_iter().map(str::to_owned).collect(),
        rows,
        is_large,
    }
}

/// How a submitted module stands, in one word for its colour and one line for its tooltip.
pub(super) fn mark(cell: &Cell) -> (&'static str, String) {
    if let Some(reason) = &cell.failure_reason {
        return ("rejected", reason.clone());
    }
    if cell.views.is_some() {
        return ("ready", "pictures ready".to_owned());
    }
    let name = cell.job_name.as_deref().unwrap_or("step");
    match cell.job_state.as_deref() {
        Some("parked") => (
            "parked",
            format!(
                "{name} is parked: {}",
                cell.job_error.as_deref().unwrap_or("no error kept")
            ),
        ),
        Some("running") => ("running", format!("{name} is running")),
        Some("paused") => ("paused", format!("{name} is paused")),
        Some(_) if cell.job_failures.unwrap_or_default() > 0 => (
            "retrying",
            format!(
                "{name} will be tried again: {}",
                cell.job_error.as_deref().unwrap_or("no error kept")
            ),
        ),
        _ if cell.js.is_some() => ("stored", "module stored, pictures to come".to_owned()),
        Some(_) => ("waiting", format!("{name} is waiting")),
        None => ("ahead", "nothing yet".to_owned()),
    }
}

/// Joins equal neighbours when the grid is large, those with a note worth reading excepted.
fn runs(marked: &[(&str, &'static str, String)], is_large: bool) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (stem, mark, note) in marked {
        let is_plain = matches!(*mark, "ready" | "ahead" | "waiting" | "stored");
        match runs.last_mut() {
            Some(run) if is_large && is_plain && run.mark == *mark => run.cells += 1,
            _ => runs.push(Run {
                mark,
                cells: 1,
                title: (!is_large || !is_plain).then(|| format!("{stem}: {note}")),
            }),
        }
    }
    runs
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

#[cfg(test)]
mod tests {
    use super::*;

    fn marked<'a>(marks: &[&'static str]) -> Vec<(&'a str, &'static str, String)> {
        marks
            .iter()
            .map(|mark| ("stem", *mark, "note".to_owned()))
            .collect()
    }

    #[test]
    fn a_large_grid_joins_equal_neighbours_but_none_that_need_a_look() {
        let marks = marked(&["ready", "ready", "ready", "rejected", "rejected", "ready"]);
        let drawn: Vec<(&str, usize)> = runs(&marks, true)
            .iter()
            .map(|run| (run.mark, run.cells))
            .collect();
        assert_eq!(
            drawn,
            [("ready", 3), ("rejected", 1), ("rejected", 1), ("ready", 1)]
        );
        assert_eq!(runs(&marks, false).len(), 6);
    }
}
