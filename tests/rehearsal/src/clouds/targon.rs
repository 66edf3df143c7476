//! Targon: serverless workloads, registered first and deployed second.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::fleet::{NewPod, Refused};
use super::host::url_of;
use super::{Fleet, Pod, Provider, has_token, problem};

/// What can be rented, with its GPUs and dollars an hour.
const RESOURCES: [(&str, u32, f64); 2] = [("h200-small", 1, 2.4), ("h200-large", 4, 9.6)];

#[derive(Clone)]
struct Targon {
    fleet: Fleet,
    api_key: String,
}

/// The API at `/tha/v2`.
pub(crate) fn router(fleet: Fleet, api_key: &str) -> Router {
    let targon = Targon {
        fleet,
        api_key: api_key.to_owned(),
    };
    Router::new()
        .route("/tha/v2/workloads", get(list).post(register))
        .route("/tha/v2/workloads/{uid}", get(read).delete(delete))
        .route("/tha/v2/workloads/{uid}/deploy", post(deploy))
        .route("/tha/v2/workloads/{uid}/state", get(state))
        .route("/tha/v2/inventory", get(inventory))
        .layer(from_fn_with_state(targon.clone(), check_key))
        .with_state(targon)
}

async fn check_key(State(targon): State<Targon>, request: Request, next: Next) -> Response {
    if has_token(request.headers(), &targon.api_key) {
        next.run(request).await
    } else {
        problem(StatusCode::UNAUTHORIZED, "invalid API key")
    }
}

async fn list(State(targon): State<Targon>) -> Response {
    let items: Vec<Value> = targon
        .fleet
        .list(Provider::Targon)
        .iter()
        .map(|pod| workload(&targon.fleet, pod))
        .collect();
    Json(json!({"items": items})).into_response()
}

#[derive(Deserialize)]
struct Register {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    image: String,
    resource_name: String,
    ports: Vec<Port>,
    serverless_config: ServerlessConfig,
}

#[derive(Deserialize)]
struct Port {
    port: u16,
    protocol: String,
}

#[derive(Deserialize)]
struct ServerlessConfig {
    min_replicas: u32,
    max_replicas: u32,
    visibility: String,
}

async fn register(State(targon): State<Targon>, Json(body): Json<Value>) -> Response {
    let wanted: Register = match serde_json::from_value(body) {
        Ok(wanted) => wanted,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let config = &wanted.serverless_config;
    let [port] = wanted.ports.as_slice() else {
        return problem(StatusCode::BAD_REQUEST, "exactly one port is supported");
    };
    if wanted.kind != "SERVERLESS" || port.protocol != "TCP" || config.visibility != "external" {
        return problem(
            StatusCode::BAD_REQUEST,
            "only external SERVERLESS workloads with TCP ports are supported",
        );
    }
    if config.min_replicas > config.max_replicas {
        return problem(
            StatusCode::BAD_REQUEST,
            "min_replicas is above max_replicas",
        );
    }
    if !RESOURCES
        .iter()
        .any(|(name, ..)| *name == wanted.resource_name)
    {
        return problem(
            StatusCode::BAD_REQUEST,
            &format!("unknown resource {}", wanted.resource_name),
        );
    }
    let new = NewPod {
        name: wanted.name,
        image: wanted.image,
        port: port.port,
        deploy: false,
    };
    match targon.fleet.create(Provider::Targon, new, |_, random| {
        format!("wrk-{}", &random[..16])
    }) {
        Ok(pod) => (StatusCode::CREATED, Json(workload(&targon.fleet, &pod))).into_response(),
        Err(Refused::NoCapacity) => {
            problem(StatusCode::SERVICE_UNAVAILABLE, "insufficient capacity")
        }
        Err(Refused::Broken(error)) => {
            problem(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error:#}"))
        }
    }
}

async fn read(State(targon): State<Targon>, Path(uid): Path<String>) -> Response {
    found(&targon, targon.fleet.find(Provider::Targon, &uid))
}

async fn deploy(State(targon): State<Targon>, Path(uid): Path<String>) -> Response {
    match targon.fleet.deploy(Provider::Targon, &uid) {
        Ok(pod) => found(&targon, pod),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error:#}")),
    }
}

async fn state(State(targon): State<Targon>, Path(uid): Path<String>) -> Response {
    match targon.fleet.find(Provider::Targon, &uid) {
        Some(pod) => Json(workload(&targon.fleet, &pod)["state"].clone()).into_response(),
        None => problem(StatusCode::NOT_FOUND, "workload not found"),
    }
}

async fn delete(State(targon): State<Targon>, Path(uid): Path<String>) -> Response {
    match targon.fleet.delete(Provider::Targon, &uid) {
        Ok(true) => Json(json!({"uid": uid, "state": {"status": "deleted"}})).into_response(),
        Ok(false) => problem(StatusCode::NOT_FOUND, "workload not found"),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error:#}")),
    }
}

async fn inventory(State(targon): State<Targon>) -> Response {
    let free = targon
        .fleet
        .options()
        .capacity
        .saturating_sub(targon.fleet.list(Provider::Targon).len());
    let items: Vec<Value> = RESOURCES
        .iter()
        .map(|(name, gpus, price)| json!({"name": name, "gpu_count": gpus, "available": free, "cost_per_hour": price}))
        .collect();
    Json(json!({"items": items})).into_response()
}

fn found(targon: &Targon, pod: Option<Pod>) -> Response {
    match pod {
        Some(pod) => Json(workload(&targon.fleet, &pod)).into_response(),
        None => problem(StatusCode::NOT_FOUND, "workload not found"),
    }
}

fn workload(fleet: &Fleet, pod: &Pod) -> Value {
    let visible_after = fleet.options().visible_after.as_millis() as u64;
    let visible = pod
        .deployed_at_ms
        .is_some_and(|deployed| fleet.now_ms() >= deployed + visible_after);
    let (status, message) = match (pod.deployed_at_ms, visible) {
        (None, _) => ("registered", "not deployed"),
        (Some(_), false) => ("provisioning", "waiting for a node"),
        (Some(_), true) => ("running", "deployed"),
    };
    let urls = if visible {
        json!([{"port": pod.port, "url": format!("{}/", url_of(pod))}])
    } else {
        json!([])
    };
    let created =
        chrono::DateTime::from_timestamp_millis(pod.created_at_ms as i64).unwrap_or_default();
    json!({
        "uid": pod.id,
        "name": pod.name,
        "image": pod.image,
        "type": "SERVERLESS",
        "urls": urls,
        "state": {"status": status, "message": message, "urls": urls},
        "cost_per_hour": RESOURCES[1].2,
        "created_at": created.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
    })
}
