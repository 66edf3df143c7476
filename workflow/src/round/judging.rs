//! How the matches of a round are measured: what an operator may choose, and how measurements are told apart.
//!
//! # The rule for noise
//!
//! A vision-language model does not answer the same question the same way every time, so a margin near a threshold would
//! often decide otherwise if it were measured again. What counts is fixed before the first duel, and published: **the first
//! complete measurement stands**. Matches within [`Judging::near_band_prompts`] of a threshold are measured
//! [`Judging::near_repeats`] times more and all runs are published beside the first, whatever they say; none of them replaces
//! it. Only an operator can have a match judged anew, with a reason, and the old result stays public (`superseded/`).
//!
//! Source: judge, section 14.2 and 14.3 (measured noise), weaknesses W14 (early stop) and W17 (near-threshold winners).

use schema::files::AuditLeft;
use serde::{Deserialize, Serialize};

use crate::rules::curtailment;

/// How matches are measured. Read when the round opens, published before its first duel, and in force until it ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Judging {
    /// `CURTAIL_MATCHES`: matches stop when no remaining duel can change a decision. The published margin then counts the
    /// remaining duels as 0.
    pub curtail: bool,
    /// `NEAR_BAND_PROMPTS`: how near a margin is to a threshold when it is measured again, in prompts.
    pub near_band_prompts: f64,
    /// `NEAR_REPEATS`: how often more.
    pub near_repeats: u32,
    /// `SPECULATIVE_AUDITS`: how many miners are regenerated before they hold a title because they would if others fell.
    pub speculative_audits: usize,
}

impl Default for Judging {
    fn default() -> Self {
        Self {
            curtail: false,
            near_band_prompts: 1.0,
            near_repeats: 1,
            speculative_audits: 0,
        }
    }
}

/// Which measurement of a match.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(default)]
pub struct Measurement {
    /// From 0: rises when the match is judged anew.
    pub judgement: u32,
    /// From 0: the run that counts is 0, those beside it follow.
    pub run: u32,
}

impl Measurement {
    /// What a flow's key says of it: nothing for the first.
    pub fn suffix(self) -> String {
        let judgement = match self.judgement {
            0 => String::new(),
            judgement => format!("/judgement/{judgement}"),
        };
        match self.run {
            0 => judgement,
            run => format!("{judgement}/run/{run}"),
        }
    }

    /// Whether it is the first, for leaving it out of stored inputs.
    pub fn is_first(&self) -> bool {
        *self == Self::default()
    }
}

/// The thresholds that decisions compare a margin with.
///
/// - `audit_left`: the left side of an audit duel; none for a match of the tournament.
pub fn thresholds(win_margin: f64, audit_left: Option<&AuditLeft>) -> Vec<f64> {
    match audit_left {
        None => curtailment::match_thresholds(win_margin).to_vec(),
        Some(AuditLeft::Submitted { .. }) => {
            curtailment::submitted_audit_thresholds(win_margin).to_vec()
        }
        Some(AuditLeft::Defender { .. }) => {
            curtailment::defender_audit_thresholds(win_margin).to_vec()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_first_measurement_has_the_plain_key_and_every_other_its_own() {
        let suffix = |judgement, run| Measurement { judgement, run }.suffix();
        assert_eq!(suffix(0, 0), "");
        assert_eq!(suffix(2, 0), "/judgement/2");
        assert_eq!(suffix(0, 1), "/run/1");
        assert_eq!(suffix(2, 1), "/judgement/2/run/1");
    }

    #[test]
    fn rules_of_an_older_round_read_with_the_defaults() {
        let read: Judging = serde_json::from_str("{}").unwrap();
        assert_eq!(read, Judging::default());
    }
}
