//! Step `release-pods`: nothing rented for this side stays behind.

use std::time::Duration;

use schema::{RoundNumber, Side, files::PodStats, messages, paths};
use serde::{Deserialize, Serialize};

use crate::{
    engine::{Effects, MirrorChange, Step},
    round::queues,
};

/// Deletes pods by name and looks that they are gone.
pub struct ReleasePods;

/// Which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReleasePodsInput {
    /// Round.
    pub round: RoundNumber,
    /// Whose; all of this side's pods go, or only `pod`.
    pub side: Side,
    /// One pod's name.
    pub pod: Option<String>,
    /// The number of this side's first pod: see [`crate::rules::regeneration::first_pod`].
    #[serde(default)]
    pub first_pod: u32,
    /// What `pod_stats.json` says of it, one entry a repeat.
    pub statistics: Vec<PodStats>,
    /// A unique name of the occasion.
    pub occasion: String,
}

impl Step for ReleasePods {
    const NAME: &'static str = "release-pods";
    const QUEUE: &'static str = queues::GPU;
    const DEADLINE: Duration = Duration::from_secs(120);
    // A pod that cannot be deleted costs money: tried for days, then parked and shown.
    const MAX_FAILURES: u16 = 1000;
    type Input = ReleasePodsInput;
    type Output = ();

    fn key(input: &ReleasePodsInput) -> String {
        format!(
            "round/{}/regeneration/{}/release/{}",
            input.round, input.side, input.occasion
        )
    }

    fn round(input: &ReleasePodsInput) -> Option<u32> {
        Some(input.round.0)
    }

    fn effects(input: &ReleasePodsInput, (): &()) -> Effects {
        let changes: Vec<MirrorChange> = input
            .statistics
            .iter()
            .map(|statistics| MirrorChange::MergeEntry {
                path: paths::pod_stats(input.round, &input.side),
                key: statistics.key(),
                value: serde_json::to_value(statistics).unwrap_or_default(),
            })
            .collect();
        if changes.is_empty() {
            return Effects::default();
        }
        Effects::default().publish(messages::pod_stats(input.round, &input.side), changes)
    }
}
