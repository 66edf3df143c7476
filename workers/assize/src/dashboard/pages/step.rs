//! One step: what it was asked, every attempt with its error, what it started, and what an operator can do about it.

use std::sync::Arc;

use axum::extract::Path;
use chrono::{DateTime, Utc};

use super::{
    DashboardError, DashboardState, Frame, HeaderMap, IntoResponse, Part, Shown, State, Template,
    Uri, assets, bar, format, live_parts, show,
};
use crate::dashboard::queries::steps::{self, Attempt, StepDetail, StepLine};

#[derive(Template)]
#[template(path = "step.html")]
struct StepPage {
    frame: Frame,
    step: StepDetail,
}

#[derive(Template)]
#[template(path = "step_facts.html")]
struct Facts {
    step: StepDetail,
    attempts: Vec<Attempt>,
    now: DateTime<Utc>,
}

#[derive(Template)]
#[template(path = "step_children.html")]
struct Children {
    counts: Vec<(String, i64)>,
    lines: Vec<StepLine>,
    now: DateTime<Utc>,
}

async fn find(state: &DashboardState, id: i64) -> Result<StepDetail, DashboardError> {
    let mut connection = state.pool.acquire().await?;
    steps::find(&mut connection, id)
        .await?
        .ok_or_else(|| DashboardError::NotFound(format!("step {id}")))
}

async fn parts(state: Arc<DashboardState>, id: i64) -> Result<Vec<Part>, DashboardError> {
    let step = find(&state, id).await?;
    let mut connection = state.pool.acquire().await?;
    let (bar, now) = bar(&mut connection).await?;
    let attempts = steps::attempts(&mut connection, id).await?;
    let (counts, children) = if step.kind == "flow" {
        (
            steps::child_counts(&mut connection, id).await?,
            steps::children(&mut connection, id).await?,
        )
    } else {
        (Vec::new(), Vec::new())
    };
    Ok(vec![
        bar,
        Part::new(
            "facts",
            &Facts {
                step,
                attempts,
                now,
            },
        )?,
        Part::new(
            "children",
            &Children {
                counts,
                lines: children,
                now,
            },
        )?,
    ])
}

pub(super) async fn page(state: State, headers: HeaderMap, uri: Uri, Path(id): Path<i64>) -> Shown {
    let step = find(&state, id).await?;
    let parts = parts(Arc::clone(&state), id).await?;
    let title = format!("{} {id}", step.name);
    let frame = Frame::new(&state, &headers, &uri, title, "steps").with_parts(parts);
    show(&StepPage { frame, step })
}

pub(super) async fn live(
    axum::extract::State(state): State,
    Path(id): Path<i64>,
) -> impl IntoResponse {
    live_parts(state, move |state| parts(state, id))
}
