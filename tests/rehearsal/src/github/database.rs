//! The git data API: blobs, trees, commits, references.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use git2::build::TreeUpdateBuilder;
use git2::{ErrorCode, FileMode, ObjectType, Oid, Signature, TreeWalkMode, TreeWalkResult};
use serde::Deserialize;
use serde_json::{Value, json};

use super::reads::{commit_json, find_commit};
use super::{GitHub, reply};

/// Who GitHub says a commit of the token is by.
const TOKEN_OWNER: (&str, &str) = (
    "rehearsal-bot",
    "rehearsal-bot@users.noreply.github.example",
);

#[derive(Deserialize)]
pub(super) struct NewBlob {
    content: String,
    #[serde(default)]
    encoding: Option<String>,
}

/// `POST git/blobs`.
pub(super) async fn create_blob(
    State(github): State<GitHub>,
    Json(blob): Json<NewBlob>,
) -> Response {
    github
        .with_repository(move |repository, _| {
            let content = match blob.encoding.as_deref() {
                None | Some("utf-8") => blob.content.into_bytes(),
                Some("base64") => base64::engine::general_purpose::STANDARD
                    .decode(blob.content.replace(['\n', '\r'], ""))
                    .map_err(|_| reply::unprocessable("content is not valid Base64"))?,
                Some(_) => {
                    return Err(reply::unprocessable("encoding must be utf-8 or base64").into());
                }
            };
            let sha = repository.blob(&content).map_err(reply::git_failed)?;
            Ok(created(json!({"sha": sha.to_string()})))
        })
        .await
}

/// `GET git/commits/{sha}`.
pub(super) async fn read_commit(State(github): State<GitHub>, Path(sha): Path<String>) -> Response {
    github
        .with_repository(move |repository, _| {
            let commit = oid(&sha)
                .and_then(|oid| repository.find_commit(oid).ok())
                .ok_or_else(reply::not_found)?;
            Ok(Json(flat(&commit_json(&commit))).into_response())
        })
        .await
}

/// `GET git/trees/{sha}?recursive=1`: always recursive; the answer is never truncated.
pub(super) async fn read_tree(State(github): State<GitHub>, Path(sha): Path<String>) -> Response {
    github
        .with_repository(move |repository, _| {
            let tree = match find_commit(repository, &sha) {
                Some(commit) => commit.tree().ok(),
                None => oid(&sha).and_then(|oid| repository.find_tree(oid).ok()),
            };
            let tree = tree.ok_or_else(reply::not_found)?;
            let mut entries = Vec::new();
            tree.walk(TreeWalkMode::PreOrder, |folder, entry| {
                let path = format!("{folder}{}", String::from_utf8_lossy(entry.name_bytes()));
                let kind = if entry.kind() == Some(ObjectType::Tree) { "tree" } else { "blob" };
                entries.push(json!({
                    "path": path, "mode": format!("{:06o}", entry.filemode()), "type": kind, "sha": entry.id().to_string(),
                }));
                TreeWalkResult::Ok
            })
            .map_err(reply::git_failed)?;
            Ok(Json(json!({"sha": tree.id().to_string(), "tree": entries, "truncated": false})).into_response())
        })
        .await
}

#[derive(Deserialize)]
pub(super) struct NewTree {
    #[serde(default)]
    base_tree: Option<String>,
    tree: Vec<NewTreeEntry>,
}

#[derive(Deserialize)]
struct NewTreeEntry {
    path: String,
    mode: String,
    #[serde(default)]
    sha: Option<String>,
    #[serde(default)]
    content: Option<String>,
}

/// `POST git/trees`.
pub(super) async fn create_tree(
    State(github): State<GitHub>,
    Json(new): Json<NewTree>,
) -> Response {
    github
        .with_repository(move |repository, _| {
            let base = match &new.base_tree {
                Some(sha) => {
                    oid(sha).ok_or_else(|| reply::unprocessable("base_tree is not a valid SHA"))?
                }
                None => repository
                    .treebuilder(None)
                    .and_then(|tree| tree.write())
                    .map_err(reply::git_failed)?,
            };
            let base = repository
                .find_object(base, None)
                .and_then(|object| object.peel_to_tree())
                .map_err(|_| reply::unprocessable("base_tree does not exist"))?;
            let mut update = TreeUpdateBuilder::new();
            for entry in &new.tree {
                let mode = match entry.mode.as_str() {
                    "100644" => FileMode::Blob,
                    "100755" => FileMode::BlobExecutable,
                    _ => {
                        return Err(
                            reply::unprocessable("tree.mode must be 100644 or 100755").into()
                        );
                    }
                };
                let blob = match (&entry.sha, &entry.content) {
                    (Some(sha), _) => oid(sha).filter(|oid| repository.find_blob(*oid).is_ok()),
                    (None, Some(content)) => Some(
                        repository
                            .blob(content.as_bytes())
                            .map_err(reply::git_failed)?,
                    ),
                    (None, None) => {
                        update.remove(entry.path.as_str());
                        continue;
                    }
                };
                let blob =
                    blob.ok_or_else(|| reply::unprocessable("tree.sha is not a valid blob"))?;
                update.upsert(entry.path.as_str(), blob, mode);
            }
            let tree = update.create_updated(repository, &base).map_err(|error| {
                reply::unprocessable(&format!("tree contains a malformed path: {error}"))
            })?;
            Ok(created(json!({"sha": tree.to_string()})))
        })
        .await
}

#[derive(Deserialize)]
pub(super) struct NewCommit {
    message: String,
    tree: String,
    #[serde(default)]
    parents: Vec<String>,
}

/// `POST git/commits`.
pub(super) async fn create_commit(
    State(github): State<GitHub>,
    Json(new): Json<NewCommit>,
) -> Response {
    github
        .with_repository(move |repository, _| {
            let tree = oid(&new.tree).and_then(|oid| repository.find_tree(oid).ok());
            let tree = tree.ok_or_else(|| reply::unprocessable("Tree SHA does not exist"))?;
            let mut parents = Vec::new();
            for parent in &new.parents {
                let parent = oid(parent).and_then(|oid| repository.find_commit(oid).ok());
                parents
                    .push(parent.ok_or_else(|| reply::unprocessable("Parent SHA does not exist"))?);
            }
            let (name, email) = TOKEN_OWNER;
            let signature = Signature::now(name, email).map_err(reply::git_failed)?;
            let parents: Vec<&git2::Commit<'_>> = parents.iter().collect();
            let commit = repository
                .commit(None, &signature, &signature, &new.message, &tree, &parents)
                .and_then(|oid| repository.find_commit(oid))
                .map_err(reply::git_failed)?;
            Ok(created(flat(&commit_json(&commit))))
        })
        .await
}

/// `GET git/ref/heads/{branch}`.
pub(super) async fn read_reference(
    State(github): State<GitHub>,
    Path(name): Path<String>,
) -> Response {
    github
        .with_repository(move |repository, _| {
            let found = repository
                .refname_to_id(&format!("refs/{name}"))
                .map_err(|_| reply::not_found())?;
            Ok(Json(reference_json(&name, found)).into_response())
        })
        .await
}

#[derive(Deserialize)]
pub(super) struct MoveReference {
    sha: String,
    #[serde(default)]
    force: bool,
}

/// `PATCH git/refs/heads/{branch}`: 422 when the branch would not be fast-forwarded.
pub(super) async fn move_reference(
    State(github): State<GitHub>,
    Path(name): Path<String>,
    Json(wanted): Json<MoveReference>,
) -> Response {
    github
        .with_repository(move |repository, inner| {
            let _push = inner.remote.push_in_flight();
            let full = format!("refs/{name}");
            let Ok(current) = repository.refname_to_id(&full) else {
                return Err(reply::unprocessable("Reference does not exist").into());
            };
            let target = oid(&wanted.sha).filter(|oid| repository.find_commit(*oid).is_ok());
            let target = target.ok_or_else(|| reply::unprocessable("Object does not exist"))?;
            let forward = target == current
                || repository
                    .graph_descendant_of(target, current)
                    .unwrap_or(false);
            if !forward && !wanted.force {
                return Err(reply::unprocessable("Update is not a fast forward").into());
            }
            match repository.reference_matching(&full, target, true, current, "moved by the API") {
                Ok(_) => Ok(Json(reference_json(&name, target)).into_response()),
                // Someone was faster: the same answer as for a branch that had moved before.
                Err(error) if error.code() == ErrorCode::Modified => {
                    Err(reply::unprocessable("Update is not a fast forward").into())
                }
                Err(error) if error.code() == ErrorCode::Locked => {
                    Err(reply::problem(StatusCode::CONFLICT, "Reference is being updated").into())
                }
                Err(error) => Err(reply::git_failed(error).into()),
            }
        })
        .await
}

fn oid(text: &str) -> Option<Oid> {
    (text.len() == 40)
        .then(|| Oid::from_str(text).ok())
        .flatten()
}

fn created(body: Value) -> Response {
    (StatusCode::CREATED, Json(body)).into_response()
}

fn reference_json(name: &str, target: Oid) -> Value {
    json!({"ref": format!("refs/{name}"), "object": {"type": "commit", "sha": target.to_string()}})
}

/// The git data API has the fields of `commit` at the top.
fn flat(commit: &Value) -> Value {
    let mut flat = commit["commit"].clone();
    flat["sha"] = commit["sha"].clone();
    flat["parents"] = commit["parents"].clone();
    flat
}
