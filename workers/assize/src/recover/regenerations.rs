//! Regenerations: the leader's baseline and the audited miners' repeats, whole or by batches.

use std::collections::{BTreeSet, HashMap};

use schema::{
    Side, Stem,
    files::{Generations, ReportOutcome, Verdict},
};
use workflow::{
    db::recovered::Recovered,
    engine::NewJob,
    round::{
        entry::{EntryId, Prompt, settled},
        flows::{Regeneration, RegenerationInput, RegenerationOutput},
        steps::{
            Pod, Regenerate, RegenerateInput, RegenerateOutput, ReleasePods, ReleasePodsInput,
            Render, RenderInput, ReportGeneration, ReportGenerationInput,
        },
    },
    rules::regeneration::{batches, first_pod},
};

use super::{
    entries::rendered,
    ledger::KnownBatch,
    plan::Plan,
    public_round::{PublicRound, PublicSeed},
};

/// Puts back every regeneration the repository shows something of.
pub(super) fn plan(
    round: &PublicRound,
    seeded: &PublicSeed,
    plan: &mut Plan,
) -> anyhow::Result<()> {
    let mut sides: BTreeSet<Side> = round
        .generated
        .keys()
        .map(|(side, _)| side.clone())
        .collect();
    sides.extend(round.requests.keys().map(Side::from));
    sides.extend(round.generation_reports.keys().map(Side::from));
    sides.extend(round.ledger.batches.keys().cloned());
    for side in sides {
        one(round, seeded, &side, plan)?;
    }
    Ok(())
}

fn one(
    round: &PublicRound,
    seeded: &PublicSeed,
    side: &Side,
    plan: &mut Plan,
) -> anyhow::Result<()> {
    let input = input(round, seeded, side);
    modules(round, seeded, side, plan)?;
    let report = side
        .hotkey()
        .and_then(|hotkey| round.generation_reports.get(hotkey));
    if let Some(report) = report {
        let reported = ReportGenerationInput {
            round: round.number,
            report: report.clone(),
            limits: input.budget.limits,
        };
        plan.jobs
            .push(Recovered::step::<ReportGeneration>(&reported, &())?);
    }
    let is_over = match side {
        Side::Leader => is_complete(round.generated.get(&(Side::Leader, 1)), &input.prompts),
        Side::Miner(_) => report.is_some_and(|report| report.outcome != ReportOutcome::Pending),
    };
    let is_rejected = side
        .hotkey()
        .and_then(|hotkey| round.verdicts.get(hotkey))
        .is_some_and(|verdict| verdict.verdict == Verdict::Failed);
    if is_over {
        let output = RegenerationOutput {
            report: report.cloned(),
            generated: None,
        };
        plan.jobs
            .push(Recovered::flow::<Regeneration>(&input, &output)?);
    } else if is_rejected {
        plan.jobs.push(Recovered::cancelled_flow::<Regeneration>(
            &input,
            "the miner is rejected already",
        )?);
    } else {
        return known_batches(round, &input, plan);
    }
    // Pods that the lost database would have given back.
    plan.starts
        .push(NewJob::step::<ReleasePods>(&ReleasePodsInput {
            round: round.number,
            side: side.clone(),
            pod: None,
            first_pod: input.first_pod,
            statistics: Vec::new(),
            occasion: "recovered".to_owned(),
        })?);
    Ok(())
}

/// What the flow is started with.
fn input(round: &PublicRound, seeded: &PublicSeed, side: &Side) -> RegenerationInput {
    let mut prompts = seeded.prompts();
    if let Side::Miner(hotkey) = side {
        let delivered = round.submitted.get(hotkey);
        prompts.retain(|prompt| {
            delivered
                .and_then(|file| file.get(&prompt.stem))
                .is_some_and(|entry| entry.js.is_some())
        });
    }
    RegenerationInput {
        round: round.number,
        image: side.is_leader().then(|| round.leader_image.clone()),
        prompts,
        seed: seeded.proof.seed,
        repeats: if side.is_leader() {
            1
        } else {
            round.config.audit_repeats
        },
        first_pod: first_pod(side, seeded.submissions.iter().map(|(hotkey, _)| hotkey)),
        side: side.clone(),
        again: 0,
        reported: Vec::new(),
        budget: round.ledger.budget,
    }
}

fn is_complete(file: Option<&Generations>, prompts: &[Prompt]) -> bool {
    file.is_some_and(|file| prompts.iter().all(|prompt| file.contains_key(&prompt.stem)))
}

/// Regenerated modules: their rows, and their pictures' steps where the ledger tells enough.
fn modules(
    round: &PublicRound,
    seeded: &PublicSeed,
    side: &Side,
    plan: &mut Plan,
) -> anyhow::Result<()> {
    let prompts: HashMap<Stem, Prompt> = seeded
        .prompts()
        .into_iter()
        .map(|prompt| (prompt.stem.clone(), prompt))
        .collect();
    let files = round
        .generated
        .iter()
        .filter(|((generator, _), _)| generator == side);
    for ((_, repeat), file) in files {
        for (stem, published) in file {
            let Some(prompt) = prompts.get(stem) else {
                continue;
            };
            let entry = EntryId {
                round: round.number,
                side: side.clone(),
                repeat: *repeat,
                stem: stem.clone(),
            };
            let key = (side.clone(), *repeat, stem.clone());
            let drawn = published
                .js
                .as_ref()
                .and_then(|url| rendered(&round.ledger, &key, url, published));
            match drawn {
                Some((known, output)) => {
                    let render = RenderInput {
                        entry,
                        prompt: prompt.clone(),
                        module: known.module.clone(),
                        again: 0,
                    };
                    plan.jobs.push(Recovered::step::<Render>(&render, &output)?);
                }
                None if published.js.is_none() => {
                    let reason = published.failure_reason.as_deref();
                    plan.records
                        .extend(settled(&entry, None, None, reason).records);
                }
                // Its digest is not told: it is generated and drawn again.
                None => continue,
            }
            plan.regenerated += 1;
        }
    }
    Ok(())
}

/// The batches of a regeneration that goes on: their times count against the miner's limit, so only those are put back
/// whose time the ledger tells.
fn known_batches(
    round: &PublicRound,
    input: &RegenerationInput,
    plan: &mut Plan,
) -> anyhow::Result<()> {
    for known in round.ledger.batches.get(&input.side).into_iter().flatten() {
        let asked = batches(&input.prompts, known.repeat, input.budget.batch_size)
            .into_iter()
            .nth(known.batch as usize);
        let Some(prompts) = asked.filter(|prompts| answers(known, prompts)) else {
            continue;
        };
        let regenerate = RegenerateInput {
            round: round.number,
            side: input.side.clone(),
            repeat: known.repeat,
            batch: known.batch,
            pod: Pod {
                provider: String::new(),
                id: String::new(),
                name: known.pod.clone(),
                url: String::new(),
            },
            replacements_remaining: 0,
            prompts,
            seed: input.seed,
            since: chrono::DateTime::UNIX_EPOCH,
        };
        plan.jobs
            .push(Recovered::step::<Regenerate>(&regenerate, &known.result)?);
    }
    Ok(())
}

/// Whether a batch's result is one for these prompts.
fn answers(known: &KnownBatch, prompts: &[Prompt]) -> bool {
    match &known.result {
        RegenerateOutput::Replace { .. } => true,
        RegenerateOutput::Done { modules, .. } => modules
            .iter()
            .map(|module| &module.stem)
            .eq(prompts.iter().map(|prompt| &prompt.stem)),
    }
}
