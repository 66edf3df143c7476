//! Notices: what people want to be told, as Discord embeds.

mod fake;
mod http;
mod limits;

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::wire::ExchangeError;

pub use workflow::round::notices::NoticeField;

pub use fake::FakeNotices;
pub use http::{DiscordNotices, NoNotices};

/// Tells people something.
#[async_trait]
pub trait Notices: Send + Sync {
    /// Sends `notice`, shortened to what Discord takes.
    ///
    /// # Errors
    ///
    /// [`NoticeError`]. Whether a notice that was not sent is sent later is the caller's choice; it never holds up a
    /// round.
    async fn send(&self, notice: &Notice) -> Result<(), NoticeError>;
}

/// One embed (collection and rounds §10, judge §10, generation §11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The headline.
    pub title: String,
    /// RGB, such as `0x2ECC71`.
    pub color: u32,
    /// When it happened.
    pub timestamp: DateTime<Utc>,
    /// Text below the headline, with Discord's Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Named values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<NoticeField>,
}

/// Why a notice was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoticeError {
    /// No connection, or no answer in time.
    #[error("Discord cannot be reached")]
    Unreachable(#[source] ExchangeError),

    /// Too many notices.
    #[error("Discord asks to wait {} s", retry_after.as_secs_f32())]
    RateLimited {
        /// How long to wait.
        retry_after: Duration,
    },

    /// Discord does not take it; it will not take it another time either.
    #[error(
        "Discord refuses the notice with status {status}: {message}; check DISCORD_WEBHOOK_URL"
    )]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The start of what it said.
        message: String,
    },

    /// Discord failed.
    #[error("Discord answered status {status}")]
    Failed {
        /// The HTTP status.
        status: u16,
    },
}
