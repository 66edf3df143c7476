//! Targon: serverless workloads, registered first and then deployed (generation §4.2).

use async_trait::async_trait;
use reqwest::{Method, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::api::{Api, LIST, Reply, address, listed, text};
use super::{
    CloudError, CloudKind, CloudPod, GpuCloud, PodSpec, REQUESTS_PER_REPLICA, TARGON_DEADLINE,
};
use crate::egress::Egress;

/// Targon, at `https://api.targon.com` in production.
#[derive(Debug, Clone)]
pub struct Targon {
    api: Api,
    api_key: SecretString,
}

impl Targon {
    /// A client of the account of `api_key` (`TARGON_API_KEY`).
    pub fn new(egress: Egress, base_url: Url, api_key: SecretString) -> Self {
        let api = Api {
            cloud: CloudKind::Targon,
            egress,
            base_url,
            deadline: TARGON_DEADLINE,
        };
        Self { api, api_key }
    }

    fn request(&self, method: Method, below: &[&str]) -> RequestBuilder {
        let segments = [&["tha", "v2", "workloads"], below].concat();
        self.api
            .request(method, &segments)
            .bearer_auth(self.api_key.expose_secret())
    }

    async fn register(&self, spec: &PodSpec, resource: &str) -> Result<String, CloudError> {
        const OPERATION: &str = "register a pod";
        let mut body = json!({
            "type": "SERVERLESS",
            "name": spec.name,
            "image": spec.image,
            "resource_name": resource,
            "ports": [{"port": spec.port, "protocol": "TCP"}],
            "serverless_config": {
                "min_replicas": 1,
                "max_replicas": 1,
                "container_concurrency": REQUESTS_PER_REPLICA,
                "target_concurrency": REQUESTS_PER_REPLICA,
                "visibility": "external",
            },
        });
        if !spec.env.is_empty() {
            let envs = spec
                .env
                .iter()
                .map(|(name, value)| json!({"name": name, "value": value.expose_secret()}));
            body["envs"] = envs.collect();
        }
        let answer = self
            .api
            .call(OPERATION, self.request(Method::POST, &[]).json(&body))
            .await?;
        let reply = Reply {
            cloud: CloudKind::Targon,
            operation: OPERATION,
            body: &answer.body,
        };
        reply.field("uid")
    }
}

#[async_trait]
impl GpuCloud for Targon {
    fn kind(&self) -> CloudKind {
        CloudKind::Targon
    }

    async fn list(&self) -> Result<Vec<CloudPod>, CloudError> {
        let mut url = self.api.url(&["tha", "v2", "workloads"]);
        url.set_query(Some("type=SERVERLESS"));
        let request = self
            .api
            .egress
            .request(Method::GET, &url)
            .bearer_auth(self.api_key.expose_secret());
        let answer = self.api.call(LIST, request).await?;
        pods(&answer.body)
    }

    async fn create(&self, spec: &PodSpec) -> Result<String, CloudError> {
        let resource = resource_name(spec)?;
        let uid = self.register(spec, resource).await?;
        // A registered workload that was not deployed runs nothing, but keeps its name and clutters the account.
        let deploy = self.request(Method::POST, &[&uid, "deploy"]);
        if let Err(error) = self.api.call("deploy a pod", deploy).await {
            if let Err(left) = self.delete(&uid).await {
                tracing::warn!(pod.name = spec.name, pod.id = uid, error = %left, "a registered pod was left behind");
            }
            return Err(error);
        }
        Ok(uid)
    }

    async fn delete(&self, id: &str) -> Result<(), CloudError> {
        self.api.delete(self.request(Method::DELETE, &[id])).await
    }
}

/// The pods of a listing, but those that are deleted.
pub(super) fn pods(body: &[u8]) -> Result<Vec<CloudPod>, CloudError> {
    let reply = Reply {
        cloud: CloudKind::Targon,
        operation: LIST,
        body,
    };
    let items = reply.array(&["items"])?;
    let alive = items.iter().filter(|item| {
        item.get("state").and_then(|state| text(state, "status")) != Some("deleted")
    });
    Ok(alive
        .filter_map(|item| {
            listed(
                CloudKind::Targon,
                text(item, "uid"),
                text(item, "name"),
                first_url(item),
            )
        })
        .collect())
}

fn resource_name(spec: &PodSpec) -> Result<&'static str, CloudError> {
    match (spec.gpu_type.as_str(), spec.gpu_count) {
        ("H200", 1) => Ok("h200-small"),
        ("H200", 4) => Ok("h200-large"),
        _ => Err(CloudError::UnsupportedHardware {
            cloud: CloudKind::Targon,
            gpu_type: spec.gpu_type.clone(),
            gpu_count: spec.gpu_count,
        }),
    }
}

/// The first usable address of `urls`, else of `state.urls`.
fn first_url(item: &Value) -> Option<Url> {
    let of = |holder: Option<&Value>| {
        let urls = holder?.get("urls")?.as_array()?;
        urls.iter().find_map(|entry| address(text(entry, "url")?))
    };
    of(Some(item)).or_else(|| of(item.get("state")))
}
