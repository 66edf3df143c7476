//! `assize bench …`: measurements, as one JSON object or as text.

mod curtailment;

use std::{fs::Permissions, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use render::RendererConfig;
use workflow::bench::{self as engine, Measure, Report};

use crate::bench::duels;

/// What to measure.
#[derive(Debug, Clone, Subcommand)]
pub enum BenchCommand {
    /// Pictures of modules: all 12 views and the grid.
    Render(FileArgs),
    /// Static analysis of modules.
    Validate(FileArgs),
    /// How busy the judge keeps a vision-language model of fixed latency and capacity.
    Duels(DuelsArgs),
    /// What it saves to stop matches when no remaining duel can change a decision.
    Curtailment(CurtailmentArgs),
    /// The engine, on a PostgreSQL of its own with the settings of production.
    Engine(EngineArgs),
    /// One process of the engine's `replicas`.
    #[command(hide = true)]
    EngineReplica,
}

/// A qualification to judge.
#[derive(Debug, Clone, Args)]
pub struct DuelsArgs {
    /// One JSON object.
    #[arg(long)]
    pub json: bool,
    /// Challengers; each plays the leader.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub miners: u32,
    /// Prompts of the round.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=128))]
    pub prompts: u32,
    /// How long the model takes for a call, in milliseconds.
    #[arg(long, default_value_t = 1000)]
    pub latency_ms: u64,
    /// Calls the model works on at once.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub capacity: u16,
}

/// What to measure of the engine.
#[derive(Debug, Clone, Args)]
pub struct EngineArgs {
    /// Only these, separated by commas; everything if not given.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<EngineMeasure>,
    /// One JSON object a line.
    #[arg(long)]
    pub json: bool,
}

/// Measures of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EngineMeasure {
    /// 1,000 flows of 10 recorded steps, 50 in flight, one process.
    Steps,
    /// 20,000 no-op steps, 50 in flight.
    Jobs,
    /// One flow with 10,000 children, and one with 100,000.
    Fanout,
    /// From enqueueing to the handler's start on an idle worker.
    Pickup,
    /// Steps that wait 50 ms, by one process and by eight.
    Replicas,
    /// `jobs` again after 1,000,000 finished steps.
    Aged,
}

impl From<EngineMeasure> for Measure {
    fn from(word: EngineMeasure) -> Self {
        match word {
            EngineMeasure::Steps => Self::Steps,
            EngineMeasure::Jobs => Self::Jobs,
            EngineMeasure::Fanout => Self::Fanout,
            EngineMeasure::Pickup => Self::Pickup,
            EngineMeasure::Replicas => Self::Replicas,
            EngineMeasure::Aged => Self::Aged,
        }
    }
}

/// Which matches to stop early.
#[derive(Debug, Clone, Args)]
pub struct CurtailmentArgs {
    /// Random tournaments to play both ways.
    #[arg(long, default_value_t = 10_000)]
    pub tournaments: u32,
    /// A state repository whose published matches are played both ways too.
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
    /// One JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Which modules.
#[derive(Debug, Clone, Args)]
pub struct FileArgs {
    /// Modules.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// One JSON object.
    #[arg(long)]
    pub json: bool,
    /// Edge of a picture in pixels.
    #[arg(long, default_value_t = 1024)]
    pub view_size: u32,
    /// Modules at once.
    #[arg(long, default_value_t = 2)]
    pub jobs: usize,
    /// How often each module is analysed.
    #[arg(long, default_value_t = 20)]
    pub repeats: u32,
}

pub(super) async fn run(command: BenchCommand) -> anyhow::Result<()> {
    match command {
        BenchCommand::Curtailment(args) => print(
            args.json,
            &curtailment::run(args.tournaments, args.from.as_deref())?,
        ),
        BenchCommand::Validate(args) => print(
            args.json,
            &render::bench::validate(&args.files, args.repeats)?,
        ),
        BenchCommand::Duels(args) => {
            let workload = duels::Workload {
                miners: args.miners,
                prompts: args.prompts,
                latency: Duration::from_millis(args.latency_ms),
                capacity: usize::from(args.capacity),
            };
            let home = tempfile::tempdir()?;
            print(args.json, &duels::run(workload, home.path()).await?)
        }
        BenchCommand::Render(args) => {
            let config = RendererConfig {
                pages: args.jobs.max(1),
                ..RendererConfig::from_env()
            };
            let figures =
                render::bench::render(&args.files, args.view_size, args.jobs, config).await;
            print(args.json, &figures?)
        }
        BenchCommand::Engine(args) => measure_engine(args).await,
        BenchCommand::EngineReplica => engine::replica().await,
    }
}

async fn measure_engine(args: EngineArgs) -> anyhow::Result<()> {
    let this = std::env::current_exe()?.to_string_lossy().into_owned();
    let replica = [this, "bench".to_owned(), "engine-replica".to_owned()];
    let measures: Vec<Measure> = if args.only.is_empty() {
        Measure::ALL.to_vec()
    } else {
        args.only.into_iter().map(Measure::from).collect()
    };
    for measure in measures {
        // A cluster each: what one measure leaves behind is not the next one's burden.
        // PostgreSQL runs as an account of its own when we are root, and has to get there.
        let home = tempfile::Builder::new()
            .prefix("assize-bench-")
            .permissions(Permissions::from_mode(0o755))
            .tempdir()?;
        for report in engine::run(measure, &home.path().join("postgres"), &replica).await? {
            if args.json {
                println!("{}", serde_json::to_string(&report)?);
            } else {
                tell(&report);
            }
        }
    }
    Ok(())
}

fn tell(report: &Report) {
    println!(
        "{:<9} {:>10.1} a second   p50 {:>9.3} ms   p95 {:>9.3} ms   p99 {:>9.3} ms   n {}",
        report.bench, report.per_s, report.p50_ms, report.p95_ms, report.p99_ms, report.n
    );
    for (name, value) in &report.more {
        println!("          {name} = {value}");
    }
}

fn print(json: bool, figures: &impl serde::Serialize) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string(figures)?);
    } else {
        println!("{}", serde_json::to_string_pretty(figures)?);
    }
    Ok(())
}
