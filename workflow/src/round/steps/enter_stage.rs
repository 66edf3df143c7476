//! Step `enter_stage`: a new stage in `state.json`.

use schema::{RoundNumber, Stage, StateFile as _, files::State, messages, paths};
use serde::{Deserialize, Serialize};

use crate::{
    db::records::Record,
    engine::{Effects, MirrorChange, Publication, Step},
    round::{
        notices::{self, DOWNLOADS, Downloads},
        queues,
    },
};

/// Makes a stage public.
pub struct EnterStage;

/// Which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnterStageInput {
    /// Round.
    pub round: RoundNumber,
    /// Stage.
    pub stage: Stage,
    /// What the stage before it has brought, when that was DOWNLOADING: people are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downloads: Option<Downloads>,
}

impl Step for EnterStage {
    const NAME: &'static str = "enter_stage";
    const QUEUE: &'static str = queues::STATE;
    const INLINE: bool = true;
    type Input = EnterStageInput;
    type Output = ();

    fn key(input: &EnterStageInput) -> String {
        format!("round/{}/enter_stage/{}", input.round, input.stage)
    }

    fn round(input: &EnterStageInput) -> Option<u32> {
        Some(input.round.0)
    }

    fn effects(input: &EnterStageInput, (): &()) -> Effects {
        let state = State {
            current_round: input.round,
            stage: input.stage,
            next_stage_eta: None,
        };
        let changes = vec![MirrorChange::Put {
            path: paths::state(),
            content: state.to_bytes(),
        }];
        let message = messages::round_stage(input.round, input.stage);
        let publication = Some(Publication {
            message,
            changes,
            urgent: true,
        });
        let mut records = vec![record(input.round, input.stage)];
        let told = input.downloads.as_ref().map(|downloads| {
            notices::downloads_complete(input.round, downloads).about(input.round, DOWNLOADS)
        });
        records.extend(told);
        Effects {
            records,
            publication,
            ..Effects::default()
        }
    }
}

/// The row that shows the stage.
pub(super) fn record(round: RoundNumber, stage: Stage) -> Record {
    Record::Stage {
        round: round.0,
        stage: stage.to_string(),
    }
}
