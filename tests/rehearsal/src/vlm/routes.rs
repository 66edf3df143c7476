//! The HTTP side, as a vLLM server has it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::future::try_join_all;
use serde_json::{Value, json};

use super::answer::answer;
use super::faults::VlmFault;
use super::request::Question;
use super::{Inner, Vlm};

/// Requests may carry pictures as data URLs.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;
/// English JSON has about this many characters a token.
const CHARACTERS_A_TOKEN: usize = 3;

pub(super) fn router(inner: Arc<Inner>) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(complete))
        .route("/chat/completions", post(complete))
        .route("/v1/models", get(models))
        .route("/models", get(models))
        .route("/health", get(|| async {}))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(Vlm { inner })
}

async fn models(State(vlm): State<Vlm>) -> Json<Value> {
    let model = json!({"id": vlm.inner.options.model, "object": "model", "owned_by": "rehearsal"});
    Json(json!({"object": "list", "data": [model]}))
}

async fn complete(State(vlm): State<Vlm>, body: Bytes) -> Response {
    let inner = &vlm.inner;
    match call(inner, &body).await {
        Ok(completion) => Json(completion).into_response(),
        Err((status, message)) => {
            inner.capacity.failed(status.as_u16());
            let kind = if status.is_client_error() {
                "BadRequestError"
            } else {
                "InternalServerError"
            };
            let error =
                json!({"message": message, "type": kind, "param": null, "code": status.as_u16()});
            (status, Json(json!({"error": error}))).into_response()
        }
    }
}

async fn call(inner: &Inner, body: &[u8]) -> Result<Value, (StatusCode, String)> {
    if inner.faults().is_outage() {
        return Err((
            StatusCode::SERVICE_UNAVAILABLE,
            "the model is being restarted".to_owned(),
        ));
    }
    let question = Question::parse(body).map_err(|message| (StatusCode::BAD_REQUEST, message))?;
    if question.model != inner.options.model {
        return Err((
            StatusCode::NOT_FOUND,
            format!("The model `{}` does not exist.", question.model),
        ));
    }
    let slot = inner.capacity.enter().await;
    let fault = inner.faults().strike();
    if fault.is_some() {
        inner.capacity.spoilt();
    }
    if let Some(VlmFault::Slow(delay)) = fault {
        tokio::time::sleep(delay).await;
    }
    let pictures = try_join_all(question.images.iter().map(|url| inner.pictures.get(url))).await;
    slot.take_time().await;
    if fault == Some(VlmFault::ServerError) {
        return Err((
            StatusCode::INTERNAL_SERVER_ERROR,
            "EngineCore encountered an issue.".to_owned(),
        ));
    }
    let pictures = pictures.map_err(|message| (StatusCode::BAD_REQUEST, message))?;
    let answer = answer(&question, &pictures, &inner.options);
    let (content, finish_reason) = content(&question, answer, fault);
    drop(slot);
    inner.capacity.answered(&question.schema);
    Ok(completion(&question, content.as_deref(), finish_reason))
}

/// The answer as text, spoilt if a fault says so, and why the text ends.
fn content(
    question: &Question,
    mut answer: Value,
    fault: Option<VlmFault>,
) -> (Option<String>, &'static str) {
    match fault {
        Some(VlmFault::Empty) => return (None, "stop"),
        Some(VlmFault::Garbage) => {
            return (
                Some("I think both models look quite nice, overall.".to_owned()),
                "stop",
            );
        }
        Some(VlmFault::WrongSchema) => {
            return (
                Some(json!({"score": 7, "comment": "fine"}).to_string()),
                "stop",
            );
        }
        Some(VlmFault::OutOfRange) => {
            for (key, wrong) in [("penalty_1", 30), ("penalty_2", -3)] {
                if let Some(number) = answer.get_mut(key) {
                    *number = json!(wrong);
                }
            }
        }
        _ => {}
    }
    let mut text = answer.to_string();
    match fault {
        Some(VlmFault::Truncated) => {
            return (
                Some({
                    let half = text.len() / 2;
                    cut(text, half)
                }),
                "length",
            );
        }
        Some(VlmFault::Wrapped) => {
            text =
                format!("<think>Let me look.</think>\nHere is my answer:\n```json\n{text}\n```\n");
        }
        _ => {}
    }
    let limit = question
        .max_tokens
        .map_or(usize::MAX, |tokens| tokens as usize * CHARACTERS_A_TOKEN);
    if text.len() > limit {
        return (Some(cut(text, limit)), "length");
    }
    (Some(text), "stop")
}

/// At most `bytes` of a text.
fn cut(mut text: String, bytes: usize) -> String {
    let boundary = (0..=bytes)
        .rev()
        .find(|index| text.is_char_boundary(*index))
        .unwrap_or_default();
    text.truncate(boundary);
    text
}

fn completion(question: &Question, content: Option<&str>, finish_reason: &str) -> Value {
    let prompt_tokens = question.text.len() / CHARACTERS_A_TOKEN + question.images.len() * 1200;
    let completion_tokens = content.map_or(0, str::len) / CHARACTERS_A_TOKEN;
    json!({
        "id": format!("chatcmpl-{}", question.schema),
        "object": "chat.completion",
        "created": 0,
        "model": question.model,
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": content},
            "finish_reason": finish_reason,
        }],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    })
}
