//! Operators: signing in, and the record of what they did.

use std::sync::Arc;

use axum::extract::{Form, Query};
use axum::http::header;
use axum::response::Redirect;
use chrono::{DateTime, Utc};

use super::{
    DashboardError, DashboardState, Frame, HeaderMap, IntoResponse, Part, Response, Shown, State,
    Template, Uri, access, assets, bar, format, live_parts, show,
};
use crate::dashboard::queries::fleet::{self, OperatorAction};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    back: String,
}

#[derive(Template)]
#[template(path = "actions.html")]
struct ActionsPage {
    frame: Frame,
}

#[derive(Template)]
#[template(path = "actions_list.html")]
struct ActionsList {
    actions: Vec<OperatorAction>,
    now: DateTime<Utc>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct Back {
    #[serde(default)]
    back: String,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct Credentials {
    name: String,
    #[serde(default)]
    token: String,
    #[serde(default)]
    back: String,
}

/// Where to sign in, and where to go after it.
pub(in crate::dashboard) fn sign_in_address(back: &str) -> String {
    format!("/sign-in?back={}", format::encode(back))
}

/// Only a path of ours: an address of somebody else would lead there after signing in.
fn own_path(back: &str) -> &str {
    let is_own = back.starts_with('/')
        && !back.starts_with("//")
        && !back.contains('\\')
        && !back.contains(char::is_control);
    if is_own { back } else { "/" }
}

pub(super) async fn sign_in_page(
    state: State,
    headers: HeaderMap,
    uri: Uri,
    Query(back): Query<Back>,
) -> Shown {
    let mut frame = Frame::new(&state, &headers, &uri, "Sign in", "");
    frame.live = String::new();
    let back = own_path(&back.back).to_owned();
    show(&SignInPage { frame, back })
}

pub(super) async fn sign_in(
    state: State,
    headers: HeaderMap,
    Form(credentials): Form<Credentials>,
) -> Result<Response, DashboardError> {
    access::check_origin(&headers, &state)?;
    let cookie = access::sign_in(&credentials.name, &credentials.token, &state)?;
    let back = Redirect::to(own_path(&credentials.back));
    Ok(([(header::SET_COOKIE, cookie)], back).into_response())
}

pub(super) async fn sign_out(state: State, headers: HeaderMap) -> Result<Response, DashboardError> {
    access::check_origin(&headers, &state)?;
    Ok((
        [(header::SET_COOKIE, access::sign_out())],
        Redirect::to("/"),
    )
        .into_response())
}

async fn action_parts(state: Arc<DashboardState>) -> Result<Vec<Part>, DashboardError> {
    let mut connection = state.pool.acquire().await?;
    let (bar, now) = bar(&mut connection).await?;
    let actions = fleet::operator_actions(&mut connection).await?;
    Ok(vec![bar, Part::new("list", &ActionsList { actions, now })?])
}

pub(super) async fn actions_page(state: State, headers: HeaderMap, uri: Uri) -> Shown {
    let parts = action_parts(Arc::clone(&state)).await?;
    let frame = Frame::new(&state, &headers, &uri, "Actions", "actions").with_parts(parts);
    show(&ActionsPage { frame })
}

pub(super) async fn actions_live(axum::extract::State(state): State) -> impl IntoResponse {
    live_parts(state, action_parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_back_to_our_own_pages_only() {
        assert_eq!(own_path("/steps/4?did=retry"), "/steps/4?did=retry");
        for foreign in [
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "evil",
            "",
            "/a\r\nb",
        ] {
            assert_eq!(own_path(foreign), "/", "{foreign:?}");
        }
    }
}
