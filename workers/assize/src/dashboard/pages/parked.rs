//! What waits for an operator, by reason, with one button for each reason.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{
    DashboardError, DashboardState, Frame, HeaderMap, IntoResponse, Part, Shown, State, Template,
    Uri, assets, bar, format, live_parts, show,
};
use crate::dashboard::queries::steps::{self, ParkedGroup, StepLine};

#[derive(Template)]
#[template(path = "parked.html")]
struct ParkedPage {
    frame: Frame,
    /// Names and rounds that can be retried together.
    choices: Vec<Choice>,
}

/// All parked steps of a name in a round.
struct Choice {
    name: String,
    round: Option<i32>,
    steps: i64,
}

#[derive(Template)]
#[template(path = "parked_list.html")]
struct ParkedList {
    groups: Vec<ParkedGroup>,
    lines: Vec<StepLine>,
    now: DateTime<Utc>,
}

async fn parts(state: Arc<DashboardState>) -> Result<Vec<Part>, DashboardError> {
    let mut connection = state.pool.acquire().await?;
    let (bar, now) = bar(&mut connection).await?;
    let groups = steps::parked_groups(&mut connection).await?;
    let lines = steps::parked(&mut connection).await?;
    Ok(vec![
        bar,
        Part::new("list", &ParkedList { groups, lines, now })?,
    ])
}

fn choices(groups: &[ParkedGroup]) -> Vec<Choice> {
    let mut choices: Vec<Choice> = Vec::new();
    for group in groups {
        match choices
            .iter_mut()
            .find(|choice| choice.name == group.name && choice.round == group.round)
        {
            Some(choice) => choice.steps += group.steps,
            None => choices.push(Choice {
                name: group.name.clone(),
                round: group.round,
                steps: group.steps,
            }),
        }
    }
    choices
}

pub(super) async fn page(state: State, headers: HeaderMap, uri: Uri) -> Shown {
    let parts = parts(Arc::clone(&state)).await?;
    let mut connection = state.pool.acquire().await?;
    let choices = choices(&steps::parked_groups(&mut connection).await?);
    let frame = Frame::new(&state, &headers, &uri, "Parked", "parked").with_parts(parts);
    show(&ParkedPage { frame, choices })
}

pub(super) async fn live(axum::extract::State(state): State) -> impl IntoResponse {
    live_parts(state, parts)
}
