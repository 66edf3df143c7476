//! Steps `open_round` and `fix_rules`: the round's window when it opens, and its rules when its reveal window ends.
//!
//! Until then people may edit `config.json` for the round (state repository, section 6: it is read in OPEN). From then on the
//! rules that were read are kept for the whole round.

use schema::{
    RoundNumber, Stage,
    files::{Config, Schedule},
};
use serde::{Deserialize, Serialize};

use crate::{
    db::records::Record,
    engine::{Effects, Step},
    round::{judging::Judging, queues},
    rules::regeneration::Budget,
};

/// Reads the round's schedule, and what stands in `config.json` so far.
pub struct OpenRound;

/// Reads `config.json` and the leader, for good.
pub struct FixRules;

/// Names a round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundInput {
    /// Round.
    pub round: RoundNumber,
}

/// What the round is played by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenedRound {
    /// `config.json` when it was read.
    pub config: Config,
    /// `rounds/{n}/schedule.json`.
    pub schedule: Schedule,
    /// Image of the defending leader, by its digest where that is known.
    pub leader_image: String,
    /// How matches are measured.
    #[serde(default)]
    pub judging: Judging,
    /// What regenerations may take.
    #[serde(default)]
    pub budget: Budget,
}

impl Step for OpenRound {
    const NAME: &'static str = "open_round";
    const QUEUE: &'static str = queues::STATE;
    const INLINE: bool = true;
    type Input = RoundInput;
    type Output = OpenedRound;

    fn key(input: &RoundInput) -> String {
        format!("round/{}/open_round", input.round)
    }

    fn round(input: &RoundInput) -> Option<u32> {
        Some(input.round.0)
    }

    fn effects(input: &RoundInput, _output: &OpenedRound) -> Effects {
        let record = Record::Stage {
            round: input.round.0,
            stage: Stage::Open.to_string(),
        };
        Effects {
            records: vec![record],
            ..Effects::default()
        }
    }
}

impl Step for FixRules {
    const NAME: &'static str = "fix_rules";
    const QUEUE: &'static str = queues::STATE;
    const INLINE: bool = true;
    type Input = RoundInput;
    type Output = OpenedRound;

    fn key(input: &RoundInput) -> String {
        format!("round/{}/fix_rules", input.round)
    }

    fn round(input: &RoundInput) -> Option<u32> {
        Some(input.round.0)
    }
}
