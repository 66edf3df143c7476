//! Flow `regeneration`: a side's image generates the round's prompts again, on rented pods.
//!
//! The miner's fault ends in a published report; ours is tried again. A replaced pod costs one of the miner's replacements
//! and the running batch, never a finished one.

use async_trait::async_trait;
use schema::{
    Hotkey, RoundNumber, Side, Stem,
    files::{
        Build, BuildStatus, Generation, GenerationReport, Generations, PodStats, RepeatReport,
        ReportOutcome, TerminationReason,
    },
};
use serde::{Deserialize, Serialize};

use crate::{
    engine::{Effects, Flow, FlowDefinition, FlowError, OnFailure},
    round::{
        entry::{EntryId, Prompt},
        flows::tournament_key,
        steps::{
            DeployPod, DeployPodInput, DeployPodOutput, NoteTime, NoteTimeInput, Pod, Regenerate,
            RegenerateInput, RegenerateOutput, RegeneratedModule, ReleasePods, ReleasePodsInput,
            Render, RenderInput, ReportGeneration, ReportGenerationInput, build_event,
        },
    },
    rules::{
        generation_report::{self, BUILD_FAILED, DEPLOY_FAILED, RegenerationLimits},
        regeneration::{BATCH_SIZE, MAX_INITIAL_DEPLOYMENTS, MAX_REPLACEMENTS, batches},
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
        format!("round/{}/regeneration/{}", input.round, input.side)
    }

    fn round(input: &RegenerationInput) -> Option<u32> {
        Some(input.round.0)
    }

    /// The tournament waits for the baseline, which it did not start itself.
    fn effects(input: &RegenerationInput, _output: &RegenerationOutput) -> Effects {
        Effects {
            wakes: vec![tournament_key(input.round)],
            ..Effects::default()
        }
    }

    async fn run(flow: &Flow, input: RegenerationInput) -> Result<RegenerationOutput, FlowError> {
        let Some(image) = image(flow, &input).await? else {
            return reject(flow, &input, BUILD_FAILED).await;
        };
        let mut pods = Pods {
            flow,
            input: &input,
            image,
            current: None,
            next_index: 0,
            replacements_used: 0,
        };
        let mut reports = Vec::new();
        let mut generated = None;
        let mut exhausted = false;
        for repeat in 1..=input.repeats {
            // A rented pod does not wait for pictures: it goes on while the repeat before is drawn.
            let (brought, ()) = tokio::try_join!(
                generate(&mut pods, repeat),
                finish(flow, &input, generated.take())
            )?;
            let brought = match brought {
                Brought::All(brought) => brought,
                Brought::Some(brought) => {
                    exhausted = true;
                    brought
                }
                Brought::NeverDeployed => return reject(flow, &input, DEPLOY_FAILED).await,
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
        let report = generated.as_ref().and_then(|last| last.report.clone());
        tokio::try_join!(pods.release_all("end"), finish(flow, &input, generated))?;
        if exhausted && input.side.is_leader() {
            return Err(FlowError::Other(
                "the leader's pods were used up before its baseline was complete".to_owned(),
            ));
        }
        Ok(RegenerationOutput { report })
    }
}

/// A repeat that is generated and not yet drawn.
struct Repeat {
    number: u32,
    modules: Vec<RegeneratedModule>,
    /// What is known of the miner with it; published when it is drawn, since audits start then. The leader has none.
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

async fn reject(
    flow: &Flow,
    input: &RegenerationInput,
    reason: &str,
) -> Result<RegenerationOutput, FlowError> {
    let Some(hotkey) = input.side.hotkey() else {
        return Err(FlowError::Other(format!(
            "the leader's baseline cannot be generated: {reason}"
        )));
    };
    let report = generation_report::rejected_report(hotkey, reason);
    flow.step::<ReportGeneration>(ReportGenerationInput {
        round: input.round,
        report: report.clone(),
    })
    .await?;
    Ok(RegenerationOutput {
        report: Some(report),
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
                let never =
                    repeat == 1 && generated.modules.is_empty() && pods.replacements_used == 0;
                return Ok(if never {
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
                replacements_remaining: MAX_REPLACEMENTS - pods.replacements_used,
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
                    if !pods.replace(repeat, &reason, payload).await? {
                        return Ok(Brought::Some(generated));
                    }
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

/// The pods of one side, one at a time, within the replacement budget.
struct Pods<'a> {
    flow: &'a Flow,
    input: &'a RegenerationInput,
    image: String,
    current: Option<(Pod, Vec<PodStats>)>,
    next_index: u32,
    replacements_used: u32,
}

impl Pods<'_> {
    /// The current pod, or a new one; none when the budget is used up.
    async fn ready(&mut self) -> Result<Option<Pod>, FlowError> {
        if let Some((pod, _)) = &self.current {
            return Ok(Some(pod.clone()));
        }
        loop {
            let first = self.replacements_used == 0;
            if first && self.next_index >= MAX_INITIAL_DEPLOYMENTS {
                return Ok(None);
            }
            let index = self.next_index;
            self.next_index += 1;
            let Self { input, flow, .. } = *self;
            let moment = format!(
                "round/{}/regeneration/{}/pod/{index}",
                input.round, input.side
            );
            let since = flow
                .step::<NoteTime>(NoteTimeInput {
                    round: input.round,
                    moment,
                })
                .await?;
            let deploy = DeployPodInput {
                round: input.round,
                side: input.side.clone(),
                image: self.image.clone(),
                index,
                replacements_remaining: MAX_REPLACEMENTS - self.replacements_used,
                since,
            };
            match flow.step::<DeployPod>(deploy).await? {
                DeployPodOutput::Ready { pod } => {
                    self.current = Some((pod.clone(), Vec::new()));
                    return Ok(Some(pod));
                }
                // The first pod has a second try for free; a replacement that does not come up costs another one.
                DeployPodOutput::NotReady { .. } if first => {}
                DeployPodOutput::NotReady { .. } if self.replacements_used < MAX_REPLACEMENTS => {
                    self.replacements_used += 1
                }
                DeployPodOutput::NotReady { .. } => return Ok(None),
            }
        }
    }

    /// Counts a finished batch for `pod_stats.json`.
    fn count(&mut self, repeat: u32, seconds: f64) {
        let Some((pod, statistics)) = &mut self.current else {
            return;
        };
        match statistics
            .iter_mut()
            .find(|entry| entry.repeat_index == repeat)
        {
            Some(entry) => {
                entry.batch_times.push(seconds);
                entry.total_generation_time += seconds;
            }
            None => statistics.push(PodStats {
                pod_id: pod.name.clone(),
                repeat_index: repeat,
                provider: pod.provider.clone(),
                batch_times: vec![seconds],
                total_generation_time: seconds,
                termination_reason: TerminationReason::Completed,
                payload: None,
            }),
        }
    }

    /// Gives the pod back; whether another one may take its place.
    async fn replace(
        &mut self,
        repeat: u32,
        reason: &str,
        payload: Option<serde_json::Value>,
    ) -> Result<bool, FlowError> {
        if let Some((pod, mut statistics)) = self.current.take() {
            let reason =
                serde_json::from_value(reason.into()).unwrap_or(TerminationReason::Unreachable);
            match statistics
                .iter_mut()
                .find(|entry| entry.repeat_index == repeat)
            {
                Some(entry) => (entry.termination_reason, entry.payload) = (reason, payload),
                None => statistics.push(PodStats {
                    pod_id: pod.name.clone(),
                    repeat_index: repeat,
                    provider: pod.provider.clone(),
                    batch_times: Vec::new(),
                    total_generation_time: 0.0,
                    termination_reason: reason,
                    payload,
                }),
            }
            self.release(Some(pod.name.clone()), statistics, &pod.name)
                .await?;
        }
        if self.replacements_used == MAX_REPLACEMENTS {
            return Ok(false);
        }
        self.replacements_used += 1;
        Ok(true)
    }

    async fn release_all(&mut self, occasion: &str) -> Result<(), FlowError> {
        let statistics = self
            .current
            .take()
            .map(|(_, statistics)| statistics)
            .unwrap_or_default();
        self.release(None, statistics, occasion).await
    }

    async fn release(
        &self,
        pod: Option<String>,
        statistics: Vec<PodStats>,
        occasion: &str,
    ) -> Result<(), FlowError> {
        let release = ReleasePodsInput {
            round: self.input.round,
            side: self.input.side.clone(),
            pod,
            statistics,
            occasion: occasion.to_owned(),
        };
        self.flow.step::<ReleasePods>(release).await
    }
}
