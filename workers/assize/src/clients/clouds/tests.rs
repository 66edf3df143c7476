//! The three clouds against servers that answer as theirs do, and as they should not.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};

use super::*;
use crate::clients::script::lock;
use crate::clients::testing::{self, Raw, serve, serve_raw, unused_address};
use crate::egress::Egress;

/// What a server was asked.
#[derive(Debug, Clone, PartialEq)]
struct Asked {
    call: String,
    token: String,
    body: Value,
}

type Log = Arc<Mutex<Vec<Asked>>>;

/// Serves answers by `METHOD /path?query`; 404 otherwise. Keeps what it was asked.
async fn cloud(answers: &'static [(&'static str, u16, &'static str)]) -> (Url, Log) {
    let log = Log::default();
    let kept = Arc::clone(&log);
    let answer = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
        let call = format!("{method} {uri}");
        let token = headers
            .get("authorization")
            .map_or("", |value| value.to_str().unwrap())
            .to_owned();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        lock(&kept).push(Asked {
            call: call.clone(),
            token,
            body,
        });
        match answers.iter().find(|(wanted, ..)| *wanted == call) {
            Some((_, status, text)) => (StatusCode::from_u16(*status).unwrap(), (*text).to_owned()),
            None => (StatusCode::NOT_FOUND, "no such thing".to_owned()),
        }
    };
    (serve(Router::new().fallback(answer)).await, log)
}

fn egress() -> Egress {
    testing::egress()
}

fn targon(base: Url) -> Targon {
    Targon::new(egress(), base, "t-key".into())
}

fn runpod(base: Url) -> RunPod {
    RunPod::new(egress(), base.join("v1").unwrap(), "r-key".into(), 10006)
}

fn verda(base: Url) -> Verda {
    Verda::new(
        egress(),
        base.join("v1/").unwrap(),
        VerdaCredentials {
            client_id: "id".to_owned(),
            client_secret: "secret".into(),
            generation_token: "pods".into(),
        },
    )
}

fn every_cloud(base: &Url) -> Vec<Box<dyn GpuCloud>> {
    vec![
        Box::new(targon(base.clone())),
        Box::new(runpod(base.clone())),
        Box::new(verda(base.clone())),
    ]
}

fn spec(env: &[(&str, &str)]) -> PodSpec {
    PodSpec {
        name: "miner-06-5ggpgadxzt-0".to_owned(),
        image: "registry.example/5ggpgadxzt:tag".to_owned(),
        port: 10006,
        gpu_type: "H200".to_owned(),
        gpu_count: 4,
        env: env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).into()))
            .collect(),
    }
}

fn pod(id: &str, name: &str, url: Option<&str>) -> CloudPod {
    CloudPod {
        id: id.to_owned(),
        name: name.to_owned(),
        url: url.map(|url| Url::parse(url).unwrap()),
    }
}

#[tokio::test]
async fn targon_registers_and_then_deploys() {
    let (base, log) = cloud(&[
        ("POST /tha/v2/workloads", 201, r#"{"uid":"w-1"}"#),
        ("POST /tha/v2/workloads/w-1/deploy", 200, r#"{"uid":"w-1"}"#),
    ])
    .await;
    assert_eq!(
        targon(base)
            .create(&spec(&[("HF_TOKEN", "hf")]))
            .await
            .unwrap(),
        "w-1"
    );
    let asked = lock(&log).clone();
    assert_eq!(asked[0].token, "Bearer t-key");
    assert_eq!(
        asked[0].body,
        json!({
            "type": "SERVERLESS",
            "name": "miner-06-5ggpgadxzt-0",
            "image": "registry.example/5ggpgadxzt:tag",
            "resource_name": "h200-large",
            "envs": [{"name": "HF_TOKEN", "value": "hf"}],
            "ports": [{"port": 10006, "protocol": "TCP"}],
            "serverless_config": {"min_replicas": 1, "max_replicas": 1, "container_concurrency": 2,
                "target_concurrency": 2, "visibility": "external"},
        })
    );
    assert_eq!(
        (asked[1].call.as_str(), &asked[1].body),
        ("POST /tha/v2/workloads/w-1/deploy", &Value::Null)
    );
}

#[tokio::test]
async fn targon_deletes_what_it_registered_and_could_not_deploy() {
    let (base, log) = cloud(&[
        ("POST /tha/v2/workloads", 200, r#"{"uid":"w/1"}"#),
        ("POST /tha/v2/workloads/w%2F1/deploy", 409, "no capacity"),
        ("DELETE /tha/v2/workloads/w%2F1", 200, "{}"),
    ])
    .await;
    let error = targon(base).create(&spec(&[])).await.unwrap_err();
    assert!(
        error.to_string().contains("no capacity") && !error.is_permanent(),
        "{error}"
    );
    let asked = lock(&log).clone();
    assert_eq!(asked[2].call, "DELETE /tha/v2/workloads/w%2F1");
    assert_eq!(asked[0].body.get("envs"), None);
}

#[tokio::test]
async fn targon_lists_living_pods_with_the_first_address() {
    let (base, log) = cloud(&[("GET /tha/v2/workloads?type=SERVERLESS", 200, r#"{"items":[
        {"uid":"1","name":"a","urls":[{"url":""},{"url":"https://a.example/"}],"state":{"status":"running","urls":[]}},
        {"uid":"2","name":"b","state":{"status":"running","urls":[{"url":"https://b.example//"}]}},
        {"uid":"3","name":"c","urls":null,"state":null},
        {"uid":"4","name":"d","state":{"status":"deleted"}},
        {"uid":5,"name":"e"}, 7]}"#)])
    .await;
    let expected = [
        pod("1", "a", Some("https://a.example")),
        pod("2", "b", Some("https://b.example")),
        pod("3", "c", None),
    ];
    assert_eq!(targon(base).list().await.unwrap(), expected);
    assert_eq!(lock(&log)[0].token, "Bearer t-key");
}

#[tokio::test]
async fn verda_takes_a_token_once_and_deploys_on_spot_capacity() {
    let (base, log) = cloud(&[
        ("POST /v1/oauth2/token", 200, r#"{"access_token":"one","expires_in":3600}"#),
        ("POST /v1/container-deployments", 202, ""),
        ("GET /v1/container-deployments", 200, r#"{"deployments":[
            {"name":"a","endpoint_base_url":"https://a.example/"},{"name":"b","endpoint_base_url":""}]}"#),
    ])
    .await;
    let verda = verda(base);
    assert_eq!(
        verda.create(&spec(&[("HF_TOKEN", "hf")])).await.unwrap(),
        "miner-06-5ggpgadxzt-0"
    );
    assert_eq!(
        verda.list().await.unwrap(),
        [
            pod("a", "a", Some("https://a.example")),
            pod("b", "b", None)
        ]
    );
    let asked = lock(&log).clone();
    assert_eq!(asked.len(), 3);
    assert_eq!(
        asked[0].body,
        json!({"grant_type": "client_credentials", "client_id": "id", "client_secret": "secret"})
    );
    assert_eq!(asked[1].token, "Bearer one");
    assert_eq!(
        asked[1].body,
        json!({
            "name": "miner-06-5ggpgadxzt-0",
            "container_registry_settings": {"is_private": false},
            "containers": [{
                "image": "registry.example/5ggpgadxzt:tag",
                "exposed_port": 10006,
                "healthcheck": {"enabled": true, "port": 10006, "path": "/health"},
                "env": [{"name": "HF_TOKEN", "value_or_reference_to_secret": "hf", "type": "plain"}],
            }],
            "compute": {"name": "H200", "size": 4},
            "scaling": {
                "min_replica_count": 1, "max_replica_count": 1,
                "scale_down_policy": {"delay_seconds": 3600}, "scale_up_policy": {"delay_seconds": 600},
                "queue_message_ttl_seconds": 600, "concurrent_requests_per_replica": 2,
                "scaling_triggers": {"queue_load": {"threshold": 2},
                    "cpu_utilization": {"enabled": false, "threshold": 80},
                    "gpu_utilization": {"enabled": false, "threshold": 80}},
            },
            "is_spot": true,
        })
    );
}

#[tokio::test]
async fn verda_replaces_a_refused_or_short_lived_token() {
    let (base, log) = cloud(&[
        (
            "POST /v1/oauth2/token",
            200,
            r#"{"access_token":"one","expires_in":3600}"#,
        ),
        ("GET /v1/container-deployments", 401, ""),
    ])
    .await;
    let error = verda(base).list().await.unwrap_err();
    assert!(error.is_permanent(), "{error}");
    assert_eq!(
        lock(&log).len(),
        4,
        "one token, one refusal, one new token, one last try"
    );

    let (base, log) = cloud(&[
        (
            "POST /v1/oauth2/token",
            200,
            r#"{"access_token":"one","expires_in":30}"#,
        ),
        ("GET /v1/container-deployments", 200, "[]"),
    ])
    .await;
    let verda = verda(base);
    verda.list().await.unwrap();
    verda.list().await.unwrap();
    assert_eq!(
        lock(&log).len(),
        4,
        "a token within its last minute is not used again"
    );
}

#[tokio::test]
async fn verda_pods_ask_for_a_token_and_others_do_not() {
    let base = Url::parse("http://127.0.0.1:9/").unwrap();
    let tokens: Vec<bool> = every_cloud(&base)
        .iter()
        .map(|cloud| cloud.pod_token().is_some())
        .collect();
    assert_eq!(tokens, [false, false, true]);
}

#[tokio::test]
async fn runpod_rents_on_the_secure_cloud_and_is_reached_by_its_proxy() {
    let (base, log) = cloud(&[
        ("POST /v1/pods", 201, r#"{"id":"abc1","name":"x"}"#),
        (
            "GET /v1/pods",
            200,
            r#"[{"id":"abc1","name":"a","desiredStatus":"RUNNING"},
            {"id":"abc2","name":"b","desiredStatus":"EXITED"},{"id":"abc3","name":"c"},
            {"id":"evil.example/","name":"d"},{"name":"e"}]"#,
        ),
    ])
    .await;
    let runpod = runpod(base);
    assert_eq!(
        runpod.create(&spec(&[("HF_TOKEN", "hf")])).await.unwrap(),
        "abc1"
    );
    let expected = [
        pod("abc1", "a", Some("https://abc1-10006.proxy.runpod.net")),
        pod("abc2", "b", None),
        pod("abc3", "c", Some("https://abc3-10006.proxy.runpod.net")),
        pod("evil.example/", "d", None),
    ];
    assert_eq!(runpod.list().await.unwrap(), expected);
    let asked = lock(&log).clone();
    assert_eq!(asked[0].token, "Bearer r-key");
    assert_eq!(
        asked[0].body,
        json!({
            "name": "miner-06-5ggpgadxzt-0",
            "imageName": "registry.example/5ggpgadxzt:tag",
            "gpuTypeIds": ["NVIDIA H200"],
            "gpuCount": 4,
            "containerDiskInGb": 500,
            "volumeInGb": 0,
            "ports": ["10006/http"],
            "cloudType": "SECURE",
            "supportPublicIp": true,
            "env": {"HF_TOKEN": "hf"},
        })
    );
}

#[tokio::test]
async fn a_pod_that_is_not_there_is_deleted() {
    let (base, _) = cloud(&[("POST /v1/oauth2/token", 200, r#"{"access_token":"one"}"#)]).await;
    for cloud in every_cloud(&base) {
        cloud.delete("gone").await.unwrap();
    }
}

#[tokio::test]
async fn a_failed_deletion_is_an_error_on_every_cloud() {
    let (base, _) = cloud(&[
        ("POST /v1/oauth2/token", 200, r#"{"access_token":"one"}"#),
        ("DELETE /tha/v2/workloads/x", 500, ""),
        ("DELETE /v1/container-deployments/x", 500, ""),
        ("DELETE /v1/pods/x", 500, ""),
    ])
    .await;
    for cloud in every_cloud(&base) {
        let error = cloud.delete("x").await.unwrap_err();
        assert!(
            matches!(error, CloudError::Status { status: 500, .. }),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn hardware_that_a_cloud_does_not_rent_is_permanent_and_asks_nobody() {
    let base = unused_address().await;
    let odd = PodSpec {
        gpu_type: "T4".to_owned(),
        gpu_count: 3,
        ..spec(&[])
    };
    for cloud in [
        Box::new(targon(base.clone())) as Box<dyn GpuCloud>,
        Box::new(runpod(base)),
    ] {
        let error = cloud.create(&odd).await.unwrap_err();
        assert!(
            matches!(error, CloudError::UnsupportedHardware { .. }) && error.is_permanent(),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn refused_credentials_are_permanent_on_every_cloud() {
    for status in [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN] {
        let base = serve(Router::new().fallback(move || async move { status })).await;
        for cloud in every_cloud(&base) {
            assert!(
                cloud.list().await.unwrap_err().is_permanent(),
                "{} {status}",
                cloud.kind()
            );
        }
    }
}

#[tokio::test]
async fn garbage_redirects_and_absence_are_wrapped_on_every_cloud() {
    for body in [
        "",
        "<html>",
        "3",
        r#"{"items":{}}"#,
        "null",
        r#"{"access_token":7}"#,
    ] {
        let base = serve(Router::new().fallback(move || async move { body })).await;
        for cloud in every_cloud(&base) {
            let error = cloud.list().await.unwrap_err();
            assert!(
                matches!(error, CloudError::Malformed { .. }),
                "{} {body}: {error:?}",
                cloud.kind()
            );
            if cloud.kind() != CloudKind::Verda {
                assert!(
                    cloud.create(&spec(&[])).await.is_err(),
                    "{} {body}",
                    cloud.kind()
                );
            }
        }
    }
    for base in [
        unused_address().await,
        serve_raw(Raw::Then(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[")).await,
    ] {
        for cloud in every_cloud(&base) {
            let error = cloud.list().await.unwrap_err();
            assert!(
                matches!(error, CloudError::Unreachable { .. }) && !error.is_permanent(),
                "{error:?}"
            );
        }
    }
    let base =
        serve(Router::new().fallback(|| async { axum::response::Redirect::temporary("/") })).await;
    for cloud in every_cloud(&base) {
        assert!(
            matches!(
                cloud.list().await,
                Err(CloudError::Status { status: 307, .. })
            ),
            "{}",
            cloud.kind()
        );
    }
}

#[test]
fn names_of_clouds_are_read_whatever_their_case() {
    assert_eq!(" RunPod".parse(), Ok(CloudKind::RunPod));
    assert_eq!("targon".parse(), Ok(CloudKind::Targon));
    assert_eq!(
        "aws".parse::<CloudKind>(),
        Err(UnknownCloud("aws".to_owned()))
    );
    assert_eq!(
        serde_json::to_value(CloudKind::RunPod).unwrap(),
        json!("runpod")
    );
}
