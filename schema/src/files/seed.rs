//! `rounds/{n}/seed.json`: the round's random number.

use serde::{Deserialize, Serialize};

use crate::format::json;
use crate::tolerant;
use crate::{Absence, FileError, StateFile};

/// `rounds/{n}/seed.json`: a random number drawn when submissions are collected. One line, unlike every other file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed {
    /// Uniform over all 32-bit numbers.
    #[serde(deserialize_with = "tolerant::integer")]
    pub seed: u32,
}

impl StateFile for Seed {
    const ABSENCE: Absence = Absence::NotYet;

    fn parse(path: &str, bytes: &[u8]) -> Result<Self, FileError> {
        json::parse_object(path, bytes)
    }

    fn to_bytes(&self) -> Vec<u8> {
        format!("{{\"seed\": {}}}", self.seed).into_bytes()
    }
}
