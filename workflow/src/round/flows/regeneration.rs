//! Flow `regeneration`: a side's image generates the round's prompts again, on rented pods.
//!
//! The miner's fault ends in a published report; ours is tried again. A replaced pod costs one of the miner's replacements
//! and the running batch, never a finished one.

use async_trait::async_trait;
use schema::{
    Hotkey, RoundNumber, Side, Stem,
    files::{Generation, GenerationReport, Generations, RepeatReport, ReportOutcome},
};
use serde::{Deserialize, Serialize};

use crate::{
    engine::{Effects, Flow, FlowDefinition, FlowError, OnFailure},
    round::{
        entry::{EntryId, Prompt},
        flows::{pods::Pods, tournament_key},
        notices,
        steps::{
            DecidedBuild, NoteTime, NoteTimeInput, Regenerate, RegenerateInput, RegenerateOutput,
            RegeneratedModule, Render, RenderInput, ReportGeneration, ReportGenerationInput,
            build_event, report_generation,
        },
    },
    rules::{
        generation_report::{self, BUILD_FAILED, DEPLOY_FAILED},
        regeneration::{Budget, batches},
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
    /// The number of this side's first pod: see [`crate::rules::regeneration::first_pod`].
    #[serde(default)]
    pub first_pod: u32,
    /// Counts from 0 how often the regeneration began anew, because it was cancelled and is wanted after all.
    #[serde(default)]
    pub again: u32,
    /// Repeats that were reported before it began anew: they stand.
    #[serde(default)]
    pub reported: Vec<RepeatReport>,
    /// What it may take.
    #[serde(default)]
    pub budget: Budget,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegenerationOutput {
    /// The miner's report; the leader has none.
    pub report: Option<GenerationReport>,
    /// What was generated; none if no pod ever was ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<notices::Generated>,
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
        let mut effects = match &output.report {
            Some(report) => report_generation::publish(input.round, report, &input.budget.limits),
            None => Effects {
                wakes: vec![tournament_key(input.round)],
                ..Effects::default()
            },
        };
        let RegenerationInput { round, side, .. } = input;
        let report = output.report.as_ref().and_then(notices::generation_report);
        let report = report.map(|told| told.about(*round, notices::report_subject(side)));
        let generated = output.generated.as_ref().map(|generated| {
            notices::generation(*round, side, generated)
                .about(*round, notices::generation_subject(side))
        });
        effects.records.extend(report.into_iter().chain(generated));
        effects
    }

    async fn run(flow: &Flow, input: RegenerationInput) -> Result<RegenerationOutput, FlowError> {
        let Some(image) = image(flow, &input).await? else {
            return rejected(&input, BUILD_FAILED);
        };
        let mut pods = Pods::new(flow, &input, image);
        let mut reports = input.reported.clone();
        let reported = reports.iter().map(|report| report.repeat_index).max();
        let mut generated = None;
        let mut report = None;
        let mut came_to = notices::Generated {
            total: input.prompts.len() as u32 * input.repeats,
            ..notices::Generated::default()
        };
        for report in &reports {
            count(&mut came_to, report);
        }
        for repeat in reported.unwrap_or(0) + 1..=input.repeats {
            // A rented pod does not wait for pictures: it goes on while the repeat before is drawn.
            let (brought, earlier) = tokio::try_join!(
                generate(&mut pods, repeat),
                report_pending(flow, &input, &mut reports, generated.take())
            )?;
            if is_rejected(earlier.as_ref()) {
                report = earlier;
                break;
            }
            let (brought, exhausted) = match brought {
                Brought::All(brought) => (brought, false),
                Brought::Some(brought) => (brought, true),
                Brought::NeverDeployed => return rejected(&input, DEPLOY_FAILED),
            };
            let summary = summarize(&input, repeat, &brought);
            count(&mut came_to, &summary);
            let is_broken = !input.side.is_leader()
                && !generation_report::excesses(&summary, &input.budget.limits).is_empty();
            generated = Some(Repeat {
                number: repeat,
                brought,
                exhausted,
            });
            if exhausted || is_broken {
                // A broken repeat rejects the miner; generating the rest would only cost money.
                break;
            }
        }
        let ((), last) = tokio::try_join!(
            pods.release_all(),
            report_drawn(flow, &input, &mut reports, generated)
        )?;
        came_to.replacements = pods.replacements_used();
        // The last report is not published by a step but by the end of the flow.
        Ok(RegenerationOutput {
            report: last.or(report),
            generated: Some(came_to),
        })
    }
}

/// A repeat that is generated and not yet drawn.
struct Repeat {
    number: u32,
    brought: Generated,
    /// Its pods were used up: the repeats after it are missing.
    exhausted: bool,
}

/// Reports a repeat after which others follow, unless it rejects the miner: then there is no other.
async fn report_pending(
    flow: &Flow,
    input: &RegenerationInput,
    reports: &mut Vec<RepeatReport>,
    repeat: Option<Repeat>,
) -> Result<Option<GenerationReport>, FlowError> {
    let report = report_drawn(flow, input, reports, repeat).await?;
    if let Some(report) = report.clone().filter(|report| !is_rejected(Some(report))) {
        flow.step::<ReportGeneration>(ReportGenerationInput {
            round: input.round,
            report,
            limits: input.budget.limits,
        })
        .await?;
    }
    Ok(report)
}

/// Draws a repeat, and says what is known of the miner with it; audits start then. The leader has no report.
async fn report_drawn(
    flow: &Flow,
    input: &RegenerationInput,
    reports: &mut Vec<RepeatReport>,
    repeat: Option<Repeat>,
) -> Result<Option<GenerationReport>, FlowError> {
    let Some(repeat) = repeat else {
        return Ok(None);
    };
    draw(flow, input, repeat.number, &repeat.brought.modules).await?;
    Ok(input
        .side
        .hotkey()
        .map(|hotkey| report(input, hotkey, reports, &repeat)))
}

fn is_rejected(report: Option<&GenerationReport>) -> bool {
    report.is_some_and(|report| report.outcome == ReportOutcome::Rejected)
}

/// The image to run, or none if it was not built.
async fn image(flow: &Flow, input: &RegenerationInput) -> Result<Option<String>, FlowError> {
    let Side::Miner(hotkey) = &input.side else {
        return Ok(input.image.clone());
    };
    let told = flow.event(&build_event(input.round, hotkey)).await?;
    let decided: DecidedBuild = serde_json::from_value(told)
        .map_err(|error| FlowError::Other(format!("build of {hotkey}: {error}")))?;
    Ok(decided.image_to_run())
}

/// A miner whose image never ran is out.
fn rejected(input: &RegenerationInput, reason: &str) -> Result<RegenerationOutput, FlowError> {
    let Some(hotkey) = input.side.hotkey() else {
        let problem = format!("the leader's baseline cannot be generated: {reason}");
        return Err(FlowError::Other(problem));
    };
    Ok(RegenerationOutput {
        report: Some(generation_report::rejected_report(hotkey, reason)),
        generated: None,
    })
}

/// Adds a repeat to what was generated.
fn count(came_to: &mut notices::Generated, repeat: &RepeatReport) {
    came_to.generated += repeat.generated_prompts;
    came_to.failed += repeat.failed_prompts;
    came_to.seconds += repeat.generation_time.unwrap_or(0.0);
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
    for (batch, prompts) in (0..).zip(batches(&input.prompts, repeat, input.budget.batch_size)) {
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

/// Draws the modules. One that cannot be drawn has been generated all the same: it loses its audit duels for want of pictures.
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
        .await?;
    Ok(())
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
    let row = Generation {
        js: generated.module.as_ref().map(|module| module.url.clone()),
        failure_reason: generated.failure_reason.clone(),
        ..Generation::default()
    };
    (generated.stem.clone(), row)
}

/// The miner's report with one more repeat; the rest are counted as missing when there are no more pods.
fn report(
    input: &RegenerationInput,
    hotkey: &Hotkey,
    reports: &mut Vec<RepeatReport>,
    repeat: &Repeat,
) -> GenerationReport {
    reports.push(summarize(input, repeat.number, &repeat.brought));
    let more_to_come = repeat.number < input.repeats && !repeat.exhausted;
    if repeat.exhausted {
        let missing = repeat.number + 1..=input.repeats;
        reports.extend(missing.map(|missing| summarize(input, missing, &Generated::default())));
    }
    generation_report::report(hotkey, reports.clone(), more_to_come, &input.budget.limits)
}
