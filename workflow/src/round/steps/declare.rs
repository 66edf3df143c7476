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
    round::{
        ledger::Decision,
        notices::{self, WINNER},
        queues,
        steps::end_stage,
    },
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
    /// Whether the leader is champion because nobody took part.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_submissions: bool,
    /// Whether the round stops here until an operator sets stage FINALIZING.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pauses: bool,
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

    /// Winner and stage travel together: a reader never sees FINALIZING without a winner. So does the notice, which is sent
    /// when both are public (weakness W22).
    fn effects(input: &DeclareInput, output: &Winner) -> Effects {
        let round = input.round;
        let stage = end_stage::public_stage(Stage::Finalizing, input.pauses);
        let state = State {
            current_round: round,
            stage,
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
        // Without submissions it is the collector that ends the round, and its words differ from the judge's.
        let stage_message = if input.without_submissions && !input.pauses {
            messages::round_stage(round, stage)
        } else {
            messages::update_state(stage, false, false, round)
        };
        let message = messages::joined([messages::winner(round, &input.champion), stage_message]);
        let mut records = end_stage::records(round, Stage::Finalizing, input.pauses);
        records.push(Record::Winner {
            round: round.0,
            winner: input.champion.as_str().to_owned(),
        });
        records.push(
            notices::finalized(round, &input.champion, !input.without_submissions)
                .about(round, WINNER),
        );
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
