//! The service does a module's work once for all who need it.

use futures::future::join_all;
use render::{RendererConfig, ServiceConfig};
use serde_json::Value;

use crate::modules::{PATIENCE, cube};
use crate::service::Running;

async fn running(kept_bytes: usize) -> Running {
    let config = ServiceConfig {
        kept_bytes,
        ..ServiceConfig::default()
    };
    Running::start(RendererConfig::default(), config).await
}

async fn how(service: &Running, work: &str, how: &str) -> u64 {
    let name = format!("render_shared_total{{how=\"{how}\",work=\"{work}\"}}");
    service.figure(&name).await
}

#[tokio::test]
async fn the_three_requests_of_a_client_execute_the_module_once() {
    let service = running(64 << 20).await;
    let source = cube("");
    let paths = [
        "/render?thetas=30,330&phis=0,0&img_size=64&lighting=follow&bg_color=ffffff",
        "/render?thetas=30,330&phis=0,0&img_size=64&lighting=follow&bg_color=808080",
        "/render/grid?img_size=64",
    ];
    let answers = join_all(paths.iter().map(|path| service.post(path, &source))).await;
    let mut first = Vec::new();
    for answer in answers {
        assert_eq!(answer.status(), 200);
        first.push(answer.bytes().await.unwrap());
    }
    assert_eq!(how(&service, "document", "made").await, 1);
    assert_eq!(how(&service, "pictures", "made").await, 3);

    // Once more, one after the other, and all twelve views: nothing is executed again.
    for (path, expected) in paths.iter().zip(first) {
        assert_eq!(
            service.post(path, &source).await.bytes().await.unwrap(),
            expected
        );
    }
    assert_eq!(how(&service, "pictures", "kept").await, 3);
    assert_eq!(
        service.post("/views?img_size=32", &source).await.status(),
        200
    );
    assert_eq!(how(&service, "document", "made").await, 1);

    let another = cube("mesh.scale.setScalar(0.9);");
    assert_eq!(service.post(paths[2], &another).await.status(), 200);
    assert_eq!(how(&service, "document", "made").await, 2);
    service.stop().await;
}

#[tokio::test]
async fn views_asked_for_twice_at_once_are_drawn_once_and_each_size_by_itself() {
    let service = running(0).await;
    let source = cube("");
    let ask = || service.post("/views?img_size=64", &source);
    let mut bodies = Vec::new();
    for answer in join_all([ask(), ask(), ask()]).await {
        assert_eq!(answer.status(), 200);
        bodies.push(answer.bytes().await.unwrap());
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    let made = how(&service, "views", "made").await;
    assert_eq!(made + how(&service, "views", "joined").await, 3);
    assert_eq!(made, how(&service, "document", "made").await);
    assert!(
        made < 3,
        "three requests at once were served by {made} drawings"
    );
    service.post("/views?img_size=48", &source).await;
    assert_eq!(how(&service, "views", "made").await, made + 1);
    assert_eq!(
        how(&service, "views", "kept").await,
        0,
        "nothing may be kept"
    );
    service.stop().await;
}

#[tokio::test]
async fn a_verdict_is_kept_only_if_the_machine_has_no_part_in_it() {
    let service = running(64 << 20).await;
    let certain = cube("mesh.scale.setScalar(9);");
    let mut bodies = Vec::new();
    for _ in 0..2 {
        let answer = service.post("/render/grid", &certain).await;
        assert_eq!(answer.status(), 422);
        bodies.push(answer.json::<Value>().await.unwrap());
    }
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(how(&service, "document", "made").await, 1);

    for (source, rule) in [
        ("export default () => { for (;;); };", "TIMEOUT_EXCEEDED"),
        (
            "export default () => { throw new Error('out of memory'); };",
            "EXECUTION_THREW",
        ),
    ] {
        let before = how(&service, "document", "made").await;
        for _ in 0..2 {
            let body: Value = service
                .post("/render/grid", source)
                .await
                .json()
                .await
                .unwrap();
            assert_eq!(body["failures"][0]["rule"], rule);
        }
        assert_eq!(
            how(&service, "document", "made").await,
            before + 2,
            "{rule}"
        );
    }
    service.stop().await;
}

#[tokio::test]
async fn a_caller_who_leaves_takes_the_work_from_nobody() {
    let service = running(0).await;
    let slow = cube("let sum = 0; for (let i = 0; i < 2e8; i++) sum += i; mesh.name = `${sum}`;");
    let ask = || {
        let body = serde_json::json!({ "source": slow });
        let request = service
            .client
            .post(service.url("/render?thetas=0&img_size=32"));
        tokio::spawn(request.json(&body).send())
    };
    let (leaves, stays) = (ask(), ask());
    let both_are_in = async {
        while service.renderer.in_flight() < 2 && !stays.is_finished() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, both_are_in).await.unwrap();
    leaves.abort();
    assert_eq!(stays.await.unwrap().unwrap().status(), 200);
    service.stop().await;
}
