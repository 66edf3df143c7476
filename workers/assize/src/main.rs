//! The one binary of Assize.

use std::process::ExitCode;

use assize::{
    cli::{self, Cli, Command},
    telemetry,
};
use clap::Parser as _;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // A rehearsal shows its own progress; services tell what they do.
    telemetry::start(if matches!(cli.command, Command::Rehearse(_)) {
        "error"
    } else {
        "info"
    });
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return cli::report(&anyhow::Error::from(error)).into(),
    };
    match runtime.block_on(cli::run(cli)) {
        Ok(code) => code.into(),
        Err(error) => cli::report(&error).into(),
    }
}
