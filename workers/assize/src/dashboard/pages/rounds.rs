//! The list of rounds: the first page.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{
    DashboardError, DashboardState, Frame, HeaderMap, IntoResponse, Part, Shown, State, Template,
    Uri, assets, bar, format, live_parts, show,
};
use crate::dashboard::queries::rounds::{self, Round};

#[derive(Template)]
#[template(path = "rounds.html")]
struct RoundsPage {
    frame: Frame,
}

#[derive(Template)]
#[template(path = "rounds_list.html")]
struct RoundsList {
    rounds: Vec<Round>,
    now: DateTime<Utc>,
}

async fn parts(state: Arc<DashboardState>) -> Result<Vec<Part>, DashboardError> {
    let mut connection = state.pool.acquire().await?;
    let (bar, now) = bar(&mut connection).await?;
    let rounds = rounds::list(&mut connection).await?;
    Ok(vec![bar, Part::new("list", &RoundsList { rounds, now })?])
}

pub(super) async fn page(state: State, headers: HeaderMap, uri: Uri) -> Shown {
    let parts = parts(Arc::clone(&state)).await?;
    let frame = Frame::new(&state, &headers, &uri, "Rounds", "rounds").with_parts(parts);
    show(&RoundsPage { frame })
}

pub(super) async fn live(axum::extract::State(state): State) -> impl IntoResponse {
    live_parts(state, parts)
}
