//! The command line: one binary, a file a subcommand; `main` only dispatches.

mod exit;
mod work;

use clap::{Parser, Subcommand};

pub use exit::{EXIT_UNUSABLE, report};

use crate::rehearse::{self, RehearseArgs};

/// Runs the rounds of the 404-GEN 3D competition.
#[derive(Debug, Parser)]
#[command(name = "assize", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What Assize can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a whole round on this machine, with a rehearsal world outside.
    Rehearse(RehearseArgs),
    /// Work on jobs until stopped; any number of replicas.
    Work(work::WorkArgs),
    /// Bring the database to this build's schema.
    Migrate(work::DatabaseArgs),
}

/// Runs a command.
///
/// # Errors
///
/// What went wrong, as a chain whose first sentence says what to do.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Rehearse(args) => rehearse::run(args).await,
        Command::Work(args) => work::run(args).await,
        Command::Migrate(args) => work::migrate(args).await,
    }
}
