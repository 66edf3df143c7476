//! Verda: container deployments on spot capacity, with OAuth2 client credentials (generation §4.2).

use std::time::{Duration, Instant};

use async_trait::async_trait;
use reqwest::{Method, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use url::Url;

use super::api::{Api, LIST, Reply, address, listed, text};
use super::{CloudError, CloudKind, CloudPod, DEADLINE, GpuCloud, PodSpec, REQUESTS_PER_REPLICA};
use crate::clients::wire::Answer;
use crate::egress::Egress;

/// A token is replaced this long before it expires.
const EXPIRY_MARGIN: Duration = Duration::from_mins(1);

/// Life of a token whose answer names none.
const DEFAULT_TOKEN_LIFE: Duration = Duration::from_hours(1);

/// Who we are at Verda.
#[derive(Debug, Clone)]
pub struct VerdaCredentials {
    /// `VERDA_CLIENT_ID`.
    pub client_id: String,
    /// `VERDA_CLIENT_SECRET`.
    pub client_secret: SecretString,
    /// `VERDA_GENERATION_TOKEN`: what every request to a pod carries.
    pub generation_token: SecretString,
}

/// Verda, at `https://api.verda.com/v1` in production.
#[derive(Debug)]
pub struct Verda {
    api: Api,
    credentials: VerdaCredentials,
    token: Mutex<Option<Token>>,
}

#[derive(Debug, Clone)]
struct Token {
    value: SecretString,
    fresh_until: Instant,
}

impl Verda {
    /// A client of the account of `credentials`.
    pub fn new(egress: Egress, base_url: Url, credentials: VerdaCredentials) -> Self {
        let api = Api {
            cloud: CloudKind::Verda,
            egress,
            base_url,
            deadline: DEADLINE,
        };
        Self {
            api,
            credentials,
            token: Mutex::default(),
        }
    }

    /// Sends what `request` makes, with a token. A token refused before its time is replaced once.
    async fn call(
        &self,
        operation: &'static str,
        request: impl Fn() -> RequestBuilder + Send + Sync,
    ) -> Result<Answer, CloudError> {
        let token = self.token().await?;
        let first = request().bearer_auth(token.expose_secret());
        match self.api.call(operation, first).await {
            Err(CloudError::Unauthorized { status: 401, .. }) => {
                self.forget(&token).await;
                let token = self.token().await?;
                self.api
                    .call(operation, request().bearer_auth(token.expose_secret()))
                    .await
            }
            other => other,
        }
    }

    /// The token, a new one if there is none or it is about to expire. Callers wait for each other, so that one is
    /// fetched for all.
    async fn token(&self) -> Result<SecretString, CloudError> {
        let mut held = self.token.lock().await;
        if let Some(token) = held
            .as_ref()
            .filter(|token| token.fresh_until > Instant::now())
        {
            return Ok(token.value.clone());
        }
        let token = self.fetch_token().await?;
        let value = token.value.clone();
        *held = Some(token);
        Ok(value)
    }

    async fn fetch_token(&self) -> Result<Token, CloudError> {
        const OPERATION: &str = "give a token";
        let body = json!({
            "grant_type": "client_credentials",
            "client_id": self.credentials.client_id,
            "client_secret": self.credentials.client_secret.expose_secret(),
        });
        let request = self
            .api
            .request(Method::POST, &["oauth2", "token"])
            .json(&body);
        let answer = self.api.call(OPERATION, request).await?;
        let reply = Reply {
            cloud: CloudKind::Verda,
            operation: OPERATION,
            body: &answer.body,
        };
        let value = reply.field("access_token")?;
        let life = reply
            .json()?
            .get("expires_in")
            .and_then(Value::as_u64)
            .map_or(DEFAULT_TOKEN_LIFE, Duration::from_secs);
        let fresh_for = life
            .min(DEFAULT_TOKEN_LIFE * 24)
            .saturating_sub(EXPIRY_MARGIN);
        Ok(Token {
            value: value.into(),
            fresh_until: Instant::now() + fresh_for,
        })
    }

    /// Drops `refused`, unless another caller replaced it already.
    async fn forget(&self, refused: &SecretString) {
        let mut held = self.token.lock().await;
        if held
            .as_ref()
            .is_some_and(|token| token.value.expose_secret() == refused.expose_secret())
        {
            *held = None;
        }
    }
}

#[async_trait]
impl GpuCloud for Verda {
    fn kind(&self) -> CloudKind {
        CloudKind::Verda
    }

    fn pod_token(&self) -> Option<&SecretString> {
        Some(&self.credentials.generation_token)
    }

    async fn list(&self) -> Result<Vec<CloudPod>, CloudError> {
        let request = || self.api.request(Method::GET, &["container-deployments"]);
        let answer = self.call(LIST, request).await?;
        pods(&answer.body)
    }

    async fn create(&self, spec: &PodSpec) -> Result<String, CloudError> {
        let body = deployment(spec);
        let request = || {
            self.api
                .request(Method::POST, &["container-deployments"])
                .json(&body)
        };
        self.call("create a pod", request).await?;
        Ok(spec.name.clone())
    }

    async fn delete(&self, id: &str) -> Result<(), CloudError> {
        let request = || {
            self.api
                .request(Method::DELETE, &["container-deployments", id])
        };
        match self.call("delete a pod", request).await {
            Ok(_) | Err(CloudError::Status { status: 404, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The pods of a listing.
pub(super) fn pods(body: &[u8]) -> Result<Vec<CloudPod>, CloudError> {
    let reply = Reply {
        cloud: CloudKind::Verda,
        operation: LIST,
        body,
    };
    let items = reply.array(&["deployments", "items"])?;
    let pod = |item: &Value| {
        let name = text(item, "name");
        listed(
            CloudKind::Verda,
            name,
            name,
            text(item, "endpoint_base_url").and_then(address),
        )
    };
    Ok(items.iter().filter_map(pod).collect())
}

fn deployment(spec: &PodSpec) -> Value {
    let mut container = json!({
        "image": spec.image,
        "exposed_port": spec.port,
        "healthcheck": {"enabled": true, "port": spec.port, "path": "/health"},
    });
    if !spec.env.is_empty() {
        let env = spec.env.iter().map(|(name, value)| {
            json!({"name": name, "value_or_reference_to_secret": value.expose_secret(), "type": "plain"})
        });
        container["env"] = env.collect();
    }
    json!({
        "name": spec.name,
        "container_registry_settings": {"is_private": false},
        "containers": [container],
        "compute": {"name": spec.gpu_type, "size": spec.gpu_count},
        "scaling": {
            "min_replica_count": 1,
            "max_replica_count": 1,
            "scale_down_policy": {"delay_seconds": 3600},
            "scale_up_policy": {"delay_seconds": 600},
            "queue_message_ttl_seconds": 600,
            "concurrent_requests_per_replica": REQUESTS_PER_REPLICA,
            "scaling_triggers": {
                "queue_load": {"threshold": REQUESTS_PER_REPLICA},
                "cpu_utilization": {"enabled": false, "threshold": 80},
                "gpu_utilization": {"enabled": false, "threshold": 80},
            },
        },
        "is_spot": true,
    })
}
