//! The published files of the first two rounds of the real competition, and what must hold for every file.

#![allow(clippy::unwrap_used, missing_docs)]

mod fixture;
mod invariants;
mod older_forms;
mod properties;
mod round_trip;
