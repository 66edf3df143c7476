//! Step `download`: one submitted module from the miner's server into our object store.

use std::time::Duration;

use schema::{Hotkey, RoundNumber, Side, Stem};
use serde::{Deserialize, Serialize};

use crate::{
    engine::{Effects, Step},
    round::{
        entry::{self, EntryId, ModuleRef},
        queues,
    },
};

/// Fetches a module.
pub struct Download;

/// From where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownloadInput {
    /// Round.
    pub round: RoundNumber,
    /// Miner.
    pub hotkey: Hotkey,
    /// Prompt.
    pub stem: Stem,
    /// The miner's server, as submitted.
    pub cdn_url: String,
}

impl DownloadInput {
    /// The entry it fetches.
    pub fn entry(&self) -> EntryId {
        EntryId {
            round: self.round,
            side: Side::Miner(self.hotkey.clone()),
            repeat: 0,
            stem: self.stem.clone(),
        }
    }
}

/// What the miner's server delivered. A missing file is a result: the miner loses this prompt only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum DownloadOutput {
    /// In our object store.
    Stored {
        /// Where.
        module: ModuleRef,
    },
    /// Not delivered, by the miner's fault.
    Missing {
        /// `failure_reason` of `submitted.json`.
        reason: String,
    },
}

impl Step for Download {
    const NAME: &'static str = "download";
    const QUEUE: &'static str = queues::NETWORK;
    const DEADLINE: Duration = Duration::from_secs(180);
    const MAX_FAILURES: u16 = 12;
    type Input = DownloadInput;
    type Output = DownloadOutput;

    fn key(input: &DownloadInput) -> String {
        format!("{}/download", input.entry().key())
    }

    fn round(input: &DownloadInput) -> Option<u32> {
        Some(input.round.0)
    }

    fn fair_key(input: &DownloadInput) -> Option<String> {
        Some(input.hotkey.as_str().to_owned())
    }

    fn effects(input: &DownloadInput, output: &DownloadOutput) -> Effects {
        match output {
            DownloadOutput::Stored { .. } => Effects::default(),
            DownloadOutput::Missing { reason } => {
                entry::settled(&input.entry(), None, None, Some(reason))
            }
        }
    }
}
