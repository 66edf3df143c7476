//! Flow `fingerprints`: the digests of all prompt images, noted while the miners generate. Nothing waits for it.

use async_trait::async_trait;
use schema::RoundNumber;
use serde::{Deserialize, Serialize};

use crate::{
    engine::{Flow, FlowDefinition, FlowError, OnFailure},
    round::{
        entry::Prompt,
        steps::{FingerprintPrompt, FingerprintPromptInput},
    },
};

/// Fingerprints the prompts.
pub struct Fingerprints;

/// Which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FingerprintsInput {
    /// Round.
    pub round: RoundNumber,
    /// Its prompts.
    pub prompts: Vec<Prompt>,
}

#[async_trait]
impl FlowDefinition for Fingerprints {
    const NAME: &'static str = "fingerprints";
    type Input = FingerprintsInput;
    type Output = ();

    fn key(input: &FingerprintsInput) -> String {
        format!("round/{}/fingerprints", input.round)
    }

    fn round(input: &FingerprintsInput) -> Option<u32> {
        Some(input.round.0)
    }

    async fn run(flow: &Flow, input: FingerprintsInput) -> Result<(), FlowError> {
        let round = input.round;
        let steps = input
            .prompts
            .into_iter()
            .map(|prompt| FingerprintPromptInput { round, prompt });
        flow.join_steps::<FingerprintPrompt>(steps.collect::<Vec<_>>(), OnFailure::Collect)
            .await?;
        Ok(())
    }
}
