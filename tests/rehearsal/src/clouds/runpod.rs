//! RunPod: pods that are listed at once and reached through a proxy named after id and port.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::fleet::{NewPod, Refused};
use super::{Fleet, Pod, Provider, has_token, problem};

const GPU_TYPES: [&str; 3] = ["NVIDIA H200", "NVIDIA H100 80GB HBM3", "NVIDIA B200"];
/// RunPod's ids are short.
const ID_LENGTH: usize = 14;

#[derive(Clone)]
struct RunPod {
    fleet: Fleet,
    api_key: String,
}

/// The API at `/v1`.
pub(crate) fn router(fleet: Fleet, api_key: &str) -> Router {
    let runpod = RunPod {
        fleet,
        api_key: api_key.to_owned(),
    };
    Router::new()
        .route("/v1/pods", get(list).post(create))
        .route("/v1/pods/{id}", get(read).delete(delete))
        .layer(from_fn_with_state(runpod.clone(), check_key))
        .with_state(runpod)
}

async fn check_key(State(runpod): State<RunPod>, request: Request, next: Next) -> Response {
    if has_token(request.headers(), &runpod.api_key) {
        next.run(request).await
    } else {
        problem(StatusCode::UNAUTHORIZED, "Unauthorized")
    }
}

async fn list(State(runpod): State<RunPod>) -> Response {
    let pods = runpod.fleet.list(Provider::RunPod);
    Json(
        pods.iter()
            .map(|pod| pod_json(&runpod.fleet, pod))
            .collect::<Vec<_>>(),
    )
    .into_response()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    name: String,
    image_name: String,
    gpu_type_ids: Vec<String>,
    gpu_count: u32,
    ports: Vec<String>,
    cloud_type: String,
}

async fn create(State(runpod): State<RunPod>, Json(body): Json<Value>) -> Response {
    let wanted: Create = match serde_json::from_value(body) {
        Ok(wanted) => wanted,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let known_gpus = !wanted.gpu_type_ids.is_empty()
        && wanted
            .gpu_type_ids
            .iter()
            .all(|id| GPU_TYPES.contains(&id.as_str()));
    if !known_gpus
        || wanted.gpu_count == 0
        || !matches!(wanted.cloud_type.as_str(), "SECURE" | "COMMUNITY")
    {
        return problem(
            StatusCode::BAD_REQUEST,
            "gpuTypeIds, gpuCount or cloudType is not supported",
        );
    }
    let port = match wanted.ports.as_slice() {
        [port] => port
            .strip_suffix("/http")
            .and_then(|port| port.parse().ok()),
        _ => None,
    };
    let Some(port) = port else {
        return problem(
            StatusCode::BAD_REQUEST,
            "ports must be one of the form 10006/http",
        );
    };
    let new = NewPod {
        name: wanted.name,
        image: wanted.image_name,
        port,
        deploy: true,
    };
    match runpod.fleet.create(Provider::RunPod, new, |_, random| {
        random.chars().take(ID_LENGTH).collect()
    }) {
        Ok(pod) => (StatusCode::CREATED, Json(pod_json(&runpod.fleet, &pod))).into_response(),
        Err(Refused::NoCapacity) => problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "create pod: There are no instances currently available",
        ),
        Err(Refused::Broken(error)) => {
            problem(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error:#}"))
        }
    }
}

async fn read(State(runpod): State<RunPod>, Path(id): Path<String>) -> Response {
    match runpod.fleet.find(Provider::RunPod, &id) {
        Some(pod) => Json(pod_json(&runpod.fleet, &pod)).into_response(),
        None => problem(StatusCode::NOT_FOUND, "pod not found"),
    }
}

async fn delete(State(runpod): State<RunPod>, Path(id): Path<String>) -> Response {
    match runpod.fleet.delete(Provider::RunPod, &id) {
        Ok(true) => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => problem(StatusCode::NOT_FOUND, "pod not found"),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error:#}")),
    }
}

fn pod_json(fleet: &Fleet, pod: &Pod) -> Value {
    let runtime = fleet
        .local_port(&pod.id)
        .map(|_| json!({"ports": [{"privatePort": pod.port, "type": "http"}]}));
    json!({
        "id": pod.id,
        "name": pod.name,
        "image": pod.image,
        "imageName": pod.image,
        "desiredStatus": "RUNNING",
        "ports": [format!("{}/http", pod.port)],
        "runtime": runtime,
    })
}
