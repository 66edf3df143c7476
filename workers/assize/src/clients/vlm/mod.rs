//! The vision-language model that judges pictures, behind an OpenAI-compatible interface.

mod fake;
mod http;

use std::time::Duration;

use async_trait::async_trait;

use super::wire::ExchangeError;

pub use fake::FakeVlm;
pub(crate) use http::read_completion;
pub use http::{HttpVlm, VlmSettings};

/// Asks the model. One method: one HTTP request, which the engine repeats.
#[async_trait]
pub trait Vlm: Send + Sync {
    /// The text the model answered with.
    ///
    /// # Errors
    ///
    /// [`VlmError`]. None of them says anything about a miner: an unanswered call is never a verdict (judge, W1).
    async fn complete(&self, request: &VlmRequest) -> Result<String, VlmError>;
}

/// One question to the model (judge §4.2, §4.4).
#[derive(Debug, Clone, PartialEq)]
pub struct VlmRequest {
    /// The model's name at the server.
    pub model: String,
    /// The call's name, such as `s1_prompt_match`; names the response schema too.
    pub label: String,
    /// The system message.
    pub system: String,
    /// The user message: captions, pictures and the question, in order.
    pub parts: Vec<Part>,
    /// Longest answer, in tokens.
    pub max_tokens: u32,
    /// JSON schema of the answer.
    pub schema: serde_json::Value,
    /// 0 for the likeliest answer; more, so that an answer that could not be read is not given again.
    pub temperature: f64,
    /// As on the wire.
    pub seed: u64,
}

/// A part of the user message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text.
    Text(String),
    /// A picture, which the model's server fetches from this URL itself.
    Image(String),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VlmError {
    /// No connection, or an answer that broke or was too large.
    #[error("model server cannot be reached")]
    Unreachable(#[source] ExchangeError),

    /// No whole answer before the deadline.
    #[error("model did not answer within {} s", deadline.as_secs_f32())]
    Timeout {
        /// The deadline.
        deadline: Duration,
    },

    /// The server is overloaded or failing (408, 409, 429, 5xx).
    #[error("model server answered status {status}: {message}")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// How long it asked to wait, if it did.
        retry_after: Option<Duration>,
        /// The start of what it said.
        message: String,
    },

    /// The server refuses this request (other statuses). The same request will be refused again: a wrong address, key,
    /// model name, schema, or a picture that it could not fetch.
    #[error("model server refused the request with status {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The start of what it said.
        message: String,
    },

    /// The model answered with no text.
    #[error("model answered with no text")]
    Empty,

    /// The answer is not what the interface promises.
    #[error("model server answered with something else than a chat completion: {message}")]
    Malformed {
        /// The start of what it said.
        message: String,
    },
}

impl VlmError {
    /// How long the server asked to wait, if it did.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether no other request would be answered either: yes when nobody answers, or the server says so; no when it answered
    /// this one, only not well; none when it could be either.
    pub fn is_outage(&self) -> Option<bool> {
        match self {
            Self::Unavailable { status: 500, .. } | Self::Timeout { .. } => None,
            // The last three: a wrong key, address or name of the model.
            Self::Unreachable(ExchangeError::Transport(_))
            | Self::Unavailable { .. }
            | Self::Refused {
                status: 401 | 403 | 404,
                ..
            } => Some(true),
            // Often a picture that could not be fetched: of one, or of all.
            Self::Refused { .. } => None,
            Self::Unreachable(_) | Self::Empty | Self::Malformed { .. } => Some(false),
        }
    }
}
