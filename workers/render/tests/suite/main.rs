//! The crate's behaviour from outside. One binary, so that the workspace links one.
#![allow(clippy::unwrap_used, missing_docs)]

mod contract;
mod crowded;
mod exploits;
mod grids;
mod hostile_sources;
mod measurements;
mod modules;
mod pictures;
mod probes;
mod processes;
mod sandbox;
mod service;
mod sharing;
mod soak;
mod static_rules;
mod validate;
