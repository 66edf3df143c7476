//! Verda: container deployments named by the client, behind OAuth2 client credentials.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::fleet::{NewPod, Refused};
use super::host::url_of;
use super::{CloudKeys, Fleet, Pod, Provider, has_token, problem};

/// How long a token is good for, on the world's clock.
const TOKEN_SECONDS: u64 = 3600;

#[derive(Clone)]
struct Verda {
    fleet: Fleet,
    client_id: String,
    client_secret: String,
    /// Tokens given out and when they end. A restarted world knows none: clients must fetch a new one on 401.
    tokens: Arc<Mutex<HashMap<String, u64>>>,
}

/// The API at `/v1`.
pub(crate) fn router(fleet: Fleet, keys: &CloudKeys) -> Router {
    let verda = Verda {
        fleet,
        client_id: keys.verda_client_id.clone(),
        client_secret: keys.verda_client_secret.clone(),
        tokens: Arc::default(),
    };
    let guarded = Router::new()
        .route("/container-deployments", get(list).post(create))
        .route("/container-deployments/{name}", get(read).delete(delete))
        .layer(from_fn_with_state(verda.clone(), check_token));
    Router::new()
        .nest("/v1", guarded.route("/oauth2/token", post(token)))
        .with_state(verda)
}

async fn check_token(State(verda): State<Verda>, request: Request, next: Next) -> Response {
    let now = verda.fleet.now_ms();
    let known = {
        let tokens = verda.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens
            .iter()
            .any(|(token, ends)| now < *ends && has_token(request.headers(), token))
    };
    if known {
        next.run(request).await
    } else {
        problem(StatusCode::UNAUTHORIZED, "unauthorized_request")
    }
}

#[derive(Deserialize)]
struct TokenRequest {
    grant_type: String,
    client_id: String,
    client_secret: String,
}

async fn token(State(verda): State<Verda>, Json(wanted): Json<TokenRequest>) -> Response {
    if wanted.grant_type != "client_credentials" {
        return problem(StatusCode::BAD_REQUEST, "unsupported grant_type");
    }
    if (wanted.client_id, wanted.client_secret)
        != (verda.client_id.clone(), verda.client_secret.clone())
    {
        return problem(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    let now = verda.fleet.now_ms();
    let mut tokens = verda.tokens.lock().unwrap_or_else(PoisonError::into_inner);
    let token = hex::encode(Sha256::digest(format!("verda {now} {}", tokens.len())));
    tokens.insert(token.clone(), now + TOKEN_SECONDS * 1000);
    Json(json!({"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS, "scope": "cloud-api-v1"}))
        .into_response()
}

async fn list(State(verda): State<Verda>) -> Response {
    let pods = verda.fleet.list(Provider::Verda);
    Json(
        pods.iter()
            .map(|pod| deployment(&verda.fleet, pod))
            .collect::<Vec<_>>(),
    )
    .into_response()
}

#[derive(Deserialize)]
struct Create {
    name: String,
    containers: Vec<Container>,
    compute: Compute,
}

#[derive(Deserialize)]
struct Container {
    image: String,
    exposed_port: u16,
}

#[derive(Deserialize)]
struct Compute {
    name: String,
    size: u32,
}

async fn create(State(verda): State<Verda>, Json(body): Json<Value>) -> Response {
    let wanted: Create = match serde_json::from_value(body) {
        Ok(wanted) => wanted,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let [container] = wanted.containers.as_slice() else {
        return problem(
            StatusCode::BAD_REQUEST,
            "exactly one container is supported",
        );
    };
    if wanted.compute.size == 0 || wanted.compute.name.is_empty() {
        return problem(StatusCode::BAD_REQUEST, "compute needs a name and a size");
    }
    if verda.fleet.find(Provider::Verda, &wanted.name).is_some() {
        return problem(StatusCode::CONFLICT, "a deployment with this name exists");
    }
    let new = NewPod {
        name: wanted.name,
        image: container.image.clone(),
        port: container.exposed_port,
        deploy: true,
    };
    match verda
        .fleet
        .create(Provider::Verda, new, |new, _| new.name.clone())
    {
        Ok(pod) => (StatusCode::CREATED, Json(deployment(&verda.fleet, &pod))).into_response(),
        Err(Refused::NoCapacity) => problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "not enough resources of this type",
        ),
        Err(Refused::Broken(error)) => {
            problem(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error:#}"))
        }
    }
}

async fn read(State(verda): State<Verda>, Path(name): Path<String>) -> Response {
    match verda.fleet.find(Provider::Verda, &name) {
        Some(pod) => Json(deployment(&verda.fleet, &pod)).into_response(),
        None => problem(StatusCode::NOT_FOUND, "deployment not found"),
    }
}

async fn delete(State(verda): State<Verda>, Path(name): Path<String>) -> Response {
    match verda.fleet.delete(Provider::Verda, &name) {
        Ok(true) => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => problem(StatusCode::NOT_FOUND, "deployment not found"),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error:#}")),
    }
}

fn deployment(fleet: &Fleet, pod: &Pod) -> Value {
    let visible_after = fleet.options().visible_after.as_millis() as u64;
    let visible = pod
        .deployed_at_ms
        .is_some_and(|deployed| fleet.now_ms() >= deployed + visible_after);
    json!({
        "name": pod.name,
        "endpoint_base_url": if visible { format!("{}/", url_of(pod)) } else { String::new() },
        "containers": [{"image": pod.image, "exposed_port": pod.port}],
        "status": if visible { "healthy" } else { "initializing" },
    })
}
