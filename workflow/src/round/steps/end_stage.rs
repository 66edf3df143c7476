//! Step `end_stage`: whether the round stops at the end of a stage until an operator lets it go on (`PAUSE_ON_STAGE_END`).
//!
//! The reference's judge then ends in stage PAUSED instead of FINALIZING, its round manager in PAUSED instead of OPEN. Nothing
//! leaves PAUSED but an operator: by editing `state.json`, or by resuming the round, which writes its stage there. Asked when
//! the stage ends, so that the setting counts that is in force then.
//!
//! Source: collection and rounds, section 3.3; judge, section 9.

use schema::{RoundNumber, Stage};
use serde::{Deserialize, Serialize};

use crate::{
    db::records::Record,
    engine::Step,
    round::{
        notices::{self, PAUSED},
        queues,
        steps::enter_stage,
    },
};

/// Asks whether to stop.
pub struct EndStage;

/// Before which stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndStageInput {
    /// The round that ends a stage.
    pub round: RoundNumber,
    /// What would come next: FINALIZING, or OPEN of the next round.
    pub next: Stage,
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageEnd {
    /// Whether an operator has to let the round go on.
    pub pauses: bool,
}

impl Step for EndStage {
    const NAME: &'static str = "end_stage";
    // Not inline: a round that is held asks when it goes on.
    const QUEUE: &'static str = queues::STATE;
    type Input = EndStageInput;
    type Output = StageEnd;

    fn key(input: &EndStageInput) -> String {
        format!("round/{}/end_stage/before_{}", input.round, input.next)
    }

    fn round(input: &EndStageInput) -> Option<u32> {
        Some(input.round.0)
    }
}

/// What stands in `state.json` when `stage` begins, or would begin if the round did not stop before it.
pub(super) fn public_stage(stage: Stage, pauses: bool) -> Stage {
    if pauses { Stage::Paused } else { stage }
}

/// The rows of a stage that begins: the one that shows it, and the pause that holds the round before its first step, of which
/// people are told.
pub(super) fn records(round: RoundNumber, stage: Stage, pauses: bool) -> Vec<Record> {
    let mut records = vec![enter_stage::record(round, stage)];
    if pauses {
        records.push(Record::Pause { round: round.0 });
        records.push(notices::paused(round, stage).about(round, PAUSED));
    }
    records
}
