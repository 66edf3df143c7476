//! `assize rehearse`: a whole round of the competition on this machine, on real parts.
//!
//! Its own Postgres, renderer, workers for every role, git-sync and dashboard; and the rehearsal world for everything
//! outside. All of it lives in one folder: killed at any moment and started again there, the same round goes on.

mod drive;
mod images;
mod parts;
mod progress;
mod summary;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

pub use summary::Summary;

use parts::Parts;

/// Options of a rehearsal.
#[derive(Debug, Clone, Args)]
pub struct RehearseArgs {
    /// Miners that take part.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub miners: u16,
    /// Prompts of a round. With --from, the imported config.json is changed to this number by an operator's commit; 0
    /// keeps the number it has.
    #[arg(long, default_value_t = 8)]
    pub prompts: u32,
    /// Rounds to play.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub rounds: u32,
    /// Decides everything that is random in the world.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Full regenerations of an audited miner (config.json's audit_repeats).
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=5))]
    pub audit_repeats: u32,
    /// Continue an existing competition: a state repository or a plain folder with its files.
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
    /// Where everything is kept; the same folder continues the same rehearsal. A new folder under the system's temporary
    /// one if not given.
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Edge of a picture in pixels; live rounds draw 1024.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(64..=2048))]
    pub view_size: u32,
    /// Stop before FINALIZING and before the next round opens, each until `assize round resume` (PAUSE_ON_STAGE_END).
    #[arg(long)]
    pub pause_on_stage_end: bool,
    /// Port of the dashboard; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Keep dashboard and world running after the round, until interrupted.
    #[arg(long)]
    pub keep_serving: bool,
    /// The last line of standard output is one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Runs the rehearsal and prints how it went.
///
/// # Errors
///
/// When a part cannot be started (nothing half-written is left), or the round did not end as it must.
pub async fn run(args: RehearseArgs) -> anyhow::Result<()> {
    let parts = start(&args).await?;
    let played = drive::play(&args, &parts)
        .await
        .and_then(|summary| Ok(summary.print(args.json)?));
    if played.is_ok() && args.keep_serving {
        eprintln!(
            "The dashboard stays at {} until you interrupt (Ctrl-C).",
            parts.dashboard_url
        );
        tokio::signal::ctrl_c()
            .await
            .context("cannot wait for the interrupt")?;
    }
    parts.stop().await;
    played
}

/// Plays the rounds without printing a report, for tests.
///
/// # Errors
///
/// As [`run`].
pub async fn play(args: &RehearseArgs) -> anyhow::Result<Summary> {
    let parts = start(args).await?;
    let played = drive::play(args, &parts).await;
    parts.stop().await;
    played
}

/// Starts the parts; when that fails, a folder that was made for them is taken away again.
async fn start(args: &RehearseArgs) -> anyhow::Result<Parts> {
    let is_new = args.state_dir.as_ref().is_none_or(|dir| !dir.exists());
    let state_dir = state_dir(args)?;
    let started = Parts::start(args, &state_dir).await;
    if started.is_err() && is_new {
        drop(std::fs::remove_dir_all(&state_dir));
    }
    started
}

fn state_dir(args: &RehearseArgs) -> anyhow::Result<PathBuf> {
    let dir = match &args.state_dir {
        Some(dir) => std::path::absolute(dir)
            .with_context(|| format!("{} is no usable folder name", dir.display()))?,
        None => {
            let stamp = chrono::Utc::now().format("%Y%m%d-%H%M%S");
            std::env::temp_dir().join(format!("assize-rehearsal-{stamp}-{}", std::process::id()))
        }
    };
    std::fs::create_dir_all(&dir).with_context(|| {
        format!(
            "cannot make the folder {}; choose another one with --state-dir",
            dir.display()
        )
    })?;
    Ok(dir)
}
