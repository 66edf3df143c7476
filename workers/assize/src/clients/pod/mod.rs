//! Pods: miners' images running on rented GPUs, asked to generate their modules again.
//!
//! A pod is a miner's program with an open port, so everything it says is hostile until parsed: every body is counted
//! while it streams, every call has a total deadline, and nothing it can send ends in anything but a typed error
//! (miner API, A4 to A6).

pub(crate) mod archive;
mod fake;
mod http;
pub(crate) mod status;

use async_trait::async_trait;
use bytes::Bytes;
use indexmap::IndexMap;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use super::wire::ExchangeError;

pub use archive::{ArchiveError, ArchiveLimits};
pub use fake::FakePods;
pub use http::{HttpPods, PodSettings};

/// What a stem that is in neither the modules nor the failures of a batch is recorded with.
pub const MISSING_FROM_BATCH: &str = "missing from batch results";

/// Talks to pods.
#[async_trait]
pub trait Pods: Send + Sync {
    /// Whether the pod's server is up.
    ///
    /// # Errors
    ///
    /// [`PodError`] for anything but status 200: not yet.
    async fn health(&self, pod: &PodAddress) -> Result<(), PodError>;

    /// What the pod is doing. `replacements_remaining` tells it how many more pods its miner may use.
    ///
    /// # Errors
    ///
    /// [`PodError`]; counts as one failed poll.
    async fn status(
        &self,
        pod: &PodAddress,
        replacements_remaining: u32,
    ) -> Result<PodStatus, PodError>;

    /// Submits a batch. Asking again for the same stems restarts nothing, so a lost answer is asked for again.
    ///
    /// # Errors
    ///
    /// [`PodError::Conflict`] when the pod is in a state that takes no batch, else another [`PodError`].
    async fn generate(
        &self,
        pod: &PodAddress,
        prompts: &[PodPrompt],
        seed: u64,
    ) -> Result<(), PodError>;

    /// The results of the batch that is complete.
    ///
    /// # Errors
    ///
    /// [`PodError`] when there is no archive or nothing in it can be used. Single bad entries are failures of their stems
    /// within the results.
    async fn results(&self, pod: &PodAddress) -> Result<BatchResults, PodError>;
}

/// Where a pod answers.
#[derive(Debug, Clone)]
pub struct PodAddress {
    /// Its base URL.
    pub url: Url,
    /// The bearer token its cloud asks for, if any.
    pub token: Option<SecretString>,
}

/// A prompt of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodPrompt {
    /// The prompt's stem.
    pub stem: String,
    /// Its image, which the pod downloads.
    pub image_url: String,
}

/// What a pod says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct PodStatus {
    /// What it is doing.
    pub state: PodState,
    /// Prompts handled, while generating.
    pub progress: Option<i64>,
    /// Prompts of the batch, while generating.
    pub total: Option<i64>,
    /// Diagnostics of the miner, if their JSON has at most 4096 bytes.
    pub payload: Option<Map<String, Value>>,
}

/// What a pod is doing (miner API §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PodState {
    /// Loading.
    WarmingUp,
    /// Waiting for its first batch.
    Ready,
    /// Working on a batch.
    Generating,
    /// The results of a batch can be downloaded.
    Complete,
    /// It says that its hardware is bad and asks for another pod.
    Replace,
}

/// The results of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BatchResults {
    /// Modules by stem, in the order of the archive. Not judged in any way.
    pub modules: IndexMap<String, Bytes>,
    /// Reasons by stem: those of the pod's manifest first, then entries that could not be used.
    pub failures: IndexMap<String, String>,
}

/// What became of one stem of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StemResult {
    /// A module.
    Module(Bytes),
    /// The miner's failure, with the reason to record.
    Failed(String),
}

impl BatchResults {
    /// What became of `stem`: a failure that the pod or we found wins over a module, and a stem in neither has failed
    /// (generation §5.6).
    pub fn of(&self, stem: &str) -> StemResult {
        if let Some(reason) = self.failures.get(stem) {
            return StemResult::Failed(reason.clone());
        }
        match self.modules.get(stem) {
            Some(module) => StemResult::Module(module.clone()),
            None => StemResult::Failed(MISSING_FROM_BATCH.to_owned()),
        }
    }
}

/// Why a pod did not do what was asked. Says that this pod cannot be used, not whose fault it is: a pod may also be
/// unreachable because of its cloud or of us.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PodError {
    /// No connection, or an answer that broke, took too long or was too large.
    #[error("pod did not answer {operation}")]
    Unreachable {
        /// What was asked.
        operation: &'static str,
        /// What broke.
        #[source]
        source: ExchangeError,
    },

    /// A status that the protocol does not use here.
    #[error("pod answered status {status} to {operation}: {message}")]
    Status {
        /// What was asked.
        operation: &'static str,
        /// The HTTP status.
        status: u16,
        /// The start of what it said.
        message: String,
    },

    /// 409: the pod's state takes no batch, or has no results.
    #[error("pod refuses {operation} while it is {}", current.map_or("in an unknown state", PodState::as_str))]
    Conflict {
        /// What was asked.
        operation: &'static str,
        /// The state it says it is in.
        current: Option<PodState>,
    },

    /// The status is not what the protocol promises.
    #[error("pod's status has {problem}")]
    BadStatus {
        /// What is wrong.
        problem: String,
    },

    /// The archive is refused as a whole.
    #[error("pod's archive is refused")]
    BadArchive(#[from] ArchiveError),
}

impl PodError {
    /// Whether the same call may be answered another time: broken connections and the statuses 400, 429, 430 and from
    /// 500 (generation §5.5).
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } => matches!(source, ExchangeError::Transport(_)),
            Self::Status { status, .. } => matches!(status, 400 | 429 | 430 | 500..),
            Self::Conflict { .. } | Self::BadStatus { .. } | Self::BadArchive(_) => false,
        }
    }
}

impl PodState {
    /// The state as the protocol writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WarmingUp => "warming_up",
            Self::Ready => "ready",
            Self::Generating => "generating",
            Self::Complete => "complete",
            Self::Replace => "replace",
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        [
            Self::WarmingUp,
            Self::Ready,
            Self::Generating,
            Self::Complete,
            Self::Replace,
        ]
        .into_iter()
        .find(|state| state.as_str() == text)
    }
}
