//! Flow `round`: from OPEN to the next round's OPEN.

use async_trait::async_trait;
use schema::{RoundNumber, Side, Stage, files::Winner};
use serde::{Deserialize, Serialize};

use crate::{
    engine::{Flow, FlowDefinition, FlowError, OnFailure},
    round::{
        entry::Prompt,
        flows::{
            Builds, BuildsInput, Fingerprints, FingerprintsInput, Prepare, PrepareInput,
            Regeneration, RegenerationInput, Tournament, TournamentInput,
        },
        steps::{
            Collect, CollectInput, CountDownloads, CountDownloadsInput, Declare, DeclareInput,
            EndStage, EndStageInput, EnterStage, EnterStageInput, Finalize, FinalizeInput,
            FixRules, OpenRound, OpenedRound, RoundInput, SeedInput, SeedRound, Seeded,
        },
    },
};

/// One round.
pub struct Round;

/// How it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoundOutput {
    /// Who won.
    pub winner: Winner,
    /// The next round; none when the competition is over.
    pub next: Option<RoundNumber>,
}

#[async_trait]
impl FlowDefinition for Round {
    const NAME: &'static str = "round";
    type Input = RoundInput;
    type Output = RoundOutput;

    fn key(input: &RoundInput) -> String {
        format!("round/{}", input.round)
    }

    fn round(input: &RoundInput) -> Option<u32> {
        Some(input.round.0)
    }

    async fn run(flow: &Flow, input: RoundInput) -> Result<RoundOutput, FlowError> {
        let round = input.round;
        let schedule = flow.step::<OpenRound>(input.clone()).await?.schedule;

        flow.until_block(schedule.latest_reveal_block.0).await?;
        let opened = OpenedRound {
            schedule: schedule.clone(),
            ..flow.step::<FixRules>(input).await?
        };
        let label = opened.config.round_label(round);
        let collected = flow
            .step::<Collect>(CollectInput {
                round,
                schedule: schedule.clone(),
                label,
            })
            .await?;

        // Without a submission the leader defends, and the round is public like any other (collection, weakness W1).
        let without_submissions = collected.accepted.is_empty();
        let champion = if without_submissions {
            Side::Leader
        } else {
            let submissions = collected.accepted.clone();
            let seed = SeedInput {
                round,
                config: opened.config.clone(),
                schedule: schedule.clone(),
                budget: opened.budget,
                collected,
            };
            let seeded = flow.step::<SeedRound>(seed).await?;
            compete(flow, round, &opened, submissions, seeded).await?
        };

        let pauses = pauses_before(flow, round, Stage::Finalizing).await?;
        let winner = flow
            .step::<Declare>(DeclareInput {
                round,
                champion,
                without_submissions,
                pauses,
            })
            .await?;
        let pauses = pauses_before(flow, round, Stage::Open).await?;
        let finalized = flow
            .step::<Finalize>(FinalizeInput {
                round,
                schedule,
                winner: winner.clone(),
                pauses,
            })
            .await?;
        Ok(RoundOutput {
            winner,
            next: finalized.next.map(|_| round.next()),
        })
    }
}

/// Whether an operator wants to be asked before `next` begins.
async fn pauses_before(flow: &Flow, round: RoundNumber, next: Stage) -> Result<bool, FlowError> {
    let end = flow.step::<EndStage>(EndStageInput { round, next }).await?;
    Ok(end.pauses)
}

type Submissions = Vec<(schema::Hotkey, schema::files::Submission)>;

/// From the published seed to the champion of the timeline.
async fn compete(
    flow: &Flow,
    round: RoundNumber,
    opened: &OpenedRound,
    submissions: Submissions,
    seeded: Seeded,
) -> Result<Side, FlowError> {
    let prompts: Vec<Prompt> = seeded
        .prompts
        .iter()
        .map(|url| Prompt::of_url(url))
        .collect();
    let seed = seeded.proof.seed;
    flow.start_flow::<Builds>(&BuildsInput {
        round,
        submissions: submissions.clone(),
    })?;
    flow.start_flow::<Fingerprints>(&FingerprintsInput {
        round,
        prompts: prompts.clone(),
    })?;
    flow.start_flow::<Regeneration>(&RegenerationInput {
        round,
        side: Side::Leader,
        image: Some(opened.leader_image.clone()),
        prompts: prompts.clone(),
        seed,
        repeats: 1,
        first_pod: 0,
        again: 0,
        reported: Vec::new(),
        budget: opened.budget,
    })?;

    flow.until_block(opened.schedule.generation_deadline_block.0)
        .await?;
    flow.step::<EnterStage>(EnterStageInput {
        round,
        stage: Stage::Downloading,
        downloads: None,
    })
    .await?;
    let entries = submissions.iter().flat_map(|(hotkey, submission)| {
        prompts.iter().map(move |prompt| PrepareInput {
            round,
            hotkey: hotkey.clone(),
            prompt: prompt.clone(),
            cdn_url: submission.cdn_url.clone(),
        })
    });
    flow.join_flows::<Prepare>(entries.collect::<Vec<_>>(), OnFailure::Fail)
        .await?;

    let downloads = flow
        .step::<CountDownloads>(CountDownloadsInput { round })
        .await?;
    flow.step::<EnterStage>(EnterStageInput {
        round,
        stage: Stage::Duels,
        downloads: Some(downloads),
    })
    .await?;
    let tournament = TournamentInput {
        round,
        win_margin: opened.config.win_margin,
        audit_repeats: opened.config.audit_repeats,
        submissions,
        prompts,
        seed,
        judging: opened.judging.clone(),
        budget: opened.budget,
    };
    // A reconciler is awaited like a flow.
    flow.reconciler::<Tournament>(tournament).await
}
