//! Step `open_round`: the round's rules in force, read once and kept for the whole round.

use schema::{
    RoundNumber, Stage,
    files::{Config, Schedule},
};
use serde::{Deserialize, Serialize};

use crate::{
    db::records::Record,
    engine::{Effects, Step},
    round::{judging::Judging, queues},
};

/// Reads `config.json`, the round's schedule and the leader.
pub struct OpenRound;

/// Names a round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundInput {
    /// Round.
    pub round: RoundNumber,
}

/// What the round is played by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenedRound {
    /// `config.json` when the round opened.
    pub config: Config,
    /// `rounds/{n}/schedule.json`.
    pub schedule: Schedule,
    /// Image of the defending leader, by its digest where that is known.
    pub leader_image: String,
    /// How matches are measured.
    #[serde(default)]
    pub judging: Judging,
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
