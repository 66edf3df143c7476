//! The stages of a round.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What the round is doing; `stage` in `state.json`, lower case there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Miners reveal their submissions on chain.
    Open,
    /// Seed and prompts are public; miners generate.
    MinerGeneration,
    /// What miners generated is fetched, rendered and embedded.
    Downloading,
    /// Matches, regeneration and audits.
    Duels,
    /// The winner is known; leader, weights and the next schedule are written.
    Finalizing,
    /// The competition is over.
    Finished,
    /// An operator holds the competition; nothing resumes by itself.
    Paused,
}

impl Stage {
    /// Every stage, in the order of a round, the two exceptional ones last.
    pub const ALL: [Self; 7] = [
        Self::Open,
        Self::MinerGeneration,
        Self::Downloading,
        Self::Duels,
        Self::Finalizing,
        Self::Finished,
        Self::Paused,
    ];

    /// The word in `state.json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::MinerGeneration => "miner_generation",
            Self::Downloading => "downloading",
            Self::Duels => "duels",
            Self::Finalizing => "finalizing",
            Self::Finished => "finished",
            Self::Paused => "paused",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A word that is no stage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{word}` is not a stage; expected open, miner_generation, downloading, duels, finalizing, finished or paused in lower case"
)]
pub struct StageError {
    /// The word that was refused.
    pub word: String,
}

impl FromStr for Stage {
    type Err = StageError;

    fn from_str(word: &str) -> Result<Self, StageError> {
        Self::ALL
            .into_iter()
            .find(|stage| stage.as_str() == word)
            .ok_or_else(|| StageError {
                word: word.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_is_the_same_word_in_json_text_and_parsing() {
        for stage in Stage::ALL {
            assert_eq!(
                serde_json::to_string(&stage).unwrap(),
                format!("\"{stage}\"")
            );
            assert_eq!(stage.as_str().parse(), Ok(stage));
        }
    }

    #[test]
    fn stages_are_case_sensitive() {
        assert!("Open".parse::<Stage>().is_err());
        assert!(serde_json::from_str::<Stage>("\"OPEN\"").is_err());
    }
}
