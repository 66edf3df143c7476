#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::Uri;
use axum::routing::{get, post};
use serde_json::Value;

use super::*;
use crate::clients::pod::archive::tests::zip;
use crate::clients::pod::{PodState, StemResult};
use crate::clients::testing::{self, Raw, serve, serve_raw, unused_address};

fn pods() -> HttpPods {
    let settings = PodSettings {
        poll_deadline: Duration::from_millis(500),
        generate_deadline: Duration::from_millis(500),
        results_deadline: Duration::from_secs(5),
        pauses: vec![Duration::ZERO; 4],
        archive: ArchiveLimits {
            zip_bytes: 1 << 20,
            ..ArchiveLimits::default()
        },
    };
    HttpPods::new(testing::egress(), settings)
}

fn at(url: Url) -> PodAddress {
    PodAddress { url, token: None }
}

fn prompts() -> Vec<PodPrompt> {
    vec![PodPrompt {
        stem: "a-1".to_owned(),
        image_url: "https://x.y/a-1.png".to_owned(),
    }]
}

/// A pod that answers everything alike, and a count of how often it was asked.
async fn stubborn(status: u16, body: &'static str) -> (PodAddress, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let answer = move || async move {
        counted.fetch_add(1, Ordering::SeqCst);
        (StatusCode::from_u16(status).unwrap(), body)
    };
    (at(serve(Router::new().fallback(answer)).await), count)
}

#[tokio::test]
async fn a_batch_goes_through() {
    let archive = zip(&[("a-1.js", b"module")]);
    let router = Router::new()
        .route("/base/health", get(|| async { "whatever" }))
        .route("/base/status", get(|uri: Uri| async move {
            assert_eq!(uri.query(), Some("replacements_remaining=3"));
            r#"{"status":"complete"}"#
        }))
        .route("/base/generate", post(|request: Request| async move {
            assert_eq!(request.headers()["authorization"], "Bearer word");
            let body = axum::body::to_bytes(request.into_body(), 10_000).await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let expected = json!({"prompts": [{"stem": "a-1", "image_url": "https://x.y/a-1.png"}], "seed": 3_693_682_031_u64});
            assert_eq!(body, expected);
            r#"{"accepted":1}"#
        }))
        .route("/base/results", get(|| async move { archive }));
    let url = serve(router).await.join("base/").unwrap();
    let pod = PodAddress {
        url,
        token: Some("word".into()),
    };
    let pods = pods();

    pods.health(&pod).await.unwrap();
    assert_eq!(
        pods.status(&pod, 3).await.unwrap().state,
        PodState::Complete
    );
    pods.generate(&pod, &prompts(), 3_693_682_031)
        .await
        .unwrap();
    let results = pods.results(&pod).await.unwrap();
    assert_eq!(
        results.of("a-1"),
        StemResult::Module(Bytes::from_static(b"module"))
    );
}

#[tokio::test]
async fn statuses_that_may_pass_are_tried_five_times() {
    for status in [400, 429, 430, 500, 503] {
        let (pod, count) = stubborn(status, "").await;
        assert!(
            pods()
                .generate(&pod, &prompts(), 1)
                .await
                .unwrap_err()
                .is_retryable(),
            "{status}"
        );
        assert_eq!(count.swap(0, Ordering::SeqCst), 5, "{status}");
        assert!(pods().results(&pod).await.is_err());
        assert_eq!(count.load(Ordering::SeqCst), 5, "{status}");
    }
}

#[tokio::test]
async fn other_statuses_fail_at_once() {
    for status in [201, 202, 302, 401, 404, 422] {
        let (pod, count) = stubborn(status, "why").await;
        let error = pods().generate(&pod, &prompts(), 1).await.unwrap_err();
        assert!(
            matches!(&error, PodError::Status { message, .. } if message == "why"),
            "{status}: {error:?}"
        );
        assert_eq!(count.load(Ordering::SeqCst), 1, "{status}");
    }
}

#[tokio::test]
async fn a_conflict_names_the_pods_state_whatever_its_body() {
    let (pod, count) = stubborn(
        409,
        r#"{"detail":"Cannot accept batch","current_status":"warming_up"}"#,
    )
    .await;
    let error = pods().generate(&pod, &prompts(), 1).await.unwrap_err();
    assert!(
        matches!(
            error,
            PodError::Conflict {
                current: Some(PodState::WarmingUp),
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(count.load(Ordering::SeqCst), 1);

    let (pod, _) = stubborn(409, "[[1]]").await;
    let error = pods().results(&pod).await.unwrap_err();
    assert!(
        matches!(error, PodError::Conflict { current: None, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_status_that_is_no_status_is_a_failed_poll() {
    for body in ["", "[]", "null", r#"{"status":"dancing"}"#, "<html>"] {
        let (pod, _) = stubborn(200, body).await;
        let error = pods().status(&pod, 3).await.unwrap_err();
        assert!(
            matches!(error, PodError::BadStatus { .. }),
            "{body}: {error:?}"
        );
    }
    let (pod, _) = stubborn(500, "").await;
    assert!(matches!(
        pods().status(&pod, 3).await,
        Err(PodError::Status { status: 500, .. })
    ));
    assert!(pods().health(&pod).await.is_err());
}

#[tokio::test]
async fn an_endless_status_or_archive_is_cut_at_its_limit() {
    let endless = || async {
        Body::from_stream(futures::stream::repeat_with(|| {
            Ok::<_, std::io::Error>(vec![b' '; 65_536])
        }))
    };
    let pod = at(serve(Router::new().fallback(endless)).await);
    let error = pods().status(&pod, 3).await.unwrap_err();
    assert!(
        matches!(
            error,
            PodError::Unreachable {
                source: ExchangeError::TooLarge { .. },
                ..
            }
        ),
        "{error:?}"
    );
    assert!(!error.is_retryable());
    let error = pods().results(&pod).await.unwrap_err();
    assert!(
        matches!(error, PodError::BadArchive(ArchiveError::TooLarge { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_download_that_broke_is_tried_again_and_a_bad_archive_is_not() {
    let archive = zip(&[("a-1.js", b"module")]);
    let count = Arc::new(AtomicUsize::new(0));
    let broken = move || async move {
        if count.fetch_add(1, Ordering::SeqCst) == 0 {
            let cut = futures::stream::iter([
                Ok(archive[..10].to_vec()),
                Err(std::io::Error::other("cut")),
            ]);
            Body::from_stream(cut)
        } else {
            Body::from(archive)
        }
    };
    let pod = at(serve(Router::new().fallback(broken)).await);
    assert_eq!(pods().results(&pod).await.unwrap().modules.len(), 1);

    let (pod, count) = stubborn(200, "garbage").await;
    let error = pods().results(&pod).await.unwrap_err();
    assert!(
        matches!(error, PodError::BadArchive(ArchiveError::NotAZip { .. })),
        "{error:?}"
    );
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_silent_or_absent_pod_is_unreachable() {
    for url in [serve_raw(Raw::Silent).await, unused_address().await] {
        let error = pods().status(&at(url), 3).await.unwrap_err();
        assert!(
            matches!(error, PodError::Unreachable { .. }) && error.is_retryable(),
            "{error:?}"
        );
    }
}
