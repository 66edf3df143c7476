//! Three GPU clouds, each with its own API, and the pods they run.
//!
//! Deploying an image starts the reference pod service in this process, on a port of its own, with the generator the
//! image stands for. The pod is reached through the gateway under the URL its cloud gives it. Deployments are kept: a
//! restarted world starts their containers again, from warm-up, as a cloud that lost a machine would.

mod fleet;
mod host;
mod pod;
mod runpod;
mod targon;
#[cfg(test)]
mod tests;
mod verda;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use miner::Generator;
use serde::{Deserialize, Serialize};

pub use fleet::{Fleet, Pod};
pub(crate) use host::PodHost;
pub(crate) use runpod::router as runpod_router;
pub(crate) use targon::router as targon_router;
pub(crate) use verda::router as verda_router;

/// A cloud that rents GPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Serverless workloads, deployed in two steps.
    Targon,
    /// Container deployments behind OAuth2, whose pods want a token too.
    Verda,
    /// Pods behind a proxy named after their id and port.
    RunPod,
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Targon => "targon",
            Self::Verda => "verda",
            Self::RunPod => "runpod",
        })
    }
}

/// How the clouds take their time, on the world's clock, and how much they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloudOptions {
    /// From deployment until the cloud shows the pod's URL. RunPod shows its pods at once.
    pub visible_after: Duration,
    /// From deployment until the container answers: pulling the image.
    pub answers_after: Duration,
    /// From the container's start until its model is loaded.
    pub warm_up: Duration,
    /// Pods each cloud has room for.
    pub capacity: usize,
}

impl Default for CloudOptions {
    fn default() -> Self {
        Self {
            visible_after: Duration::from_millis(300),
            answers_after: Duration::from_millis(600),
            warm_up: Duration::from_millis(500),
            capacity: 64,
        }
    }
}

/// What clients authenticate with.
#[derive(Debug, Clone)]
pub(crate) struct CloudKeys {
    pub targon_api_key: String,
    pub verda_client_id: String,
    pub verda_client_secret: String,
    pub verda_generation_token: String,
    pub runpod_api_key: String,
}

/// The generator an image runs; `None` for an image that cannot be pulled.
pub(crate) type Images = Arc<dyn Fn(&str) -> Option<Arc<dyn Generator>> + Send + Sync>;

/// Whether the request carries `Authorization: Bearer {token}`.
fn has_token(headers: &HeaderMap, token: &str) -> bool {
    let given = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    given.and_then(|value| value.strip_prefix("Bearer ")) == Some(token)
}

/// An error in the form all three clouds use: `{"error": …}`.
fn problem(status: StatusCode, message: &str) -> Response {
    (status, Json(serde_json::json!({"error": message}))).into_response()
}
