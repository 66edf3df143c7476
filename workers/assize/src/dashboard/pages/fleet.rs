//! Workers with their heartbeat, and queues with their limits.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    DashboardError, DashboardState, Frame, HeaderMap, IntoResponse, Part, Shown, State, Template,
    Uri, assets, bar, format, live_parts, show,
};
use crate::dashboard::queries::fleet::{self, Queue, Worker};

/// A live worker that has been silent for so long is shown as late. Heartbeats come every few seconds.
const LATE_AFTER: TimeDelta = TimeDelta::seconds(20);

#[derive(Template)]
#[template(path = "workers.html")]
struct WorkersPage {
    frame: Frame,
}

#[derive(Template)]
#[template(path = "workers_list.html")]
struct WorkersList {
    workers: Vec<Worker>,
    now: DateTime<Utc>,
}

impl WorkersList {
    /// The word that a worker's mark shows.
    fn condition<'w>(&self, worker: &'w Worker) -> &'w str {
        if worker.state == "live" && self.now - worker.heartbeat_at > LATE_AFTER {
            "late"
        } else {
            &worker.state
        }
    }
}

#[derive(Template)]
#[template(path = "queues.html")]
struct QueuesPage {
    frame: Frame,
    queues: Vec<Queue>,
}

#[derive(Template)]
#[template(path = "queues_list.html")]
struct QueuesList {
    queues: Vec<Queue>,
    now: DateTime<Utc>,
}

async fn worker_parts(state: Arc<DashboardState>) -> Result<Vec<Part>, DashboardError> {
    let mut connection = state.pool.acquire().await?;
    let (bar, now) = bar(&mut connection).await?;
    let workers = fleet::workers(&mut connection).await?;
    Ok(vec![bar, Part::new("list", &WorkersList { workers, now })?])
}

async fn queue_parts(state: Arc<DashboardState>) -> Result<Vec<Part>, DashboardError> {
    let mut connection = state.pool.acquire().await?;
    let (bar, now) = bar(&mut connection).await?;
    let queues = fleet::queues(&mut connection).await?;
    Ok(vec![bar, Part::new("list", &QueuesList { queues, now })?])
}

pub(super) async fn workers_page(state: State, headers: HeaderMap, uri: Uri) -> Shown {
    let parts = worker_parts(Arc::clone(&state)).await?;
    let frame = Frame::new(&state, &headers, &uri, "Workers", "workers").with_parts(parts);
    show(&WorkersPage { frame })
}

pub(super) async fn workers_live(axum::extract::State(state): State) -> impl IntoResponse {
    live_parts(state, worker_parts)
}

pub(super) async fn queues_page(state: State, headers: HeaderMap, uri: Uri) -> Shown {
    let parts = queue_parts(Arc::clone(&state)).await?;
    let queues = fleet::queues(&mut *state.pool.acquire().await?).await?;
    let frame = Frame::new(&state, &headers, &uri, "Queues", "queues").with_parts(parts);
    show(&QueuesPage { frame, queues })
}

pub(super) async fn queues_live(axum::extract::State(state): State) -> impl IntoResponse {
    live_parts(state, queue_parts)
}
