//! What to put back, derived from the published round alone.

use anyhow::{Context as _, bail};
use schema::{
    Side, Stage,
    files::{BuildStatus, Submission},
};
use workflow::{
    db::{records::Record, recovered::Recovered},
    engine::NewJob,
    round::{
        flows::{Build, BuildInput, Builds, BuildsInput, Tournament, TournamentInput},
        steps::{
            Collect, CollectInput, Collected, Declare, DeclareInput, EnterStage, EnterStageInput,
            FixRules, OpenRound, OpenedRound, RoundInput, SeedInput, SeedRound, Seeded,
            StartBuilds, StartBuildsInput, VerifyBuild, VerifyBuildInput, VerifyBuildOutput,
        },
    },
};

use super::{
    RecoverError, Recovery, entries, matches,
    public_round::{PublicRound, PublicSeed},
    regenerations,
};

/// What to put back, in order, and what to start beside the round's flow.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) jobs: Vec<Recovered>,
    /// Rows without a job of their own.
    pub(super) records: Vec<Record>,
    pub(super) starts: Vec<NewJob>,
    pub(super) entries: usize,
    pub(super) regenerated: usize,
    pub(super) matches: usize,
    pub(super) duels: usize,
    pub(super) builds: usize,
    pub(super) fetched_again: usize,
}

impl Plan {
    pub(super) fn summary(&self, round: &PublicRound) -> Recovery {
        Recovery {
            round: round.number.0,
            stage: round.stage.to_string(),
            submissions: round
                .seeded
                .as_ref()
                .map_or(0, |seeded| seeded.submissions.len()),
            builds: self.builds,
            entries: self.entries,
            regenerated: self.regenerated,
            matches: self.matches,
            duels: self.duels,
            jobs: self.jobs.len(),
            seeded_elsewhere: is_seeded_elsewhere(round),
            fetched_again: self.fetched_again,
        }
    }
}

/// Plans the whole round.
pub(super) fn of(round: &PublicRound) -> anyhow::Result<Plan> {
    let mut plan = Plan::default();
    for (earlier, winner) in &round.earlier {
        plan.records.push(Record::Stage {
            round: earlier.0,
            stage: "closed".to_owned(),
        });
        plan.records.push(Record::Winner {
            round: earlier.0,
            winner: winner.winner_hotkey.as_str().to_owned(),
        });
    }
    plan.records.extend(round.leader_build.clone());
    if is_seeded_elsewhere(round) && round.stage == Stage::Duels {
        bail!(RecoverError::JudgedElsewhere {
            round: round.number
        });
    }
    let has_begun = round.seeded.is_some() || round.stage == Stage::Finalizing;
    if has_begun && round.stage != Stage::Finished {
        opening(round, &mut plan)?;
        if let Some(seeded) = &round.seeded {
            competition(round, seeded, &mut plan)?;
        }
        declaration(round, &mut plan)?;
    }
    Ok(plan)
}

fn is_seeded_elsewhere(round: &PublicRound) -> bool {
    round.seeded.as_ref().is_some_and(|seeded| seeded.elsewhere)
}

/// Rules and submissions.
fn opening(round: &PublicRound, plan: &mut Plan) -> anyhow::Result<()> {
    let opened = OpenedRound {
        config: round.config.clone(),
        schedule: round.schedule.clone(),
        leader_image: round.leader_image.clone(),
        judging: round.ledger.judging.clone().unwrap_or_default(),
        budget: round.ledger.budget,
    };
    let input = RoundInput {
        round: round.number,
    };
    plan.jobs
        .push(Recovered::step::<OpenRound>(&input, &opened)?);
    plan.jobs
        .push(Recovered::step::<FixRules>(&input, &opened)?);
    let collect = CollectInput {
        round: round.number,
        schedule: round.schedule.clone(),
        label: round.config.round_label(round.number),
    };
    plan.jobs
        .push(Recovered::step::<Collect>(&collect, &collected(round))?);
    Ok(())
}

fn collected(round: &PublicRound) -> Collected {
    let accepted = accepted(round);
    let ledger = &round.ledger;
    let proven = round
        .seeded
        .as_ref()
        .map(|seeded| seeded.proof.block_hash.clone());
    Collected {
        committed: ledger
            .committed
            .unwrap_or(accepted.len() + ledger.rejected.len()),
        accepted,
        rejected: ledger.rejected.clone(),
        block_hash: proven
            .or_else(|| ledger.block_hash.clone())
            .unwrap_or_default(),
        block: round.schedule.latest_reveal_block,
    }
}

fn accepted(round: &PublicRound) -> Vec<(schema::Hotkey, Submission)> {
    let seeded = round.seeded.as_ref();
    seeded.map_or_else(Vec::new, |seeded| {
        seeded.submissions.clone().into_iter().collect()
    })
}

/// Everything from the seed to the champion.
fn competition(round: &PublicRound, seeded: &PublicSeed, plan: &mut Plan) -> anyhow::Result<()> {
    let input = SeedInput {
        round: round.number,
        config: round.config.clone(),
        schedule: round.schedule.clone(),
        budget: round.ledger.budget,
        collected: collected(round),
    };
    let output = Seeded {
        proof: seeded.proof.clone(),
        prompts: seeded.prompt_urls.clone(),
        deadline_eta: seeded.deadline_eta,
    };
    plan.jobs
        .push(Recovered::step::<SeedRound>(&input, &output)?);
    builds(round, seeded, plan)?;
    for stage in [Stage::Downloading, Stage::Duels] {
        if round.stage >= stage {
            let input = EnterStageInput {
                round: round.number,
                stage,
                downloads: None,
            };
            plan.jobs.push(Recovered::step::<EnterStage>(&input, &())?);
        }
    }
    entries::plan(round, seeded, plan)?;
    regenerations::plan(round, seeded, plan)?;
    matches::plan(round, seeded, plan)
}

fn builds(round: &PublicRound, seeded: &PublicSeed, plan: &mut Plan) -> anyhow::Result<()> {
    if round.builds.is_empty() {
        return Ok(());
    }
    let submissions = accepted(round);
    let started = StartBuildsInput {
        round: round.number,
        submissions: submissions.clone(),
    };
    plan.jobs
        .push(Recovered::step::<StartBuilds>(&started, &())?);
    let mut open = false;
    for (hotkey, submission) in &submissions {
        let build = round
            .builds
            .get(hotkey)
            .with_context(|| format!("builds.json has no entry for {hotkey}"))?;
        let is_usable = build.status != BuildStatus::Success || build.docker_image.is_some();
        if !build.status.is_terminal() || !is_usable {
            open = true;
            continue;
        }
        let input =
            VerifyBuildInput::new(round.number, hotkey.clone(), submission.clone(), seeded.at);
        let image = build.runnable_image();
        let output = VerifyBuildOutput {
            digest: image.and_then(|image| round.ledger.images.get(image).cloned()),
            build: build.clone(),
        };
        plan.jobs
            .push(Recovered::step::<VerifyBuild>(&input, &output)?);
        let flow = BuildInput {
            round: round.number,
            hotkey: hotkey.clone(),
            submission: submission.clone(),
            found_at: seeded.at,
        };
        plan.jobs.push(Recovered::flow::<Build>(&flow, &())?);
        plan.builds += 1;
    }
    if !open {
        let flow = BuildsInput {
            round: round.number,
            submissions,
        };
        plan.jobs.push(Recovered::flow::<Builds>(&flow, &())?);
    }
    Ok(())
}

/// The winner, once it is public.
fn declaration(round: &PublicRound, plan: &mut Plan) -> anyhow::Result<()> {
    let Some(winner) = &round.winner else {
        return Ok(());
    };
    let champion: Side = winner.winner_hotkey.clone();
    if let Some(seeded) = &round.seeded {
        let tournament = TournamentInput {
            round: round.number,
            win_margin: round.config.win_margin,
            audit_repeats: round.config.audit_repeats,
            submissions: accepted(round),
            prompts: seeded.prompts(),
            seed: seeded.proof.seed,
            judging: round.ledger.judging.clone().unwrap_or_default(),
            budget: round.ledger.budget,
        };
        plan.jobs
            .push(Recovered::reconciler::<Tournament>(&tournament, &champion)?);
    }
    let input = DeclareInput {
        round: round.number,
        champion,
        without_submissions: round.seeded.is_none(),
        pauses: round.is_paused,
    };
    plan.jobs.push(Recovered::step::<Declare>(&input, winner)?);
    Ok(())
}
