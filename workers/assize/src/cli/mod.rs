//! The command line: one binary, a file a subcommand; `main` only dispatches.

mod bench;
mod conflict;
mod database;
mod exit;
mod job;
mod operator;
mod queue;
mod round;
mod serve;
mod work;

use clap::{Parser, Subcommand};
use render::cli::ValidateArgs;

pub use exit::{EXIT_UNUSABLE, report};

use crate::{
    audit::{self, AuditArgs},
    recover::{self, RecoverArgs},
    rehearse::{self, RehearseArgs},
};

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
    /// Serve the dashboard.
    Dashboard(serve::DashboardCommand),
    /// Serve pictures of hostile modules; needs no secrets.
    #[command(subcommand)]
    Render(serve::RenderCommand),
    /// Bring the database to this build's schema.
    Migrate(database::DatabaseArgs),
    /// Look at jobs, retry, pause, resume or cancel them.
    #[command(subcommand)]
    Job(job::JobCommand),
    /// Look at rounds, retry, pause, resume, cancel or prune one.
    #[command(subcommand)]
    Round(round::RoundCommand),
    /// Look at queues, pause, resume or limit one over all workers.
    #[command(subcommand)]
    Queue(queue::QueueCommand),
    /// Look at edits of files that Assize owns, accept or reject them.
    #[command(subcommand)]
    Conflict(conflict::ConflictCommand),
    /// Check a clone of a state repository, offline: exit code 0 when every check holds, 1 with findings, 2 when unreadable.
    Audit(AuditArgs),
    /// Build a fresh database from a clone of the state repository, so that the round goes on.
    Recover(RecoverCommand),
    /// Check modules against every rule of a live round (for miners).
    Validate(ValidateArgs),
    /// What a miner's container runs.
    #[command(subcommand)]
    Miner(serve::MinerCommand),
    /// Measure.
    #[command(subcommand)]
    Bench(bench::BenchCommand),
}

/// Options of `assize recover`.
#[derive(Debug, clap::Args)]
pub struct RecoverCommand {
    /// The command's own.
    #[command(flatten)]
    pub recover: RecoverArgs,
    /// The fresh database.
    #[command(flatten)]
    pub database: database::DatabaseArgs,
}

/// Runs a command and answers its exit code.
///
/// # Errors
///
/// What went wrong, as a chain whose first sentence says what to do.
pub async fn run(cli: Cli) -> anyhow::Result<u8> {
    match cli.command {
        Command::Rehearse(args) => rehearse::run(args).await?,
        Command::Work(args) => work::run(args).await?,
        Command::Dashboard(args) => serve::dashboard(args).await?,
        Command::Render(command) => serve::render(command).await?,
        Command::Migrate(args) => work::migrate(args).await?,
        Command::Job(command) => job::run(command).await?,
        Command::Round(command) => round::run(command).await?,
        Command::Queue(command) => queue::run(command).await?,
        Command::Conflict(command) => conflict::run(command).await?,
        Command::Audit(args) => {
            let code = tokio::task::spawn_blocking(move || audit::run(args)).await?;
            return Ok(u8::try_from(code).unwrap_or(EXIT_UNUSABLE));
        }
        Command::Recover(args) => {
            let database = database::Database::open(&args.database).await?;
            let recovered = recover::run(args.recover, database.pool.clone()).await;
            database.close().await;
            recovered?;
        }
        Command::Validate(args) => return Ok(render::cli::validate(args).await),
        Command::Miner(command) => serve::miner(command).await?,
        Command::Bench(command) => bench::run(command).await?,
    }
    Ok(0)
}
