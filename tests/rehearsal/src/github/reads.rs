//! Commits and contents.

use std::path::Path as FilePath;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use git2::{Commit, ObjectType, Repository};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{GitHub, reply};

/// `GET /repos/{repo}/commits/{ref}`: a branch name, `heads/{branch}` or a commit.
pub(super) async fn commit(
    State(github): State<GitHub>,
    Path(reference): Path<String>,
    headers: HeaderMap,
) -> Response {
    let sha_only = accepts(&headers, "application/vnd.github.sha");
    github
        .with_repository(move |repository, _| {
            let Some(commit) = find_commit(repository, &reference) else {
                return Err(
                    reply::unprocessable(&format!("No commit found for SHA: {reference}")).into(),
                );
            };
            if sha_only {
                return Ok(commit.id().to_string().into_response());
            }
            Ok(Json(commit_json(&commit)).into_response())
        })
        .await
}

#[derive(Deserialize)]
pub(super) struct ContentsQuery {
    #[serde(rename = "ref")]
    reference: Option<String>,
}

/// `GET /repos/{repo}/contents/{path}?ref=`: the bytes with the raw media type, else an object.
pub(super) async fn contents(
    State(github): State<GitHub>,
    Path(path): Path<String>,
    Query(query): Query<ContentsQuery>,
    headers: HeaderMap,
) -> Response {
    let raw = accepts(&headers, "raw");
    github
        .with_repository(move |repository, _| {
            let reference = query.reference.as_deref().unwrap_or("main");
            let Some(commit) = find_commit(repository, reference) else {
                return Err(reply::problem(
                    StatusCode::NOT_FOUND,
                    &format!("No commit found for the ref {reference}"),
                )
                .into());
            };
            let tree = commit.tree().map_err(reply::git_failed)?;
            let path = path.trim_matches('/');
            let entry = tree
                .get_path(FilePath::new(path))
                .map_err(|_| reply::not_found())?;
            match entry.kind() {
                Some(ObjectType::Blob) => {
                    let blob = repository
                        .find_blob(entry.id())
                        .map_err(reply::git_failed)?;
                    if raw {
                        let media = [(
                            CONTENT_TYPE,
                            "application/vnd.github.raw+json; charset=utf-8",
                        )];
                        return Ok((media, blob.content().to_vec()).into_response());
                    }
                    let content = base64::engine::general_purpose::STANDARD.encode(blob.content());
                    let mut object = entry_json("file", path, &entry.id().to_string(), blob.size());
                    object["encoding"] = json!("base64");
                    object["content"] = json!(content);
                    Ok(Json(object).into_response())
                }
                Some(ObjectType::Tree) => {
                    let folder = repository
                        .find_tree(entry.id())
                        .map_err(reply::git_failed)?;
                    let list: Vec<Value> = folder
                        .iter()
                        .map(|child| {
                            let name = String::from_utf8_lossy(child.name_bytes()).into_owned();
                            let kind = if child.kind() == Some(ObjectType::Tree) {
                                "dir"
                            } else {
                                "file"
                            };
                            let size = repository
                                .find_blob(child.id())
                                .map_or(0, |blob| blob.size());
                            entry_json(
                                kind,
                                &format!("{path}/{name}"),
                                &child.id().to_string(),
                                size,
                            )
                        })
                        .collect();
                    Ok(Json(list).into_response())
                }
                _ => Err(reply::not_found().into()),
            }
        })
        .await
}

/// The commit a reference of the API means.
pub(super) fn find_commit<'a>(repository: &'a Repository, reference: &str) -> Option<Commit<'a>> {
    let branch = reference.strip_prefix("refs/").unwrap_or(reference);
    let branch = branch.strip_prefix("heads/").unwrap_or(branch);
    if let Ok(found) = repository.find_reference(&format!("refs/heads/{branch}")) {
        return found.peel_to_commit().ok();
    }
    let is_hex = branch.len() >= 7 && branch.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex
        .then(|| repository.find_commit_by_prefix(branch).ok())
        .flatten()
}

pub(super) fn commit_json(commit: &Commit<'_>) -> Value {
    let person = |signature: &git2::Signature<'_>| {
        let date =
            chrono::DateTime::from_timestamp(signature.when().seconds(), 0).unwrap_or_default();
        json!({
            "name": String::from_utf8_lossy(signature.name_bytes()),
            "email": String::from_utf8_lossy(signature.email_bytes()),
            "date": date.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        })
    };
    let parents: Vec<Value> = commit
        .parent_ids()
        .map(|id| json!({"sha": id.to_string()}))
        .collect();
    json!({
        "sha": commit.id().to_string(),
        "commit": {
            "author": person(&commit.author()),
            "committer": person(&commit.committer()),
            "message": String::from_utf8_lossy(commit.message_bytes()),
            "tree": {"sha": commit.tree_id().to_string()},
        },
        "parents": parents,
    })
}

fn entry_json(kind: &str, path: &str, sha: &str, size: usize) -> Value {
    let name = path.rsplit('/').next().unwrap_or(path);
    json!({"type": kind, "name": name, "path": path, "sha": sha, "size": size})
}

fn accepts(headers: &HeaderMap, media: &str) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .any(|value| value.to_str().is_ok_and(|value| value.contains(media)))
}
