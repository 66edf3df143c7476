//! `rounds/{n}/{hotkey}/pod_stats.json`: what the GPU pods did. Nothing reads it but people.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::macros::{either_form, map_file, older_form, sniff_objects};
use super::verbatim::Verbatim;
use crate::tolerant;
use crate::{FileError, IndexMap};

/// `rounds/{n}/{hotkey}/pod_stats.json`: an entry a pod and repeat, keyed `{pod name}-r{repeat}` ([`PodStats::key`]).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pods(pub IndexMap<String, PodStats>);

/// What one pod did for one repeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PodStats {
    /// Name of the pod, `miner-01-5ggvxyjs3r-0`.
    pub pod_id: String,
    /// Which repeat, from 1.
    #[serde(default = "first_repeat", deserialize_with = "tolerant::integer")]
    pub repeat_index: u32,
    /// `targon`, `verda` or `runpod`.
    #[serde(default)]
    pub provider: String,
    /// Wall time of each finished batch, seconds.
    #[serde(default)]
    pub batch_times: Vec<f64>,
    /// Their sum, seconds.
    #[serde(default)]
    pub total_generation_time: f64,
    /// Why the pod ended.
    #[serde(default)]
    pub termination_reason: TerminationReason,
    /// What the miner said when it asked to be replaced; at most 4096 bytes of JSON.
    #[serde(default)]
    pub payload: Option<Value>,
}

fn first_repeat() -> u32 {
    1
}

/// Why a pod ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TerminationReason {
    /// Its work was done.
    #[default]
    Completed,
    /// The miner asked for another pod.
    Requested,
    /// It did not answer any more.
    Unreachable,
    /// It did not accept a batch.
    SubmissionFailed,
    /// Its results could not be fetched.
    DownloadFailed,
    /// A batch took too long.
    BatchTimeLimit,
    /// Something else, in words.
    #[serde(untagged)]
    Other(String),
}

impl PodStats {
    /// Name of a pod: `miner-{round, two digits}-{first 10 of hotkey, lower case}-{index}`.
    pub fn pod_name(round: crate::RoundNumber, side: &crate::Side, index: u32) -> String {
        format!(
            "miner-{:02}-{}-{index}",
            round.0,
            side.short().to_lowercase()
        )
    }

    /// The key of this entry in the file.
    pub fn key(&self) -> String {
        format!("{}-r{}", self.pod_id, self.repeat_index)
    }
}

/// The same file in the mesh competition, keyed by pod alone. An intermediate form had `performance_samples` in place of
/// the four times; no sample of either is at hand, so rows are kept as found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MeshPods(pub IndexMap<String, Verbatim<MeshPodStats>>);

/// What one pod did in the mesh competition.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct MeshPodStats {
    /// Name of the pod.
    pub pod_id: String,
    /// Prompts handled.
    #[serde(default, deserialize_with = "tolerant::integer")]
    pub processed: u32,
    /// Prompts with an output.
    #[serde(default, deserialize_with = "tolerant::integer")]
    pub successful: u32,
    /// Prompts that failed.
    #[serde(default, deserialize_with = "tolerant::integer")]
    pub hard_failed: u32,
    /// Prompts that took longer than allowed.
    #[serde(default, deserialize_with = "tolerant::integer")]
    pub hard_overtime: u32,
    /// Shortest time, seconds.
    #[serde(default)]
    pub time_min: Option<f64>,
    /// Longest time, seconds.
    #[serde(default)]
    pub time_max: Option<f64>,
    /// Mean time, seconds.
    #[serde(default)]
    pub time_avg: Option<f64>,
    /// Median time, seconds.
    #[serde(default)]
    pub time_median: Option<f64>,
    /// The times of the intermediate form.
    #[serde(default)]
    pub performance_samples: Option<Value>,
    /// Whether the pod was given up as bad.
    #[serde(default)]
    pub marked_bad: bool,
    /// Seconds gained by retries, summed.
    #[serde(default)]
    pub retry_cumulative_delta: f64,
    /// How many retries that sum counts.
    #[serde(default, deserialize_with = "tolerant::integer")]
    pub retry_delta_count: u32,
    /// Why the pod ended, in words.
    #[serde(default)]
    pub termination_reason: Option<String>,
}

/// `pod_stats.json` in either form.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyPodStats {
    /// Today's form.
    Current(Pods),
    /// The mesh competition's.
    Mesh(MeshPods),
}

fn is_mesh(bytes: &[u8]) -> bool {
    let rows = sniff_objects(bytes);
    rows.iter().any(|row| row.contains_key("processed"))
        && !rows.iter().any(|row| row.contains_key("batch_times"))
}

fn refuse_mesh(path: &str, bytes: &[u8]) -> Result<(), FileError> {
    if is_mesh(bytes) {
        return Err(older_form(
            path,
            "pods with `batch_times`",
            "of the mesh competition (`processed`)",
        ));
    }
    Ok(())
}

map_file!(
    Pods, String, PodStats, EmptyCollection,
    refuse: refuse_mesh,
    write: crate::format::json::pretty
);
map_file!(MeshPods, String, Verbatim<MeshPodStats>, EmptyCollection);
either_form!(AnyPodStats { Current(Pods), Mesh(MeshPods) }, EmptyCollection, is_mesh);
