//! Validating modules as a live round does, and reporting it in the format miners know (§10).

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use futures::StreamExt as _;
use serde::{Deserialize, Serialize};

use crate::analyse::{MAX_SOURCE_BYTES, too_large};
use crate::execute::PhaseTimes;
use crate::failure::{Failure, Rule, Stage};
use crate::measure::Metrics;
use crate::renderer::{Document, Outcome, RenderError, Renderer};

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
    /// The report of a file whose validation left these failures and figures.
    fn new(
        file: &Path,
        failures: Vec<Failure>,
        metrics: Option<Metrics>,
        times: PhaseTimes,
        total_ms: f64,
    ) -> Self {
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
            metrics,
            module_load_ms: times.module_load_ms.map(whole),
            execution_ms: times.execution_ms.map(whole),
            total_ms: whole(total_ms),
        }
    }
}

/// A file that was validated.
#[derive(Debug)]
pub struct Validated {
    /// The report.
    pub report: Report,
    /// What the module built, if it passed: to be drawn without running it again.
    pub document: Option<Document>,
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

/// The name that stands for standard input.
pub const STANDARD_INPUT: &str = "-";

/// Validates files, several at a time, and hands out the results in the order of the files.
pub fn validate<'a>(
    renderer: &'a Renderer,
    files: &'a [PathBuf],
    at_a_time: usize,
) -> impl futures::Stream<Item = Result<Validated, ValidateError>> + 'a {
    futures::stream::iter(files)
        .map(move |path| validate_file(renderer, path))
        .buffered(at_a_time.max(1))
}

/// Validates one file.
///
/// # Errors
///
/// [`ValidateError`] if it cannot be read or the validator broke; a broken rule is in the report.
pub async fn validate_file(renderer: &Renderer, path: &Path) -> Result<Validated, ValidateError> {
    let started = Instant::now();
    let source = match read_source(path)? {
        Ok(source) => source,
        Err(failure) => {
            let report = Report::new(path, vec![failure], None, PhaseTimes::default(), 0.0);
            return Ok(Validated {
                report,
                document: None,
            });
        }
    };
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
    let Outcome {
        result,
        metrics,
        times,
        total_ms,
    } = outcome;
    let (document, failures) = match result {
        Ok(document) => (Some(document), Vec::new()),
        Err(failures) => (None, failures),
    };
    Ok(Validated {
        report: Report::new(path, failures, metrics, times, total_ms),
        document,
    })
}

/// The text of a module, or the rule that the file breaks before it is one: live rounds take UTF-8 of at most 1 MiB.
/// No more than that is read, whatever the file is.
///
/// # Errors
///
/// [`ValidateError::Read`] if the file cannot be read.
pub fn read_source(path: &Path) -> Result<Result<String, Failure>, ValidateError> {
    let failed = |source| ValidateError::Read {
        path: path.to_path_buf(),
        source,
    };
    let limit = MAX_SOURCE_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    if path == Path::new(STANDARD_INPUT) {
        let input = std::io::stdin().lock();
        input.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len() as usize;
        if let Some(failure) = too_large(size) {
            return Ok(Err(failure));
        }
        file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    }
    if let Some(failure) = too_large(bytes.len()) {
        return Ok(Err(failure));
    }
    Ok(String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let detail = format!("the module is not UTF-8 text: byte {} breaks it", at + 1);
        Failure::new(Stage::Parse, Rule::ParseError, detail)
    }))
}

fn absolute(path: &Path) -> PathBuf {
    if path == Path::new(STANDARD_INPUT) {
        return path.to_path_buf();
    }
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}
