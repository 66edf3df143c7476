//! Flow `regeneration`: a side's image generates the round's prompts again, on rented pods.
//!
//! The miner's fault ends in a published report; ours is tried again. A replaced pod costs one of the miner's replacements
//! and the running batch, never a finished one.

use async_trait::async_trait;
use schema::{
    Hotkey, RoundNumber, Side, Stem,
    files::{
        Build, BuildStatus, Generation, GenerationReport, Generations, RepeatReport, ReportOutcome,
    },
};
use serde::{Deserialize, Serialize};

use crate::{
    engine::{Effects, Flow, FlowDefinition, FlowError, OnFailure},
    round::{
        entry::{EntryId, Prompt},
        flows::{pods::Pods, tournament_key},
        steps::{
            NoteTime, NoteTimeInput, Regenerate, RegenerateInput, RegenerateOutput,
            RegeneratedModule, Render, RenderInput, ReportGeneration, ReportGenerationInput,
            build_event, report_generation,
        },
    },
    rules::{
        generation_report::{self, BUILD_FAILED, DEPLOY_FAILED, RegenerationLimits},
        regeneration::{BATCH_SIZE, batches},
    },
};

/// Regenerates a side.
pub struct Regeneration;

/// Which, and what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegenerationInput {
    /// Round.
    pub round: RoundNumber,
    /// Miner, or the leader for the baseline.
    pub side: Side,
    /// The leader's image; a miner's comes from its build.
    pub image: Option<String>,
    /// What to generate: what the miner submitted, all prompts for the leader.
    pub prompts: Vec<Prompt>,
    /// The round's seed.
    pub seed: u32,
    /// How often.
    pub repeats: u32,
    /// Counts from 0 how often the regeneration began anew, because it was cancelled and is wanted after all.
    #[serde(default)]
    pub again: u32,
    /// Repeats that were reported before it began anew: they stand.
    #[serde(default)]
    pub reported: Vec<RepeatReport>,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegenerationOutput {
    /// The miner's report; the leader has none.
    pub report: Option<GenerationReport>,
}

#[async_trait]
impl FlowDefinition for Regeneration {
    const NAME: &'static str = "regeneration";
    type Input = RegenerationInput;
    type Output = RegenerationOutput;

    fn key(input: &RegenerationInput) -> String {
        let first = format!("round/{}/regeneration/{}", input.round, input.side);
        match input.again {
            0 => first,
            again => format!("{first}/again/{again}"),
        }
    }

    fn round(input: &RegenerationInput) -> Option<u32> {
        Some(input.round.0)
    }

    /// The last report appears together with the flow's end: whoever acts on it finds nothing of the flow still running. The
    /// tournament is woken in any case: it waits for the baseline, which it did not start itself.
    fn effects(input: &RegenerationInput, output: &RegenerationOutput) -> Effects {
        match &output.report {
            Some(report) => report_generation::publish(input.round, report),
            None => Effects {
                wakes: vec![tournament_key(input.round)],
                ..Effects::default()
            },
        }
    }

    async fn run(flow: &Flow, input: RegenerationInput) -> Result<RegenerationOutput, FlowError> {
        let Some(image) = image(flow, &input).await? else {
            return rejected(&input, BUILD_FAILED);
        };
        let mut pods = Pods::new(flow, &input, image);
        let mut reports = input.reported.clone();
        let reported = reports.iter().map(|report| report.repeat_index).max();
        let mut generated = None;
        for repeat in reported.unwrap_or(0) + 1..=input.repeats {
            // A rented pod does not wait for pictures: it goes on while the repeat before is drawn.
            let (brought, ()) = tokio::try_join!(
                generate(&mut pods, repeat),
                finish(flow, &input, generated.take())
            )?;
            let (brought, exhausted) = match brought {
                Brought::All(brought) => (brought, false),
                Brought::Some(brought) => (brought, true),
                Brought::NeverDeployed => return rejected(&input, DEPLOY_FAILED),
            };
            let report = input
                .side
                .hotkey()
                .map(|hotkey| report(&input, hotkey, &mut reports, repeat, &brought, exhausted));
            let rejected = report
                .as_ref()
                .is_some_and(|report| report.outcome == ReportOutcome::Rejected);
            generated = Some(Repeat {
                number: repeat,
                modules: brought.modules,
                report,
            });
            if exhausted || rejected {
                // A broken repeat rejects the miner; generating the rest would only cost money.
                break;
            }
        }
        // The last report is not published by a step but by the end of the flow.
        let report = generated.as_mut().and_then(|last| last.report.take());
        tokio::try_join!(pods.release_all(), finish(flow, &input, generated))?;
        Ok(RegenerationOutput { report })
    }
}

/// A repeat that is generated and not yet drawn.
struct Repeat {
    number: u32,
    modules: Vec<RegeneratedModule>,
    /// What to publish when it is drawn, since audits start then.
    report: Option<GenerationReport>,
}

/// Draws a repeat, then publishes its report.
async fn finish(
    flow: &Flow,
    input: &RegenerationInput,
    repeat: Option<Repeat>,
) -> Result<(), FlowError> {
    let Some(repeat) = repeat else {
        return Ok(());
    };
    draw(flow, input, repeat.number, &repeat.modules).await?;
    match repeat.report {
        Some(report) => {
            let round = input.round;
            flow.step::<ReportGeneration>(ReportGenerationInput { round, report })
                .await
        }
        None => Ok(()),
    }
}

/// The image to run, or none if it was not built.
async fn image(flow: &Flow, input: &RegenerationInput) -> Result<Option<String>, FlowError> {
    let Side::Miner(hotkey) = &input.side else {
        return Ok(input.image.clone());
    };
    let told = flow.event(&build_event(input.round, hotkey)).await?;
    let build: Build = serde_json::from_value(told)
        .map_err(|error| FlowError::Other(format!("build of {hotkey}: {error}")))?;
    Ok(build
        .docker_image
        .filter(|_| build.status == BuildStatus::Success))
}

/// A miner whose image never ran is out.
fn rejected(input: &RegenerationInput, reason: &str) -> Result<RegenerationOutput, FlowError> {
    let Some(hotkey) = input.side.hotkey() else {
        let problem = format!("the leader's baseline cannot be generated: {reason}");
        return Err(FlowError::Other(problem));
    };
    Ok(RegenerationOutput {
        report: Some(generation_report::rejected_report(hotkey, reason)),
    })
}

/// The modules of a repeat.
#[derive(Default)]
struct Generated {
    modules: Vec<RegeneratedModule>,
    seconds: f64,
}

/// What the pods brought for a repeat.
enum Brought {
    All(Generated),
    /// The pods were used up; some prompts are missing.
    Some(Generated),
    NeverDeployed,
}

async fn generate(pods: &mut Pods<'_>, repeat: u32) -> Result<Brought, FlowError> {
    let (flow, input) = (pods.flow, pods.input);
    let mut generated = Generated::default();
    for (batch, prompts) in (0..).zip(batches(&input.prompts, repeat, BATCH_SIZE)) {
        loop {
            let Some(pod) = pods.ready().await? else {
                return Ok(if pods.never_deployed() {
                    Brought::NeverDeployed
                } else {
                    Brought::Some(generated)
                });
            };
            let moment = format!(
                "round/{}/regeneration/{}/{repeat}/batch/{batch}/{}",
                input.round, input.side, pod.name
            );
            let since = flow
                .step::<NoteTime>(NoteTimeInput {
                    round: input.round,
                    moment,
                })
                .await?;
            let run = RegenerateInput {
                round: input.round,
                side: input.side.clone(),
                repeat,
                batch,
                pod,
                replacements_remaining: pods.replacements_remaining(),
                prompts: prompts.clone(),
                seed: input.seed,
                since,
            };
            match flow.step::<Regenerate>(run).await? {
                RegenerateOutput::Done { modules, seconds } => {
                    generated.modules.extend(modules);
                    generated.seconds += seconds;
                    pods.count(repeat, seconds);
                    break;
                }
                RegenerateOutput::Replace { reason, payload } => {
                    pods.replace(repeat, &reason, payload).await?;
                }
            }
        }
    }
    Ok(Brought::All(generated))
}

async fn draw(
    flow: &Flow,
    input: &RegenerationInput,
    repeat: u32,
    modules: &[RegeneratedModule],
) -> Result<(), FlowError> {
    let renders = modules.iter().filter_map(|generated| {
        let prompt = input
            .prompts
            .iter()
            .find(|prompt| prompt.stem == generated.stem)?;
        let entry = EntryId {
            round: input.round,
            side: input.side.clone(),
            repeat,
            stem: generated.stem.clone(),
        };
        Some(RenderInput {
            entry,
            prompt: prompt.clone(),
            module: generated.module.clone()?,
            again: input.again,
        })
    });
    flow.join_steps::<Render>(renders.collect::<Vec<_>>(), OnFailure::Fail)
        .await
        .map(drop)
}

fn summarize(input: &RegenerationInput, repeat: u32, generated: &Generated) -> RepeatReport {
    let asked = input
        .prompts
        .iter()
        .map(|prompt| prompt.stem.clone())
        .collect();
    let rows: Generations = generated.modules.iter().map(row).collect();
    generation_report::repeat_report(repeat, &asked, &rows, generated.seconds)
}

fn row(generated: &RegeneratedModule) -> (Stem, Generation) {
    let js = generated.module.as_ref().map(|module| module.url.clone());
    (
        generated.stem.clone(),
        Generation {
            js,
            failure_reason: generated.failure_reason.clone(),
            ..Generation::default()
        },
    )
}

/// The miner's report with one more repeat; the rest are counted as missing when there are no more pods.
fn report(
    input: &RegenerationInput,
    hotkey: &Hotkey,
    reports: &mut Vec<RepeatReport>,
    repeat: u32,
    generated: &Generated,
    exhausted: bool,
) -> GenerationReport {
    reports.push(summarize(input, repeat, generated));
    let more_to_come = repeat < input.repeats && !exhausted;
    if exhausted {
        let missing = repeat + 1..=input.repeats;
        reports.extend(missing.map(|repeat| summarize(input, repeat, &Generated::default())));
    }
    generation_report::report(
        hotkey,
        reports.clone(),
        more_to_come,
        &RegenerationLimits::default(),
    )
}
