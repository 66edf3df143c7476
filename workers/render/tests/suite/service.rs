//! The HTTP service, over a real socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use render::{Renderer, RendererConfig, ServiceConfig};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::modules::{PATIENCE, cube};

/// The service on a port of its own, and a client.
pub struct Running {
    address: SocketAddr,
    pub client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
    pub renderer: Arc<Renderer>,
}

impl Running {
    pub async fn start(config: RendererConfig, service: ServiceConfig) -> Self {
        let renderer = Arc::new(Renderer::launch(config).await.unwrap());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(render::serve_with(
            listener,
            renderer.clone(),
            service,
            async move {
                let _ = stopped.await;
            },
        ));
        Self {
            address,
            client: reqwest::Client::builder()
                .timeout(PATIENCE)
                .build()
                .unwrap(),
            stop: Some(stop),
            served,
            renderer,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn post(&self, path: &str, source: &str) -> reqwest::Response {
        self.client
            .post(self.url(path))
            .json(&json!({ "source": source }))
            .send()
            .await
            .unwrap()
    }

    /// The figure whose name and labels are `name`; 0 if it is not there yet.
    pub async fn figure(&self, name: &str) -> u64 {
        let text = self.client.get(self.url("/metrics")).send().await.unwrap();
        let text = text.text().await.unwrap();
        let value = |line: &str| line.strip_prefix(name)?.trim().parse().ok();
        text.lines().find_map(value).unwrap_or(0)
    }

    pub async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        tokio::time::timeout(PATIENCE, self.served)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        self.renderer.shut_down().await;
    }
}

fn size_of(png: &[u8]) -> (u32, u32) {
    let picture = image::load_from_memory(png).unwrap();
    (picture.width(), picture.height())
}

#[tokio::test]
async fn the_routes_of_the_existing_service_answer_as_they_did() {
    let service = Running::start(RendererConfig::default(), ServiceConfig::default()).await;

    let health = service
        .client
        .get(service.url("/health"))
        .send()
        .await
        .unwrap();
    assert_eq!(health.status(), 200);
    assert_eq!(
        health.json::<Value>().await.unwrap(),
        json!({ "status": "ok" })
    );
    let ping = service
        .client
        .get(service.url("/ping"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (ping.status().as_u16(), ping.text().await.unwrap()),
        (200, String::new())
    );
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/render"),
        ("POST", "/health"),
        ("POST", "/elsewhere"),
    ] {
        let answer = service
            .client
            .request(method.parse().unwrap(), service.url(path))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 404, "{method} {path}");
        assert_eq!(
            answer.json::<Value>().await.unwrap(),
            json!({ "error": "not found" })
        );
    }

    let one = service
        .post(
            "/render?thetas=30&phis=0&img_size=128&lighting=follow&bg_color=ffffff",
            &cube(""),
        )
        .await;
    assert_eq!(one.status(), 200);
    assert_eq!(one.headers()["content-type"], "image/png");
    assert!(one.headers().contains_key("content-length"));
    assert_eq!(size_of(&one.bytes().await.unwrap()), (128, 128));

    let several = service
        .post("/render?thetas=30,330&phis=0,15&img_size=64", &cube(""))
        .await;
    let several: Value = several.json().await.unwrap();
    assert_eq!(
        (several["count"].as_u64(), several["img_size"].as_u64()),
        (Some(2), Some(64))
    );
    for image in several["images"].as_array().unwrap() {
        let png = base64::engine::general_purpose::STANDARD
            .decode(image.as_str().unwrap())
            .unwrap();
        assert_eq!(size_of(&png), (64, 64));
    }

    let grid = service.post("/render/grid", &cube("")).await;
    assert_eq!(grid.headers()["content-type"], "image/png");
    assert_eq!(size_of(&grid.bytes().await.unwrap()), (1041, 1041));
    service.stop().await;
}

#[tokio::test]
async fn views_returns_everything_about_a_module_in_one_archive() {
    let service = Running::start(RendererConfig::default(), ServiceConfig::default()).await;
    let answer = service.post("/views?img_size=96", &cube("")).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/x-tar");
    let bytes = answer.bytes().await.unwrap();
    let mut archive = tar::Archive::new(bytes.as_ref());
    let mut names = Vec::new();
    let mut metadata = Value::Null;
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
        match name.as_str() {
            "metadata.json" => metadata = serde_json::from_slice(&content).unwrap(),
            "grid.png" => assert_eq!(size_of(&content), (1041, 1041)),
            _ => assert_eq!(size_of(&content), (96, 96)),
        }
        names.push(name);
    }
    assert_eq!(
        names,
        [
            "white/front_left.png",
            "white/front_right.png",
            "white/front_below.png",
            "white/front_above.png",
            "white/right.png",
            "white/back.png",
            "white/left.png",
            "white/top_down.png",
            "gray/front_left.png",
            "gray/front_right.png",
            "gray/front_below.png",
            "gray/front_above.png",
            "grid.png",
            "metadata.json"
        ]
    );
    assert_eq!(metadata["metrics"]["vertices"], 24);
    assert_eq!(metadata["metrics"]["maxDepth"], 1);
    assert_eq!(metadata["metrics"]["depth"], 1);
    let version = reqwest::get(service.url("/version")).await.unwrap();
    let version: Value = version.json().await.unwrap();
    assert_eq!(metadata["renderer_version"], version["renderer_version"]);
    let version = version["renderer_version"].as_str().unwrap();
    assert!(version.starts_with(render::RENDERER_VERSION), "{version}");
    assert!(version.contains(" graphics/software "), "{version}");
    assert!(version.contains("Chrom"), "{version}");
    assert_eq!(metadata["document_sha256"].as_str().unwrap().len(), 64);
    service.stop().await;
}

#[tokio::test]
async fn rejected_modules_and_wrong_requests_are_told_apart() {
    let service = Running::start(RendererConfig::default(), ServiceConfig::default()).await;
    for path in ["/views", "/render", "/render/grid"] {
        let answer = service.post(path, "export default () => fetch;").await;
        assert_eq!(answer.status(), 422, "{path}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"], "validation_failed");
        assert_eq!(body["failures"][0]["stage"], "static_analysis");
        assert_eq!(body["failures"][0]["rule"], "FORBIDDEN_IDENTIFIER");
        assert!(body.get("metrics").is_none(), "nothing was measured");

        let answer = service.post(path, &cube("mesh.scale.setScalar(9);")).await;
        assert_eq!(answer.status(), 422, "{path}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"], "post_validation_failed");
        assert_eq!(body["failures"][0]["rule"], "BOUNDING_BOX_OUT_OF_RANGE");
        assert_eq!(body["metrics"]["vertices"], 24);

        let answer = service
            .post(path, "export default () => { throw new Error('no'); };")
            .await;
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["failures"][0]["stage"], "execution");
        assert_eq!(body.get("metrics"), Some(&Value::Null));

        for body in [
            "not json",
            "{}",
            "{\"source\": \"\"}",
            "{\"source\": 5}",
            "[]",
            "{\"url\": \"https://example.org/a.js\"}",
        ] {
            let answer = service
                .client
                .post(service.url(path))
                .body(body)
                .send()
                .await
                .unwrap();
            let status = answer.status().as_u16();
            assert!((400..422).contains(&status), "{path} {body}: {status}");
            assert!(answer.json::<Value>().await.unwrap()["error"].is_string());
        }
        let answer = service
            .post(&format!("{path}?img_size=999999"), &cube(""))
            .await;
        assert_eq!(answer.status(), 400, "{path}");
        let huge = format!("{{\"source\": \"{}\"}}", "x".repeat(9 << 20));
        let answer = service
            .client
            .post(service.url(path))
            .body(huge)
            .send()
            .await;
        // The connection may be closed before the answer is read: most of the body was never taken.
        if let Ok(answer) = answer {
            assert_eq!(answer.status(), 413, "{path}");
            assert!(answer.json::<Value>().await.unwrap()["error"].is_string());
        }
    }
    let figures = service
        .client
        .get(service.url("/metrics"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(figures.contains("render_rejections_total{rule=\"BOUNDING_BOX_OUT_OF_RANGE\",stage=\"post_validation\"} 3"), "{figures}");
    assert!(
        figures.contains("render_requests_total{route=\"views\",status=\"422\"} 3"),
        "{figures}"
    );
    assert!(
        figures.contains("render_browser_starts{browser=\"execute\"} 1"),
        "{figures}"
    );
    service.stop().await;
}

#[tokio::test]
async fn a_module_named_by_url_is_fetched_from_named_hosts_only() {
    let files = axum::Router::new().route("/cube.js", axum::routing::get(|| async { cube("") }));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, files).await });
    let config = ServiceConfig {
        url_hosts: vec!["localhost".to_owned()],
        allow_private_hosts: true,
        ..ServiceConfig::default()
    };
    let service = Running::start(RendererConfig::default(), config).await;
    for (url, status) in [
        (format!("http://localhost:{port}/cube.js"), 200),
        (format!("http://localhost:{port}/missing.js"), 424),
        (format!("http://127.0.0.1:{port}/cube.js"), 403),
    ] {
        let body = json!({ "url": url });
        let answer = service
            .client
            .post(service.url("/render?thetas=0&img_size=32"))
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status, "{url}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back_and_callers_who_leave_free_their_place() {
    // Longer than any test: only a caller's leaving ends an endless module.
    let config = RendererConfig {
        pages: 1,
        queue: 1,
        module_time_limit: 10 * PATIENCE,
        ..RendererConfig::default()
    };
    let service = Running::start(config, ServiceConfig::default()).await;
    let endless = "export default () => { for (;;); };";
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let request = service
                .client
                .post(service.url("/render?img_size=32"))
                .json(&json!({ "source": endless }));
            tokio::spawn(request.send())
        })
        .collect();
    let full = async {
        while service.renderer.in_flight() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, full).await.unwrap();
    let refused = service.post("/render?img_size=32", &cube("")).await;
    assert_eq!(refused.status(), 503);
    assert!(
        refused.headers()["retry-after"]
            .to_str()
            .unwrap()
            .parse::<u64>()
            .unwrap()
            >= 1
    );
    let ping = service
        .client
        .get(service.url("/ping"))
        .send()
        .await
        .unwrap();
    assert_eq!(ping.status(), 204, "not ready for another module");

    for request in waiting {
        request.abort();
    }
    let empty = async {
        while service.renderer.in_flight() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, empty)
        .await
        .expect("who leaves is forgotten");
    assert_eq!(
        service
            .post("/render?thetas=0&img_size=32", &cube(""))
            .await
            .status(),
        200
    );
    service.stop().await;
}

#[tokio::test]
async fn a_stop_lets_running_modules_finish_and_takes_no_new_ones() {
    let mut service = Running::start(RendererConfig::default(), ServiceConfig::default()).await;
    let request = service
        .client
        .post(service.url("/render?thetas=0&img_size=64"))
        .json(&json!({ "source": cube("") }));
    let running = tokio::spawn(request.send());
    let started = async {
        while service.renderer.in_flight() < 1 && !running.is_finished() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, started).await.unwrap();
    service.stop.take().unwrap().send(()).unwrap();
    assert_eq!(running.await.unwrap().unwrap().status(), 200);
    tokio::time::timeout(PATIENCE, service.served)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let fresh = reqwest::Client::new();
    assert!(
        fresh
            .get(format!("http://{}/health", service.address))
            .send()
            .await
            .is_err()
    );
    service.renderer.shut_down().await;
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_ours_to_answer_for() {
    let config = ServiceConfig {
        request_timeout: Duration::from_millis(300),
        ..ServiceConfig::default()
    };
    let service = Running::start(RendererConfig::default(), config).await;
    let answer = service
        .post(
            "/render?thetas=0&img_size=32",
            "export default () => { for (;;); };",
        )
        .await;
    assert_eq!(answer.status(), 504);
    service.stop().await;
}
