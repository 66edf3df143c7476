//! The public repository: how far the mirror is behind, what people edited, and an operator's word on edits of our files.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Form, Path};
use axum::http::StatusCode;
use axum::response::Redirect;
use chrono::{DateTime, Utc};
use workflow::db::{
    self, conflict::ConflictRow, hand_edit::EditRow, mirror::Lag, operator::Operator,
};

use super::{
    DashboardError, DashboardState, Frame, HeaderMap, IntoResponse, Part, Response, Shown, State,
    Template, Uri, access, assets, bar, format, live_parts, show,
};
use crate::dashboard::queries::repository::{self, Repository};
use crate::dashboard::webhook;
use crate::git_sync::check_owned;

/// Letters of a version of a file that are shown; `assize conflict show` prints all.
const SHOWN_LETTERS: usize = 4000;

#[derive(Template)]
#[template(path = "repository.html")]
struct RepositoryPage {
    frame: Frame,
    conflicts: Vec<ConflictRow>,
}

#[derive(Template)]
#[template(path = "repository_list.html")]
struct RepositoryList {
    lag: Lag,
    oldest_waiting: Option<f64>,
    conflicts: Vec<ShownConflict>,
    edits: Vec<EditRow>,
    now: DateTime<Utc>,
}

/// A conflict with the versions of its file as text.
struct ShownConflict {
    row: ConflictRow,
    before: String,
    after: String,
}

impl RepositoryList {
    fn new(repository: Repository, now: DateTime<Utc>) -> Self {
        let lag = repository.lag;
        Self {
            oldest_waiting: (lag.waiting > 0).then_some(lag.oldest_waiting_seconds),
            lag,
            conflicts: repository.conflicts.into_iter().map(shown).collect(),
            edits: repository.edits,
            now,
        }
    }
}

fn shown(row: ConflictRow) -> ShownConflict {
    ShownConflict {
        before: start_of(row.before.as_deref()),
        after: start_of(row.theirs.as_deref()),
        row,
    }
}

/// The start of a version of a file, as text.
fn start_of(content: Option<&[u8]>) -> String {
    let Some(content) = content else {
        return "(no file)".to_owned();
    };
    let text = String::from_utf8_lossy(content);
    match text.char_indices().nth(SHOWN_LETTERS) {
        Some((end, _)) => format!("{}\n…", &text[..end]),
        None => text.into_owned(),
    }
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct Decision {
    decision: String,
    reason: String,
}

async fn parts(state: Arc<DashboardState>) -> Result<Vec<Part>, DashboardError> {
    let mut connection = state.pool.acquire().await?;
    let (bar, now) = bar(&mut connection).await?;
    let repository = repository::repository(&mut connection).await?;
    let list = RepositoryList::new(repository, now);
    Ok(vec![bar, Part::new("list", &list)?])
}

pub(super) async fn page(state: State, headers: HeaderMap, uri: Uri) -> Shown {
    let parts = parts(Arc::clone(&state)).await?;
    let mut connection = state.pool.acquire().await?;
    let conflicts = db::conflict::shown(&mut connection).await?;
    let frame = Frame::new(&state, &headers, &uri, "Repository", "repository").with_parts(parts);
    show(&RepositoryPage { frame, conflicts })
}

pub(super) async fn live(axum::extract::State(state): State) -> impl IntoResponse {
    live_parts(state, parts)
}

/// Accepts or rejects an edit of a file that Assize owns.
pub(super) async fn decide(
    state: State,
    headers: HeaderMap,
    Path(id): Path<i64>,
    Form(form): Form<Decision>,
) -> Result<Redirect, DashboardError> {
    let name = access::acting_operator(&headers, &state, "/repository")?;
    let operator = Operator {
        name: &name,
        reason: &form.reason,
    };
    let accept = match form.decision.as_str() {
        "accept" => true,
        "reject" => false,
        _ => return Err(DashboardError::BadField("choose to accept or to reject")),
    };
    let mut connection = state.pool.acquire().await?;
    let conflict = db::conflict::find(&mut connection, id)
        .await?
        .ok_or_else(|| DashboardError::NotFound(format!("conflict {id}")))?;
    if accept && check_owned(&conflict.path, conflict.theirs.as_deref()).is_err() {
        return Err(DashboardError::BadField(
            "the round could not read the edited file; reject the edit, or repair the file first",
        ));
    }
    db::conflict::decide(&mut connection, id, accept, &operator).await?;
    Ok(Redirect::to(&format!(
        "/repository?did={}-edit",
        form.decision
    )))
}

/// GitHub, or any host of the repository, says that the branch has moved: git-sync looks at once. The body is not trusted
/// with more than that.
pub(super) async fn hook(state: State, headers: HeaderMap, body: Bytes) -> Response {
    let Some(secret) = &state.webhook_secret else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if !webhook::is_signed(secret, &headers, &body) {
        return (StatusCode::UNAUTHORIZED, "the signature does not fit\n").into_response();
    }
    let woken = async {
        let mut connection = state.pool.acquire().await?;
        db::conflict::wake_mirror(&mut connection, "fetch").await
    };
    match woken.await {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(error) => DashboardError::from(error).into_response(),
    }
}
