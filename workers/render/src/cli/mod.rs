//! `validate` for miners: the code of live rounds, on their own machine.

mod inputs;
mod print;

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt as _;

use crate::renderer::{
    Document, MAX_PICTURE_EDGE, RenderError, RenderTimings, Renderer, RendererConfig, Rendering,
};
use crate::validate::{Report, Validated, validate as validate_files};

/// Exit code: every module passed.
pub const PASSED: u8 = 0;
/// Exit code: at least one module failed.
pub const FAILED: u8 = 1;
/// Exit code: wrong arguments, an unreadable file, or no working browser. Says nothing about any module.
pub const COULD_NOT_RUN: u8 = 2;

/// Checks modules against every rule of a live round.
#[derive(Debug, Clone, clap::Args)]
pub struct ValidateArgs {
    /// The modules: files, folders (their .js files), or - for standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Print JSON: one object for one file, one object a line for several files or a folder.
    #[arg(long)]
    pub json: bool,
    /// Also draw every module that passes, into DIR/{stem}/: white/{view}.png, gray/{view}.png and grid.png.
    #[arg(long, value_name = "DIR")]
    pub render: Option<PathBuf>,
    /// Edge of the drawn views in pixels.
    #[arg(
        long,
        value_name = "PIXELS",
        default_value_t = 1024,
        requires = "render",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_PICTURE_EDGE))
    )]
    pub size: u32,
    /// Modules checked at the same time.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub jobs: usize,
    /// Milliseconds a module may run. Live rounds use 5000.
    #[arg(long, value_name = "MS", default_value_t = 5000, value_parser = clap::value_parser!(u64).range(1..))]
    pub time_limit_ms: u64,
    /// The Chromium to use; looked for in the usual places when missing.
    #[arg(long, value_name = "PATH")]
    pub chromium: Option<PathBuf>,
}

/// Runs the command and returns its exit code. Reports go to standard output, everything else to standard error.
pub async fn validate(args: ValidateArgs) -> u8 {
    let (files, problems) = inputs::expand(&args.files);
    for problem in &problems {
        complain(problem);
    }
    let code = if problems.is_empty() {
        PASSED
    } else {
        COULD_NOT_RUN
    };
    if files.is_empty() {
        return code;
    }
    if args.render.is_some()
        && let Err(error) = inputs::check_stems(&files)
    {
        return complain(&error);
    }
    let config = RendererConfig {
        pages: args.jobs.max(1),
        module_time_limit: Duration::from_millis(args.time_limit_ms),
        ..RendererConfig::from_env()
    };
    let config = RendererConfig {
        chromium: args.chromium.clone().or(config.chromium),
        ..config
    };
    let renderer = match Renderer::launch_for_validation(config).await {
        Ok(renderer) => renderer,
        Err(error) => return complain(&error),
    };
    let code = code.max(run(&args, &files, &renderer).await);
    renderer.close().await;
    code
}

async fn run(args: &ValidateArgs, files: &[PathBuf], renderer: &Renderer) -> u8 {
    let one = args.files.len() == 1 && args.files == files;
    let colours = std::io::stdout().is_terminal();
    let mut table = print::Table::new(colours);
    let mut code = PASSED;
    let mut results = std::pin::pin!(validate_files(renderer, files, args.jobs));
    let mut index = 0;
    while let Some(result) = results.next().await {
        let path = &files[index];
        index += 1;
        let Validated { report, document } = match result {
            Ok(validated) => validated,
            Err(error) => {
                code = complain(&error);
                continue;
            }
        };
        if !report.passed {
            code = code.max(FAILED);
        }
        let text = match (args.json, one) {
            (true, true) => serde_json::to_string_pretty(&report).unwrap_or_default(),
            (true, false) => serde_json::to_string(&report).unwrap_or_default(),
            (false, true) => print::in_full(&report, path, args.time_limit_ms, colours),
            (false, false) => table.row(&report, path),
        };
        if writeln!(std::io::stdout().lock(), "{text}").is_err() {
            return COULD_NOT_RUN;
        }
        if let (Some(document), Some(folder)) = (document, &args.render) {
            let folder = folder.join(inputs::stem(path));
            code = code.max(draw(renderer, &document, &report, &folder, args.size).await);
        }
    }
    if !args.json && !one {
        let _ = writeln!(std::io::stdout().lock(), "{}", table.total());
    }
    code
}

/// Draws the very document that passed.
async fn draw(
    renderer: &Renderer,
    document: &Document,
    report: &Report,
    folder: &Path,
    size: u32,
) -> u8 {
    match renderer
        .views_of(document, size, RenderTimings::default())
        .await
    {
        Ok(rendering) => match store(folder, &rendering) {
            Ok(()) => PASSED,
            Err(error) => {
                let _ = writeln!(
                    std::io::stderr(),
                    "cannot write the pictures of {} into {}: {error}",
                    report.file,
                    folder.display()
                );
                COULD_NOT_RUN
            }
        },
        Err(RenderError::Rejected { failures, .. }) => {
            for failure in failures {
                let _ = writeln!(std::io::stderr(), "{}: {failure}", report.file);
            }
            FAILED
        }
        Err(error) => complain(&error),
    }
}

/// Writes the pictures as the rounds store them.
fn store(folder: &Path, rendering: &Rendering) -> std::io::Result<()> {
    for (background, views) in [("white", &rendering.white), ("gray", &rendering.gray)] {
        std::fs::create_dir_all(folder.join(background))?;
        for (name, png) in views {
            std::fs::write(folder.join(background).join(format!("{name}.png")), png)?;
        }
    }
    std::fs::write(folder.join("grid.png"), &rendering.grid)
}

/// Says on standard error what went wrong, causes included.
fn complain(error: &dyn std::error::Error) -> u8 {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    let _ = writeln!(std::io::stderr(), "{text}");
    COULD_NOT_RUN
}
