//! Flow `builds`: every submission's image, from pending to decided.

use async_trait::async_trait;
use schema::{Hotkey, RoundNumber, files::Submission};
use serde::{Deserialize, Serialize};

use crate::{
    engine::{Flow, FlowDefinition, FlowError, OnFailure},
    round::steps::{
        FindBuildRun, FindBuildRunInput, StartBuilds, StartBuildsInput, VerifyBuild,
        VerifyBuildInput,
    },
};

/// Follows the builds.
pub struct Builds;

/// Of whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BuildsInput {
    /// Round.
    pub round: RoundNumber,
    /// In the order of `submissions.json`.
    pub submissions: Vec<(Hotkey, Submission)>,
}

#[async_trait]
impl FlowDefinition for Builds {
    const NAME: &'static str = "builds";
    type Input = BuildsInput;
    type Output = ();

    fn key(input: &BuildsInput) -> String {
        format!("round/{}/builds", input.round)
    }

    fn round(input: &BuildsInput) -> Option<u32> {
        Some(input.round.0)
    }

    async fn run(flow: &Flow, input: BuildsInput) -> Result<(), FlowError> {
        let BuildsInput { round, submissions } = input;
        flow.step::<StartBuilds>(StartBuildsInput {
            round,
            submissions: submissions.clone(),
        })
        .await?;
        let run = flow
            .step::<FindBuildRun>(FindBuildRunInput { round })
            .await?;
        let builds = submissions
            .into_iter()
            .map(|(hotkey, submission)| VerifyBuildInput {
                round,
                hotkey,
                submission,
                found_at: run.found_at,
            });
        flow.join_steps::<VerifyBuild>(builds.collect::<Vec<_>>(), OnFailure::Fail)
            .await?;
        Ok(())
    }
}
