//! Step `count_downloads`: what the miners of a round delivered, so that people can be told.

use schema::RoundNumber;
use serde::{Deserialize, Serialize};

use crate::{
    engine::Step,
    round::{notices::Downloads, queues},
};

/// Counts.
pub struct CountDownloads;

/// Of which round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountDownloadsInput {
    /// Round.
    pub round: RoundNumber,
}

impl Step for CountDownloads {
    const NAME: &'static str = "count_downloads";
    const QUEUE: &'static str = queues::STATE;
    const INLINE: bool = true;
    type Input = CountDownloadsInput;
    type Output = Downloads;

    fn key(input: &CountDownloadsInput) -> String {
        format!("round/{}/count_downloads", input.round)
    }

    fn round(input: &CountDownloadsInput) -> Option<u32> {
        Some(input.round.0)
    }
}
