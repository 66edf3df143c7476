//! `state.json`: which round, which stage, and when the next one is due.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::macros::json_file;
use crate::format::datetime::optional_datetime;
use crate::{RoundNumber, Stage};

/// `state.json`: where the competition stands. Every service and every miner reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The round being played.
    pub current_round: RoundNumber,
    /// What it is doing.
    pub stage: Stage,
    /// When the next stage is due; none where only the work decides. Written with microseconds at most.
    #[serde(default, with = "optional_datetime")]
    pub next_stage_eta: Option<DateTime<Utc>>,
}

json_file!(State, Required);
