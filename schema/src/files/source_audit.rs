//! `rounds/{n}/source_audit.json`: what people found in the miners' sources.

use serde::{Deserialize, Serialize};

use super::generation_audits::Verdict;
use super::macros::readable_items;
use crate::format::json;
use crate::{Absence, FileError, Hotkey, StateFile, Tolerant, TolerantFile};

/// `rounds/{n}/source_audit.json`, appended by hand. The last entry of a hotkey counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceAudits(pub Vec<SourceAudit>);

/// One look at a miner's sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceAudit {
    /// The miner.
    pub hotkey: Hotkey,
    /// What came of it.
    pub verdict: Verdict,
    /// Why, in the auditor's words.
    #[serde(default)]
    pub reason: String,
}

impl SourceAudits {
    /// The audit that counts for `hotkey`: the last one.
    pub fn of(&self, hotkey: &Hotkey) -> Option<&SourceAudit> {
        self.0.iter().rev().find(|audit| audit.hotkey == *hotkey)
    }
}

impl StateFile for SourceAudits {
    const ABSENCE: Absence = Absence::EmptyCollection;

    fn parse(path: &str, bytes: &[u8]) -> Result<Self, FileError> {
        if bytes.is_empty() {
            Ok(Self::default())
        } else {
            json::parse(path, bytes)
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        json::pretty(self)
    }
}

impl TolerantFile for SourceAudits {
    fn parse_tolerant(path: &str, bytes: &[u8]) -> Result<Tolerant<Self>, FileError> {
        if bytes.is_empty() {
            return Ok(Tolerant {
                file: Self::default(),
                problems: Vec::new(),
            });
        }
        let (rows, problems) = readable_items(path, bytes)?;
        Ok(Tolerant {
            file: Self(rows),
            problems,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_entry_of_a_hotkey_counts() {
        let body = br#"[{"hotkey":"5A","verdict":"failed","reason":"x"},{"hotkey":"5A","verdict":"passed"}]"#;
        let audits = SourceAudits::parse("source_audit.json", body).unwrap();
        assert_eq!(
            audits.of(&Hotkey::new("5A")).unwrap().verdict,
            Verdict::Passed
        );
        assert_eq!(audits.of(&Hotkey::new("5B")), None);
    }
}
