#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::*;
use crate::clients::testing::{self, Raw, serve, serve_raw, unused_address};

const MANIFEST: &str = r#"{"schemaVersion":2,"layers":[]}"#;
const DIGEST: &str = "sha256:8a1ee0e4e4a53a5d6a5f0dfe0a4dc4a3ab1d9f0f4a1a8b6f8ab4b4e3e7d3bb35";

fn digest() -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(MANIFEST)))
}

async fn ask(base: Url, path: &str) -> Result<String, RegistryError> {
    let settings = RegistrySettings {
        deadline: Duration::from_millis(500),
    };
    let registry = HttpRegistry::new(testing::egress(), settings);
    let image = format!("127.0.0.1:{}/{path}", base.port().unwrap());
    registry.digest(&image).await
}

async fn answered(
    answer: impl IntoResponse + Clone + Send + Sync + 'static,
) -> Result<String, RegistryError> {
    let base = serve(Router::new().fallback(move || async move { answer })).await;
    ask(base, "a/b:tag").await
}

#[tokio::test]
async fn the_digest_is_that_of_the_bytes_that_came() {
    let manifest = |headers: HeaderMap| async move {
        let accepts = headers["accept"].to_str().unwrap().to_owned();
        assert!(
            accepts.contains("oci.image.index") && accepts.contains("manifest.v2"),
            "{accepts}"
        );
        assert!(!headers.contains_key("authorization"));
        ([("docker-content-digest", digest())], MANIFEST)
    };
    let router = Router::new().route("/v2/a/b/manifests/tag", get(manifest));
    assert_eq!(ask(serve(router).await, "a/b:tag").await.unwrap(), digest());
    // A registry need not send the header.
    assert_eq!(answered(MANIFEST).await.unwrap(), digest());
    let other_algorithm = [("docker-content-digest", "sha512:12")];
    assert_eq!(
        answered((other_algorithm, MANIFEST)).await.unwrap(),
        digest()
    );
}

#[tokio::test]
async fn a_manifest_that_is_not_what_it_claims_to_be_is_refused() {
    let lying = [("docker-content-digest", DIGEST)];
    let error = answered((lying, MANIFEST)).await.unwrap_err();
    assert!(
        error.to_string().contains(DIGEST) && error.is_passing(),
        "{error}"
    );

    let base = serve(Router::new().fallback(|| async { MANIFEST })).await;
    let error = ask(base, &format!("a/b@{DIGEST}")).await.unwrap_err();
    assert!(
        matches!(error, RegistryError::Malformed { .. }),
        "{error:?}"
    );

    for body in ["", "<html>welcome</html>", "[]", r#"{"schemaVersion":1}"#] {
        let error = answered(body).await.unwrap_err();
        assert!(
            matches!(error, RegistryError::Malformed { .. }),
            "{body}: {error:?}"
        );
    }
}

/// Wants a token for the repository; counts how often the manifest was asked for.
async fn guarded(asked: &Arc<AtomicUsize>, token: &'static str) -> Url {
    async fn manifest(
        State((asked, token)): State<(Arc<AtomicUsize>, &'static str)>,
        headers: HeaderMap,
    ) -> Response {
        asked.fetch_add(1, Ordering::SeqCst);
        let given = headers
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        if given == Some(&format!("Bearer {token}")) {
            return MANIFEST.into_response();
        }
        let host = headers["host"].to_str().unwrap();
        let challenge = format!(
            r#"Bearer realm="http://{host}/token",service="here",scope="repository:a/b:pull""#
        );
        (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]).into_response()
    }
    async fn give(Query(query): Query<std::collections::HashMap<String, String>>) -> String {
        assert_eq!(query["service"], "here");
        assert_eq!(query["scope"], "repository:a/b:pull");
        r#"{"token":"word","expires_in":300}"#.to_owned()
    }
    let router = Router::new()
        .route("/v2/a/b/manifests/tag", get(manifest))
        .route("/token", get(give))
        .with_state((asked.clone(), token));
    serve(router).await
}

#[tokio::test]
async fn a_token_is_fetched_from_where_the_registry_says() {
    let asked = Arc::new(AtomicUsize::new(0));
    assert_eq!(
        ask(guarded(&asked, "word").await, "a/b:tag").await.unwrap(),
        digest()
    );
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_registry_that_takes_no_token_of_its_own_is_asked_twice_and_not_for_ever() {
    let asked = Arc::new(AtomicUsize::new(0));
    let error = ask(guarded(&asked, "another").await, "a/b:tag")
        .await
        .unwrap_err();
    assert!(
        matches!(error, RegistryError::Refused { status: 401, .. }),
        "{error:?}"
    );
    assert!(!error.is_passing());
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn refusals_absences_and_failures_are_told_apart() {
    let password = [("www-authenticate", "Basic realm=\"here\"")];
    let error = answered((StatusCode::UNAUTHORIZED, password))
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::Refused { .. }), "{error:?}");
    let error = answered(StatusCode::NOT_FOUND).await.unwrap_err();
    assert!(
        matches!(error, RegistryError::NotFound { .. }) && error.is_passing(),
        "{error:?}"
    );
    let error = answered((StatusCode::TOO_MANY_REQUESTS, [("retry-after", "7")]))
        .await
        .unwrap_err();
    assert!(
        matches!(error, RegistryError::RateLimited { retry_after, .. } if retry_after.as_secs() == 7),
        "{error:?}"
    );
    let error = answered((StatusCode::BAD_GATEWAY, "<h1>no</h1>"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, RegistryError::Status { status: 502, .. }),
        "{error:?}"
    );
    // Redirects are followed by nobody.
    let error = answered((StatusCode::FOUND, [("location", "http://127.0.0.1:1/")]))
        .await
        .unwrap_err();
    assert!(
        matches!(error, RegistryError::Status { status: 302, .. }),
        "{error:?}"
    );
    for base in [unused_address().await, serve_raw(Raw::Silent).await] {
        let error = ask(base, "a/b:tag").await.unwrap_err();
        assert!(
            matches!(error, RegistryError::Unreachable { .. }),
            "{error:?}"
        );
    }
    let error = answered(vec![b' '; MAX_MANIFEST_BYTES + 1])
        .await
        .unwrap_err();
    assert!(
        matches!(error, RegistryError::Unreachable { .. }),
        "{error:?}"
    );
}

#[test]
fn a_token_that_is_no_word_is_none() {
    let word =
        |body: &str| read_token(body.as_bytes()).map(|token| token.expose_secret().to_owned());
    assert_eq!(
        word(r#"{"access_token":"a.b-c"}"#).as_deref(),
        Some("a.b-c")
    );
    assert_eq!(
        word(r#"{"token":"t","access_token":"a"}"#).as_deref(),
        Some("t")
    );
    for body in [
        "",
        "{}",
        r#"{"token":""}"#,
        r#"{"token":"a\nb"}"#,
        r#"{"token":7}"#,
    ] {
        assert_eq!(word(body), None, "{body}");
    }
}
