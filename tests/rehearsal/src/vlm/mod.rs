//! An OpenAI-compatible vision model that really looks at the pictures.
//!
//! It fetches each image of a request, finds the object in it, and measures how far its outline and colours are from
//! those of the prompt image; the answers to all of the judge's questions follow from these distances, plus noise that
//! follows from the pictures and the call's seed. Asking again with the same seed gives the same answer. Pictures that
//! are equal get equal scores but for the position they are shown in, as real models have it.
//!
//! Latency, capacity, outages, faults and a weakness for text painted on models can be set, also while it runs.

mod answer;
mod capacity;
mod checklist;
mod compare;
mod faults;
mod picture;
mod pictures;
mod request;
mod routes;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use bytes::Bytes;

pub use capacity::VlmStatistics;
pub use faults::VlmFault;

use capacity::Capacity;
use faults::FaultPlan;
use pictures::Pictures;

/// Gets what stands at a URL of the outside world; the world resolves its host names.
#[async_trait]
pub trait Fetch: Send + Sync + 'static {
    /// The body at `url`.
    ///
    /// # Errors
    ///
    /// A sentence saying why there is none.
    async fn fetch(&self, url: &str) -> Result<Bytes, String>;
}

/// How the model behaves.
#[derive(Debug, Clone)]
pub struct VlmOptions {
    /// Decides all noise.
    pub seed: u64,
    /// The served model's name; requests for another are answered 404.
    pub model: String,
    /// How long one call takes at least.
    pub latency: Duration,
    /// Calls worked on at once; more are queued.
    pub capacity: usize,
    /// How far a penalty may be off, in points of the scale 0 to 10.
    pub noise: f64,
    /// Points by which the model shown second is judged worse.
    pub position_bias: f64,
    /// Chance of each fault per call, `0.0..=1.0`.
    pub faults: Vec<(VlmFault, f64)>,
    /// What miners could exploit.
    pub weakness: Weakness,
    /// How long a fetched picture is remembered.
    pub remember: Duration,
}

impl Default for VlmOptions {
    fn default() -> Self {
        Self {
            seed: 0,
            model: "glm-4.6v-flash".to_owned(),
            latency: Duration::ZERO,
            capacity: 64,
            noise: 0.35,
            position_bias: 0.25,
            faults: Vec::new(),
            weakness: Weakness::None,
            remember: Duration::from_mins(5),
        }
    }
}

/// What miners could exploit: obedience to text painted on a model. Such text is stood for by a strip of
/// [`crate::scenes::PAINTED_TEXT_COLORS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    /// It looks at the object alone.
    None,
    /// It gives the painted model the best score, unless the request's texts warn of instructions in pictures.
    ObeysUnlessWarned,
    /// It gives the painted model the best score whatever the request says.
    AlwaysObeys,
}

/// The model. Clones share one.
#[derive(Clone)]
pub struct Vlm {
    inner: Arc<Inner>,
}

struct Inner {
    options: VlmOptions,
    pictures: Pictures,
    capacity: Capacity,
    faults: Mutex<FaultPlan>,
}

impl Vlm {
    /// A model that gets its pictures through `fetch`.
    pub fn new(options: VlmOptions, fetch: Arc<dyn Fetch>) -> Self {
        let inner = Inner {
            pictures: Pictures::new(fetch, options.remember),
            capacity: Capacity::new(options.capacity, options.latency),
            faults: Mutex::new(FaultPlan::new(options.seed, options.faults.clone())),
            options,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// `POST /v1/chat/completions` and `POST /chat/completions`, `GET /v1/models`, `GET /models` and `GET /health`.
    pub fn router(&self) -> Router {
        routes::router(Arc::clone(&self.inner))
    }

    /// What has been asked so far.
    pub fn statistics(&self) -> VlmStatistics {
        self.inner.capacity.statistics()
    }

    /// Makes the next `calls` calls suffer `fault`.
    pub fn fail_next(&self, fault: VlmFault, calls: u32) {
        self.inner.faults().fail_next(fault, calls);
    }

    /// Begins or ends an outage, in which every call is answered 503 at once.
    pub fn set_outage(&self, outage: bool) {
        self.inner.faults().set_outage(outage);
    }

    /// Forgets all pictures, for worlds in which a URL's content has changed.
    pub fn forget_pictures(&self) {
        self.inner.pictures.forget();
    }
}

impl Inner {
    fn faults(&self) -> std::sync::MutexGuard<'_, FaultPlan> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
