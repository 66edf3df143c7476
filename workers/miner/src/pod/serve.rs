//! Serving a pod on a socket until it is told to stop.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::{NvidiaSmiProbe, PodOptions, PodService};
use crate::ExampleGenerator;

/// Why a pod could not be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address is in use or not of this machine.
    #[error("cannot listen on {address}: choose another address, or stop what listens there")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },

    /// The server ended by itself.
    #[error("the pod's server ended")]
    Server(#[source] std::io::Error),
}

/// Serves the reference pod with the example generator until SIGTERM or Ctrl-C, then ends as [`serve_until`] does.
///
/// # Errors
///
/// [`ServeError::Listen`] when the address cannot be had, [`ServeError::Server`] when accepting connections fails.
pub async fn serve(address: SocketAddr) -> Result<(), ServeError> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| ServeError::Listen { address, source })?;
    let options = PodOptions {
        hardware: Some(Arc::new(NvidiaSmiProbe::default())),
        ..PodOptions::default()
    };
    let service = PodService::new(Arc::new(ExampleGenerator::default()), options);
    tracing::info!(%address, "the pod listens");
    serve_until(listener, service, stop_signal()).await
}

/// Serves `service` on `listener` until `stop` is ready. Then the pod accepts no more batches; the running one has
/// [`PodOptions::drain`] to end and be downloaded, and open requests are answered before the server ends.
///
/// # Errors
///
/// [`ServeError::Server`] when accepting connections fails.
pub async fn serve_until(
    listener: TcpListener,
    service: PodService,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let router = service.router();
    axum::serve(listener, router)
        .with_graceful_shutdown(async move {
            stop.await;
            service.stop().await;
        })
        .await
        .map_err(ServeError::Server)
}

async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupted = tokio::signal::ctrl_c();
    match signal(SignalKind::terminate()) {
        Ok(mut terminated) => {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
        }
        Err(_) => {
            let _ = interrupted.await;
        }
    }
}
