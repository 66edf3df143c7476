//! Step `declare`: the round's winner, together with stage FINALIZING.

use schema::{
    RoundNumber, Side, Stage, StateFile as _,
    files::{State, Winner},
    messages, paths,
};
use serde::{Deserialize, Serialize};

use crate::{
    db::records::Record,
    engine::{Effects, MirrorChange, Publication, Step},
    round::{ledger::Decision, queues, steps::enter_stage},
};

/// Writes `winner.json`.
pub struct Declare;

/// Who won.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclareInput {
    /// Round.
    pub round: RoundNumber,
    /// Champion of the timeline.
    pub champion: Side,
}

impl Step for Declare {
    const NAME: &'static str = "declare";
    const QUEUE: &'static str = queues::STATE;
    const INLINE: bool = true;
    type Input = DeclareInput;
    type Output = Winner;

    fn key(input: &DeclareInput) -> String {
        format!("round/{}/declare", input.round)
    }

    fn round(input: &DeclareInput) -> Option<u32> {
        Some(input.round.0)
    }

    /// Winner and stage travel together: a reader never sees FINALIZING without a winner.
    fn effects(input: &DeclareInput, output: &Winner) -> Effects {
        let round = input.round;
        let state = State {
            current_round: round,
            stage: Stage::Finalizing,
            next_stage_eta: None,
        };
        let changes = vec![
            MirrorChange::Put {
                path: paths::winner(round),
                content: output.to_bytes(),
            },
            MirrorChange::Put {
                path: paths::state(),
                content: state.to_bytes(),
            },
            Decision::Winner {
                winner: input.champion.clone(),
                docker_image: output.docker_image.clone(),
            }
            .append(round),
        ];
        let message = messages::joined([
            messages::winner(round, &input.champion),
            messages::update_state(Stage::Finalizing, false, false, round),
        ]);
        let records = vec![
            Record::Winner {
                round: round.0,
                winner: input.champion.as_str().to_owned(),
            },
            enter_stage::record(round, Stage::Finalizing),
        ];
        Effects {
            records,
            publication: Some(Publication {
                message,
                changes,
                urgent: true,
            }),
            ..Effects::default()
        }
    }
}
