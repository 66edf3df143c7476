//! Assize: the workers of the competition and the one binary.
//!
//! - [`handlers`]: how each step of the round is done.
//! - [`clients`]: the outside services, a folder each; [`egress`]: the only way out.
//! - [`git_sync`] and [`repository`]: the public state repository.
//! - [`dashboard`]: what operators look at.
//! - [`rehearse`]: everything in one go, with the rehearsal world.

pub mod audit;
pub mod bench;
pub mod chain_watch;
pub mod cli;
pub mod clients;
pub mod dashboard;
pub mod egress;
pub mod git_sync;
pub mod handlers;
pub mod parsers;
pub mod prompt_cache;
pub mod recover;
pub mod rehearse;
pub mod repository;
pub mod roles;
pub mod services;
pub mod settings;
pub mod telemetry;
