//! The list of steps, by state, name, queue, round and key.

use std::sync::Arc;

use axum::extract::Query;
use chrono::{DateTime, Utc};

use super::{
    DashboardError, DashboardState, Frame, HeaderMap, IntoResponse, Part, Shown, State, Template,
    Uri, assets, bar, format, live_parts, show,
};
use crate::dashboard::queries::steps::{self, PAGE, StepFilter, StepLine};

/// States in the order of a job's life, as the filter offers them.
const STATES: [&str; 9] = [
    "available",
    "running",
    "scheduled",
    "waiting",
    "paused",
    "parked",
    "completed",
    "failed",
    "cancelled",
];

#[derive(Template)]
#[template(path = "steps.html")]
struct StepsPage {
    frame: Frame,
    filter: StepFilter,
    names: Vec<String>,
    states: [&'static str; 9],
}

#[derive(Template)]
#[template(path = "steps_list.html")]
struct StepsList {
    lines: Vec<StepLine>,
    counts: Vec<(String, i64)>,
    /// The address of the next page, when there is one.
    more: Option<String>,
    now: DateTime<Utc>,
}

async fn parts(
    state: Arc<DashboardState>,
    filter: StepFilter,
) -> Result<Vec<Part>, DashboardError> {
    let mut connection = state.pool.acquire().await?;
    let (bar, now) = bar(&mut connection).await?;
    let mut lines = steps::list(&mut connection, &filter).await?;
    let counts = steps::state_counts(&mut connection).await?;
    let has_more = lines.len() as i64 > PAGE;
    lines.truncate(PAGE as usize);
    let more = lines.last().filter(|_| has_more).map(|last| {
        let before = last.id.to_string();
        address(&StepFilter { before, ..filter })
    });
    Ok(vec![
        bar,
        Part::new(
            "list",
            &StepsList {
                lines,
                counts,
                more,
                now,
            },
        )?,
    ])
}

/// The address of the list that `filter` asks for.
fn address(filter: &StepFilter) -> String {
    let fields = [
        ("state", &filter.state),
        ("name", &filter.name),
        ("queue", &filter.queue),
        ("round", &filter.round),
        ("key", &filter.key),
        ("before", &filter.before),
    ];
    let set: Vec<String> = fields
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", format::encode(value)))
        .collect();
    format!("/steps?{}", set.join("&"))
}

pub(super) async fn page(
    state: State,
    headers: HeaderMap,
    uri: Uri,
    Query(filter): Query<StepFilter>,
) -> Shown {
    let parts = parts(Arc::clone(&state), filter.clone()).await?;
    let mut connection = state.pool.acquire().await?;
    let names = steps::names(&mut connection).await?;
    let frame = Frame::new(&state, &headers, &uri, "Steps", "steps").with_parts(parts);
    show(&StepsPage {
        frame,
        filter,
        names,
        states: STATES,
    })
}

pub(super) async fn live(
    axum::extract::State(state): State,
    Query(filter): Query<StepFilter>,
) -> impl IntoResponse {
    live_parts(state, move |state| parts(state, filter.clone()))
}
