//! What the HTTP clients share: one bounded exchange, `Retry-After`, and errors that name a class and no secret.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode};

/// Characters of an answer that an error may carry.
const EXCERPT_CHARACTERS: usize = 200;

/// The longest wait a server can ask of us.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(1);

/// A whole answer, of any status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Why an exchange brought no whole answer.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The connection or the answer broke, or the deadline passed.
    #[error(transparent)]
    Transport(#[from] TransportError),

    /// The answer is larger than allowed; reading stopped there.
    #[error("answer is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
}

/// A connection or an answer that broke, or a deadline that passed. Carries the host, never the whole URL, because a URL
/// can be a secret.
#[derive(Debug, thiserror::Error)]
#[error("{} talking to {host}", class.name())]
pub struct TransportError {
    /// What broke.
    pub class: TransportClass,
    /// The host that was asked.
    pub host: String,
    #[source]
    source: reqwest::Error,
}

/// What broke in an exchange. The names are those published in failure reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportClass {
    /// No connection: refused, unreachable, name unknown, TLS refused.
    ConnectError,
    /// No connection in time.
    ConnectTimeout,
    /// Connected, but no whole answer before the deadline.
    ReadTimeout,
    /// The answer ended early or was cut.
    ReadError,
    /// What came is not HTTP.
    RemoteProtocolError,
    /// This machine is out of files, memory or network: nothing the peer did.
    LocalResources,
}

impl TransportClass {
    /// The name as published in `js_fetch_failed: {name}`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConnectError => "ConnectError",
            Self::ConnectTimeout => "ConnectTimeout",
            Self::ReadTimeout => "ReadTimeout",
            Self::ReadError => "ReadError",
            Self::RemoteProtocolError => "RemoteProtocolError",
            Self::LocalResources => "LocalResources",
        }
    }

    /// Whether a deadline passed.
    pub fn is_timeout(self) -> bool {
        matches!(self, Self::ConnectTimeout | Self::ReadTimeout)
    }
}

impl From<reqwest::Error> for TransportError {
    fn from(error: reqwest::Error) -> Self {
        let class = if out_of_resources(&error) {
            TransportClass::LocalResources
        } else if error.is_timeout() {
            if error.is_connect() {
                TransportClass::ConnectTimeout
            } else {
                TransportClass::ReadTimeout
            }
        } else if error.is_connect() {
            TransportClass::ConnectError
        } else if error.is_body() || error.is_decode() {
            TransportClass::ReadError
        } else {
            TransportClass::RemoteProtocolError
        };
        let host = error
            .url()
            .and_then(|url| url.host_str())
            .unwrap_or("an unknown host");
        Self {
            class,
            host: host.to_owned(),
            source: error.without_url(),
        }
    }
}

impl TransportError {
    /// The error of the HTTP library, without its URL.
    pub fn cause(&self) -> &reqwest::Error {
        &self.source
    }
}

impl From<reqwest::Error> for ExchangeError {
    fn from(error: reqwest::Error) -> Self {
        Self::Transport(error.into())
    }
}

/// Sends `request` and reads its answer, whatever its status.
///
/// - `deadline`: for everything from looking up the name to the last byte.
/// - `limit_bytes`: of the body; an announced length above it is refused before reading.
pub(crate) async fn exchange(
    request: RequestBuilder,
    deadline: Duration,
    limit_bytes: usize,
) -> Result<Answer, ExchangeError> {
    let response = request.timeout(deadline).send().await?;
    let status = response.status();
    let headers = response.headers().clone();
    let body = read_bounded(response, limit_bytes).await?;
    Ok(Answer {
        status,
        headers,
        body,
    })
}

/// Reads a body up to exactly `limit_bytes`. The deadline is the one its request was sent with.
pub(crate) async fn read_bounded(
    mut response: Response,
    limit_bytes: usize,
) -> Result<Bytes, ExchangeError> {
    let too_large = || ExchangeError::TooLarge { limit_bytes };
    let announced = response.content_length().unwrap_or(0);
    if announced > limit_bytes as u64 {
        return Err(too_large());
    }
    let mut body = Vec::with_capacity(announced as usize);
    while let Some(chunk) = response.chunk().await? {
        if chunk.len() > limit_bytes - body.len() {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

/// How long a server asked us to wait: seconds or a date, at most an hour.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = header_text(headers, &RETRY_AFTER)?;
    let wait = if let Ok(seconds) = text.trim().parse::<f64>() {
        Duration::try_from_secs_f64(seconds).ok()?
    } else {
        let at = DateTime::parse_from_rfc2822(text.trim()).ok()?;
        (at.to_utc() - Utc::now())
            .to_std()
            .unwrap_or(Duration::ZERO)
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

/// A header as text, if it is there and printable.
pub(crate) fn header_text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The start of a body for an error message: one line, printable, short.
pub(crate) fn excerpt(body: &[u8]) -> String {
    let start = &body[..body.len().min(EXCERPT_CHARACTERS * 4)];
    let text = String::from_utf8_lossy(start);
    let line = text.chars().map(|character| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    });
    let short: String = line.take(EXCERPT_CHARACTERS).collect();
    short.trim().to_owned()
}

/// Whether this machine, not the peer, is why `error` happened. A missing route is not among the reasons: a miner can
/// cause one at will by publishing only an IPv6 address.
fn out_of_resources(error: &reqwest::Error) -> bool {
    use nix::libc::{EMFILE, ENETDOWN, ENFILE, ENOBUFS, ENOMEM};

    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let code = cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::raw_os_error);
        if code.is_some_and(|code| [EMFILE, ENFILE, ENOBUFS, ENOMEM, ENETDOWN].contains(&code)) {
            return true;
        }
        source = cause.source();
    }
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::Router;
    use axum::body::Body;
    use reqwest::header::HeaderValue;

    use super::*;
    use crate::clients::testing::{self, Raw, serve, serve_raw};

    const DEADLINE: Duration = Duration::from_secs(5);

    async fn get(
        base: url::Url,
        deadline: Duration,
        limit_bytes: usize,
    ) -> Result<Answer, ExchangeError> {
        exchange(testing::client().get(base), deadline, limit_bytes).await
    }

    fn class(result: Result<Answer, ExchangeError>) -> TransportClass {
        match result {
            Err(ExchangeError::Transport(error)) => error.class,
            other => panic!("expected a transport error, got {other:?}"),
        }
    }

    #[tokio::test]
    async fn a_body_of_exactly_the_limit_passes_and_one_byte_more_does_not() {
        let whole = || async { vec![7_u8; 1000] };
        let base = serve(Router::new().fallback(whole)).await;
        assert_eq!(
            get(base.clone(), DEADLINE, 1000).await.unwrap().body.len(),
            1000
        );
        assert!(matches!(
            get(base, DEADLINE, 999).await,
            Err(ExchangeError::TooLarge { limit_bytes: 999 })
        ));
    }

    #[tokio::test]
    async fn a_body_without_a_length_is_counted_as_it_streams() {
        let endless = || async {
            Body::from_stream(futures::stream::repeat_with(|| {
                Ok::<_, std::io::Error>(vec![0_u8; 512])
            }))
        };
        let base = serve(Router::new().fallback(endless)).await;
        assert!(matches!(
            get(base, DEADLINE, 10_000).await,
            Err(ExchangeError::TooLarge { .. })
        ));
    }

    #[tokio::test]
    async fn a_peer_that_drips_one_byte_at_a_time_meets_the_total_deadline() {
        let drip = || async {
            let bytes = futures::stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Some((Ok::<_, std::io::Error>(vec![0_u8]), ()))
            });
            Body::from_stream(bytes)
        };
        let base = serve(Router::new().fallback(drip)).await;
        let result = get(base, Duration::from_millis(300), 1 << 20).await;
        assert_eq!(class(result), TransportClass::ReadTimeout);
    }

    #[tokio::test]
    async fn broken_peers_are_told_apart() {
        let silent = serve_raw(Raw::Silent).await;
        assert_eq!(
            class(get(silent, Duration::from_millis(200), 10).await),
            TransportClass::ReadTimeout
        );

        let cut = serve_raw(Raw::Then(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        ))
        .await;
        assert_eq!(
            class(get(cut, DEADLINE, 10).await),
            TransportClass::ReadError
        );

        let garbage = serve_raw(Raw::Then(b"\x00\x01garbage\r\n\r\n")).await;
        assert_eq!(
            class(get(garbage, DEADLINE, 10).await),
            TransportClass::RemoteProtocolError
        );

        let nobody = testing::unused_address().await;
        assert_eq!(
            class(get(nobody, DEADLINE, 10).await),
            TransportClass::ConnectError
        );
    }

    #[tokio::test]
    async fn an_error_names_the_host_and_hides_the_path() {
        let nobody = testing::unused_address()
            .await
            .join("/webhooks/secret-token")
            .unwrap();
        let error = get(nobody, DEADLINE, 10).await.unwrap_err();
        let mut text = format!("{error} {error:?}");
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        assert!(
            text.contains("127.0.0.1") && !text.contains("secret-token"),
            "{text}"
        );
    }

    #[test]
    fn retry_after_reads_seconds_and_dates_and_is_bounded() {
        let wait = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            retry_after(&headers)
        };
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("99999999"), Some(LONGEST_RETRY_AFTER));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        for nothing in ["-3", "soon", "NaN", "inf"] {
            assert_eq!(wait(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn an_excerpt_is_one_short_printable_line() {
        assert_eq!(excerpt(b"<h1>\nBad\0</h1>"), "<h1> Bad </h1>");
        assert_eq!(excerpt(&vec![b'x'; 5000]).len(), EXCERPT_CHARACTERS);
        assert!(
            excerpt(&[0xff, 0xfe])
                .chars()
                .all(|character| character == '\u{fffd}')
        );
    }
}
