//! Why a module has no pictures: its own fault, or one of ours.

use std::time::Duration;

use crate::browser::LaunchError;
use crate::draw::DrawError;
use crate::execute::ExecuteError;
use crate::failure::{Failure, Rule, Stage};
use crate::measure::Metrics;

/// Why a module has no pictures.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// The module broke rules. It will break them again: not retried.
    #[error("module rejected: {}", .failures.first().map_or_else(String::new, ToString::to_string))]
    Rejected {
        /// Which rules.
        failures: Vec<Failure>,
        /// The scene's figures, if it could be measured.
        metrics: Option<Metrics>,
    },
    /// Too many modules wait already.
    #[error("the renderer is busy, try again in {} s", .retry_after.as_secs())]
    Busy {
        /// When a place is likely.
        retry_after: Duration,
    },
    /// There is no Chromium.
    #[error("{0}")]
    BrowserMissing(LaunchError),
    /// Chromium does not start, or not safely.
    #[error("{0}")]
    BrowserUnusable(LaunchError),
    /// A browser broke while it worked for this module, twice.
    #[error("{0}")]
    Crashed(String),
    /// Our side took too long.
    #[error("rendering took longer than {} s", .0.as_secs())]
    Timeout(Duration),
    /// The request itself cannot be served.
    #[error("{0}")]
    BadRequest(String),
}

impl RenderError {
    /// A rejection without figures.
    pub fn rejected(failures: Vec<Failure>) -> Self {
        Self::Rejected {
            failures,
            metrics: None,
        }
    }
}

impl From<LaunchError> for RenderError {
    fn from(error: LaunchError) -> Self {
        match error {
            LaunchError::Missing { .. } => Self::BrowserMissing(error),
            other => Self::BrowserUnusable(other),
        }
    }
}

impl From<ExecuteError> for RenderError {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::Launch(error) => error.into(),
            ExecuteError::Starved(limit) => Self::Timeout(limit),
            other => Self::Crashed(other.to_string()),
        }
    }
}

impl From<DrawError> for RenderError {
    fn from(error: DrawError) -> Self {
        match error {
            DrawError::Launch(error) => error.into(),
            DrawError::Timeout(limit) => Self::Timeout(limit),
            error @ (DrawError::Scene(_) | DrawError::TooCostly(_)) => {
                let detail = error.to_string();
                Self::rejected(vec![Failure::new(
                    Stage::Render,
                    Rule::RenderRunFailed,
                    detail,
                )])
            }
            other => Self::Crashed(other.to_string()),
        }
    }
}
