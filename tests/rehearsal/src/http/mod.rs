//! The one door of every service: a listener, HTTP/1.1 and WebSocket upgrades, and the faults of that service.
//!
//! Services are written as if nothing could go wrong. Slowness, errors, resets and outages happen here, on the
//! connection or around the call, so each service suffers them in the same way.

mod connection;
mod faulty;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::{Request, Response};
use bytes::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::faults::{Faults, Service};
use connection::Connection;
use faulty::Faulty;

/// How long open connections may take to finish once the world stops.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Pause after an accept that failed for want of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a service needs to open its door.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub service: Service,
    pub faults: Faults,
    pub stop: CancellationToken,
}

/// Serves `inner` on `listener` until the door's `stop`.
pub(crate) async fn serve<S, B>(listener: TcpListener, door: Door, inner: S)
where
    S: tower::Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = door.stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(service.name = door.service.name(), %error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let abort = Arc::new(AtomicBool::new(false));
        let connection = Connection::new(stream, door.clone(), abort.clone());
        if door.faults.refuses_connection(door.service) {
            connection.reset();
            continue;
        }
        let service = TowerToHyperService::new(Faulty::new(inner.clone(), door.clone(), abort));
        let stop = door.stop.clone();
        connections.spawn(async move {
            let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            let serving = builder.serve_connection_with_upgrades(TokioIo::new(connection), service);
            let mut serving = std::pin::pin!(serving);
            // How a connection ends is the client's affair: a reset one is often the point of a test.
            tokio::select! {
                _ = &mut serving => {}
                () = stop.cancelled() => {
                    serving.as_mut().graceful_shutdown();
                    let _ = tokio::time::timeout(LAST_WORDS, serving).await;
                }
            }
        });
    }
    connections.close();
    let _ = tokio::time::timeout(LAST_WORDS * 2, connections.wait()).await;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::Router;
    use axum::routing::get;

    use super::*;
    use crate::clock::WorldClock;
    use crate::faults::{Fault, Lasting};

    struct Served {
        url: String,
        faults: Faults,
        stop: CancellationToken,
        client: reqwest::Client,
    }

    impl Served {
        async fn start() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/hello", listener.local_addr().unwrap());
            let faults = Faults::new(WorldClock::in_memory());
            let stop = CancellationToken::new();
            let door = Door {
                service: Service::Gateway,
                faults: faults.clone(),
                stop: stop.clone(),
            };
            let router = Router::new().route("/hello", get(|| async { "hello, hello, hello" }));
            tokio::spawn(serve(listener, door, router));
            Self {
                url,
                faults,
                stop,
                client: reqwest::Client::new(),
            }
        }

        async fn get(&self) -> reqwest::Result<(u16, Bytes)> {
            let response = self.client.get(&self.url).send().await?;
            let status = response.status().as_u16();
            Ok((status, response.bytes().await?))
        }
    }

    #[tokio::test]
    async fn each_fault_looks_like_the_real_thing_and_the_service_is_well_again_after_it() {
        let served = Served::start().await;
        let inject = |fault| {
            served
                .faults
                .inject(Service::Gateway, fault, Lasting::Times(1))
        };

        inject(Fault::Status(503));
        assert_eq!(served.get().await.unwrap().0, 503);

        inject(Fault::Garbage);
        let (status, body) = served.get().await.unwrap();
        assert_eq!(status, 200);
        assert_ne!(body, "hello, hello, hello");
        assert_eq!(body.len(), "hello, hello, hello".len());

        inject(Fault::Reset);
        assert!(served.get().await.unwrap_err().is_request());

        inject(Fault::Slow(Duration::from_millis(200)));
        let asked = std::time::Instant::now();
        assert_eq!(served.get().await.unwrap().1, "hello, hello, hello");
        assert!(asked.elapsed() >= Duration::from_millis(200));

        assert_eq!(served.get().await.unwrap().1, "hello, hello, hello");
        served.stop.cancel();
    }

    #[tokio::test]
    async fn a_truncated_body_is_an_error_for_the_client_never_a_short_success() {
        let served = Served::start().await;
        served
            .faults
            .inject(Service::Gateway, Fault::Truncated, Lasting::UntilCleared);
        assert!(served.get().await.is_err());
    }

    #[tokio::test]
    async fn an_outage_ends_open_connections_and_refuses_new_ones_until_cleared() {
        let served = Served::start().await;
        assert_eq!(served.get().await.unwrap().0, 200);

        let outage = served
            .faults
            .inject(Service::Gateway, Fault::Outage, Lasting::UntilCleared);
        assert!(served.get().await.is_err());
        assert!(served.get().await.is_err());
        served.faults.clear(outage);
        assert_eq!(served.get().await.unwrap().0, 200);
    }
}
