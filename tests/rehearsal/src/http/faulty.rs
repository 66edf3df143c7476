//! The service behind the door, with the faults of each request around it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, Request, Response, StatusCode};
use bytes::Bytes;
use hyper::body::Incoming;

use super::{BoxError, Door};
use crate::faults::Fault;

/// Bytes of a body that replaces an empty one when garbage is asked for.
const GARBAGE_LENGTH: usize = 512;

#[derive(Clone)]
pub(super) struct Faulty<S> {
    inner: S,
    door: Door,
    abort: Arc<AtomicBool>,
}

impl<S> Faulty<S> {
    pub(super) fn new(inner: S, door: Door, abort: Arc<AtomicBool>) -> Self {
        Self { inner, door, abort }
    }
}

impl<S, B> tower::Service<Request<Incoming>> for Faulty<S>
where
    S: tower::Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let Self { inner, door, abort } = self.clone();
        Box::pin(async move {
            let path = request
                .uri()
                .path_and_query()
                .map_or("/", |path| path.as_str());
            let strike = door.faults.strike(door.service, path);
            if !strike.delay.is_zero() {
                tokio::time::sleep(strike.delay).await;
            }
            match strike.fault {
                Some(Fault::Reset | Fault::Outage) => {
                    abort.store(true, Ordering::SeqCst);
                    return Err("the connection is reset by an injected fault".into());
                }
                Some(Fault::Status(status)) => return Ok(refusal(status)),
                Some(Fault::Truncated | Fault::Garbage | Fault::Slow(_)) | None => {}
            }
            let response = tower::ServiceExt::oneshot(inner, request.map(Body::new))
                .await
                .map_err(Into::into)?;
            let response = response.map(Body::new);
            match strike.fault {
                Some(Fault::Truncated) => truncate(response).await,
                Some(Fault::Garbage) => garble(response).await,
                _ => Ok(response),
            }
        })
    }
}

fn refusal(status: u16) -> Response<Body> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(Body::from("injected fault"));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// Announces the whole body, sends the first half and ends the connection.
async fn truncate(response: Response<Body>) -> Result<Response<Body>, BoxError> {
    let (mut head, body) = response.into_parts();
    let whole = axum::body::to_bytes(body, usize::MAX).await?;
    head.headers
        .insert(CONTENT_LENGTH, HeaderValue::from(whole.len().max(2)));
    let half = whole.slice(..whole.len() / 2);
    let broken = futures::stream::iter([
        Ok(half),
        Err(std::io::Error::new(
            std::io::ErrorKind::ConnectionAborted,
            "truncated by an injected fault",
        )),
    ]);
    Ok(Response::from_parts(head, Body::from_stream(broken)))
}

/// Replaces the body by bytes without meaning, of the same length.
async fn garble(response: Response<Body>) -> Result<Response<Body>, BoxError> {
    let (mut head, body) = response.into_parts();
    let length = axum::body::to_bytes(body, usize::MAX).await?.len();
    let length = if length == 0 { GARBAGE_LENGTH } else { length };
    // A multiplicative sequence: never valid UTF-8 for long, never JSON, never a picture, and the same on every run.
    let bytes: Vec<u8> = (1..=length as u64)
        .map(|index| (index.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8)
        .collect();
    head.headers
        .insert(CONTENT_LENGTH, HeaderValue::from(length));
    Ok(Response::from_parts(head, Body::from(bytes)))
}
