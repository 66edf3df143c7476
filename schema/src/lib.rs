//! The words of the competition: ids, stages, and the files of the public state repository.
//!
//! The repository is a frozen public interface: validators, miners, the image build and auditors read it with programs we
//! do not control. So each file has one type here, which reads what those programs accept and writes exactly the bytes
//! they have always been given. Nothing in this crate does I/O.
//!
//! - [`ids`], [`stage`]: hotkeys, rounds, blocks, stems, stages.
//! - [`paths`]: where each file lives, and what a path means.
//! - [`files`]: one module a file; [`StateFile`] reads and writes it.
//! - [`document`]: any file of the repository, current or older form, by its path alone.
//! - [`views`], [`storage`]: the pictures of a module and where they are stored.
//! - [`messages`]: the commit messages people and the image build look for.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod document;
pub mod error;
pub mod files;
pub mod format;
pub mod ids;
pub mod messages;
pub mod paths;
pub mod stage;
mod state_file;
pub mod storage;
mod tolerant;
pub mod views;

pub use document::Document;
pub use error::{FileError, Problem};
pub use ids::{
    BlockNumber, CommitSha, Defender, Hotkey, LEADER, LeftSide, RoundNumber, Side, Stem,
};
pub use stage::Stage;
pub use state_file::{Absence, RowProblem, StateFile, Tolerant, TolerantFile};

/// The insertion-ordered map all map files are made of.
pub use indexmap::IndexMap;
