//! Why nothing was drawn.

use std::time::Duration;

use crate::browser::cdp::CdpError;
use crate::browser::{LaunchError, OpenError};
use crate::png::WrongSize;

/// Why nothing was drawn.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    /// No browser.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The browser broke.
    #[error("the drawing browser failed: {0}")]
    Browser(#[from] CdpError),
    /// The drawing page's process ended.
    #[error("the drawing browser crashed")]
    Crashed,
    /// It took too long.
    #[error("drawing took longer than {} s", .0.as_secs())]
    Timeout(Duration),
    /// Three.js refused the scene, twice and in a fresh page.
    #[error("the scene cannot be drawn: {0}")]
    Scene(String),
    /// It took too long twice, the second time with all the machine gave it and no other beside it.
    #[error("the scene takes longer than {} s to draw", .0.as_secs())]
    TooCostly(Duration),
    /// The page did not send what was asked for.
    #[error("the drawing page sent {received} of {expected} pictures")]
    Missing {
        /// Pictures that came.
        received: usize,
        /// Pictures asked for.
        expected: usize,
    },
    /// A picture of the wrong size.
    #[error(transparent)]
    WrongSize(#[from] WrongSize),
    /// The loopback server did not start.
    #[error("cannot listen on the loopback interface")]
    Listen(#[source] std::io::Error),
}

impl From<OpenError> for DrawError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Launch(error) => error.into(),
            OpenError::Browser(error) => error.into(),
            OpenError::TooSlow(limit) => Self::Timeout(limit),
        }
    }
}
