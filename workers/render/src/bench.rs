//! Measuring the two things that cost: static analysis and pictures. Figures are wall clock on this machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt as _;
use serde::Serialize;

use crate::failure::Failure;
use crate::renderer::{RenderError, RenderTimings, Renderer, RendererConfig};
use crate::validate::{ValidateError, read_source};

/// Why a measurement could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] ValidateError),
    /// A file is no module.
    #[error("{} is no module: {failure}", .path.display())]
    NoModule {
        /// The file.
        path: PathBuf,
        /// The rule it breaks.
        failure: Failure,
    },
    /// The renderer broke.
    #[error("cannot render {}", .path.display())]
    Render {
        /// The module.
        path: PathBuf,
        /// Why.
        #[source]
        source: RenderError,
    },
    /// The renderer did not start.
    #[error("cannot start the renderer")]
    Start(#[source] RenderError),
}

/// Figures of [`render`].
#[derive(Debug, Clone, Serialize)]
pub struct RenderFigures {
    /// What drew.
    pub renderer_version: String,
    /// Edge of the views in pixels.
    pub view_size: u32,
    /// Modules in flight.
    pub in_flight: usize,
    /// Starting both browsers, once.
    pub start_ms: f64,
    /// One module each.
    pub modules: Vec<RenderedModule>,
    /// From the first module's start to the last one's end.
    pub wall_s: f64,
    /// Modules rendered, rejected ones included, in a minute.
    pub modules_per_minute: f64,
}

/// One module of [`RenderFigures`].
#[derive(Debug, Clone, Serialize)]
pub struct RenderedModule {
    /// The file.
    pub file: PathBuf,
    /// Milliseconds of its steps; none if it was rejected.
    pub timings: Option<RenderTimings>,
    /// Milliseconds from its start to its end.
    pub total_ms: f64,
    /// Bytes of its 13 pictures.
    pub png_bytes: usize,
    /// SHA-256 of its scene document.
    pub document_sha256: Option<String>,
    /// The first rule it broke.
    pub rejected: Option<String>,
}

/// Renders every file once: all 12 views and the grid.
///
/// # Errors
///
/// [`BenchError`] if a file cannot be read or the renderer broke. A rejected module is a figure, not an error.
pub async fn render(
    files: &[PathBuf],
    view_size: u32,
    in_flight: usize,
    config: RendererConfig,
) -> Result<RenderFigures, BenchError> {
    let sources = read_all(files)?;
    let started = Instant::now();
    let renderer = Arc::new(Renderer::launch(config).await.map_err(BenchError::Start)?);
    let start_ms = milliseconds(started);
    let started = Instant::now();
    let results: Vec<_> = futures::stream::iter(&sources)
        .map(|(path, source)| render_one(&renderer, path, source, view_size))
        .buffered(in_flight.max(1))
        .collect()
        .await;
    let wall_s = started.elapsed().as_secs_f64();
    let renderer_version = renderer.version().await.map_err(BenchError::Start)?;
    renderer.shut_down().await;
    let modules = results.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(RenderFigures {
        renderer_version,
        view_size,
        in_flight,
        start_ms,
        wall_s,
        modules_per_minute: modules.len() as f64 * 60.0 / wall_s,
        modules,
    })
}

async fn render_one(
    renderer: &Renderer,
    path: &Path,
    source: &str,
    size: u32,
) -> Result<RenderedModule, BenchError> {
    let started = Instant::now();
    let rendered = renderer.views(source, size).await;
    let total_ms = milliseconds(started);
    let file = path.to_path_buf();
    match rendered {
        Ok(rendering) => Ok(RenderedModule {
            file,
            timings: Some(rendering.timings),
            total_ms,
            png_bytes: rendering.bytes(),
            document_sha256: Some(rendering.document_sha256),
            rejected: None,
        }),
        Err(RenderError::Rejected { failures, .. }) => Ok(RenderedModule {
            file,
            timings: None,
            total_ms,
            png_bytes: 0,
            document_sha256: None,
            rejected: failures.first().map(ToString::to_string),
        }),
        Err(source) => Err(BenchError::Render { path: file, source }),
    }
}

/// Figures of [`validate`].
#[derive(Debug, Clone, Serialize)]
pub struct ValidateFigures {
    /// How often each module was analysed.
    pub repeats: u32,
    /// One module each.
    pub modules: Vec<AnalysedModule>,
    /// Mean of the modules' means, in microseconds.
    pub mean_us: f64,
    /// Megabytes of source analysed in a second.
    pub megabytes_per_s: f64,
}

/// One module of [`ValidateFigures`].
#[derive(Debug, Clone, Serialize)]
pub struct AnalysedModule {
    /// The file.
    pub file: PathBuf,
    /// Bytes of source.
    pub bytes: usize,
    /// Failures found.
    pub failures: usize,
    /// Fastest run in microseconds.
    pub best_us: f64,
    /// Mean run in microseconds.
    pub mean_us: f64,
}

/// Analyses every file `repeats` times: parsing, name resolution and all static rules, from source to verdict.
///
/// # Errors
///
/// [`BenchError`] if a file cannot be read.
pub fn validate(files: &[PathBuf], repeats: u32) -> Result<ValidateFigures, BenchError> {
    let repeats = repeats.max(1);
    let mut modules = Vec::new();
    for (path, source) in read_all(files)? {
        let mut best_us = f64::INFINITY;
        let mut sum_us = 0.0;
        let mut failures = 0;
        for _ in 0..repeats {
            let started = Instant::now();
            failures = crate::analyse(&source).len();
            let us = milliseconds(started) * 1000.0;
            best_us = best_us.min(us);
            sum_us += us;
        }
        modules.push(AnalysedModule {
            file: path,
            bytes: source.len(),
            failures,
            best_us,
            mean_us: sum_us / f64::from(repeats),
        });
    }
    let sum_us: f64 = modules.iter().map(|module| module.mean_us).sum();
    let bytes: usize = modules.iter().map(|module| module.bytes).sum();
    Ok(ValidateFigures {
        repeats,
        mean_us: sum_us / (modules.len().max(1) as f64),
        megabytes_per_s: if sum_us > 0.0 {
            bytes as f64 / sum_us
        } else {
            0.0
        },
        modules,
    })
}

fn read_all(files: &[PathBuf]) -> Result<Vec<(PathBuf, String)>, BenchError> {
    files
        .iter()
        .map(|path| match read_source(path)? {
            Ok(source) => Ok((path.clone(), source)),
            Err(failure) => Err(BenchError::NoModule {
                path: path.clone(),
                failure,
            }),
        })
        .collect()
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
