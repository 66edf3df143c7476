//! The pages, one module each: what it shows, the same again as live parts, and its place among the addresses.

mod actions;
mod fleet;
mod grid;
mod matches;
mod metrics;
mod miner;
mod operators;
mod parked;
mod repository;
mod round;
mod rounds;
mod step;
mod steps;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::http::{HeaderMap, Uri};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};

use super::error::DashboardError;
use super::live::Part;
use super::queries::fleet::{Overview, overview};
use super::queries::repository::{Waiting, waiting};
use super::{DashboardState, access, assets, format, pictures};

pub(super) use operators::sign_in_address;

pub(super) type State = axum::extract::State<Arc<DashboardState>>;
type Shown = Result<Html<String>, DashboardError>;

pub(super) fn routes() -> Router<Arc<DashboardState>> {
    Router::new()
        .route("/", get(rounds::page))
        .route("/live", get(rounds::live))
        .route("/rounds/{round}", get(round::page))
        .route("/rounds/{round}/live", get(round::live))
        .route("/rounds/{round}/miners/{hotkey}", get(miner::page))
        .route("/rounds/{round}/miners/{hotkey}/live", get(miner::live))
        .route(
            "/rounds/{round}/matches/{matrix}/{left}/{right}",
            get(matches::page),
        )
        .route(
            "/rounds/{round}/matches/{matrix}/{left}/{right}/live",
            get(matches::live),
        )
        .route(
            "/rounds/{round}/matches/{matrix}/{left}/{right}/judge-anew",
            post(actions::judge_anew),
        )
        .route(
            "/rounds/{round}/pictures/{side}/{repeat}/{stem}/{view}",
            get(pictures::of_entry),
        )
        .route(
            "/rounds/{round}/prompts/{stem}/picture",
            get(pictures::of_prompt),
        )
        .route("/steps", get(steps::page))
        .route("/steps/live", get(steps::live))
        .route("/steps/{id}", get(step::page))
        .route("/steps/{id}/live", get(step::live))
        .route("/steps/{id}/act", post(actions::act_on_step))
        .route("/parked", get(parked::page))
        .route("/parked/live", get(parked::live))
        .route("/parked/retry", post(actions::retry_parked))
        .route("/workers", get(fleet::workers_page))
        .route("/workers/live", get(fleet::workers_live))
        .route("/queues", get(fleet::queues_page))
        .route("/queues/live", get(fleet::queues_live))
        .route("/queues/act", post(actions::act_on_queue))
        .route("/repository", get(repository::page))
        .route("/repository/live", get(repository::live))
        .route("/repository/conflicts/{id}", post(repository::decide))
        .route("/hooks/repository", post(repository::hook))
        .route("/metrics", get(metrics::page))
        .route("/actions", get(operators::actions_page))
        .route("/actions/live", get(operators::actions_live))
        .route(
            "/sign-in",
            get(operators::sign_in_page).post(operators::sign_in),
        )
        .route("/sign-out", post(operators::sign_out))
        .fallback(nothing_here)
}

async fn nothing_here() -> DashboardError {
    DashboardError::NotFound("page".to_owned())
}

/// What every page has around its own content. Templates find it as `frame`.
struct Frame {
    title: String,
    /// The entry of the navigation that is marked.
    section: &'static str,
    /// Where the live parts come from; empty for a page without.
    live: String,
    /// The page itself, to come back to.
    path: String,
    operator: Option<String>,
    repository: Option<String>,
    needs_token: bool,
    notice: Option<String>,
    parts: Vec<Part>,
}

impl Frame {
    fn new(
        state: &DashboardState,
        headers: &HeaderMap,
        uri: &Uri,
        title: impl Into<String>,
        section: &'static str,
    ) -> Self {
        let query = uri.query().unwrap_or_default();
        let path = uri.path();
        let live = match query {
            "" => format!("{}/live", path.trim_end_matches('/')),
            query => format!("{}/live?{query}", path.trim_end_matches('/')),
        };
        Self {
            title: title.into(),
            section,
            live,
            path: path.to_owned(),
            operator: access::operator(headers, state),
            repository: state.repository.clone(),
            needs_token: state.token.is_some(),
            notice: actions::notice(query),
            parts: Vec::new(),
        }
    }

    fn with_parts(self, parts: Vec<Part>) -> Self {
        Self { parts, ..self }
    }

    /// The part of this name, to stand in its place until the first live one comes.
    fn part(&self, name: &str) -> &str {
        self.parts
            .iter()
            .find(|part| part.name == name)
            .map_or("", |part| part.html.as_str())
    }

    /// Where to sign in and come back from.
    fn sign_in_link(&self) -> String {
        sign_in_address(&self.path)
    }

    /// The repository as a link, when it is one.
    fn repository_link(&self) -> Option<&str> {
        self.repository
            .as_deref()
            .filter(|address| format::is_web_address(address))
    }
}

#[derive(Template)]
#[template(path = "bar.html")]
struct Bar {
    overview: Overview,
    waiting: Waiting,
}

/// The bar at the top, and the moment everything else on the page is told against.
async fn bar(
    connection: &mut sqlx::PgConnection,
) -> Result<(Part, chrono::DateTime<chrono::Utc>), DashboardError> {
    let overview = overview(connection).await?;
    let waiting = waiting(connection).await?;
    let now = overview.now;
    Ok((Part::new("bar", &Bar { overview, waiting })?, now))
}

fn show(page: &impl Template) -> Shown {
    Ok(Html(page.render()?))
}

/// Streams the parts that `render` answers.
fn live_parts<F, R>(state: Arc<DashboardState>, render: F) -> impl IntoResponse
where
    F: Fn(Arc<DashboardState>) -> R + Send + 'static,
    R: Future<Output = Result<Vec<Part>, DashboardError>> + Send + 'static,
{
    let shutdown = state.shutdown.clone();
    super::live::stream(&shutdown, move || render(Arc::clone(&state)))
}
