#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{Response, StatusCode, Uri};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::clients::testing::{self, Raw, serve, serve_raw, unused_address};

fn settings() -> CdnSettings {
    CdnSettings {
        pause: Duration::ZERO,
        deadline: Duration::from_secs(5),
        ..CdnSettings::default()
    }
}

/// A source for which `world` is every host.
fn source(world: Url, settings: CdnSettings) -> HttpModuleSource {
    HttpModuleSource::new(Egress::new(&[("*".to_owned(), world)]).unwrap(), settings)
}

async fn fetch_from(router: Router) -> Result<Fetched, FetchError> {
    source(serve(router).await, settings())
        .fetch("https://cdn.example/round", "stem-1")
        .await
}

fn reason(result: Result<Fetched, FetchError>) -> String {
    match result {
        Err(FetchError::TheirFault { reason }) => reason,
        other => panic!("expected the miner's fault, got {other:?}"),
    }
}

fn is_ours(result: &Result<Fetched, FetchError>) -> bool {
    matches!(result, Err(FetchError::Ours { .. }))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn encoded(encoding: &'static str, body: Vec<u8>) -> Router {
    Router::new().fallback(move || async move {
        Response::builder()
            .header(CONTENT_ENCODING, encoding)
            .body(Body::from(body))
            .unwrap()
    })
}

#[tokio::test]
async fn a_module_comes_with_its_hash_and_the_servers_validators() {
    let router = Router::new().fallback(|uri: Uri| async move {
        assert_eq!(uri.path(), "/hosts/cdn.example/round/stem-1.js");
        ([(ETAG, "\"v1\""), (LAST_MODIFIED, "yesterday")], "module")
    });
    let fetched = fetch_from(router).await.unwrap();
    assert_eq!(&*fetched.bytes, b"module");
    assert_eq!(fetched.sha256, hex::encode(Sha256::digest(b"module")));
    assert_eq!(fetched.etag.as_deref(), Some("\"v1\""));
    assert_eq!(fetched.last_modified.as_deref(), Some("yesterday"));
}

#[tokio::test]
async fn an_empty_module_is_delivered() {
    let fetched = fetch_from(Router::new().fallback(|| async { "" }))
        .await
        .unwrap();
    assert!(fetched.bytes.is_empty());
}

#[tokio::test]
async fn a_module_of_exactly_the_limit_passes_and_one_byte_more_is_too_large() {
    let exact = Router::new().fallback(|| async { vec![b' '; MAX_MODULE_BYTES] });
    assert_eq!(
        fetch_from(exact).await.unwrap().bytes.len(),
        MAX_MODULE_BYTES
    );

    let above = Router::new().fallback(|| async { vec![b' '; MAX_MODULE_BYTES + 1] });
    assert_eq!(reason(fetch_from(above).await), "js_too_large");

    let streamed = Router::new().fallback(|| async {
        Body::from_stream(futures::stream::repeat_with(|| {
            Ok::<_, std::io::Error>(vec![0_u8; 4096])
        }))
    });
    assert_eq!(reason(fetch_from(streamed).await), "js_too_large");
}

#[tokio::test]
async fn a_body_compressed_without_being_asked_is_read_within_the_limit() {
    let fetched = fetch_from(encoded("gzip", gzip(b"module"))).await.unwrap();
    assert_eq!(&*fetched.bytes, b"module");

    let bomb = gzip(&vec![0_u8; MAX_MODULE_BYTES + 1]);
    assert_eq!(
        reason(fetch_from(encoded("gzip", bomb)).await),
        "js_too_large"
    );

    let damaged = fetch_from(encoded("gzip", b"not gzip".to_vec())).await;
    assert_eq!(reason(damaged), "js_fetch_failed: DecodingError");
    let unknown = fetch_from(encoded("br", b"x".to_vec())).await;
    assert_eq!(reason(unknown), "js_fetch_failed: DecodingError");
}

#[tokio::test]
async fn every_error_status_is_tried_twice_and_then_named() {
    for status in [302, 403, 404, 429, 500, 503] {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let router = Router::new().fallback(move || async move {
            counted.fetch_add(1, Ordering::SeqCst);
            StatusCode::from_u16(status).unwrap()
        });
        assert_eq!(
            reason(fetch_from(router).await),
            format!("js_fetch_failed: HTTP {status}")
        );
        assert_eq!(count.load(Ordering::SeqCst), 2, "{status}");
    }
}

#[tokio::test]
async fn a_second_try_can_succeed() {
    let count = Arc::new(AtomicUsize::new(0));
    let router = Router::new().fallback(move || async move {
        if count.fetch_add(1, Ordering::SeqCst) == 0 {
            Err(StatusCode::BAD_GATEWAY)
        } else {
            Ok("late")
        }
    });
    assert_eq!(&*fetch_from(router).await.unwrap().bytes, b"late");
}

#[tokio::test]
async fn a_cut_or_silent_answer_is_the_miners_fault_and_named_by_its_class() {
    let cut = serve_raw(Raw::Then(
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nabc",
    ))
    .await;
    let result = source(cut, settings())
        .fetch("https://cdn.example", "a")
        .await;
    assert_eq!(reason(result), "js_fetch_failed: ReadError");

    let silent = serve_raw(Raw::Silent).await;
    let hurried = CdnSettings {
        deadline: Duration::from_millis(100),
        ..settings()
    };
    let result = source(silent, hurried)
        .fetch("https://cdn.example", "a")
        .await;
    assert_eq!(reason(result), "js_fetch_failed: ReadTimeout");
}

#[tokio::test]
async fn a_refused_connection_is_ours_when_the_rehearsal_host_is_down() {
    let nobody = unused_address().await;
    let result = source(nobody, settings())
        .fetch("https://cdn.example", "a")
        .await;
    assert!(is_ours(&result), "{result:?}");
}

#[tokio::test]
async fn a_broken_connection_is_ours_while_our_control_address_is_silent_too() {
    let cut = serve_raw(Raw::Then(b"")).await;
    let dead = CdnSettings {
        control: Some(unused_address().await),
        ..settings()
    };
    let egress = Egress::new(&[("https://cdn.example".to_owned(), cut.clone())]).unwrap();
    let result = HttpModuleSource::new(egress.clone(), dead)
        .fetch("https://cdn.example", "a")
        .await;
    assert!(is_ours(&result), "{result:?}");

    let alive = serve(Router::new().fallback(|| async { StatusCode::NOT_FOUND })).await;
    let working = CdnSettings {
        control: Some(alive),
        ..settings()
    };
    let result = HttpModuleSource::new(egress, working)
        .fetch("https://cdn.example", "a")
        .await;
    assert_eq!(reason(result), "js_fetch_failed: RemoteProtocolError");
}

#[tokio::test]
async fn an_address_that_is_not_allowed_is_the_miners_fault() {
    let source = HttpModuleSource::new(testing::egress(), settings());
    let cases = [
        ("http://127.0.0.1:8080/a", "AddressNotAllowed"),
        ("http://localhost:8080/a", "AddressNotAllowed"),
        ("https://cdn.example/a?x=", "URLNotAllowed"),
        ("https://cdn.example/a#", "URLNotAllowed"),
        ("ftp://cdn.example/a", "UnsupportedProtocol"),
        ("cdn.example/a", "InvalidURL"),
    ];
    for (cdn_url, class) in cases {
        let result = source.fetch(cdn_url, "a").await;
        assert_eq!(
            reason(result),
            format!("js_fetch_failed: {class}"),
            "{cdn_url}"
        );
    }
}

#[test]
fn the_stem_stays_one_segment_of_the_path() {
    let of = |cdn: &str, stem: &str| module_url(cdn, stem).unwrap().to_string();
    assert_eq!(of("https://x.y/a/b///", "c"), "https://x.y/a/b/c.js");
    assert_eq!(of("https://x.y/", "c"), "https://x.y/c.js");
    assert_eq!(
        of("https://x.y/a", "../../k?# %2e"),
        "https://x.y/a/..%2F..%2Fk%3F%23%20%2e.js"
    );
    assert_eq!(module_url("x.y/a", "c"), None);
}
