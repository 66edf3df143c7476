//! Step `collect`: what miners revealed in the round's window, read at the hash of its last block.
//!
//! Reading at a fixed block makes the answer independent of when the step runs (collection, weakness W11).

use std::time::Duration;

use schema::{
    BlockNumber, Hotkey, RoundNumber,
    files::{Schedule, Submission},
    messages,
};
use serde::{Deserialize, Serialize};

use crate::{
    engine::{Effects, Step},
    round::{
        ledger::Decision,
        notices::{self, SUBMISSIONS},
        queues,
    },
};

/// Asks the chain.
pub struct Collect;

/// What to ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CollectInput {
    /// Round.
    pub round: RoundNumber,
    /// Its windows.
    pub schedule: Schedule,
    /// `{config.name}-{n}`.
    pub label: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Collected {
    /// In the order of `submissions.json`, which decides who challenges first. A list, because stored maps lose their order.
    pub accepted: Vec<(Hotkey, Submission)>,
    /// Who is not in it, and why.
    pub rejected: Vec<RejectedSubmission>,
    /// Valid submissions before registration and lock were looked at.
    pub committed: usize,
    /// Hash of the block everything was read at: `0x` and 64 digits.
    pub block_hash: String,
    /// Its number: the round's latest reveal block.
    pub block: BlockNumber,
}

/// A submission that does not take part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedSubmission {
    /// Whose.
    pub hotkey: Hotkey,
    /// Why, as a sentence.
    pub reason: String,
}

impl Step for Collect {
    const NAME: &'static str = "collect";
    const QUEUE: &'static str = queues::CHAIN;
    const DEADLINE: Duration = Duration::from_secs(600);
    // A chain outage at the reveal must not end the round: it is waited for a day.
    const MAX_FAILURES: u16 = 300;
    type Input = CollectInput;
    type Output = Collected;

    fn key(input: &CollectInput) -> String {
        format!("round/{}/collect", input.round)
    }

    fn round(input: &CollectInput) -> Option<u32> {
        Some(input.round.0)
    }

    /// Who does not take part is told why. Who does is told together with the seed.
    fn effects(input: &CollectInput, output: &Collected) -> Effects {
        let collected = Decision::Collected {
            block: output.block,
            block_hash: output.block_hash.clone(),
            committed: output.committed,
        };
        let rejected = output
            .rejected
            .iter()
            .map(|rejected| Decision::SubmissionRejected {
                hotkey: rejected.hotkey.clone(),
                reason: rejected.reason.clone(),
            });
        let lines = std::iter::once(collected).chain(rejected);
        let records = output
            .accepted
            .is_empty()
            .then(|| notices::no_submissions(input.round).about(input.round, SUBMISSIONS));
        let effects = Effects {
            records: records.into_iter().collect(),
            ..Effects::default()
        };
        effects.publish(
            messages::ledger(input.round),
            lines.map(|line| line.append(input.round)).collect(),
        )
    }
}
