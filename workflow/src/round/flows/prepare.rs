//! Flow `prepare`: one prompt of one miner, from the miner's server to its stored pictures.

use async_trait::async_trait;
use schema::{Hotkey, RoundNumber};
use serde::{Deserialize, Serialize};

use crate::{
    engine::{Flow, FlowDefinition, FlowError},
    round::{
        entry::Prompt,
        steps::{Download, DownloadInput, DownloadOutput, Render, RenderInput, RenderOutput},
    },
};

/// Prepares an entry.
pub struct Prepare;

/// Which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrepareInput {
    /// Round.
    pub round: RoundNumber,
    /// Miner.
    pub hotkey: Hotkey,
    /// Prompt.
    pub prompt: Prompt,
    /// The miner's server.
    pub cdn_url: String,
}

#[async_trait]
impl FlowDefinition for Prepare {
    const NAME: &'static str = "prepare";
    type Input = PrepareInput;
    /// Whether there is something to look at.
    type Output = bool;

    fn key(input: &PrepareInput) -> String {
        format!(
            "round/{}/prepare/{}/{}",
            input.round, input.hotkey, input.prompt.stem
        )
    }

    fn round(input: &PrepareInput) -> Option<u32> {
        Some(input.round.0)
    }

    async fn run(flow: &Flow, input: PrepareInput) -> Result<bool, FlowError> {
        let download = DownloadInput {
            round: input.round,
            hotkey: input.hotkey,
            stem: input.prompt.stem.clone(),
            cdn_url: input.cdn_url,
        };
        let entry = download.entry();
        let module = match flow.step::<Download>(download).await? {
            DownloadOutput::Stored { module } => module,
            DownloadOutput::Missing { .. } => return Ok(false),
        };
        match flow
            .step::<Render>(RenderInput {
                entry,
                prompt: input.prompt,
                module,
                again: 0,
            })
            .await?
        {
            RenderOutput::Rendered { .. } => Ok(true),
            RenderOutput::Rejected { .. } => Ok(false),
        }
    }
}
