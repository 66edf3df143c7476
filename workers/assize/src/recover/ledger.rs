//! The ledger of the round, indexed by what a plan asks for. Later lines win: they are later measurements.

use std::collections::HashMap;

use schema::{
    Hotkey, RoundNumber, Side, Stem,
    files::Config,
    paths::{self, LedgerFile},
};
use serde::de::DeserializeOwned;
use workflow::{
    engine::FlowDefinition as _,
    round::{
        entry::ModuleRef,
        flows::DuelFlow,
        judging::Judging,
        ledger::{Artifact, Decision, DuelVerdict, Pictures},
        steps::{ModuleFault, RegenerateOutput, RejectedSubmission},
    },
    rules::{regeneration::Budget, seed::SeedProof},
};

use super::clone::StateClone;
use crate::clients::registry::is_digest;

/// An entry: side, repeat, stem.
pub(super) type EntryKey = (Side, u32, Stem);

/// What the ledger says of a module.
#[derive(Debug, Clone)]
pub(super) struct KnownModule {
    pub(super) module: ModuleRef,
    pub(super) document_sha256: Option<String>,
    pub(super) renderer: Option<String>,
    pub(super) prompt_sha256: Option<String>,
    pub(super) pictures: Option<Pictures>,
}

/// What the ledger says of a batch.
#[derive(Debug, Clone)]
pub(super) struct KnownBatch {
    pub(super) repeat: u32,
    pub(super) batch: u32,
    pub(super) pod: String,
    pub(super) result: RegenerateOutput,
}

/// The ledger.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) proof: Option<SeedProof>,
    pub(super) config: Option<Config>,
    /// What its regenerations may take.
    pub(super) budget: Budget,
    /// How the round's matches are measured, if that is told.
    pub(super) judging: Option<Judging>,
    pub(super) block_hash: Option<String>,
    pub(super) committed: Option<usize>,
    pub(super) rejected: Vec<RejectedSubmission>,
    pub(super) modules: HashMap<EntryKey, KnownModule>,
    /// By image: the digest of its manifest.
    pub(super) images: HashMap<String, String>,
    pub(super) faults: HashMap<EntryKey, Vec<ModuleFault>>,
    pub(super) batches: HashMap<Side, Vec<KnownBatch>>,
    /// By key of the match, then by key of the duel.
    pub(super) duels: HashMap<String, HashMap<String, DuelVerdict>>,
}

impl Ledger {
    /// Reads the ledger of a round; an absent file says nothing.
    pub(super) fn read(clone: &StateClone, round: RoundNumber) -> anyhow::Result<Self> {
        let path = |file: &LedgerFile| paths::ledger(round, file);
        let mut ledger = Self::default();
        if let Some(bytes) = clone.bytes(&path(&LedgerFile::Seed))? {
            ledger.proof = serde_json::from_slice(&bytes).ok();
        }
        for line in lines(clone.bytes(&path(&LedgerFile::Artifacts))?) {
            ledger.take_artifact(line);
        }
        for line in lines(clone.bytes(&path(&LedgerFile::Decisions))?) {
            ledger.take_decision(line);
        }
        let folder = format!("rounds/{round}/ledger/duels/");
        let files: Vec<String> = clone
            .paths()
            .filter(|path| path.starts_with(&folder))
            .map(str::to_owned)
            .collect();
        for file in files {
            for duel in lines::<DuelVerdict>(clone.bytes(&file)?) {
                ledger
                    .duels
                    .entry(duel.input.match_key.clone())
                    .or_default()
                    .insert(DuelFlow::key(&duel.input), duel);
            }
        }
        Ok(ledger)
    }

    fn take_artifact(&mut self, line: Artifact) {
        if let Artifact::Image {
            image,
            digest: Some(digest),
            ..
        } = &line
            && is_digest(digest)
        {
            self.images.insert(image.clone(), digest.clone());
            return;
        }
        let Artifact::Module {
            hotkey,
            repeat,
            stem,
            path,
            url,
            sha256,
            size,
            fetched_at,
            document_sha256,
            renderer,
            prompt_sha256,
            pictures,
            failure_reason: _,
        } = line
        else {
            return;
        };
        let module = ModuleRef {
            key: path,
            url,
            size_bytes: size,
            sha256,
            fetched_at,
        };
        let known = KnownModule {
            module,
            document_sha256,
            renderer,
            prompt_sha256,
            pictures,
        };
        self.modules.insert((hotkey, repeat, stem), known);
    }

    fn take_decision(&mut self, line: Decision) {
        match line {
            Decision::Rules { config, budget } => {
                self.config = Some(config);
                self.budget = budget;
            }
            Decision::JudgingRules { rules } => self.judging = Some(rules),
            Decision::Collected {
                block_hash,
                committed,
                ..
            } => {
                self.block_hash = Some(block_hash);
                self.committed = Some(committed);
            }
            Decision::SubmissionRejected { hotkey, reason } => {
                self.rejected.push(RejectedSubmission { hotkey, reason });
            }
            Decision::ModuleRejected {
                hotkey,
                repeat,
                stem,
                faults,
                sha256: _,
            } => {
                self.faults.insert((hotkey, repeat, stem), faults);
            }
            Decision::Batch {
                side,
                repeat,
                batch,
                pod,
                result,
            } => self.batches.entry(side).or_default().push(KnownBatch {
                repeat,
                batch,
                pod,
                result,
            }),
            _ => {}
        }
    }
}

/// Who built `image` in the round before `round` that knows its digest, and the digest.
pub(super) fn earlier_image(
    clone: &StateClone,
    round: RoundNumber,
    image: &str,
) -> anyhow::Result<Option<(RoundNumber, Hotkey, String)>> {
    let mut earlier = round.previous();
    while let Some(number) = earlier {
        let bytes = clone.bytes(&paths::ledger(number, &LedgerFile::Artifacts))?;
        let told = lines::<Artifact>(bytes)
            .into_iter()
            .find_map(|line| match line {
                Artifact::Image {
                    hotkey,
                    image: named,
                    digest: Some(digest),
                } if named == image && is_digest(&digest) => Some((number, hotkey, digest)),
                _ => None,
            });
        if told.is_some() {
            return Ok(told);
        }
        earlier = number.previous();
    }
    Ok(None)
}

/// The lines that can be read. The audit has named the others.
fn lines<L: DeserializeOwned>(bytes: Option<Vec<u8>>) -> Vec<L> {
    bytes
        .unwrap_or_default()
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect()
}
