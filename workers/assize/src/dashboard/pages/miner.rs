//! One miner of one round: the submission and what became of each of its modules.

use std::sync::Arc;

use axum::extract::Path;
use chrono::{DateTime, Utc};

use super::{
    DashboardError, DashboardState, Frame, HeaderMap, IntoResponse, Part, Shown, State, Template,
    Uri, assets, bar, format, grid, live_parts, show,
};
use crate::dashboard::queries::rounds::{self, Audit, Cell, Match, Miner};

#[derive(Template)]
#[template(path = "miner.html")]
struct MinerPage {
    frame: Frame,
    round: i32,
    hotkey: String,
}

#[derive(Template)]
#[template(path = "miner_summary.html")]
struct Summary {
    miner: Option<Miner>,
    hotkey: String,
    audit: Option<Audit>,
    matches: Vec<Match>,
}

#[derive(Template)]
#[template(path = "miner_entries.html")]
struct Entries {
    entries: Vec<Entry>,
    now: DateTime<Utc>,
}

struct Entry {
    cell: Cell,
    mark: &'static str,
    note: String,
}

async fn parts(
    state: Arc<DashboardState>,
    round: i32,
    hotkey: String,
) -> Result<Vec<Part>, DashboardError> {
    let mut connection = state.pool.acquire().await?;
    let (bar, now) = bar(&mut connection).await?;
    let miner = rounds::miners(&mut connection, round)
        .await?
        .into_iter()
        .find(|miner| miner.hotkey == hotkey);
    let cells = rounds::cells(&mut connection, round, Some(&hotkey)).await?;
    if miner.is_none() && cells.is_empty() {
        return Err(DashboardError::NotFound(format!(
            "miner {hotkey} in round {round}"
        )));
    }
    let audit = rounds::audits(&mut connection, round)
        .await?
        .into_iter()
        .find(|audit| audit.hotkey == hotkey);
    let mut matches = rounds::matches(&mut connection, round, "matches").await?;
    matches.retain(|found| found.left_side == hotkey || found.right_side == hotkey);
    drop(connection);

    let entries = cells
        .into_iter()
        .map(|cell| {
            let (mark, note) = grid::mark(&cell);
            Entry { cell, mark, note }
        })
        .collect();
    Ok(vec![
        bar,
        Part::new(
            "summary",
            &Summary {
                miner,
                hotkey,
                audit,
                matches,
            },
        )?,
        Part::new("entries", &Entries { entries, now })?,
    ])
}

pub(super) async fn page(
    state: State,
    headers: HeaderMap,
    uri: Uri,
    Path((round, hotkey)): Path<(i32, String)>,
) -> Shown {
    let parts = parts(Arc::clone(&state), round, hotkey.clone()).await?;
    let title = format!("{} in round {round}", format::short(&hotkey));
    let frame = Frame::new(&state, &headers, &uri, title, "rounds").with_parts(parts);
    show(&MinerPage {
        frame,
        round,
        hotkey,
    })
}

pub(super) async fn live(
    axum::extract::State(state): State,
    Path((round, hotkey)): Path<(i32, String)>,
) -> impl IntoResponse {
    live_parts(state, move |state| parts(state, round, hotkey.clone()))
}
