//! RunPod: pods on the secure cloud, reached through its proxy (generation §4.2).

use async_trait::async_trait;
use reqwest::{Method, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use url::Url;

use super::api::{Api, LIST, Reply, address, listed, text};
use super::{CloudError, CloudKind, CloudPod, DEADLINE, GpuCloud, PodSpec};
use crate::egress::Egress;

const CONTAINER_DISK_GB: u32 = 500;

/// RunPod, at `https://rest.runpod.io/v1` in production.
#[derive(Debug, Clone)]
pub struct RunPod {
    api: Api,
    api_key: SecretString,
    port: u16,
}

impl RunPod {
    /// A client of the account of `api_key` (`RUNPOD_PROVIDER_API_KEY`), for pods that listen on `port`.
    pub fn new(egress: Egress, base_url: Url, api_key: SecretString, port: u16) -> Self {
        let api = Api {
            cloud: CloudKind::RunPod,
            egress,
            base_url,
            deadline: DEADLINE,
        };
        Self { api, api_key, port }
    }

    fn request(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        self.api
            .request(method, segments)
            .bearer_auth(self.api_key.expose_secret())
    }
}

#[async_trait]
impl GpuCloud for RunPod {
    fn kind(&self) -> CloudKind {
        CloudKind::RunPod
    }

    async fn list(&self) -> Result<Vec<CloudPod>, CloudError> {
        let answer = self
            .api
            .call(LIST, self.request(Method::GET, &["pods"]))
            .await?;
        pods(&answer.body, self.port)
    }

    async fn create(&self, spec: &PodSpec) -> Result<String, CloudError> {
        const OPERATION: &str = "create a pod";
        let mut body = json!({
            "name": spec.name,
            "imageName": spec.image,
            "gpuTypeIds": [gpu_type_id(spec)?],
            "gpuCount": spec.gpu_count,
            "containerDiskInGb": CONTAINER_DISK_GB,
            "volumeInGb": 0,
            "ports": [format!("{}/http", spec.port)],
            "cloudType": "SECURE",
            "supportPublicIp": true,
        });
        if !spec.env.is_empty() {
            let env = spec
                .env
                .iter()
                .map(|(name, value)| (name.clone(), Value::from(value.expose_secret())));
            body["env"] = Value::Object(env.collect::<Map<_, _>>());
        }
        let answer = self
            .api
            .call(OPERATION, self.request(Method::POST, &["pods"]).json(&body))
            .await?;
        let reply = Reply {
            cloud: CloudKind::RunPod,
            operation: OPERATION,
            body: &answer.body,
        };
        reply.field("id")
    }

    async fn delete(&self, id: &str) -> Result<(), CloudError> {
        self.api
            .delete(self.request(Method::DELETE, &["pods", id]))
            .await
    }
}

/// The pods of a listing; they listen on `port`.
pub(super) fn pods(body: &[u8], port: u16) -> Result<Vec<CloudPod>, CloudError> {
    let reply = Reply {
        cloud: CloudKind::RunPod,
        operation: LIST,
        body,
    };
    let items = reply.array(&["pods", "items"])?;
    let pod = |item: &Value| {
        listed(
            CloudKind::RunPod,
            text(item, "id"),
            text(item, "name"),
            pod_url(item, port),
        )
    };
    Ok(items.iter().filter_map(pod).collect())
}

/// Where a listed pod answers: RunPod's proxy, once the pod is meant to run (generation, W20).
fn pod_url(item: &Value, port: u16) -> Option<Url> {
    let id = text(item, "id")?;
    let runs = text(item, "desiredStatus").is_none_or(|status| status == "RUNNING");
    let plain = id
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (runs && plain).then(|| address(&format!("https://{id}-{port}.proxy.runpod.net")))?
}

fn gpu_type_id(spec: &PodSpec) -> Result<&'static str, CloudError> {
    match spec.gpu_type.as_str() {
        "H200" => Ok("NVIDIA H200"),
        "H100" => Ok("NVIDIA H100 80GB HBM3"),
        "B200" => Ok("NVIDIA B200"),
        _ => Err(CloudError::UnsupportedHardware {
            cloud: CloudKind::RunPod,
            gpu_type: spec.gpu_type.clone(),
            gpu_count: spec.gpu_count,
        }),
    }
}
