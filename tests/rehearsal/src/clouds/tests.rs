//! Each cloud as its client uses it: deploy, wait, generate, delete.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::clock::WorldClock;
use crate::faults::{Faults, Service};
use crate::gateway::{self, OutsideHost, loopback_url};
use crate::http::{Door, serve};

const OPTIONS: CloudOptions = CloudOptions {
    visible_after: Duration::from_mins(1),
    answers_after: Duration::from_mins(2),
    warm_up: Duration::from_mins(10),
    capacity: 2,
};
const IMAGE: &str = "registry.example/competition/5goodminer:abcdef0-rehearsal-0";

struct Echo;

#[async_trait]
impl Generator for Echo {
    async fn generate(&self, stem: &str, _: &str, seed: u64) -> Result<String, String> {
        Ok(format!("// {stem} {seed}"))
    }
}

struct World {
    clock: WorldClock,
    fleet: Fleet,
    gateway: String,
    targon: String,
    verda: String,
    runpod: String,
    client: reqwest::Client,
    stop: CancellationToken,
}

impl World {
    async fn start(folder: &Path) -> Self {
        let clock = WorldClock::open(folder.join("clock.json")).unwrap();
        let stop = CancellationToken::new();
        let images: Images =
            Arc::new(|image| (image == IMAGE).then(|| Arc::new(Echo) as Arc<dyn Generator>));
        let fleet = Fleet::open(
            folder.join("clouds.json"),
            clock.clone(),
            OPTIONS,
            images,
            stop.clone(),
        )
        .unwrap();
        let keys = CloudKeys {
            targon_api_key: "targon-key".into(),
            verda_client_id: "verda-id".into(),
            verda_client_secret: "verda-secret".into(),
            verda_generation_token: "verda-token".into(),
            runpod_api_key: "runpod-key".into(),
        };
        let pods: Arc<dyn OutsideHost> =
            Arc::new(PodHost::new(fleet.clone(), "verda-token").unwrap());
        let faults = Faults::new(clock.clone());
        let open = async |service, router| {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let door = Door {
                service,
                faults: faults.clone(),
                stop: stop.clone(),
            };
            tokio::spawn(serve(listener, door, router));
            url
        };
        Self {
            gateway: open(Service::Gateway, gateway::router(vec![pods])).await,
            targon: open(
                Service::Targon,
                targon_router(fleet.clone(), &keys.targon_api_key),
            )
            .await,
            verda: open(Service::Verda, verda_router(fleet.clone(), &keys)).await,
            runpod: open(
                Service::RunPod,
                runpod_router(fleet.clone(), &keys.runpod_api_key),
            )
            .await,
            client: reqwest::Client::new(),
            clock,
            fleet,
            stop,
        }
    }

    async fn call(
        &self,
        method: &str,
        url: &str,
        token: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let mut request = self
            .client
            .request(method.parse().unwrap(), url)
            .bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        (
            response.status().as_u16(),
            response.json().await.unwrap_or(Value::Null),
        )
    }

    /// Asks a pod until its answer is as wanted; the world's clock has been set before.
    async fn ask_until(&self, url: &str, token: &str, wanted: impl Fn(u16, &Value) -> bool) {
        let asking = async {
            loop {
                let (status, body) = self
                    .call("GET", &loopback_url(&self.gateway, url), token, None)
                    .await;
                if wanted(status, &body) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), asking)
            .await
            .unwrap();
    }

    /// What every pod must do, whatever cloud it is on: warm up, make a batch, hand it over.
    async fn use_pod(&self, url: &str, token: &str) {
        let health = format!("{url}/health");
        assert_eq!(
            self.call("GET", &loopback_url(&self.gateway, &health), token, None)
                .await
                .0,
            502
        );
        self.clock.skip(OPTIONS.answers_after).unwrap();
        self.ask_until(&health, token, |status, _| status == 200)
            .await;
        let status = format!("{url}/status?replacements_remaining=3");
        self.ask_until(&status, token, |_, body| body["status"] == "warming_up")
            .await;
        self.clock.skip(OPTIONS.warm_up).unwrap();
        self.ask_until(&status, token, |_, body| body["status"] == "ready")
            .await;

        let batch = json!({"prompts": [{"stem": "abc", "image_url": "https://prompts.example/abc.png"}], "seed": 7});
        let generate = loopback_url(&self.gateway, &format!("{url}/generate"));
        assert_eq!(
            self.call("POST", &generate, token, Some(batch)).await.0,
            200
        );
        self.ask_until(&status, token, |_, body| body["status"] == "complete")
            .await;
        let results = loopback_url(&self.gateway, &format!("{url}/results"));
        let archive = self
            .client
            .get(results)
            .bearer_auth(token)
            .send()
            .await
            .unwrap();
        assert_eq!(archive.headers()["content-type"], "application/zip");
        assert!(archive.bytes().await.unwrap().starts_with(b"PK"));
    }
}

fn targon_body(name: &str) -> Value {
    json!({
        "type": "SERVERLESS", "name": name, "image": IMAGE, "resource_name": "h200-large",
        "ports": [{"port": 10006, "protocol": "TCP"}],
        "serverless_config": {
            "min_replicas": 1, "max_replicas": 1, "container_concurrency": 2, "target_concurrency": 2,
            "visibility": "external",
        },
    })
}

fn runpod_body(name: &str, image: &str) -> Value {
    json!({
        "name": name, "imageName": image, "gpuTypeIds": ["NVIDIA H200"], "gpuCount": 4, "containerDiskInGb": 500,
        "volumeInGb": 0, "ports": ["10006/http"], "cloudType": "SECURE", "supportPublicIp": true,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_targon_workload_is_registered_deployed_seen_used_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path()).await;
    let workloads = format!("{}/tha/v2/workloads", world.targon);
    assert_eq!(world.call("GET", &workloads, "wrong", None).await.0, 401);

    let (status, registered) = world
        .call(
            "POST",
            &workloads,
            "targon-key",
            Some(targon_body("miner-00-5goodminer-0")),
        )
        .await;
    assert_eq!(status, 201);
    let uid = registered["uid"].as_str().unwrap().to_owned();
    let (status, deployed) = world
        .call(
            "POST",
            &format!("{workloads}/{uid}/deploy"),
            "targon-key",
            Some(json!({})),
        )
        .await;
    assert_eq!(
        (status, deployed["state"]["status"].as_str()),
        (200, Some("provisioning"))
    );
    let list = async || {
        let (_, list) = world
            .call(
                "GET",
                &format!("{workloads}?type=SERVERLESS"),
                "targon-key",
                None,
            )
            .await;
        list["items"].clone()
    };
    assert_eq!(list().await[0]["urls"], json!([]));
    world.clock.skip(OPTIONS.visible_after).unwrap();
    let url = list().await[0]["urls"][0]["url"]
        .as_str()
        .unwrap()
        .trim_end_matches('/')
        .to_owned();

    world.use_pod(&url, "unused").await;
    assert_eq!(
        world
            .call("DELETE", &format!("{workloads}/{uid}"), "targon-key", None)
            .await
            .0,
        200
    );
    assert_eq!(
        world
            .call("DELETE", &format!("{workloads}/{uid}"), "targon-key", None)
            .await
            .0,
        404
    );
    let gone = loopback_url(&world.gateway, &format!("{url}/health"));
    assert_eq!(world.call("GET", &gone, "unused", None).await.0, 404);
    assert_eq!(list().await, json!([]));
    assert!(world.fleet.pods().is_empty());
    world.stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verda_deployment_wants_a_fresh_token_and_so_does_its_pod() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path()).await;
    let credentials = |secret: &str| json!({"grant_type": "client_credentials", "client_id": "verda-id", "client_secret": secret});
    let token_url = format!("{}/v1/oauth2/token", world.verda);
    assert_eq!(
        world
            .call("POST", &token_url, "", Some(credentials("wrong")))
            .await
            .0,
        401
    );
    let fresh_token = async || {
        let (_, token) = world
            .call("POST", &token_url, "", Some(credentials("verda-secret")))
            .await;
        token["access_token"].as_str().unwrap().to_owned()
    };
    let token = fresh_token().await;
    let deployments = format!("{}/v1/container-deployments", world.verda);
    let body = json!({
        "name": "miner-00-5goodminer-0",
        "container_registry_settings": {"is_private": false},
        "containers": [{"image": IMAGE, "exposed_port": 10006, "healthcheck": {"enabled": true, "port": 10006, "path": "/health"}}],
        "compute": {"name": "H200", "size": 4},
        "scaling": {"min_replica_count": 1, "max_replica_count": 1},
        "is_spot": true,
    });
    assert_eq!(
        world
            .call("POST", &deployments, &token, Some(body.clone()))
            .await
            .0,
        201
    );
    assert_eq!(
        world.call("POST", &deployments, &token, Some(body)).await.0,
        409
    );
    let (_, list) = world.call("GET", &deployments, &token, None).await;
    assert_eq!(list[0]["endpoint_base_url"], "");
    world.clock.skip(OPTIONS.visible_after).unwrap();
    let (_, list) = world.call("GET", &deployments, &token, None).await;
    let url = list[0]["endpoint_base_url"]
        .as_str()
        .unwrap()
        .trim_end_matches('/')
        .to_owned();

    let health = loopback_url(&world.gateway, &format!("{url}/health"));
    assert_eq!(world.call("GET", &health, "wrong", None).await.0, 401);
    world.use_pod(&url, "verda-token").await;

    world.clock.skip(Duration::from_hours(1)).unwrap();
    assert_eq!(
        world.call("GET", &deployments, &token, None).await.0,
        401,
        "tokens end"
    );
    let token = fresh_token().await;
    let one = format!("{deployments}/miner-00-5goodminer-0");
    assert_eq!(world.call("DELETE", &one, &token, None).await.0, 204);
    assert_eq!(world.call("DELETE", &one, &token, None).await.0, 404);
    world.stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runpod_pod_is_listed_at_once_and_answers_under_its_proxy_name() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path()).await;
    let pods = format!("{}/v1/pods", world.runpod);
    let (status, pod) = world
        .call(
            "POST",
            &pods,
            "runpod-key",
            Some(runpod_body("miner-00-a-0", IMAGE)),
        )
        .await;
    assert_eq!(status, 201);
    let id = pod["id"].as_str().unwrap().to_owned();
    let (_, list) = world.call("GET", &pods, "runpod-key", None).await;
    assert_eq!(list[0]["name"], "miner-00-a-0");

    world
        .use_pod(&format!("https://{id}-10006.proxy.runpod.net"), "unused")
        .await;
    let other_port = loopback_url(
        &world.gateway,
        &format!("https://{id}-8080.proxy.runpod.net/health"),
    );
    assert_eq!(world.call("GET", &other_port, "unused", None).await.0, 404);

    assert_eq!(
        world
            .call("POST", &pods, "runpod-key", Some(runpod_body("b", IMAGE)))
            .await
            .0,
        201
    );
    assert_eq!(
        world
            .call("POST", &pods, "runpod-key", Some(runpod_body("c", IMAGE)))
            .await
            .0,
        500,
        "no room for a third"
    );
    assert_eq!(
        world
            .call("DELETE", &format!("{pods}/{id}"), "runpod-key", None)
            .await
            .0,
        204
    );
    assert_eq!(
        world
            .call("DELETE", &format!("{pods}/{id}"), "runpod-key", None)
            .await
            .0,
        404
    );
    world.stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_outlives_the_world_as_a_fresh_container_and_crashes_and_bad_hardware_can_be_played()
{
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path()).await;
    let pods = format!("{}/v1/pods", world.runpod);
    let (_, pod) = world
        .call(
            "POST",
            &pods,
            "runpod-key",
            Some(runpod_body("miner-00-a-0", IMAGE)),
        )
        .await;
    let url = format!(
        "https://{}-10006.proxy.runpod.net",
        pod["id"].as_str().unwrap()
    );
    world.use_pod(&url, "unused").await;
    world.stop.cancel();

    let world = World::start(folder.path()).await;
    let status = format!("{url}/status?replacements_remaining=2");
    world
        .ask_until(&status, "unused", |_, body| body["status"] == "warming_up")
        .await;
    world.clock.skip(OPTIONS.warm_up).unwrap();
    world
        .ask_until(&status, "unused", |_, body| body["status"] == "ready")
        .await;
    world
        .fleet
        .degrade("miner-00-a-0", json!({"benchmark": "gpu_health"}))
        .unwrap();
    world
        .ask_until(&status, "unused", |_, body| body["status"] == "replace")
        .await;
    world.fleet.crash("miner-00-a-0").unwrap();
    world
        .ask_until(&status, "unused", |status, _| status == 502)
        .await;
    assert!(world.fleet.crash("miner-00-b-0").is_err());
    world.stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_was_never_built_gives_a_pod_that_never_answers() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path()).await;
    let pods = format!("{}/v1/pods", world.runpod);
    let (_, pod) = world
        .call(
            "POST",
            &pods,
            "runpod-key",
            Some(runpod_body("a", "registry.example/none:1")),
        )
        .await;
    world.clock.skip(Duration::from_hours(10)).unwrap();
    let health = format!(
        "https://{}-10006.proxy.runpod.net/health",
        pod["id"].as_str().unwrap()
    );
    assert_eq!(
        world
            .call(
                "GET",
                &loopback_url(&world.gateway, &health),
                "unused",
                None
            )
            .await
            .0,
        502
    );
    world.stop.cancel();
}
