//! The vision-language model that judges pictures, behind an OpenAI-compatible interface.

mod fake;
mod http;
mod recovery;

use std::time::Duration;

use async_trait::async_trait;

use super::wire::ExchangeError;

pub use fake::FakeVlm;
pub use http::{DEFAULT_MODEL, HttpVlm, VlmSettings};
pub use recovery::{lax_integer, recover};

/// Asks the model. One method: one HTTP request, which the engine repeats.
#[async_trait]
pub trait Vlm: Send + Sync {
    /// One attempt of `call`: the text the model answered with.
    ///
    /// `attempt` counts from 1. Each attempt uses another temperature and seed, so that an answer that could not be read
    /// is not given again (see [`temperature`]).
    ///
    /// # Errors
    ///
    /// [`VlmError`]. None of them says anything about a miner: an unanswered call is never a verdict (judge, W1).
    async fn complete(&self, call: &VlmCall, attempt: u32) -> Result<String, VlmError>;
}

/// One question to the model (judge §4.2, §4.4).
#[derive(Debug, Clone, PartialEq)]
pub struct VlmCall {
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
    /// The round's seed plus the call's offset; 100 and the attempt are added on the wire.
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

    /// Whether the same request can be answered another time. Pictures may be fetched then, too, so only a refusal of
    /// our key or address is hopeless.
    pub fn is_retryable(&self) -> bool {
        !matches!(
            self,
            Self::Refused {
                status: 401 | 403 | 404,
                ..
            }
        )
    }
}

/// The temperature of attempt `attempt`: 0 for the first, so that a repeated round asks the same; then 0.15, 0.2, 0.25
/// and so on (judge §4.2), never above 1.
pub fn temperature(attempt: u32) -> f64 {
    if attempt <= 1 {
        return 0.0;
    }
    // In hundredths, because 0.1 + 0.05 is not 0.15.
    f64::from((10 + 5 * (attempt - 1).min(18)).min(100)) / 100.0
}

/// The seed on the wire: the call's, plus 100, plus one an attempt after the first.
pub fn wire_seed(seed: u64, attempt: u32) -> u64 {
    seed.saturating_add(100)
        .saturating_add(u64::from(attempt.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attempt_has_its_own_temperature_and_seed() {
        let ladder: Vec<f64> = (1..=5).map(temperature).collect();
        assert_eq!(ladder, [0.0, 0.15, 0.2, 0.25, 0.3]);
        assert_eq!(temperature(u32::MAX), 1.0);
        assert_eq!((wire_seed(7, 1), wire_seed(7, 3)), (107, 109));
        assert_eq!(wire_seed(u64::MAX, 3), u64::MAX);
    }
}
