//! How many modules may be inside a renderer: those worked on, and those that wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::RenderError;

/// Counts modules. Nobody waits here; who finds no place is sent away.
#[derive(Debug)]
pub struct Places {
    taken: Arc<AtomicUsize>,
    pages: usize,
    most: usize,
}

/// A module inside. Its place is free again when this is dropped.
pub struct Place(Arc<AtomicUsize>);

impl Places {
    /// Places for the modules on `pages` pages and for `queue` that wait.
    pub fn new(pages: usize, queue: usize) -> Self {
        Self {
            taken: Arc::default(),
            pages: pages.max(1),
            most: pages + queue,
        }
    }

    /// Takes a place.
    ///
    /// # Errors
    ///
    /// [`RenderError::Busy`] if all are taken.
    pub fn enter(&self) -> Result<Place, RenderError> {
        let before = self.taken.fetch_add(1, Ordering::Relaxed);
        let place = Place(self.taken.clone());
        if before < self.most {
            return Ok(place);
        }
        // A module takes about a second.
        let seconds = (before / self.pages).clamp(1, 60) as u64;
        Err(RenderError::Busy {
            retry_after: Duration::from_secs(seconds),
        })
    }

    /// Modules inside.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Whether one more would be sent away.
    pub fn are_full(&self) -> bool {
        self.taken() >= self.most
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
