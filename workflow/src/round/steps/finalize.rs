//! Step `finalize`: the new leader, the next round's schedule and stage OPEN, or the end of the competition.

use chrono::{DateTime, Utc};
use schema::{
    RoundNumber, Stage, StateFile as _,
    files::{Config, LeaderEntry, Leaders, Schedule, State, Winner},
    messages, paths,
};
use serde::{Deserialize, Serialize};

use crate::{
    db::records::Record,
    engine::{Effects, MirrorChange, NewJob, Publication, Step},
    round::{
        flows::Round,
        notices::{self, LEADER, NEXT},
        queues,
        steps::{RoundInput, end_stage},
    },
};

/// Ends the round.
pub struct Finalize;

/// With what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FinalizeInput {
    /// Round.
    pub round: RoundNumber,
    /// Its schedule.
    pub schedule: Schedule,
    /// Its winner.
    pub winner: Winner,
    /// Whether the next round stops before it opens, until an operator sets stage OPEN.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pauses: bool,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finalized {
    /// `config.json` in force.
    pub config: Config,
    /// The whole of `leader.json` after the round.
    pub leaders: Leaders,
    /// The entry that was appended, if any.
    pub appended: Option<LeaderEntry>,
    /// The next round's start.
    pub start: DateTime<Utc>,
    /// Its schedule; none when the competition is over.
    pub next: Option<Schedule>,
}

impl Step for Finalize {
    const NAME: &'static str = "finalize";
    const QUEUE: &'static str = queues::CHAIN;
    const MAX_FAILURES: u16 = 300;
    type Input = FinalizeInput;
    type Output = Finalized;

    fn key(input: &FinalizeInput) -> String {
        format!("round/{}/finalize", input.round)
    }

    fn round(input: &FinalizeInput) -> Option<u32> {
        Some(input.round.0)
    }

    /// One commit, as the outside expects it, and the next round's flow: they exist together or not at all.
    fn effects(input: &FinalizeInput, output: &Finalized) -> Effects {
        let next_round = input.round.next();
        let (round, stage, eta) = match &output.next {
            Some(_) => (next_round, Stage::Open, Some(output.start)),
            None => (input.round, Stage::Finished, None),
        };
        let pauses = input.pauses && output.next.is_some();
        let public_stage = end_stage::public_stage(stage, pauses);
        let state = State {
            current_round: round,
            stage: public_stage,
            next_stage_eta: eta,
        };
        let mut changes = vec![MirrorChange::Put {
            path: paths::state(),
            content: state.to_bytes(),
        }];
        let mut starts = Vec::new();
        let mut records = end_stage::records(round, stage, pauses);
        records.extend(told(input.round, output));
        if let Some(schedule) = &output.next {
            changes.push(MirrorChange::Put {
                path: paths::schedule(next_round),
                content: schedule.to_bytes(),
            });
            starts.extend(NewJob::flow::<Round>(&RoundInput { round: next_round }));
            records.push(Record::Stage {
                round: input.round.0,
                stage: "closed".to_owned(),
            });
            // Who paused this round while it ended wants the next one to wait as well.
            records.push(Record::PauseAlso {
                round: input.round.0,
                next: next_round.0,
            });
        }
        if output.appended.is_some() {
            changes.push(MirrorChange::Put {
                path: paths::leader(),
                content: output.leaders.to_bytes(),
            });
        }
        let message = messages::update_state(
            public_stage,
            output.next.is_some(),
            output.appended.is_some(),
            round,
        );
        Effects {
            records,
            starts,
            publication: Some(Publication {
                message,
                changes,
                urgent: true,
            }),
            ..Effects::default()
        }
    }
}

/// What people are told: a new leader first.
fn told(round: RoundNumber, output: &Finalized) -> Vec<Record> {
    let entries = &output.leaders.0;
    let mut told = Vec::new();
    if let (Some(new), [.., previous, _]) = (&output.appended, entries.as_slice())
        && new.commit != previous.commit
    {
        told.push(notices::leader_changed(round, previous, new).about(round, LEADER));
    }
    let next = match &output.next {
        Some(_) => notices::next_round(round, output.start, entries.last()),
        None => notices::competition_ended(round),
    };
    told.push(next.about(round, NEXT));
    told
}
