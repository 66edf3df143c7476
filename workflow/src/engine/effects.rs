//! Effects: what commits together with the end of a step.
//!
//! Effects are data, not code, so that the completions of many steps travel in one transaction and a repeated attempt can
//! be compared with the first.

use serde_json::Value;

use crate::{db::records::Record, engine::flow::NewJob};

/// Everything besides its output that the end of a step changes.
#[derive(Debug, Clone, Default)]
pub struct Effects {
    /// Rows of the round's tables.
    pub records: Vec<Record>,
    /// State files for the public repository; they travel in one commit.
    pub publication: Option<Publication>,
    /// Events to fire: name and payload. The first write of a name wins.
    pub events: Vec<(String, Value)>,
    /// Flows to start.
    pub starts: Vec<NewJob>,
    /// Keys of flows to wake, because something they look at has changed.
    pub wakes: Vec<String>,
}

impl Effects {
    /// Whether nothing but the output changes.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.publication.is_none()
            && self.events.is_empty()
            && self.starts.is_empty()
            && self.wakes.is_empty()
    }

    /// These effects, published under `message`.
    pub fn publish(mut self, message: String, changes: Vec<MirrorChange>) -> Self {
        self.publication = Some(Publication {
            message,
            changes,
            urgent: false,
        });
        self
    }
}

/// A group of state file changes that reaches the repository in one commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Publication {
    /// The commit message the outside knows (`schema::messages`).
    pub message: String,
    /// Changes in order.
    pub changes: Vec<MirrorChange>,
    /// Stage changes are pushed at once; other changes may wait a moment for company.
    pub urgent: bool,
}

/// One change of one state file, as a patch: edits of other parts of the file by other people survive it.
#[derive(Debug, Clone, PartialEq)]
pub enum MirrorChange {
    /// The whole file.
    Put {
        /// Path in the repository.
        path: String,
        /// Exact bytes.
        content: Vec<u8>,
    },
    /// One entry of a JSON map file; insertion order is kept.
    MergeEntry {
        /// Path in the repository.
        path: String,
        /// Key in the map.
        key: String,
        /// New value.
        value: Value,
    },
    /// One row of a margin matrix.
    MatrixRow {
        /// Path in the repository.
        path: String,
        /// Defender side.
        left: String,
        /// Challenger.
        right: String,
        /// Challenger's advantage, `-1.0..=1.0`.
        margin: f64,
    },
    /// One line of an append-only file.
    AppendLine {
        /// Path in the repository.
        path: String,
        /// Without its newline.
        line: String,
    },
}

impl MirrorChange {
    /// The file it changes.
    pub fn path(&self) -> &str {
        match self {
            Self::Put { path, .. }
            | Self::MergeEntry { path, .. }
            | Self::MatrixRow { path, .. }
            | Self::AppendLine { path, .. } => path,
        }
    }
}
