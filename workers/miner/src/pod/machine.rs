//! The pod's states and what each request does to them, without HTTP.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use super::archive::Archive;
use super::request::Batch;

/// Everything the pod knows. See miner API, "States".
#[derive(Debug, Default)]
pub(super) struct Machine {
    phase: Phase,
    /// What the hardware probe said; shown with every status.
    hardware: Option<Value>,
    /// Why this machine should be replaced.
    degraded: Option<Value>,
    /// The budget named by the latest status request.
    replacements_remaining: i64,
    /// Grows with every accepted batch, so that a late result can be told from a current one.
    batch_number: u64,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    WarmingUp,
    Ready,
    Generating(Running),
    Complete(Finished),
}

#[derive(Debug)]
struct Running {
    batch: Batch,
    outcomes: HashMap<String, Outcome>,
}

#[derive(Debug)]
struct Finished {
    batch: Batch,
    archive: Archive,
    downloaded: bool,
}

/// What became of one prompt: the module, or the reason for having none.
pub(super) type Outcome = Result<String, String>;

/// The body of `GET /status`.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct StatusBody {
    pub status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<String>,
}

/// What `POST /generate` leads to.
#[derive(Debug, PartialEq)]
pub(super) enum Accepted {
    /// The batch that runs or is complete already.
    Known { prompts: usize },
    /// A new batch, to be worked on under this number.
    New { number: u64, prompts: usize },
}

/// Why a batch is not accepted now: the state named in the 409.
#[derive(Debug, PartialEq)]
pub(super) struct Refused {
    pub current_status: &'static str,
}

impl Machine {
    pub fn warmed_up(&mut self) {
        if matches!(self.phase, Phase::WarmingUp) {
            self.phase = Phase::Ready;
        }
    }

    pub fn set_hardware(&mut self, report: Value) {
        self.hardware = Some(report);
    }

    pub fn degrade(&mut self, payload: Value) {
        self.degraded = Some(payload);
    }

    /// Warm-up succeeded on a later attempt: what it complained of is over.
    pub fn recover(&mut self) {
        self.degraded = None;
    }

    /// Whether a finished batch waits to be downloaded.
    pub fn has_undelivered_results(&self) -> bool {
        matches!(&self.phase, Phase::Complete(finished) if !finished.downloaded)
    }

    pub fn status(&mut self, replacements_remaining: i64) -> StatusBody {
        self.replacements_remaining = replacements_remaining;
        let status = self.status_word();
        let generating = match &self.phase {
            Phase::Generating(running) if status == "generating" => Some(running),
            _ => None,
        };
        StatusBody {
            status,
            progress: generating.map(|running| running.outcomes.len()),
            total: generating.map(|running| running.batch.prompts.len()),
            payload: self.degraded.clone().or_else(|| self.hardware.clone()),
            batch_id: match &self.phase {
                Phase::Generating(Running { batch, .. })
                | Phase::Complete(Finished { batch, .. }) => batch.id.clone(),
                Phase::WarmingUp | Phase::Ready => None,
            },
        }
    }

    fn status_word(&self) -> &'static str {
        // Asking for another machine before the results are out would lose them.
        if self.degraded.is_some()
            && self.replacements_remaining > 0
            && !self.has_undelivered_results()
        {
            return "replace";
        }
        match self.phase {
            Phase::WarmingUp => "warming_up",
            Phase::Ready => "ready",
            Phase::Generating(_) => "generating",
            Phase::Complete(_) => "complete",
        }
    }

    /// Takes a validated batch. The same batch again changes nothing.
    pub fn accept(&mut self, batch: Batch) -> Result<Accepted, Refused> {
        if let Phase::Generating(Running { batch: current, .. })
        | Phase::Complete(Finished { batch: current, .. }) = &self.phase
            && current.is_same_as(&batch)
        {
            return Ok(Accepted::Known {
                prompts: current.prompts.len(),
            });
        }
        let current_status = self.status_word();
        match self.phase {
            // `replace` stands only while another machine is to be had; after that the pod pushes through.
            Phase::Ready | Phase::Complete(_) if current_status != "replace" => {}
            _ => return Err(Refused { current_status }),
        }
        self.batch_number += 1;
        let prompts = batch.prompts.len();
        self.phase = Phase::Generating(Running {
            batch,
            outcomes: HashMap::new(),
        });
        Ok(Accepted::New {
            number: self.batch_number,
            prompts,
        })
    }

    /// Records what became of one prompt of batch `number`; anything else is too late and changes nothing.
    pub fn record(&mut self, number: u64, stem: &str, outcome: Outcome) {
        if number != self.batch_number {
            return;
        }
        if let Phase::Generating(running) = &mut self.phase
            && running
                .batch
                .prompts
                .iter()
                .any(|prompt| prompt.stem == stem)
        {
            running.outcomes.entry(stem.to_owned()).or_insert(outcome);
        }
    }

    /// Every stem of batch `number` in order with its outcome.
    pub fn outcomes(&self, number: u64) -> Option<Vec<(String, Outcome)>> {
        let Phase::Generating(running) = &self.phase else {
            return None;
        };
        (number == self.batch_number).then(|| {
            let outcome_of = |stem: &String| {
                running
                    .outcomes
                    .get(stem)
                    .cloned()
                    .unwrap_or_else(|| Err("generation crashed".to_owned()))
            };
            running
                .batch
                .prompts
                .iter()
                .map(|prompt| (prompt.stem.clone(), outcome_of(&prompt.stem)))
                .collect()
        })
    }

    /// Batch `number` is over and packed.
    pub fn complete(&mut self, number: u64, archive: Archive) {
        if number != self.batch_number {
            return;
        }
        if let Phase::Generating(running) = std::mem::take(&mut self.phase) {
            self.phase = Phase::Complete(Finished {
                batch: running.batch,
                archive,
                downloaded: false,
            });
        }
    }

    /// The archive and its digest, or the state that has none.
    pub fn results(&self) -> Result<(Bytes, String, Option<String>, u64), Refused> {
        match &self.phase {
            Phase::Complete(finished) => Ok((
                finished.archive.bytes.clone(),
                finished.archive.sha256.clone(),
                finished.batch.id.clone(),
                self.batch_number,
            )),
            _ => Err(Refused {
                current_status: self.status_word(),
            }),
        }
    }

    /// The archive of batch `number` went out to its last byte.
    pub fn downloaded(&mut self, number: u64) {
        if let Phase::Complete(finished) = &mut self.phase
            && number == self.batch_number
        {
            finished.downloaded = true;
        }
    }
}

impl Batch {
    /// By identifier where both carry one, else by the set of stems; the seed takes no part.
    fn is_same_as(&self, other: &Self) -> bool {
        match (&self.id, &other.id) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => self.stems() == other.stems(),
        }
    }

    fn stems(&self) -> BTreeSet<&str> {
        self.prompts
            .iter()
            .map(|prompt| prompt.stem.as_str())
            .collect()
    }
}
