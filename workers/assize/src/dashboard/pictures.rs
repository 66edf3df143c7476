//! Pictures of entries and prompts, served from here so that the pages need no other host.
//!
//! Addresses name an entry or a prompt of a round, never an object or a URL: what can be asked for is what the round's own
//! tables hold. The bytes come from miners' modules by way of our renderer, or from the prompt host, so they are served only
//! if they are PNG files, and in a sandbox of their own.

use std::fmt;
use std::sync::Arc;

use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use schema::views;
use schema::{RoundNumber, StateFile as _, files::Prompts, paths, storage::Layout};
use url::Url;

use super::error::DashboardError;
use super::pages::State;
use super::queries::matches;
use crate::clients::{object_store::ObjectStore, png, prompt_images::PromptImages};
use crate::handlers::Services;

/// Largest picture that is passed on: a sheet of four live views has about 2 MB.
const LIMIT_BYTES: usize = 16 << 20;

/// Where pictures come from.
#[derive(Clone)]
pub struct Pictures {
    /// The object store with the views.
    pub store: Arc<dyn ObjectStore>,
    /// Where in it things lie.
    pub layout: Layout,
    /// The prompt images.
    pub prompts: Arc<dyn PromptImages>,
}

impl Pictures {
    /// Those of a worker.
    pub fn of_services(services: &Services) -> Self {
        Self {
            store: services.store.clone(),
            layout: services.layout.clone(),
            prompts: services.prompt_images.clone(),
        }
    }
}

impl fmt::Debug for Pictures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pictures").finish_non_exhaustive()
    }
}

/// A view of an entry: `grid`, `white-{view}` or `gray-{view}`.
pub(super) async fn of_entry(
    axum::extract::State(state): State,
    Path((round, side, repeat, stem, view)): Path<(i32, String, i32, String, String)>,
) -> Result<Response, DashboardError> {
    let missing = || DashboardError::NotFound("picture".to_owned());
    let pictures = state.pictures.as_ref().ok_or_else(missing)?;
    let file = file_of(&view).ok_or_else(missing)?;
    let mut connection = state.pool.acquire().await?;
    let prefix = matches::views(&mut connection, round, &side, repeat, &stem).await?;
    drop(connection);
    let prefix = prefix.ok_or_else(missing)?;
    let key = pictures.layout.key_of_url(&prefix).ok_or_else(missing)?;
    let found = pictures
        .store
        .get(&format!("{key}/{file}"), LIMIT_BYTES)
        .await;
    answer(found.map_err(|error| unavailable(&error))?)
}

/// The image of a prompt.
pub(super) async fn of_prompt(
    axum::extract::State(state): State,
    Path((round, stem)): Path<(i32, String)>,
) -> Result<Response, DashboardError> {
    let missing = || DashboardError::NotFound("prompt".to_owned());
    let pictures = state.pictures.as_ref().ok_or_else(missing)?;
    let round = u32::try_from(round).map_err(|_| missing())?;
    let path = paths::prompts(RoundNumber(round));
    let mut connection = state.pool.acquire().await?;
    let listed = workflow::db::state_file::read(&mut connection, &path).await?;
    drop(connection);
    let listed = listed.and_then(|bytes| Prompts::parse(&path, &bytes).ok());
    let url = listed
        .iter()
        .flat_map(|prompts| prompts.0.iter())
        .find(|url| schema::Stem::of_url(url).as_str() == stem)
        .and_then(|url| Url::parse(url).ok())
        .ok_or_else(missing)?;
    let image = pictures.prompts.fetch(&url).await;
    answer(Some(image.map_err(|error| unavailable(&error))?))
}

/// The object's name below the entry's prefix. Only names of the bundle are known.
fn file_of(view: &str) -> Option<String> {
    if view == "grid" {
        return Some(views::GRID.to_owned());
    }
    let (background, name) = view.split_once('-')?;
    let known = match background {
        "white" => &views::WHITE_VIEWS[..],
        "gray" => &views::GRAY_VIEWS[..],
        _ => return None,
    };
    known
        .iter()
        .any(|view| view.name == name)
        .then(|| format!("{background}/{name}.png"))
}

fn unavailable(error: &(dyn std::error::Error + 'static)) -> DashboardError {
    tracing::warn!(error, "a picture cannot be shown");
    DashboardError::PictureUnavailable
}

fn answer(bytes: Option<Bytes>) -> Result<Response, DashboardError> {
    let bytes = bytes
        .filter(|bytes| png::has_signature(bytes))
        .ok_or_else(|| DashboardError::NotFound("picture".to_owned()))?;
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("image/png"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; sandbox"),
    );
    // An entry may be drawn anew under the same name.
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, max-age=60"),
    );
    Ok(response)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_files_of_the_bundle_have_names() {
        assert_eq!(file_of("grid").unwrap(), "grid.png");
        assert_eq!(file_of("white-top_down").unwrap(), "white/top_down.png");
        assert_eq!(file_of("gray-front_left").unwrap(), "gray/front_left.png");
        for name in [
            "",
            "gray-back",
            "white-",
            "white-../../secret",
            "embeddings.npz",
            "red-back",
        ] {
            assert_eq!(file_of(name), None, "{name}");
        }
    }
}
