//! Validating modules as a live round does, and reporting it in the format miners know (§10).

use std::path::{Path, PathBuf};
use std::time::Instant;

use futures::StreamExt as _;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Stage};
use crate::measure::Metrics;
use crate::renderer::{Outcome, RenderError, Renderer};

/// What came out for one file. The order of the fields is the order of the JSON keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Absolute path.
    pub file: String,
    /// No failures.
    pub passed: bool,
    /// The stages that ran, the one that failed included.
    pub stages_run: Vec<Stage>,
    /// What the module did wrong.
    pub failures: Vec<Failure>,
    /// The scene's figures, once it was measured.
    pub metrics: Option<Metrics>,
    /// Milliseconds of evaluating the module; none if it never ran or was killed.
    pub module_load_ms: Option<u64>,
    /// Milliseconds of calling the default export; none if it never ran or was killed.
    pub execution_ms: Option<u64>,
    /// Milliseconds of the whole execution; 0 if it never ran.
    pub total_ms: u64,
}

impl Report {
    /// The report of one outcome.
    pub fn new(file: &Path, outcome: Outcome) -> Self {
        let failures = outcome.result.err().unwrap_or_default();
        let last = failures
            .last()
            .map_or(Stage::PostValidation, |failure| failure.stage);
        let whole = |ms: f64| ms.round() as u64;
        Self {
            file: absolute(file).display().to_string(),
            passed: failures.is_empty(),
            stages_run: Stage::VALIDATION
                .into_iter()
                .filter(|stage| *stage <= last)
                .collect(),
            failures,
            metrics: outcome.metrics,
            module_load_ms: outcome.times.module_load_ms.map(whole),
            execution_ms: outcome.times.execution_ms.map(whole),
            total_ms: whole(outcome.total_ms),
        }
    }
}

/// Why a file has no report. Never the module's fault.
#[derive(Debug, thiserror::Error)]
pub enum ValidateError {
    /// It cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The validator broke.
    #[error("cannot validate {}", .path.display())]
    Validate {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: RenderError,
    },
}

/// Validates files, several at a time, and hands out the reports in the order of the files.
pub fn validate<'a>(
    renderer: &'a Renderer,
    files: &'a [PathBuf],
    at_a_time: usize,
) -> impl futures::Stream<Item = Result<Report, ValidateError>> + 'a {
    futures::stream::iter(files)
        .map(move |path| validate_file(renderer, path))
        .buffered(at_a_time.max(1))
}

/// Validates one file.
///
/// # Errors
///
/// [`ValidateError`] if it cannot be read or the validator broke; a broken rule is in the report.
pub async fn validate_file(renderer: &Renderer, path: &Path) -> Result<Report, ValidateError> {
    let started = Instant::now();
    let source = read_source(path)?;
    let outcome = renderer
        .validate(&source)
        .await
        .map_err(|source| ValidateError::Validate {
            path: path.to_path_buf(),
            source,
        })?;
    tracing::debug!(
        file = %path.display(),
        duration_ms = started.elapsed().as_millis() as u64,
        passed = outcome.result.is_ok(),
        "module validated"
    );
    Ok(Report::new(path, outcome))
}

/// The text of a module. Bytes that are not UTF-8 are replaced, as JavaScript engines do.
///
/// # Errors
///
/// [`ValidateError::Read`] if the file cannot be read.
pub fn read_source(path: &Path) -> Result<String, ValidateError> {
    let bytes = std::fs::read(path).map_err(|source| ValidateError::Read {
        path: path.to_path_buf(),
        source,
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}
