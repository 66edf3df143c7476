//! Our render service over HTTP: `POST /views`.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{ModuleFailure, RenderService, RenderServiceError, RenderedBundle, bundle};
use crate::clients::wire::{Answer, excerpt, exchange, retry_after};
use crate::egress::Egress;

/// Largest answer, in bytes: 13 pictures of a megapixel of noise have about 60 MB.
const MAX_ANSWER_BYTES: usize = 128 << 20;

/// Largest answer to the question for the version, in bytes.
const MAX_VERSION_BYTES: usize = 4096;

/// Wait when the service is busy and names none.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(2);

/// Where the render service is.
#[derive(Debug, Clone)]
pub struct RenderSettings {
    /// `RENDER_URL`.
    pub base_url: Url,
    /// `RENDER_API_KEY`, sent as a bearer token when set.
    pub api_key: Option<SecretString>,
    /// Total deadline of one call. A module may take 5 s to run and its views some more to draw, after a wait in the
    /// service's own queue.
    pub deadline: Duration,
}

/// Our render service.
#[derive(Debug, Clone)]
pub struct HttpRenderService {
    egress: Egress,
    settings: RenderSettings,
}

/// What the service says of itself.
#[derive(Deserialize)]
struct Version {
    renderer_version: String,
}

/// What the service says of a module that broke rules.
#[derive(Deserialize)]
struct Rejection {
    failures: Vec<ModuleFailure>,
}

impl HttpRenderService {
    /// A client of the service at `settings.base_url`.
    pub fn new(egress: Egress, settings: RenderSettings) -> Self {
        Self { egress, settings }
    }

    fn request(&self, method: Method, route: &str, query: Option<&str>) -> RequestBuilder {
        let mut url = self.settings.base_url.clone();
        let path = format!("{}/{route}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.set_query(query);
        let request = self.egress.request(method, &url);
        match &self.settings.api_key {
            Some(key) => request.bearer_auth(key.expose_secret()),
            None => request,
        }
    }
}

#[async_trait]
impl RenderService for HttpRenderService {
    async fn views(
        &self,
        source: &str,
        view_size: u32,
    ) -> Result<RenderedBundle, RenderServiceError> {
        let query = format!("img_size={view_size}");
        let request = self
            .request(Method::POST, "views", Some(&query))
            .json(&json!({ "source": source }));
        let answer = exchange(request, self.settings.deadline, MAX_ANSWER_BYTES)
            .await
            .map_err(RenderServiceError::Unavailable)?;
        match answer.status {
            StatusCode::OK => bundle::read(&answer.body)
                .map_err(|problem| RenderServiceError::BadBundle { problem }),
            StatusCode::UNPROCESSABLE_ENTITY => Err(rejection(&answer)),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                let retry_after = retry_after(&answer.headers).unwrap_or(DEFAULT_RETRY_AFTER);
                Err(RenderServiceError::Busy { retry_after })
            }
            _ => Err(failed(&answer)),
        }
    }

    async fn version(&self) -> Result<String, RenderServiceError> {
        let request = self.request(Method::GET, "version", None);
        let answer = exchange(request, self.settings.deadline, MAX_VERSION_BYTES)
            .await
            .map_err(RenderServiceError::Unavailable)?;
        if answer.status != StatusCode::OK {
            return Err(failed(&answer));
        }
        serde_json::from_slice::<Version>(&answer.body)
            .map(|version| version.renderer_version)
            .map_err(|_| failed(&answer))
    }
}

/// A rejection names at least one broken rule; an answer of that status that does not (a proxy's, say) is no verdict
/// about the module.
fn rejection(answer: &Answer) -> RenderServiceError {
    match serde_json::from_slice::<Rejection>(&answer.body) {
        Ok(rejection) if !rejection.failures.is_empty() => RenderServiceError::Rejected {
            failures: rejection.failures,
        },
        _ => failed(answer),
    }
}

fn failed(answer: &Answer) -> RenderServiceError {
    RenderServiceError::Failed {
        status: answer.status.as_u16(),
        message: excerpt(&answer.body),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::Json;
    use axum::Router;
    use axum::extract::Request;
    use axum::response::IntoResponse;
    use axum::routing::{get, post};
    use reqwest::header::AUTHORIZATION;

    use super::*;
    use crate::clients::testing::{self, Raw, serve, serve_raw, unused_address};

    fn service(base_url: Url) -> HttpRenderService {
        let api_key = Some("word".into());
        let deadline = Duration::from_secs(2);
        HttpRenderService::new(
            testing::egress(),
            RenderSettings {
                base_url,
                api_key,
                deadline,
            },
        )
    }

    async fn answered(status: u16, body: &'static str) -> RenderServiceError {
        let answer = move || async move { (StatusCode::from_u16(status).unwrap(), body) };
        let base = serve(Router::new().route("/views", post(answer))).await;
        service(base).views("module", 64).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_module_becomes_pictures() {
        let picture = testing::png(2, 2, [1, 2, 3]);
        let body = bundle::write(&bundle::of_one_picture(&picture.into())).unwrap();
        let answer = |request: Request| async move {
            assert_eq!(request.uri().query(), Some("img_size=64"));
            assert_eq!(request.headers()[AUTHORIZATION], "Bearer word");
            let sent = axum::body::to_bytes(request.into_body(), 1000)
                .await
                .unwrap();
            let sent: serde_json::Value = serde_json::from_slice(&sent).unwrap();
            assert_eq!(sent, json!({"source": "module"}));
            body.into_response()
        };
        let base = serve(Router::new().route("/render/views", post(answer))).await;
        let bundle = service(base.join("render/").unwrap())
            .views("module", 64)
            .await
            .unwrap();
        assert_eq!(bundle.white.len() + bundle.gray.len(), 12);
    }

    #[tokio::test]
    async fn the_version_is_asked_for() {
        let answer = |text: &'static str| async move {
            let base =
                serve(Router::new().route("/version", get(move || async move { text }))).await;
            service(base).version().await
        };
        assert_eq!(
            answer(r#"{"renderer_version":"a b"}"#).await.unwrap(),
            "a b"
        );
        assert!(answer("{}").await.is_err());
        let older = serve(Router::new()).await;
        assert!(service(older).version().await.is_err());
    }

    #[tokio::test]
    async fn a_rejected_module_comes_with_the_rules_it_broke() {
        let body = r#"{"error":"validation_failed","failures":[
            {"stage":"execution","rule":"TIMEOUT_EXCEEDED","detail":"5000 ms"},{"stage":"render","rule":"X"}]}"#;
        match answered(422, body).await {
            RenderServiceError::Rejected { failures } => {
                assert_eq!(failures[0].rule, "TIMEOUT_EXCEEDED");
                assert_eq!(failures.len(), 2);
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_422_that_names_no_rule_says_nothing_about_the_module() {
        for body in [
            "",
            "<html>",
            "{}",
            r#"{"failures":[]}"#,
            r#"{"failures":[1]}"#,
        ] {
            let error = answered(422, body).await;
            assert!(
                matches!(error, RenderServiceError::Failed { status: 422, .. }),
                "{body}: {error:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_busy_service_says_how_long() {
        let answer = || async {
            (
                StatusCode::SERVICE_UNAVAILABLE,
                [("retry-after", "7")],
                Json(json!({})),
            )
        };
        let base = serve(Router::new().route("/views", post(answer))).await;
        let error = service(base).views("module", 64).await.unwrap_err();
        assert!(
            matches!(error, RenderServiceError::Busy { retry_after } if retry_after.as_secs() == 7)
        );

        let error = answered(503, "").await;
        assert!(
            matches!(error, RenderServiceError::Busy { retry_after } if retry_after == DEFAULT_RETRY_AFTER)
        );
    }

    #[tokio::test]
    async fn other_statuses_are_our_failure() {
        for status in [302, 400, 401, 404, 413, 500, 502] {
            let error = answered(status, "why").await;
            match error {
                RenderServiceError::Failed {
                    status: told,
                    message,
                } => {
                    assert_eq!((told, message.as_str()), (status, "why"));
                }
                other => panic!("{status}: {other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn garbage_silence_and_absence_are_our_failure() {
        assert!(matches!(
            answered(200, "garbage").await,
            RenderServiceError::BadBundle { .. }
        ));
        for base in [
            serve_raw(Raw::Silent).await,
            serve_raw(Raw::Then(
                b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nabc",
            ))
            .await,
            unused_address().await,
        ] {
            let error = service(base).views("module", 64).await.unwrap_err();
            assert!(
                matches!(error, RenderServiceError::Unavailable(_)),
                "{error:?}"
            );
        }
    }
}
