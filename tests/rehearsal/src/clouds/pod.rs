//! One running container: the reference pod service on a port of its own.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use miner::{Generator, PodOptions, PodService};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::clock::WorldClock;
use crate::faults::{Faults, Service};
use crate::http::{Door, serve};

/// Four GPUs, a model on each.
const PROMPTS_AT_ONCE: usize = 4;

pub(super) struct RunningPod {
    pub port: u16,
    pub service: PodService,
}

impl RunningPod {
    /// Starts the container; it ends with `stop`.
    pub(super) async fn start(
        generator: Arc<dyn Generator>,
        clock: WorldClock,
        warm_up: Duration,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        let ready_at_ms = clock.now_ms() + warm_up.as_millis() as u64;
        let generator = Loading {
            inner: generator,
            clock: clock.clone(),
            ready_at_ms,
        };
        // A deleted pod ends at once: nobody will fetch what it still makes.
        let options = PodOptions {
            parallel: PROMPTS_AT_ONCE,
            drain: Duration::ZERO,
            ..PodOptions::default()
        };
        let service = PodService::new(Arc::new(generator), options);
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("no port for a pod")?;
        let port = listener.local_addr()?.port();
        // Pods suffer the faults of the gateway that leads to them.
        let door = Door {
            service: Service::Gateway,
            faults: Faults::new(clock),
            stop: stop.clone(),
        };
        tokio::spawn(serve(listener, door, service.router()));
        tokio::spawn({
            let service = service.clone();
            async move {
                stop.cancelled().await;
                service.stop().await;
            }
        });
        Ok(Self { port, service })
    }
}

/// A generator whose model takes a while to load.
struct Loading {
    inner: Arc<dyn Generator>,
    clock: WorldClock,
    ready_at_ms: u64,
}

#[async_trait]
impl Generator for Loading {
    async fn warm_up(&self) -> Result<(), String> {
        self.clock.reached(self.ready_at_ms).await;
        self.inner.warm_up().await
    }

    async fn generate(&self, stem: &str, image_url: &str, seed: u64) -> Result<String, String> {
        self.inner.generate(stem, image_url, seed).await
    }
}
