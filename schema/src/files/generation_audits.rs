//! `rounds/{n}/generation_audits.json`: whether a miner's code reproduces what it submitted.

use serde::{Deserialize, Serialize};

use super::macros::{either_form, map_file, older_form, rows_with_hotkeys, sniff_objects};
use crate::tolerant;
use crate::{FileError, Hotkey, IndexMap};

/// `rounds/{n}/generation_audits.json`: the judge's verdicts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GenerationAudits(pub IndexMap<Hotkey, GenerationAudit>);

/// The verdict on one miner. Look it up by the map key: a hand-made entry of the real data holds another hotkey inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerationAudit {
    /// The miner.
    pub hotkey: Hotkey,
    /// What came of it.
    pub verdict: Verdict,
    /// Why it failed; empty when it passed.
    #[serde(default)]
    pub reason: String,
}

/// What came of an audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing speaks against the miner.
    Passed,
    /// The miner is out of the round.
    Failed,
}

impl Verdict {
    /// The word in the files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// The same file as the mesh competition's orchestrator wrote it, judged by distances.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MeshGenerationAudits(pub IndexMap<Hotkey, MeshGenerationAudit>);

/// One miner's regeneration in the mesh competition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeshGenerationAudit {
    /// The miner, as written inside the entry.
    pub hotkey: Hotkey,
    /// What came of it.
    pub outcome: MeshAuditOutcome,
    /// Prompts regenerated.
    #[serde(default, deserialize_with = "tolerant::integer")]
    pub checked_prompts: u32,
    /// Prompts that did not match what was submitted.
    #[serde(default, deserialize_with = "tolerant::integer")]
    pub failed_prompts: u32,
    /// Those among the critical prompts.
    #[serde(default, deserialize_with = "tolerant::integer")]
    pub failed_critical: u32,
    /// Trimmed median of the generation times, seconds.
    #[serde(default)]
    pub generation_time: Option<f64>,
    /// Why it was rejected; parts joined by `; `.
    #[serde(default)]
    pub reason: String,
}

/// What came of a regeneration in the mesh competition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeshAuditOutcome {
    /// Not decided.
    Pending,
    /// The code reproduces the submission.
    Passed,
    /// It does not.
    Rejected,
}

/// `generation_audits.json` in either form.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyGenerationAudits {
    /// Today's form.
    Current(GenerationAudits),
    /// The mesh competition's.
    Mesh(MeshGenerationAudits),
}

fn is_mesh(bytes: &[u8]) -> bool {
    let rows = sniff_objects(bytes);
    rows.iter().any(|row| row.contains_key("outcome"))
        && !rows.iter().any(|row| row.contains_key("verdict"))
}

fn refuse_mesh(path: &str, bytes: &[u8]) -> Result<(), FileError> {
    if is_mesh(bytes) {
        return Err(older_form(
            path,
            "verdicts (`verdict`)",
            "of the mesh competition (`outcome`)",
        ));
    }
    Ok(())
}

map_file!(
    GenerationAudits, Hotkey, GenerationAudit, EmptyCollection,
    refuse: refuse_mesh,
    write: crate::format::json::pretty
);
map_file!(
    MeshGenerationAudits,
    Hotkey,
    MeshGenerationAudit,
    EmptyCollection
);
either_form!(
    AnyGenerationAudits { Current(GenerationAudits), Mesh(MeshGenerationAudits) },
    EmptyCollection,
    is_mesh
);
rows_with_hotkeys!(GenerationAudits);
rows_with_hotkeys!(MeshGenerationAudits);
