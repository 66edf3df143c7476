//! `chaos run`: flows on real worker processes while everything fails. See `rounds::chaos`; `scripts/chaos` runs the long form.

use std::{net::SocketAddr, time::Duration};

use clap::{Args, Parser, Subcommand};
use rounds::chaos::{self, ChaosOptions, ReplicaOptions};

#[derive(Debug, Parser)]
#[command(about = "Flows on real worker processes while everything fails")]
struct Command {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Runs the flows, makes the troubles and prints one JSON object.
    Run(RunArgs),
    /// One worker replica; started by `run`.
    #[command(hide = true)]
    Work(WorkArgs),
    /// Keeps a network namespace; started by `run`.
    #[command(hide = true)]
    Hold {
        #[arg(long)]
        parent: i32,
    },
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Half a minute instead of minutes: fewer flows, shorter leases.
    #[arg(long)]
    short: bool,
    /// How many flows.
    #[arg(long)]
    flows: Option<u64>,
    /// Worker replicas.
    #[arg(long)]
    replicas: Option<usize>,
    /// Decides when what fails.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Plain processes, also where network namespaces are allowed.
    #[arg(long)]
    without_namespaces: bool,
    /// The process to end with.
    #[arg(long, hide = true)]
    parent: Option<i32>,
}

#[derive(Debug, Args)]
struct WorkArgs {
    #[arg(long)]
    parent: i32,
    #[arg(long)]
    name: String,
    #[arg(long)]
    database: SocketAddr,
    #[arg(long)]
    lease_ms: u64,
    #[arg(long)]
    longest_step_ms: u64,
}

fn main() -> anyhow::Result<()> {
    // Failing databases make many warnings: they are for whoever asks.
    assize::telemetry::start("error");
    match Command::parse().role {
        Role::Hold { parent } => {
            chaos::die_with_parent(parent)?;
            chaos::hold_namespace();
            Ok(())
        }
        Role::Work(args) => {
            chaos::die_with_parent(args.parent)?;
            let replica = ReplicaOptions {
                name: args.name,
                database: args.database,
                lease: Duration::from_millis(args.lease_ms),
                longest_step: Duration::from_millis(args.longest_step_ms),
            };
            tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?
                .block_on(chaos::work(replica))
        }
        Role::Run(args) => run(&args),
    }
}

fn run(args: &RunArgs) -> anyhow::Result<()> {
    if let Some(parent) = args.parent {
        chaos::die_with_parent(parent)?;
    }
    let mut options = if args.short {
        ChaosOptions::short()
    } else {
        ChaosOptions::long()
    };
    options.flows = args.flows.unwrap_or(options.flows);
    options.replicas = args.replicas.unwrap_or(options.replicas).max(2);
    options.seed = args.seed;
    options.namespaces = !args.without_namespaces;
    // One thread, this one: the kernel kills our children when the thread that started them ends.
    let summary = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(chaos::run(options))?;
    println!("{}", serde_json::to_string(&summary)?);
    anyhow::ensure!(summary.chaos == "ok", "{}", summary.chaos);
    Ok(())
}
