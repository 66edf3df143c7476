//! Step `seed`: the round's seed and prompts, made public together with the submissions.

use chrono::{DateTime, Utc};
use schema::{
    Hotkey, RoundNumber, Stage, StateFile as _,
    files::{Config, Prompts, Schedule, Seed, State, Submission, Submissions},
    messages,
    paths::{self, LedgerFile},
};
use serde::{Deserialize, Serialize};

use crate::{
    db::records::Record,
    engine::{Effects, MirrorChange, Publication, Step},
    round::{
        ledger::Decision,
        notices::{self, SUBMISSIONS},
        queues,
        steps::{Collected, enter_stage},
    },
    rules::{regeneration::Budget, seed::SeedProof},
};

/// Draws seed and prompts.
pub struct SeedRound;

/// What they are drawn from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeedInput {
    /// Round.
    pub round: RoundNumber,
    /// `config.json` of the round.
    pub config: Config,
    /// Its windows.
    pub schedule: Schedule,
    /// What regenerations may take.
    #[serde(default)]
    pub budget: Budget,
    /// Who takes part, and the block hash the seed is derived from.
    pub collected: Collected,
}

/// What is public from now on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seeded {
    /// The seed and what it was derived from.
    pub proof: SeedProof,
    /// Prompt URLs, carried-over ones first.
    pub prompts: Vec<String>,
    /// When the generation window is expected to end.
    pub deadline_eta: DateTime<Utc>,
}

impl Step for SeedRound {
    const NAME: &'static str = "seed";
    const QUEUE: &'static str = queues::CHAIN;
    const MAX_FAILURES: u16 = 300;
    type Input = SeedInput;
    type Output = Seeded;

    fn key(input: &SeedInput) -> String {
        format!("round/{}/seed", input.round)
    }

    fn round(input: &SeedInput) -> Option<u32> {
        Some(input.round.0)
    }

    /// Seed, prompts, submissions and the new stage appear in one commit: a frozen contract with miners and with the build
    /// workflow.
    fn effects(input: &SeedInput, output: &Seeded) -> Effects {
        let round = input.round;
        let submissions: Submissions = input.collected.accepted.iter().cloned().collect();
        let state = State {
            current_round: round,
            stage: Stage::MinerGeneration,
            next_stage_eta: Some(output.deadline_eta),
        };
        let put = |path: String, content: Vec<u8>| MirrorChange::Put { path, content };
        let changes = vec![
            put(paths::state(), state.to_bytes()),
            put(
                paths::seed(round),
                Seed {
                    seed: output.proof.seed,
                }
                .to_bytes(),
            ),
            put(
                paths::prompts(round),
                Prompts(output.prompts.clone()).to_bytes(),
            ),
            put(paths::submissions(round), submissions.to_bytes()),
            put(
                paths::ledger(round, &LedgerFile::Seed),
                schema::format::json::pretty(&output.proof),
            ),
            Decision::Rules {
                config: input.config.clone(),
                budget: input.budget,
            }
            .append(round),
        ];
        let mut records: Vec<Record> = input
            .collected
            .accepted
            .iter()
            .enumerate()
            .map(|(position, (hotkey, submission))| {
                submission_record(round, position, hotkey, submission)
            })
            .collect();
        records.push(enter_stage::record(round, Stage::MinerGeneration));
        let accepted = input.collected.accepted.len();
        let told = notices::submissions_collected(
            round,
            input.collected.committed,
            accepted,
            output.deadline_eta,
        );
        records.push(told.about(round, SUBMISSIONS));
        let message = messages::seed_prompts_and_submissions(round);
        Effects {
            records,
            publication: Some(Publication {
                message,
                changes,
                urgent: true,
            }),
            ..Effects::default()
        }
    }
}

fn submission_record(
    round: RoundNumber,
    position: usize,
    hotkey: &Hotkey,
    submission: &Submission,
) -> Record {
    Record::Submission {
        round: round.0,
        position: position as i32,
        hotkey: hotkey.as_str().to_owned(),
        repo: submission.repo.clone(),
        commit: submission.commit.as_str().to_owned(),
        cdn_url: submission.cdn_url.clone(),
        revealed_at_block: submission.revealed_at_block.0 as i64,
    }
}
