//! What a renderer hands out.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::document::{Malformed, Scene, canonical, look};
use crate::draw::Timings;
use crate::execute::PhaseTimes;
use crate::failure::Failure;
use crate::measure::{Metrics, measure};

/// All pictures of one module.
#[derive(Debug, Clone)]
pub struct Rendering {
    /// The eight white views as PNG, by name, in the judge's order.
    pub white: Vec<(&'static str, Bytes)>,
    /// The four gray views as PNG, by name, in the judge's order.
    pub gray: Vec<(&'static str, Bytes)>,
    /// The 2×2 grid as PNG, 1041 pixels wide and high.
    pub grid: Bytes,
    /// The scene's figures.
    pub metrics: Metrics,
    /// SHA-256 of the scene document all pictures were drawn from.
    pub document_sha256: String,
    /// What drew them, see [`super::Renderer::version`].
    pub renderer_version: String,
    /// Where the time went.
    pub timings: RenderTimings,
}

impl Rendering {
    /// Bytes of memory it takes, as far as they count.
    pub fn bytes(&self) -> usize {
        let views = self.white.iter().chain(&self.gray);
        views.map(|(_, png)| png.len()).sum::<usize>() + self.grid.len()
    }
}

/// Milliseconds of the steps of one module. Steps of different modules overlap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct RenderTimings {
    /// Static analysis.
    pub analyse_ms: f64,
    /// Running the module and carrying its document out, waiting for a page included.
    pub execute_ms: f64,
    /// Reading, measuring and encoding the document.
    pub measure_ms: f64,
    /// Drawing all pictures and receiving their pixels, waiting for a page included.
    pub draw_ms: f64,
    /// Encoding PNG after the last pixel arrived.
    pub encode_ms: f64,
    /// All of it.
    pub total_ms: f64,
    /// The drawing page's part of `draw_ms`.
    pub page: Timings,
}

impl RenderTimings {
    /// The steps by name, in order, in milliseconds.
    pub fn steps(&self) -> [(&'static str, f64); 6] {
        [
            ("analyse", self.analyse_ms),
            ("execute", self.execute_ms),
            ("measure", self.measure_ms),
            ("draw", self.draw_ms),
            ("encode", self.encode_ms),
            ("total", self.total_ms),
        ]
    }
}

/// How often each browser was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrowserStarts {
    /// The one that executes modules.
    pub execute: u64,
    /// The one that draws.
    pub draw: u64,
}

/// A module that passed validation, as data.
#[derive(Debug, Clone)]
pub struct Document {
    /// The canonical bytes: what is drawn.
    pub canonical: Bytes,
    /// Their SHA-256.
    pub sha256: String,
    /// The scene's figures.
    pub metrics: Metrics,
    /// Whether every pixel it covers hides what is behind.
    pub is_opaque: bool,
    /// Lower and upper corner of everything it draws, if nothing can reach beyond its extent.
    pub bounds: Option<[f64; 6]>,
    /// Whether drawing it may take so long that it must not stand in anybody's way.
    pub is_costly: bool,
    /// How long the module's phases took.
    pub times: PhaseTimes,
}

/// Surface in square world units beyond which a scene is drawn with no other beside it: fifty times that of the cube a
/// scene must fit in, which real modules stay far below. On two busy cores 800 of `MeshBasicMaterial` took 26 s, and of
/// `MeshStandardMaterial` more than two minutes.
const COSTLY_SURFACE: f64 = 300.0;
/// The same for triangles, lines and points: 480,000 triangles in 40,000 instances took 15 s.
const COSTLY_PRIMITIVES: u64 = 1_000_000;

impl Document {
    /// Bytes of memory it takes, as far as they count.
    pub fn bytes(&self) -> usize {
        self.canonical.len()
    }

    /// Reads, measures and flattens what a module's execution left: the figures, and the document or the limits it
    /// breaks.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if the bytes are no scene.
    pub fn read(
        bytes: Bytes,
        times: PhaseTimes,
    ) -> Result<(Metrics, Result<Self, Vec<Failure>>), Malformed> {
        let scene = Scene::read(bytes)?;
        let (metrics, failures) = measure(&scene);
        if !failures.is_empty() {
            return Ok((metrics, Err(failures)));
        }
        let canonical = canonical::encode(&scene);
        let document = Self {
            sha256: canonical::sha256(&canonical),
            canonical: canonical.into(),
            metrics: metrics.clone(),
            is_opaque: look::is_opaque(&scene),
            bounds: look::bounds(&scene, &metrics),
            is_costly: metrics.drawn_primitives > COSTLY_PRIMITIVES
                || metrics
                    .drawn_surface
                    .is_some_and(|surface| surface > COSTLY_SURFACE),
            times,
        };
        Ok((metrics, Ok(document)))
    }
}

/// How a validation ended, for reports that need the phases' times in either case.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The document, or what the module did wrong.
    pub result: Result<Document, Vec<Failure>>,
    /// The scene's figures, if it could be measured.
    pub metrics: Option<Metrics>,
    /// How long the module's phases took.
    pub times: PhaseTimes,
    /// Wall clock of the execution, 0 if the module never ran.
    pub total_ms: f64,
}
