//! GPU clouds: where pods that run miners' images are rented.

mod api;
mod fake;
mod runpod;
mod targon;
#[cfg(test)]
mod tests;
mod verda;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use super::wire::ExchangeError;

pub use fake::FakeCloud;
pub use runpod::RunPod;
pub use targon::Targon;
pub use verda::{Verda, VerdaCredentials};

/// Requests that a cloud sends to one replica of a pod at the same time (generation §4.1).
const REQUESTS_PER_REPLICA: u32 = 2;

/// A cloud that rents pods.
#[async_trait]
pub trait GpuCloud: Send + Sync {
    /// Which cloud this is.
    fn kind(&self) -> CloudKind;

    /// The bearer token that every request to a pod of this cloud must carry, if any.
    fn pod_token(&self) -> Option<&SecretString> {
        None
    }

    /// All pods of the account, ours and others'.
    ///
    /// # Errors
    ///
    /// [`CloudError`]; a list that could not be read is never an empty one.
    async fn list(&self) -> Result<Vec<CloudPod>, CloudError>;

    /// Rents a pod and returns its id. It becomes visible, with an address, in [`GpuCloud::list`].
    ///
    /// Not idempotent: when the answer is lost, the pod may exist and cost money. Callers look for the name and delete it
    /// before they try again.
    ///
    /// # Errors
    ///
    /// [`CloudError`]; see [`CloudError::is_permanent`].
    async fn create(&self, spec: &PodSpec) -> Result<String, CloudError>;

    /// Deletes the pod `id`. A pod that is not there is deleted.
    ///
    /// # Errors
    ///
    /// [`CloudError`]; the pod may go on costing money, so this is tried again until it works (generation, W8).
    async fn delete(&self, id: &str) -> Result<(), CloudError>;
}

/// Reads the pods of a listing as a cloud answers it, for whoever only wants to know that it can be read.
pub(crate) fn read_listing(kind: CloudKind, body: &[u8]) {
    drop(match kind {
        CloudKind::Targon => targon::pods(body),
        CloudKind::Verda => verda::pods(body),
        CloudKind::RunPod => runpod::pods(body, 80),
    });
}

/// The clouds there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CloudKind {
    /// Targon, serverless workloads.
    Targon,
    /// Verda, container deployments on spot capacity.
    Verda,
    /// RunPod, secure cloud.
    RunPod,
}

impl CloudKind {
    /// The name in settings and in `pod_stats.json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Targon => "targon",
            Self::Verda => "verda",
            Self::RunPod => "runpod",
        }
    }
}

impl fmt::Display for CloudKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A name that is no cloud's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no GPU cloud, expected targon, verda or runpod")]
pub struct UnknownCloud(pub String);

impl FromStr for CloudKind {
    type Err = UnknownCloud;

    fn from_str(text: &str) -> Result<Self, UnknownCloud> {
        match text.trim().to_ascii_lowercase().as_str() {
            "targon" => Ok(Self::Targon),
            "verda" => Ok(Self::Verda),
            "runpod" => Ok(Self::RunPod),
            _ => Err(UnknownCloud(text.to_owned())),
        }
    }
}

/// A pod to rent.
#[derive(Debug, Clone)]
pub struct PodSpec {
    /// Its name, such as `miner-06-5ggpgadxzt-0`; unique among ours.
    pub name: String,
    /// The image, publicly pullable.
    pub image: String,
    /// The port the image listens on; 10006.
    pub port: u16,
    /// The GPU, such as `H200`.
    pub gpu_type: String,
    /// GPUs in the pod.
    pub gpu_count: u32,
    /// Environment of the container.
    pub env: Vec<(String, SecretString)>,
}

/// A pod as its cloud lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudPod {
    /// What [`GpuCloud::delete`] takes.
    pub id: String,
    /// The name it was rented under.
    pub name: String,
    /// Where it answers; none until the cloud made it reachable.
    pub url: Option<Url>,
}

/// Why a cloud did not do what was asked. Always ours, never a miner's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloudError {
    /// No connection, or an answer that broke, took too long or was too large.
    #[error("{cloud} cannot be reached to {operation}")]
    Unreachable {
        /// The cloud.
        cloud: CloudKind,
        /// What was asked.
        operation: &'static str,
        /// What broke.
        #[source]
        source: ExchangeError,
    },

    /// The cloud refuses our credentials.
    #[error("{cloud} refuses our credentials (status {status}) to {operation}")]
    Unauthorized {
        /// The cloud.
        cloud: CloudKind,
        /// What was asked.
        operation: &'static str,
        /// The HTTP status.
        status: u16,
    },

    /// The cloud answered with an error, such as having no capacity.
    #[error("{cloud} answered status {status} to {operation}: {message}")]
    Status {
        /// The cloud.
        cloud: CloudKind,
        /// What was asked.
        operation: &'static str,
        /// The HTTP status.
        status: u16,
        /// The start of what it said.
        message: String,
    },

    /// The answer is not what the interface promises.
    #[error("{cloud} answered {problem} to {operation}")]
    Malformed {
        /// The cloud.
        cloud: CloudKind,
        /// What was asked.
        operation: &'static str,
        /// What is wrong.
        problem: String,
    },

    /// The cloud does not rent such hardware.
    #[error("{cloud} does not rent {gpu_count} × {gpu_type}; check GPU_TYPE and GPU_COUNT")]
    UnsupportedHardware {
        /// The cloud.
        cloud: CloudKind,
        /// The GPU asked for.
        gpu_type: String,
        /// How many.
        gpu_count: u32,
    },
}

impl CloudError {
    /// Whether waiting does not help: an operator has to change a setting first (generation, W27).
    pub fn is_permanent(&self) -> bool {
        matches!(
            self,
            Self::Unauthorized { .. } | Self::UnsupportedHardware { .. }
        )
    }
}

/// Deadline of one request to Targon.
const TARGON_DEADLINE: Duration = Duration::from_secs(30);

/// Deadline of one request to Verda and RunPod.
const DEADLINE: Duration = Duration::from_mins(1);
