//! Chat completions over HTTP, as vLLM serves them.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::{Part, Vlm, VlmError, VlmRequest};
use crate::clients::wire::{ExchangeError, excerpt, exchange, retry_after};
use crate::egress::Egress;

/// Largest answer, in bytes. The longest answer has 1,024 tokens.
const MAX_ANSWER_BYTES: usize = 4 << 20;

/// Where the model is.
#[derive(Debug, Clone)]
pub struct VlmSettings {
    /// `OPENAI_BASE_URL`; a stock vLLM needs one that ends in `/v1`.
    pub base_url: Url,
    /// `OPENAI_API_KEY`.
    pub api_key: SecretString,
    /// `OPENAI_TIMEOUT`: total deadline of one request.
    pub deadline: Duration,
}

/// An OpenAI-compatible server.
#[derive(Debug, Clone)]
pub struct HttpVlm {
    egress: Egress,
    url: Url,
    settings: VlmSettings,
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
}

impl HttpVlm {
    /// A client of the server at `settings.base_url`.
    pub fn new(egress: Egress, settings: VlmSettings) -> Self {
        let mut url = settings.base_url.clone();
        let path = format!("{}/chat/completions", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Self {
            egress,
            url,
            settings,
        }
    }

    /// The request body: these keys and no others, so that two implementations ask the model the same.
    fn body(call: &VlmRequest) -> Value {
        let parts: Vec<Value> = call
            .parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => json!({"type": "text", "text": text}),
                Part::Image(url) => json!({"type": "image_url", "image_url": {"url": url}}),
            })
            .collect();
        json!({
            "model": call.model,
            "messages": [
                {"role": "system", "content": call.system},
                {"role": "user", "content": parts},
            ],
            "temperature": call.temperature,
            "max_tokens": call.max_tokens,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": format!("{}-response", call.label), "schema": call.schema},
            },
            "seed": call.seed,
        })
    }
}

#[async_trait]
impl Vlm for HttpVlm {
    async fn complete(&self, call: &VlmRequest) -> Result<String, VlmError> {
        let deadline = self.settings.deadline;
        let request = self
            .egress
            .request(Method::POST, &self.url)
            .bearer_auth(self.settings.api_key.expose_secret())
            .json(&Self::body(call));
        let answer = exchange(request, deadline, MAX_ANSWER_BYTES)
            .await
            .map_err(|error| match error {
                ExchangeError::Transport(error) if error.class.is_timeout() => {
                    VlmError::Timeout { deadline }
                }
                other => VlmError::Unreachable(other),
            })?;
        match answer.status.as_u16() {
            200..=299 => read_completion(&answer.body),
            status @ (408 | 409 | 429 | 500..) => Err(VlmError::Unavailable {
                status,
                retry_after: retry_after(&answer.headers),
                message: excerpt(&answer.body),
            }),
            status => Err(VlmError::Refused {
                status,
                message: excerpt(&answer.body),
            }),
        }
    }
}

/// The text of a completion.
pub(crate) fn read_completion(body: &[u8]) -> Result<String, VlmError> {
    let malformed = || VlmError::Malformed {
        message: excerpt(body),
    };
    let completion: Completion = serde_json::from_slice(body).map_err(|_| malformed())?;
    let first = completion
        .choices
        .into_iter()
        .next()
        .ok_or_else(malformed)?;
    match first.message.content {
        Some(text) if !text.trim().is_empty() => Ok(text),
        _ => Err(VlmError::Empty),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::extract::Request;
    use axum::http::StatusCode;
    use axum::routing::post;
    use axum::{Json, Router};

    use super::*;
    use crate::clients::testing::{self, Raw, serve, serve_raw, unused_address, url};

    fn vlm(base_url: Url) -> HttpVlm {
        HttpVlm::new(
            testing::egress(),
            VlmSettings {
                base_url,
                api_key: "word".into(),
                deadline: Duration::from_millis(500),
            },
        )
    }

    fn call() -> VlmRequest {
        VlmRequest {
            model: "glm-4.6v-flash".to_owned(),
            label: "s1_prompt_match".to_owned(),
            system: "Answer in JSON only.".to_owned(),
            parts: vec![
                Part::Text("Target:".to_owned()),
                Part::Image("https://x.y/p.png".to_owned()),
            ],
            max_tokens: 1024,
            schema: json!({"type": "object"}),
            temperature: 0.15,
            seed: 108,
        }
    }

    async fn answered(status: u16, body: &'static str) -> Result<String, VlmError> {
        let answer = move || async move {
            (
                StatusCode::from_u16(status).unwrap(),
                [("retry-after", "3")],
                body,
            )
        };
        let base = serve(Router::new().route("/chat/completions", post(answer))).await;
        vlm(base).complete(&call()).await
    }

    #[test]
    fn the_request_is_the_documented_one_and_nothing_else() {
        let body = HttpVlm::body(&call());
        let expected = json!({
            "model": "glm-4.6v-flash",
            "messages": [
                {"role": "system", "content": "Answer in JSON only."},
                {"role": "user", "content": [
                    {"type": "text", "text": "Target:"},
                    {"type": "image_url", "image_url": {"url": "https://x.y/p.png"}},
                ]},
            ],
            "temperature": 0.15,
            "max_tokens": 1024,
            "response_format": {"type": "json_schema", "json_schema": {
                "name": "s1_prompt_match-response", "schema": {"type": "object"}}},
            "seed": 108,
        });
        assert_eq!(body, expected);
        assert_eq!(
            vlm(url("http://x.y/v1/")).url.as_str(),
            "http://x.y/v1/chat/completions"
        );
    }

    #[tokio::test]
    async fn the_first_choices_text_is_the_answer() {
        let answer = |request: Request| async move {
            assert_eq!(request.headers()["authorization"], "Bearer word");
            Json(
                json!({"choices": [{"message": {"content": "{}", "reasoning": "x"}, "finish_reason": "length"}]}),
            )
        };
        let base = serve(Router::new().route("/v1/chat/completions", post(answer))).await;
        assert_eq!(
            vlm(base.join("v1").unwrap())
                .complete(&call())
                .await
                .unwrap(),
            "{}"
        );
    }

    #[tokio::test]
    async fn an_overloaded_or_failing_server_is_unavailable_and_says_how_long() {
        for status in [408, 409, 429, 500, 503] {
            let error = answered(status, "busy").await.unwrap_err();
            assert!(matches!(error, VlmError::Unavailable { .. }), "{error:?}");
            assert_eq!(error.retry_after(), Some(Duration::from_secs(3)));
            let may_be_this_request = status == 500;
            assert_eq!(error.is_outage(), (!may_be_this_request).then_some(true));
        }
    }

    #[tokio::test]
    async fn a_refused_request_carries_the_servers_words() {
        for (status, outage) in [
            (400, None),
            (401, Some(true)),
            (404, Some(true)),
            (422, None),
        ] {
            let error = answered(status, "image cannot be fetched")
                .await
                .unwrap_err();
            assert!(
                error.to_string().contains("image cannot be fetched"),
                "{error}"
            );
            assert!(matches!(error, VlmError::Refused { .. }), "{error:?}");
            assert_eq!(error.is_outage(), outage, "{status}");
        }
    }

    #[tokio::test]
    async fn an_answer_without_text_is_empty_and_garbage_is_malformed() {
        for body in [
            r#"{"choices":[{"message":{"content":null}}]}"#,
            r#"{"choices":[{"message":{"content":" "}}]}"#,
        ] {
            assert!(
                matches!(answered(200, body).await, Err(VlmError::Empty)),
                "{body}"
            );
        }
        for body in ["", "<html>", r#"{"choices":[]}"#, r#"{"choices":{}}"#, "[]"] {
            assert!(
                matches!(answered(200, body).await, Err(VlmError::Malformed { .. })),
                "{body}"
            );
        }
    }

    #[tokio::test]
    async fn silence_is_a_timeout_and_absence_is_unreachable() {
        let silent = vlm(serve_raw(Raw::Silent).await);
        assert!(matches!(
            silent.complete(&call()).await,
            Err(VlmError::Timeout { .. })
        ));
        let absent = vlm(unused_address().await);
        assert!(matches!(
            absent.complete(&call()).await,
            Err(VlmError::Unreachable(_))
        ));
        let endless = Router::new().fallback(|| async { vec![b' '; MAX_ANSWER_BYTES + 1] });
        let endless = vlm(serve(endless).await);
        assert!(matches!(
            endless.complete(&call()).await,
            Err(VlmError::Unreachable(_))
        ));
    }
}
