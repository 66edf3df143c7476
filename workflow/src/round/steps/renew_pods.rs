//! Step `renew-pods`: a person decides whether the leader gets another set of pods.
//!
//! The baseline is ours: nobody can be rejected for it, and without it there is no round. But a set of pods is dear, and one
//! that was used up will be used up again unless something is mended first. So the step is parked at its first attempt, where
//! operators see it, and ends when one of them retries it.

use schema::RoundNumber;
use serde::{Deserialize, Serialize};

use crate::{engine::Step, round::queues};

/// Waits for an operator.
pub struct RenewPods;

/// For what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewPodsInput {
    /// Round.
    pub round: RoundNumber,
    /// How many pods were used up so far.
    pub used_up: u32,
}

impl Step for RenewPods {
    const NAME: &'static str = "renew-pods";
    const QUEUE: &'static str = queues::STATE;
    const MAX_FAILURES: u16 = 1;
    type Input = RenewPodsInput;
    type Output = ();

    fn key(input: &RenewPodsInput) -> String {
        format!(
            "round/{}/regeneration/leader/renew/{}",
            input.round, input.used_up
        )
    }

    fn round(input: &RenewPodsInput) -> Option<u32> {
        Some(input.round.0)
    }
}
