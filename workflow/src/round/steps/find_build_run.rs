//! Step `find_build_run`: waits until the public build run of a round's submissions exists.

use chrono::{DateTime, Utc};
use schema::RoundNumber;
use serde::{Deserialize, Serialize};

use crate::{engine::Step, round::queues};

/// Finds the run. The builds' time limit counts from then: an outage before it costs no miner any of it.
pub struct FindBuildRun;

/// Of which round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindBuildRunInput {
    /// Round.
    pub round: RoundNumber,
}

/// The run, as it was found first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildRun {
    /// GitHub's number of it.
    pub id: u64,
    /// When it was found.
    pub found_at: DateTime<Utc>,
}

impl Step for FindBuildRun {
    const NAME: &'static str = "find_build_run";
    const QUEUE: &'static str = queues::NETWORK;
    const MAX_FAILURES: u16 = 100;
    type Input = FindBuildRunInput;
    type Output = BuildRun;

    fn key(input: &FindBuildRunInput) -> String {
        format!("round/{}/find_build_run", input.round)
    }

    fn round(input: &FindBuildRunInput) -> Option<u32> {
        Some(input.round.0)
    }
}
