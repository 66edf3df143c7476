//! `rounds/{n}/verification_audits.json`: the judge's verdicts in the revision before repeats. Nothing writes it today.

use serde::{Deserialize, Serialize};

use super::macros::map_file;
use super::verbatim::Verbatim;
use crate::tolerant;
use crate::{Hotkey, IndexMap};

/// `rounds/{n}/verification_audits.json`, of which no sample is published.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VerificationAudits(pub IndexMap<Hotkey, Verbatim<VerificationAudit>>);

/// The verdict on one miner before repeats.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct VerificationAudit {
    /// `passed`, `rejected` or `pending`, in that revision's words.
    #[serde(default)]
    pub outcome: String,
    /// The audit duels' score.
    #[serde(default)]
    pub score: Option<f64>,
    /// Prompts compared.
    #[serde(default, deserialize_with = "tolerant::integer")]
    pub checked_prompts: u32,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

map_file!(
    VerificationAudits,
    Hotkey,
    Verbatim<VerificationAudit>,
    EmptyCollection
);
