//! The crate's behaviour from outside. One binary, so that the workspace links one.
#![allow(clippy::unwrap_used, missing_docs)]

mod exploits;
mod hostile_sources;
mod modules;
mod probes;
mod static_rules;
