//! `assize bench …`: measurements, as one JSON object or as text.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use render::RendererConfig;

/// What to measure.
#[derive(Debug, Clone, Subcommand)]
pub enum BenchCommand {
    /// Pictures of modules: all 12 views and the grid.
    Render(FileArgs),
    /// Static analysis of modules.
    Validate(FileArgs),
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
        BenchCommand::Validate(args) => print(
            args.json,
            &render::bench::validate(&args.files, args.repeats)?,
        ),
        BenchCommand::Render(args) => {
            let config = RendererConfig {
                pages: args.jobs.max(1),
                ..RendererConfig::from_env()
            };
            let figures =
                render::bench::render(&args.files, args.view_size, args.jobs, config).await;
            print(args.json, &figures?)
        }
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
