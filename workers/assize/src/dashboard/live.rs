//! Live parts: the server renders a part of a page again and again and sends it when it has changed.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures::{Stream, StreamExt, stream};
use tokio_util::sync::CancellationToken;

use super::error::DashboardError;

/// How often a part is looked at.
const INTERVAL: Duration = Duration::from_secs(2);

/// A look at the database may take at most one part in this many of a viewer's time, however large a round is.
const IDLE_SHARE: u32 = 20;

/// A viewer is sent at most so much, so that a large round does not fill a slow line.
const BYTES_PER_SECOND: f64 = 100_000.0;

/// A part of a page, named as the template names the place it goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub name: &'static str,
    pub html: String,
}

impl Part {
    pub fn new(
        name: &'static str,
        template: &impl askama::Template,
    ) -> Result<Self, DashboardError> {
        Ok(Self {
            name,
            html: template.render()?,
        })
    }
}

/// Sends what `render` answers, each part when it differs from what this viewer has, until `shutdown`.
///
/// While the database does not answer, the part `trouble` says so and everything else stays as it was.
pub(super) fn stream<F, R>(
    shutdown: &CancellationToken,
    render: F,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<F, R>>
where
    F: Fn() -> R + Send + 'static,
    R: Future<Output = Result<Vec<Part>, DashboardError>> + Send,
{
    stream_every(INTERVAL, shutdown, render)
}

fn stream_every<F, R>(
    interval: Duration,
    shutdown: &CancellationToken,
    render: F,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<F, R>>
where
    F: Fn() -> R + Send + 'static,
    R: Future<Output = Result<Vec<Part>, DashboardError>> + Send,
{
    let shown: HashMap<&'static str, String> = HashMap::new();
    let looks = stream::unfold(
        (render, shown, Duration::ZERO),
        move |(render, mut shown, wait)| async move {
            tokio::time::sleep(wait).await;
            let started = Instant::now();
            let mut parts = match render().await {
                Ok(parts) => parts,
                Err(error) => vec![trouble(&error.to_string())],
            };
            if !parts.iter().any(|part| part.name == "trouble") {
                parts.push(trouble(""));
            }
            parts.retain(|part| shown.get(part.name) != Some(&part.html));
            shown.extend(parts.iter().map(|part| (part.name, part.html.clone())));
            let bytes: usize = parts.iter().map(|part| part.html.len()).sum();
            let sending = Duration::from_secs_f64(bytes as f64 / BYTES_PER_SECOND);
            let wait = interval.max(started.elapsed() * IDLE_SHARE).max(sending);
            Some((stream::iter(parts), (render, shown, wait)))
        },
    );
    let events = looks.flatten().map(|part| Ok(event(&part)));
    Sse::new(events.take_until(shutdown.clone().cancelled_owned())).keep_alive(KeepAlive::default())
}

fn trouble(message: &str) -> Part {
    Part {
        name: "trouble",
        html: message.replace('&', "&amp;").replace('<', "&lt;"),
    }
}

fn event(part: &Part) -> Event {
    // An event's lines may not hold a carriage return, and texts that miners wrote may. An event without data is not told to
    // the page at all, so a part that has become empty is sent as a comment.
    let html = if part.html.is_empty() {
        "<!---->".to_owned()
    } else {
        part.html.replace('\r', "")
    };
    Event::default().event(part.name).data(html)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::response::IntoResponse;

    use super::*;

    /// What a viewer gets from looks with these answers; the stream is stopped by the last look.
    async fn viewed(looks: &'static [&'static [(&'static str, &'static str)]]) -> String {
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let look = AtomicUsize::new(0);
        let render = move || {
            let number = look.fetch_add(1, Ordering::Relaxed);
            let parts = looks.get(number).map(|parts| {
                parts
                    .iter()
                    .map(|(name, html)| Part {
                        name,
                        html: (*html).to_owned(),
                    })
                    .collect::<Vec<_>>()
            });
            if parts.is_none() {
                stop.cancel();
            }
            async move { parts.ok_or(DashboardError::NotFound("more".to_owned())) }
        };
        let body = stream_every(Duration::ZERO, &shutdown, render)
            .into_response()
            .into_body();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_part_is_sent_again_only_when_it_changed() {
        let sent = viewed(&[
            &[("a", "1"), ("b", "2")],
            &[("a", "1"), ("b", "3")],
            &[("a", "1"), ("b", "3")],
        ])
        .await;
        assert_eq!(sent.matches("event: a\n").count(), 1, "{sent}");
        assert_eq!(sent.matches("event: b\n").count(), 2, "{sent}");
    }

    #[tokio::test]
    async fn trouble_is_said_once_and_taken_back() {
        let sent = viewed(&[
            &[("a", "1")],
            &[("a", "2"), ("trouble", "the database does not answer")],
            &[("a", "2")],
        ])
        .await;
        let said: Vec<&str> = sent
            .split("event: trouble\ndata: ")
            .skip(1)
            .map(|rest| rest.lines().next().unwrap())
            .collect();
        assert_eq!(
            said[..3],
            ["<!---->", "the database does not answer", "<!---->"],
            "{sent}"
        );
    }

    #[tokio::test]
    async fn a_carriage_return_in_a_text_does_not_break_the_stream() {
        let sent = viewed(&[&[("a", "one\r\ntwo")]]).await;
        assert!(sent.contains("data: one\ndata: two\n"), "{sent}");
    }
}
