//! `rounds/{n}/generation_reports.json`: how regenerating the audited miners' outputs went.

use serde::{Deserialize, Serialize};

use super::macros::{either_form, map_file, older_form, rows_with_hotkeys, sniff_objects};
use super::verbatim::Verbatim;
use crate::tolerant;
use crate::{FileError, Hotkey, IndexMap};

/// `rounds/{n}/generation_reports.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GenerationReports(pub IndexMap<Hotkey, GenerationReport>);

/// One miner's regeneration. Look it up by the map key; the inner hotkey is not checked against it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GenerationReport {
    /// The miner.
    pub hotkey: Hotkey,
    /// How far it is.
    #[serde(default)]
    pub outcome: ReportOutcome,
    /// The fully generated repeats; only these can be judged.
    #[serde(default)]
    pub repeats: Vec<RepeatReport>,
    /// Why it was rejected, parts joined by `; `; empty otherwise.
    #[serde(default)]
    pub reason: String,
}

/// One full regeneration of a miner's submitted prompts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RepeatReport {
    /// Which repeat, from 1.
    #[serde(deserialize_with = "tolerant::integer")]
    pub repeat_index: u32,
    /// Prompts with an output.
    #[serde(default, deserialize_with = "tolerant::integer")]
    pub generated_prompts: u32,
    /// Prompts that failed.
    #[serde(default, deserialize_with = "tolerant::integer")]
    pub failed_prompts: u32,
    /// Seconds of all batches; none when nothing was timed.
    #[serde(default)]
    pub generation_time: Option<f64>,
}

/// How far a regeneration is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportOutcome {
    /// Repeats remain.
    #[default]
    Pending,
    /// Every repeat is within the limits.
    Completed,
    /// The miner is disqualified; see the reason.
    Rejected,
}

impl ReportOutcome {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Rejected => "rejected",
        }
    }
}

impl std::fmt::Display for ReportOutcome {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// The same file from the revision before repeats, of which no sample is published.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SingleRepeatReports(pub IndexMap<Hotkey, Verbatim<SingleRepeatReport>>);

/// One miner's only regeneration, before repeats.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct SingleRepeatReport {
    /// How far it is.
    #[serde(default)]
    pub outcome: ReportOutcome,
    /// Prompts regenerated.
    #[serde(default, deserialize_with = "tolerant::integer")]
    pub checked_prompts: u32,
    /// Prompts that failed.
    #[serde(default, deserialize_with = "tolerant::integer")]
    pub failed_prompts: u32,
    /// Seconds.
    #[serde(default)]
    pub generation_time: Option<f64>,
    /// Why it was rejected.
    #[serde(default)]
    pub reason: String,
}

/// `generation_reports.json` in either form.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyGenerationReports {
    /// Today's form.
    Current(GenerationReports),
    /// The form before repeats.
    SingleRepeat(SingleRepeatReports),
}

fn is_single_repeat(bytes: &[u8]) -> bool {
    let rows = sniff_objects(bytes);
    rows.iter().any(|row| row.contains_key("checked_prompts"))
        && !rows.iter().any(|row| row.contains_key("repeats"))
}

fn refuse_single_repeat(path: &str, bytes: &[u8]) -> Result<(), FileError> {
    if is_single_repeat(bytes) {
        return Err(older_form(
            path,
            "reports with `repeats`",
            "before repeats (`checked_prompts`)",
        ));
    }
    Ok(())
}

map_file!(
    GenerationReports, Hotkey, GenerationReport, EmptyCollection,
    refuse: refuse_single_repeat,
    write: crate::format::json::pretty
);
map_file!(
    SingleRepeatReports,
    Hotkey,
    Verbatim<SingleRepeatReport>,
    EmptyCollection
);
either_form!(
    AnyGenerationReports { Current(GenerationReports), SingleRepeat(SingleRepeatReports) },
    EmptyCollection,
    is_single_repeat
);
rows_with_hotkeys!(GenerationReports);
