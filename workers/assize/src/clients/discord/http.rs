//! Notices by a Discord webhook.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;

use super::{Notice, NoticeError, Notices, limits};
use crate::clients::wire::{excerpt, exchange, retry_after};
use crate::egress::Egress;

/// Total deadline of one notice (collection and rounds §10).
const DEADLINE: Duration = Duration::from_secs(10);

const MAX_ANSWER_BYTES: usize = 256 << 10;

/// Wait when Discord does not say for how long.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(5);

/// A Discord channel, by its webhook. The webhook's URL is a secret: whoever has it can write to the channel.
#[derive(Debug, Clone)]
pub struct DiscordNotices {
    egress: Egress,
    webhook: SecretString,
    deadline: Duration,
}

/// The webhook's URL is none. Does not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the webhook is no http(s) URL; check DISCORD_WEBHOOK_URL")]
pub struct BadWebhook;

impl DiscordNotices {
    /// A channel by its webhook (`DISCORD_WEBHOOK_URL`).
    ///
    /// # Errors
    ///
    /// [`BadWebhook`] if `webhook` is no `http(s)` URL.
    pub fn new(egress: Egress, webhook: SecretString) -> Result<Self, BadWebhook> {
        let url = Url::parse(webhook.expose_secret()).map_err(|_| BadWebhook)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(BadWebhook);
        }
        Ok(Self {
            egress,
            webhook,
            deadline: DEADLINE,
        })
    }

    fn url(&self) -> Result<Url, NoticeError> {
        let refused = |_| NoticeError::Refused {
            status: 0,
            message: BadWebhook.to_string(),
        };
        Url::parse(self.webhook.expose_secret()).map_err(refused)
    }
}

#[async_trait]
impl Notices for DiscordNotices {
    async fn send(&self, notice: &Notice) -> Result<(), NoticeError> {
        let body = json!({"embeds": [limits::within(notice)]});
        let request = self.egress.request(Method::POST, &self.url()?).json(&body);
        let answer = exchange(request, self.deadline, MAX_ANSWER_BYTES)
            .await
            .map_err(NoticeError::Unreachable)?;
        match answer.status.as_u16() {
            200..=299 => Ok(()),
            429 => {
                let retry_after = retry_after(&answer.headers).unwrap_or(DEFAULT_RETRY_AFTER);
                Err(NoticeError::RateLimited { retry_after })
            }
            status @ 500.. => Err(NoticeError::Failed { status }),
            status => Err(NoticeError::Refused {
                status,
                message: excerpt(&answer.body),
            }),
        }
    }
}

/// Nobody is told, because no webhook is set.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoNotices;

#[async_trait]
impl Notices for NoNotices {
    async fn send(&self, _notice: &Notice) -> Result<(), NoticeError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::http::StatusCode;
    use axum::routing::post;
    use axum::{Json, Router};
    use chrono::DateTime;
    use serde_json::Value;

    use super::*;
    use crate::clients::discord::NoticeField;
    use crate::clients::testing::{self, Raw, serve, serve_raw, unused_address};

    fn channel(base: &Url) -> DiscordNotices {
        let webhook = base.join("webhooks/1/secret").unwrap();
        let deadline = Duration::from_millis(300);
        let channel = DiscordNotices::new(testing::egress(), String::from(webhook).into()).unwrap();
        DiscordNotices {
            deadline,
            ..channel
        }
    }

    fn notice() -> Notice {
        Notice {
            title: "Round 6 Finalized".to_owned(),
            color: 0x002E_CC71,
            timestamp: DateTime::UNIX_EPOCH,
            description: None,
            fields: vec![NoticeField {
                name: "Next Round".to_owned(),
                value: "7".to_owned(),
                inline: true,
            }],
        }
    }

    async fn answered(status: u16) -> Result<(), NoticeError> {
        let answer = move || async move {
            (
                StatusCode::from_u16(status).unwrap(),
                [("retry-after", "2")],
                "why",
            )
        };
        channel(&serve(Router::new().fallback(answer)).await)
            .send(&notice())
            .await
    }

    #[tokio::test]
    async fn a_notice_is_one_embed() {
        let answer = |Json(body): Json<Value>| async move {
            let expected = json!({"embeds": [{
                "title": "Round 6 Finalized",
                "color": 3_066_993,
                "timestamp": "1970-01-01T00:00:00Z",
                "fields": [{"name": "Next Round", "value": "7", "inline": true}],
            }]});
            assert_eq!(body, expected);
            StatusCode::NO_CONTENT
        };
        let base = serve(Router::new().route("/webhooks/1/secret", post(answer))).await;
        channel(&base).send(&notice()).await.unwrap();
    }

    #[tokio::test]
    async fn refusals_failures_and_limits_are_told_apart() {
        assert!(matches!(
            answered(400).await,
            Err(NoticeError::Refused { status: 400, .. })
        ));
        assert!(matches!(
            answered(404).await,
            Err(NoticeError::Refused { status: 404, .. })
        ));
        assert!(matches!(
            answered(502).await,
            Err(NoticeError::Failed { status: 502 })
        ));
        let limited = answered(429).await;
        assert!(
            matches!(limited, Err(NoticeError::RateLimited { retry_after }) if retry_after.as_secs() == 2)
        );
    }

    #[tokio::test]
    async fn a_silent_discord_does_not_hold_anyone_and_no_error_shows_the_webhook() {
        for base in [serve_raw(Raw::Silent).await, unused_address().await] {
            let channel = channel(&base);
            let error = channel.send(&notice()).await.unwrap_err();
            assert!(matches!(error, NoticeError::Unreachable(_)));
            assert!(
                !format!("{error:?} {channel:?}").contains("secret"),
                "{error:?} {channel:?}"
            );
        }
    }

    #[test]
    fn a_webhook_that_is_no_url_is_refused_without_showing_it() {
        let error = DiscordNotices::new(testing::egress(), "hush hush".into()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hush"));
    }
}
