//! The pod's behaviour over its routes (miner API, "Behaviours checked").

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::{Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tower::ServiceExt;

use super::*;

/// Lets a test decide when each prompt and the warm-up may end.
struct Gated {
    warm: Semaphore,
    prompts: Semaphore,
    calls: AtomicUsize,
    warm_up_failures: AtomicUsize,
}

impl Gated {
    fn new(warm: usize, prompts: usize) -> Arc<Self> {
        Arc::new(Self {
            warm: Semaphore::new(warm),
            prompts: Semaphore::new(prompts),
            calls: AtomicUsize::new(0),
            warm_up_failures: AtomicUsize::new(0),
        })
    }
}

#[async_trait]
impl Generator for Gated {
    async fn warm_up(&self) -> Result<(), String> {
        self.warm.acquire().await.unwrap().forget();
        let left = self.warm_up_failures.load(Ordering::SeqCst);
        if left > 0 {
            self.warm_up_failures.store(left - 1, Ordering::SeqCst);
            return Err("the model is not there".to_owned());
        }
        Ok(())
    }

    async fn generate(&self, stem: &str, _image_url: &str, seed: u64) -> Result<String, String> {
        self.prompts.acquire().await.unwrap().forget();
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        match stem {
            "bad" => Err("no idea what this is".to_owned()),
            "boom" => panic!("out of memory"),
            "huge" => Ok("x".repeat(1_048_577)),
            _ => Ok(format!(
                "// {stem} {seed} {call}\nexport default (THREE) => new THREE.Group();\n"
            )),
        }
    }
}

struct Pod {
    service: PodService,
    router: Router,
}

impl Pod {
    fn new(generator: Arc<Gated>, options: PodOptions) -> Self {
        let service = PodService::new(generator, options);
        Self {
            router: service.router(),
            service,
        }
    }

    async fn ready(generator: Arc<Gated>) -> Self {
        generator.warm.add_permits(1);
        let pod = Self::new(generator, PodOptions::default());
        pod.wait_for("ready").await;
        pod
    }

    async fn get(&self, path: &str) -> (StatusCode, Bytes) {
        self.send(
            Request::get(path)
                .header("authorization", "Bearer any")
                .body(Body::empty())
                .unwrap(),
        )
        .await
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, Bytes) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        (
            status,
            axum::body::to_bytes(response.into_body(), usize::MAX)
                .await
                .unwrap(),
        )
    }

    async fn status(&self, remaining: &str) -> Value {
        let (code, body) = self
            .get(&format!("/status?replacements_remaining={remaining}"))
            .await;
        assert_eq!(code, StatusCode::OK);
        serde_json::from_slice(&body).unwrap()
    }

    async fn generate(&self, body: &Value) -> (StatusCode, Value) {
        let request = Request::post("/generate").header("content-type", "application/json");
        let (code, body) = self
            .send(request.body(Body::from(body.to_string())).unwrap())
            .await;
        (code, serde_json::from_slice(&body).unwrap())
    }

    async fn wait_for(&self, status: &str) {
        let reached = async {
            while self.status("0").await["status"] != status {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), reached)
            .await
            .unwrap_or_else(|_| panic!("never {status}"));
    }

    async fn wait_for_progress(&self, progress: usize) {
        let reached = async {
            while self.status("0").await["progress"] != progress {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), reached)
            .await
            .unwrap();
    }

    async fn archive(&self) -> (BTreeSet<String>, Value) {
        let (code, bytes) = self.get("/results").await;
        assert_eq!(code, StatusCode::OK);
        let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let names: BTreeSet<String> = zip.file_names().map(str::to_owned).collect();
        let mut manifest = String::new();
        if names.contains("_failed.json") {
            zip.by_name("_failed.json")
                .unwrap()
                .read_to_string(&mut manifest)
                .unwrap();
            assert_eq!(
                zip.file_names().last().unwrap(),
                "_failed.json",
                "the manifest comes last"
            );
        }
        let manifest = if manifest.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&manifest).unwrap()
        };
        (
            names
                .into_iter()
                .filter(|name| name != "_failed.json")
                .collect(),
            manifest,
        )
    }
}

fn batch(stems: &[&str]) -> Value {
    let prompts: Vec<Value> =
        stems.iter().map(|stem| json!({"stem": stem, "image_url": format!("https://prompts.invalid/{stem}.png")})).collect();
    json!({"prompts": prompts, "seed": 3_693_682_031_u64})
}

#[tokio::test]
async fn a_batch_runs_to_an_archive_and_the_next_one_replaces_it() {
    let generator = Gated::new(0, 100);
    let pod = Pod::ready(Arc::clone(&generator)).await;
    assert_eq!(
        pod.get("/health").await,
        (StatusCode::OK, Bytes::from_static(b"{\"status\":\"ok\"}"))
    );
    assert_eq!(
        pod.status("3").await,
        json!({"status": "ready"}),
        "null fields are left out"
    );

    let stems = ["e4909c1d", "67a1733d-9e23-43d6-95ff-72ce1c0b1a5b"];
    assert_eq!(
        pod.generate(&batch(&stems)).await,
        (StatusCode::OK, json!({"accepted": 2}))
    );
    pod.wait_for("complete").await;
    let (names, manifest) = pod.archive().await;
    assert_eq!(
        names,
        BTreeSet::from(stems.map(|stem| format!("{stem}.js")))
    );
    assert_eq!(manifest, Value::Null);
    assert_eq!(
        pod.get("/results").await,
        pod.get("/results").await,
        "each download gives the same bytes"
    );

    assert_eq!(pod.generate(&batch(&["next"])).await.0, StatusCode::OK);
    pod.wait_for("complete").await;
    assert_eq!(
        pod.archive().await.0,
        BTreeSet::from(["next.js".to_owned()])
    );
}

#[tokio::test]
async fn warming_up_is_visible_and_refuses_work_by_name() {
    let generator = Gated::new(0, 100);
    let pod = Pod::new(Arc::clone(&generator), PodOptions::default());
    assert_eq!(pod.status("3").await["status"], "warming_up");
    let (code, body) = pod.generate(&batch(&["a"])).await;
    assert_eq!(code, StatusCode::CONFLICT);
    assert_eq!(
        body,
        json!({"detail": "Cannot accept batch", "current_status": "warming_up"})
    );
    assert_eq!(pod.get("/results").await.0, StatusCode::CONFLICT);
    generator.warm.add_permits(1);
    pod.wait_for("ready").await;
}

#[tokio::test]
async fn a_failed_warm_up_asks_for_another_machine_and_is_tried_again() {
    let generator = Gated::new(1, 1);
    generator.warm_up_failures.store(1, Ordering::SeqCst);
    let options = PodOptions {
        warm_up_retry: Duration::ZERO,
        ..PodOptions::default()
    };
    let pod = Pod::new(Arc::clone(&generator), options);
    let asked = async {
        while pod.status("2").await["status"] != "replace" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asked)
        .await
        .unwrap();
    assert_eq!(
        pod.status("2").await["payload"]["reason"],
        "the model is not there"
    );
    assert_eq!(
        pod.status("0").await["status"],
        "warming_up",
        "without replacements it pushes through"
    );
    generator.warm.add_permits(1);
    pod.wait_for("ready").await;
    assert_eq!(pod.status("2").await, json!({"status": "ready"}));
}

#[tokio::test]
async fn the_same_stems_again_change_nothing_and_other_stems_wait() {
    let generator = Gated::new(0, 0);
    let pod = Pod::ready(Arc::clone(&generator)).await;
    assert_eq!(pod.generate(&batch(&["a", "b"])).await.0, StatusCode::OK);
    let mut again = batch(&["b", "a"]);
    again["seed"] = json!(1);
    assert_eq!(
        pod.generate(&again).await,
        (StatusCode::OK, json!({"accepted": 2}))
    );
    let (code, body) = pod.generate(&batch(&["c"])).await;
    assert_eq!(
        (code, body),
        (
            StatusCode::CONFLICT,
            json!({"detail": "Cannot accept batch", "current_status": "generating"})
        )
    );

    generator.prompts.add_permits(10);
    pod.wait_for("complete").await;
    let archive = pod.get("/results").await;
    assert_eq!(
        pod.generate(&again).await,
        (StatusCode::OK, json!({"accepted": 2}))
    );
    assert_eq!(
        pod.get("/results").await,
        archive,
        "a repeated batch keeps its archive"
    );
    assert_eq!(
        generator.calls.load(Ordering::SeqCst),
        2,
        "nothing was generated twice"
    );
}

#[tokio::test]
async fn a_batch_identifier_makes_the_same_stems_a_new_batch() {
    let generator = Gated::new(0, 100);
    let pod = Pod::ready(Arc::clone(&generator)).await;
    let mut first = batch(&["a"]);
    first["batch_id"] = json!("repeat-1");
    let mut second = batch(&["a"]);
    second["batch_id"] = json!("repeat-2");
    assert_eq!(pod.generate(&first).await.0, StatusCode::OK);
    pod.wait_for("complete").await;
    assert_eq!(pod.status("0").await["batch_id"], "repeat-1");
    assert_eq!(pod.generate(&first).await.0, StatusCode::OK);
    assert_eq!(generator.calls.load(Ordering::SeqCst), 1);
    assert_eq!(pod.generate(&second).await.0, StatusCode::OK);
    pod.wait_for("complete").await;
    assert_eq!(pod.status("0").await["batch_id"], "repeat-2");
    assert_eq!(generator.calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn progress_counts_handled_prompts() {
    let generator = Gated::new(0, 0);
    let pod = Pod::ready(Arc::clone(&generator)).await;
    pod.generate(&batch(&["a", "bad", "c"])).await;
    assert_eq!(
        pod.status("0").await,
        json!({"status": "generating", "progress": 0, "total": 3})
    );
    generator.prompts.add_permits(2);
    pod.wait_for_progress(2).await;
    generator.prompts.add_permits(1);
    pod.wait_for("complete").await;
}

#[tokio::test]
async fn each_stem_ends_in_archive_or_manifest_whatever_happens_to_it() {
    let pod = Pod::ready(Gated::new(0, 100)).await;
    pod.generate(&batch(&["a", "bad", "boom", "huge", "z"]))
        .await;
    pod.wait_for("complete").await;
    let (names, manifest) = pod.archive().await;
    assert_eq!(
        names,
        BTreeSet::from(["a.js".to_owned(), "z.js".to_owned()])
    );
    assert_eq!(manifest["bad"], "no idea what this is");
    assert_eq!(manifest["boom"], "generation crashed: out of memory");
    assert_eq!(
        manifest["huge"],
        "the module has 1048577 bytes, the limit is 1048576"
    );
    assert_eq!(manifest.as_object().unwrap().len(), 3);
}

#[tokio::test]
async fn a_batch_that_is_wrong_in_one_place_changes_nothing() {
    let pod = Pod::ready(Gated::new(0, 100)).await;
    let wrong = [
        batch(&[]),
        batch(&["a", "../etc/passwd"]),
        batch(&["a", "a"]),
        batch(&["a", "_failed"]),
        json!({"prompts": [{"stem": "a"}], "seed": 1}),
        json!({"prompts": [{"stem": "a", "image_url": "u"}], "seed": 1.5}),
        json!([]),
    ];
    for body in wrong {
        let (code, answer) = pod.generate(&body).await;
        assert_eq!(code, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert!(answer["detail"][0]["msg"].is_string());
    }
    assert_eq!(
        pod.get("/status?replacements_remaining=many").await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(pod.status("0").await, json!({"status": "ready"}));
}

#[tokio::test]
async fn a_degraded_pod_asks_for_a_replacement_only_while_there_is_one() {
    let generator = Gated::new(0, 0);
    let pod = Pod::new(Arc::clone(&generator), PodOptions::default());
    pod.service
        .report_degraded(json!({"benchmark": "gpu_health", "all_passed": false}));
    assert_eq!(
        pod.status("1").await["status"],
        "replace",
        "while warming up"
    );
    assert_eq!(pod.status("0").await["status"], "warming_up");
    generator.warm.add_permits(1);
    pod.wait_for("ready").await;
    assert_eq!(pod.status("0").await["payload"]["benchmark"], "gpu_health");

    assert_eq!(pod.status("1").await["status"], "replace");
    let (code, body) = pod.generate(&batch(&["a"])).await;
    assert_eq!(
        (code, &body["current_status"]),
        (StatusCode::CONFLICT, &json!("replace"))
    );
    assert_eq!(pod.status("0").await["status"], "ready");
    assert_eq!(
        pod.generate(&batch(&["a"])).await.0,
        StatusCode::OK,
        "with nothing left it pushes through"
    );
    assert_eq!(
        pod.status("1").await["status"],
        "replace",
        "while generating"
    );

    generator.prompts.add_permits(1);
    pod.wait_for("complete").await;
    assert_eq!(
        pod.status("1").await["status"],
        "complete",
        "results are handed over first"
    );
    pod.archive().await;
    assert_eq!(pod.status("1").await["status"], "replace");
}

#[tokio::test]
async fn a_stopping_pod_finishes_its_batch_hands_it_over_and_takes_no_other() {
    let generator = Gated::new(0, 0);
    let pod = Pod::ready(Arc::clone(&generator)).await;
    pod.generate(&batch(&["a"])).await;
    let service = pod.service.clone();
    let stopped = tokio::spawn(async move { service.stop().await });
    let refused = async {
        while pod.generate(&batch(&["b"])).await.0 != StatusCode::SERVICE_UNAVAILABLE {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), refused)
        .await
        .unwrap();
    generator.prompts.add_permits(1);
    pod.wait_for("complete").await;
    assert!(
        !stopped.is_finished(),
        "the results are still to be downloaded"
    );
    assert_eq!(pod.archive().await.0, BTreeSet::from(["a.js".to_owned()]));
    tokio::time::timeout(Duration::from_secs(20), stopped)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_pod_that_must_stop_never_passes_unfinished_prompts_off_as_failures() {
    let generator = Gated::new(0, 0);
    generator.warm.add_permits(1);
    let pod = Pod::new(
        generator,
        PodOptions {
            drain: Duration::ZERO,
            ..PodOptions::default()
        },
    );
    pod.wait_for("ready").await;
    pod.generate(&batch(&["a"])).await;
    pod.service.stop().await;
    pod.service.inner.tasks.wait().await;
    assert_eq!(pod.status("0").await["status"], "generating");
    assert_eq!(pod.get("/results").await.0, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_pod_served_on_a_socket_ends_when_told() {
    let generator = Gated::new(1, 1);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = PodService::new(generator, PodOptions::default());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(serve_until(listener, service, async move {
        let _ = stopped.await;
    }));
    let answer = reqwest::get(format!("http://{address}/health"))
        .await
        .unwrap();
    assert_eq!(answer.text().await.unwrap(), "{\"status\":\"ok\"}");
    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(20), server)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}
