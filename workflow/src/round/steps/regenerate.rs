//! Step `regenerate`: one batch of prompts on a pod, from request to stored modules.

use std::time::Duration;

use chrono::{DateTime, Utc};
use schema::{RoundNumber, Side, Stem, messages};
use serde::{Deserialize, Serialize};

use crate::{
    engine::{Effects, Retry, Step},
    round::{
        entry::{self, EntryId, ModuleRef, Prompt},
        ledger::Decision,
        notices, queues,
        steps::Pod,
    },
};

/// Runs a batch.
pub struct Regenerate;

/// Which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegenerateInput {
    /// Round.
    pub round: RoundNumber,
    /// Whose image.
    pub side: Side,
    /// From 1.
    pub repeat: u32,
    /// Counts the batches of the repeat from 0.
    pub batch: u32,
    /// The pod it runs on; a batch that is run again on another pod is another step.
    pub pod: Pod,
    /// What the pod was told it may still replace.
    pub replacements_remaining: u32,
    /// Prompts of the batch.
    pub prompts: Vec<Prompt>,
    /// The round's seed.
    pub seed: u32,
    /// When the batch began.
    pub since: DateTime<Utc>,
}

/// What the pod made of one prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegeneratedModule {
    /// The prompt.
    pub stem: Stem,
    /// The module, unless it failed.
    pub module: Option<ModuleRef>,
    /// The miner's reason, if it failed.
    pub failure_reason: Option<String>,
}

/// What came of the batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum RegenerateOutput {
    /// Every prompt has a module or a reason.
    Done {
        /// One a prompt.
        modules: Vec<RegeneratedModule>,
        /// From request to the end of the download, without the time in which nobody of ours looked.
        seconds: f64,
    },
    /// The pod has to be replaced; the batch starts anew on the next.
    Replace {
        /// `termination_reason` of `pod_stats.json`.
        reason: String,
        /// What the pod said of itself.
        payload: Option<serde_json::Value>,
    },
}

impl Step for Regenerate {
    const NAME: &'static str = "regenerate";
    const QUEUE: &'static str = queues::GPU;
    // Ten minutes for the pod, the rest to store what it made.
    const DEADLINE: Duration = Duration::from_secs(900);
    // A pod is replaced when it fails some times in a row; now and then it may fail for as long as its batch lasts.
    const MAX_FAILURES: u16 = 500;
    const RETRY: Retry = Retry::doubling(Duration::from_secs(1), Duration::from_secs(30));
    type Input = RegenerateInput;
    type Output = RegenerateOutput;

    fn key(input: &RegenerateInput) -> String {
        format!(
            "round/{}/regeneration/{}/{}/batch/{}/{}",
            input.round, input.side, input.repeat, input.batch, input.pod.name
        )
    }

    fn round(input: &RegenerateInput) -> Option<u32> {
        Some(input.round.0)
    }

    /// Failed prompts are settled here; modules are settled by their pictures. The batch's time counts against the miner's
    /// limit, so the ledger tells it.
    fn effects(input: &RegenerateInput, output: &RegenerateOutput) -> Effects {
        let decision = Decision::Batch {
            side: input.side.clone(),
            repeat: input.repeat,
            batch: input.batch,
            pod: input.pod.name.clone(),
            result: output.clone(),
        };
        let mut effects = Effects::default().publish(
            messages::ledger(input.round),
            vec![decision.append(input.round)],
        );
        let modules = match output {
            RegenerateOutput::Done { modules, .. } => modules,
            RegenerateOutput::Replace { reason, .. } => {
                let pod = &input.pod.name;
                let told = notices::pod_given_up(&input.side, pod, input.repeat, reason)
                    .map(|told| told.about(input.round, notices::pod_subject(pod)));
                effects.records.extend(told);
                return effects;
            }
        };
        for failed in modules.iter().filter(|module| module.module.is_none()) {
            let id = EntryId {
                round: input.round,
                side: input.side.clone(),
                repeat: input.repeat,
                stem: failed.stem.clone(),
            };
            let settled = entry::settled(&id, None, None, failed.failure_reason.as_deref());
            effects.records.extend(settled.records);
            if let (Some(all), Some(one)) = (&mut effects.publication, settled.publication) {
                all.message = messages::joined([all.message.as_str(), one.message.as_str()]);
                all.changes.extend(one.changes);
            }
        }
        effects
    }
}
