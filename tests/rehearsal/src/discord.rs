//! A Discord channel behind a webhook, as strict as Discord: what is too long is refused, and so is a wrong address.
//!
//! What it took is kept in `discord.jsonl` in the world's folder, a message a line, so that it can be read after the world
//! has ended.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

/// The file of messages in a world's folder.
pub const MESSAGES_FILE: &str = "discord.jsonl";
/// The channel's id.
pub(crate) const CHANNEL: &str = "1404000000000000017";

const MAX_EMBEDS: usize = 10;
const MAX_TITLE: usize = 256;
const MAX_DESCRIPTION: usize = 4096;
const MAX_FIELDS: usize = 25;
const MAX_FIELD_NAME: usize = 256;
const MAX_FIELD_VALUE: usize = 1024;
/// All texts of a message together.
const MAX_TOTAL: usize = 6000;

struct Channel {
    token: String,
    messages: PathBuf,
}

/// Discord's webhooks, with one channel whose secret is `token`.
pub(crate) fn router(token: &str, folder: &std::path::Path) -> Router {
    let channel = Channel {
        token: token.to_owned(),
        messages: folder.join(MESSAGES_FILE),
    };
    Router::new()
        .route("/api/webhooks/{id}/{token}", post(execute))
        .with_state(Arc::new(channel))
}

async fn execute(
    State(channel): State<Arc<Channel>>,
    Path((id, token)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    if id != CHANNEL {
        return refused(StatusCode::NOT_FOUND, 10015, "Unknown Webhook");
    }
    if token != channel.token {
        return refused(StatusCode::UNAUTHORIZED, 50027, "Invalid Webhook Token");
    }
    let Ok(message) = serde_json::from_slice::<Value>(&body) else {
        return refused(
            StatusCode::BAD_REQUEST,
            50109,
            "The request body contains invalid JSON.",
        );
    };
    if let Some(problem) = problem(&message) {
        return refused(StatusCode::BAD_REQUEST, 50035, &problem);
    }
    match keep(&channel.messages, &message) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => {
            tracing::warn!(error = %error, "a message of the rehearsal's Discord cannot be kept");
            refused(
                StatusCode::INTERNAL_SERVER_ERROR,
                0,
                "Internal Server Error",
            )
        }
    }
}

fn refused(status: StatusCode, code: u32, message: &str) -> Response {
    (status, Json(json!({"message": message, "code": code}))).into_response()
}

fn keep(file: &std::path::Path, message: &Value) -> std::io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    file.write_all(format!("{message}\n").as_bytes())
}

/// What Discord does not take about a message.
fn problem(message: &Value) -> Option<String> {
    let embeds = message["embeds"]
        .as_array()
        .filter(|embeds| !embeds.is_empty());
    let Some(embeds) = embeds else {
        let is_empty = message["content"].as_str().is_none_or(str::is_empty);
        return is_empty.then(|| "Cannot send an empty message".to_owned());
    };
    if embeds.len() > MAX_EMBEDS {
        return Some(format!("embeds: Must be {MAX_EMBEDS} or fewer in length."));
    }
    let mut total = 0;
    for embed in embeds {
        let fields = embed["fields"].as_array().map_or(&[][..], Vec::as_slice);
        if fields.len() > MAX_FIELDS {
            return Some(format!("fields: Must be {MAX_FIELDS} or fewer in length."));
        }
        let mut texts = vec![
            ("title", &embed["title"], MAX_TITLE),
            ("description", &embed["description"], MAX_DESCRIPTION),
        ];
        for field in fields {
            for (name, most) in [("name", MAX_FIELD_NAME), ("value", MAX_FIELD_VALUE)] {
                if field[name].as_str().is_none_or(str::is_empty) {
                    return Some(format!("{name}: This field is required"));
                }
                texts.push((name, &field[name], most));
            }
        }
        for (name, text, most) in texts {
            let length = text.as_str().map_or(0, |text| text.encode_utf16().count());
            if length > most {
                return Some(format!("{name}: Must be {most} or fewer in length."));
            }
            total += length;
        }
        let is_moment = |text: &str| chrono::DateTime::parse_from_rfc3339(text).is_ok();
        if !embed["timestamp"].is_null() && !embed["timestamp"].as_str().is_some_and(is_moment) {
            return Some("timestamp: Could not be interpreted as a date.".to_owned());
        }
    }
    (total > MAX_TOTAL).then(|| "Embed size exceeds maximum size of 6000".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_discord_refuses_is_refused() {
        let embed = |embed: Value| problem(&json!({"embeds": [embed]}));
        assert_eq!(
            embed(
                json!({"title": "Round 6 Finalized", "color": 1, "timestamp": "2026-02-02T15:19:00Z"})
            ),
            None
        );
        for wrong in [
            json!({"title": "x".repeat(257)}),
            json!({"description": "x".repeat(4097)}),
            json!({"fields": vec![json!({"name": "a", "value": "b"}); 26]}),
            json!({"fields": [{"name": "a", "value": ""}]}),
            json!({"title": "t", "timestamp": "yesterday"}),
        ] {
            assert!(embed(wrong.clone()).is_some(), "{wrong}");
        }
        assert!(problem(&json!({"embeds": []})).is_some());
        assert_eq!(problem(&json!({"content": "hello"})), None);
    }
}
