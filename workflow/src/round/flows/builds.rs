//! Flow `builds`: every submission's image, from pending to decided; flow `build`: one of them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
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
            .map(|(hotkey, submission)| BuildInput {
                round,
                hotkey,
                submission,
                found_at: run.found_at,
            });
        flow.join_flows::<Build>(builds.collect::<Vec<_>>(), OnFailure::Fail)
            .await?;
        Ok(())
    }
}

/// Follows one build through everything that becomes of it.
pub struct Build;

/// Whose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BuildInput {
    /// Round.
    pub round: RoundNumber,
    /// Miner.
    pub hotkey: Hotkey,
    /// Its submission.
    pub submission: Submission,
    /// When the run was found.
    pub found_at: DateTime<Utc>,
}

#[async_trait]
impl FlowDefinition for Build {
    const NAME: &'static str = "build";
    type Input = BuildInput;
    type Output = ();

    fn key(input: &BuildInput) -> String {
        format!("round/{}/builds/{}", input.round, input.hotkey)
    }

    fn round(input: &BuildInput) -> Option<u32> {
        Some(input.round.0)
    }

    async fn run(flow: &Flow, input: BuildInput) -> Result<(), FlowError> {
        let mut verify =
            VerifyBuildInput::new(input.round, input.hotkey, input.submission, input.found_at);
        loop {
            let now = flow.step::<VerifyBuild>(verify.clone()).await?.build;
            if now.status.is_terminal() {
                return Ok(());
            }
            (verify.seen, verify.change) = (now.status, verify.change + 1);
        }
    }
}
