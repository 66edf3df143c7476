//! The pod service: the HTTP side of a miner's container (miner API, "Endpoints" and "States").
//!
//! One batch at a time. A batch is accepted at once and worked on in the background; the client polls `/status` and
//! downloads `/results` when it says `complete`. The archive is made once, so every download gives the same bytes.
//!
//! Where this service is better than the published minimum, an old client notices nothing: hyphens in stems are
//! accepted, empty batches and double stems are refused, warm-up is visible, a degraded pod refuses new batches while
//! it may still be replaced, finished results are handed over before a replacement is asked for, and a batch may
//! carry a `batch_id`, which makes "the same stems again" expressible and tells which batch a `complete` belongs to.

mod archive;
mod hardware;
mod machine;
mod request;
mod routes;
mod serve;
#[cfg(test)]
mod tests;
mod worker;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use hardware::{HardwareProbe, NvidiaSmiProbe};
pub use serve::{ServeError, serve, serve_until};

use crate::Generator;
use machine::Machine;

/// The port a miner's container listens on (miner API, "Pod and image").
pub const POD_PORT: u16 = 10006;

/// Looks at a module before it goes into the archive; the error is the reason this prompt fails with.
pub type ModuleCheck = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// How the pod works. The defaults suit the published batches of 32.
#[derive(Clone)]
pub struct PodOptions {
    /// Prompts in flight at once. One model on four GPUs wants 4.
    pub parallel: usize,
    /// The largest batch accepted. Clients refuse archives of more than 100 entries, one of them the manifest.
    pub max_batch: usize,
    /// When one prompt is given up.
    pub prompt_timeout: Duration,
    /// The pause before warm-up is tried again after an error.
    pub warm_up_retry: Duration,
    /// How long a stopping pod waits for its batch to end and be downloaded.
    pub drain: Duration,
    /// Looks at the machine once, while warming up.
    pub hardware: Option<Arc<dyn HardwareProbe>>,
    /// Checks each module before it is delivered.
    pub check: Option<ModuleCheck>,
}

impl Default for PodOptions {
    fn default() -> Self {
        Self {
            parallel: 1,
            max_batch: 99,
            prompt_timeout: Duration::from_mins(30),
            warm_up_retry: Duration::from_secs(30),
            drain: Duration::from_secs(20),
            hardware: None,
            check: None,
        }
    }
}

/// The reference pod service around a [`Generator`]. Clones share one pod.
#[derive(Clone)]
pub struct PodService {
    inner: Arc<Inner>,
}

struct Inner {
    generator: Arc<dyn Generator>,
    options: PodOptions,
    machine: Mutex<Machine>,
    /// No batch is accepted any more.
    stopping: CancellationToken,
    /// What still runs is given up.
    abort: CancellationToken,
    /// An archive went out.
    delivered: Notify,
    tasks: TaskTracker,
}

impl PodService {
    /// Makes the pod and starts to warm it up in the background; must be called within a Tokio runtime.
    pub fn new(generator: Arc<dyn Generator>, options: PodOptions) -> Self {
        let inner = Arc::new(Inner {
            generator,
            options,
            machine: Mutex::new(Machine::default()),
            stopping: CancellationToken::new(),
            abort: CancellationToken::new(),
            delivered: Notify::new(),
            tasks: TaskTracker::new(),
        });
        inner.tasks.spawn(worker::warm_up(Arc::clone(&inner)));
        Self { inner }
    }

    /// The four routes. Any number of routers may serve the same pod.
    pub fn router(&self) -> Router {
        routes::router(Arc::clone(&self.inner))
    }

    /// Reports bad hardware: while replacements remain the pod now answers `replace` with this payload.
    ///
    /// Results of a finished batch are handed over first, so they are not lost with the machine.
    pub fn report_degraded(&self, payload: Value) {
        self.inner.machine().degrade(payload);
    }

    /// Stops: no new batch is accepted, and the running one has [`PodOptions::drain`] to end and be downloaded.
    ///
    /// A batch that does not end in time is given up without results. It is never completed half done: the client
    /// then repeats it on another pod, whereas failures in an archive would be final for the miner.
    pub async fn stop(&self) {
        self.inner.stopping.cancel();
        self.inner.tasks.close();
        let handed_over = async {
            self.inner.tasks.wait().await;
            while self.inner.machine().has_undelivered_results() {
                self.inner.delivered.notified().await;
            }
        };
        if tokio::time::timeout(self.inner.options.drain, handed_over)
            .await
            .is_err()
        {
            tracing::warn!("the pod stops with a batch that was not finished or not downloaded");
        }
        self.inner.abort.cancel();
    }
}

impl Inner {
    /// The machine's changes are single assignments, so a panic elsewhere cannot leave it half changed.
    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
