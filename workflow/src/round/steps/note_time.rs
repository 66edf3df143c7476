//! Step `note_time`: the database's time, so that a flow can start a deadline.

use chrono::{DateTime, Utc};
use schema::RoundNumber;
use serde::{Deserialize, Serialize};

use crate::{engine::Step, round::queues};

/// Notes the time.
pub struct NoteTime;

/// Of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteTimeInput {
    /// Round.
    pub round: RoundNumber,
    /// A unique name of the moment.
    pub moment: String,
}

impl Step for NoteTime {
    const NAME: &'static str = "note_time";
    const QUEUE: &'static str = queues::STATE;
    const INLINE: bool = true;
    type Input = NoteTimeInput;
    type Output = DateTime<Utc>;

    fn key(input: &NoteTimeInput) -> String {
        format!("{}/note_time", input.moment)
    }

    fn round(input: &NoteTimeInput) -> Option<u32> {
        Some(input.round.0)
    }
}
