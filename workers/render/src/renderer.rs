//! One module in, all its pictures out, from one execution.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::analyse;
use crate::browser::LaunchError;
use crate::document::{Scene, canonical};
use crate::draw::{DrawError, Drawer, DrawerConfig, Graphics, Timings};
use crate::execute::{ExecuteError, Executor, ExecutorConfig, PhaseTimes};
use crate::failure::{Failure, Rule, Stage};
use crate::measure::{Metrics, measure};
use crate::png::Pixels;
use crate::views::{self, PictureRequest};

/// What the pictures depend on besides the module: names a cache entry together with the module's hash.
///
/// Changes with the crate, with Three.js and with anything that changes a pixel.
pub const RENDERER_VERSION: &str = concat!(
    "assize-render/",
    env!("CARGO_PKG_VERSION"),
    " three/0.183.2 scene/1"
);

/// How a [`Renderer`] runs. [`Default`] is what a live round uses.
#[derive(Debug, Clone)]
pub struct RendererConfig {
    /// The Chromium to run; looked for in the usual places when none.
    pub chromium: Option<PathBuf>,
    /// Modules executed, and documents drawn, at the same time.
    pub pages: usize,
    /// The user the browsers run as when we are root: `nobody` when none. Ignored otherwise.
    pub unprivileged_uid_gid: Option<(u32, u32)>,
    /// Whether the browsers may run without their sandbox on a system that offers no user namespaces.
    pub allow_no_sandbox: bool,
    /// Wall clock of one module. Rounds use 5 s.
    pub module_time_limit: Duration,
    /// Longest the drawing of one module may take before it counts as our failure.
    pub draw_time_limit: Duration,
    /// Modules that may wait for a page; one more is refused as [`RenderError::Busy`].
    pub queue: usize,
    /// What draws.
    pub graphics: Graphics,
}

impl Default for RendererConfig {
    fn default() -> Self {
        Self {
            chromium: None,
            pages: 2,
            unprivileged_uid_gid: None,
            allow_no_sandbox: false,
            module_time_limit: Duration::from_secs(5),
            draw_time_limit: Duration::from_secs(120),
            queue: 64,
            graphics: Graphics::Software,
        }
    }
}

impl RendererConfig {
    /// The configuration of the environment, the reference's variable names where operators already set them:
    ///
    /// | variable | field | default |
    /// |---|---|---|
    /// | `RENDER_POOL_SIZE` | `pages` | 2 |
    /// | `VALIDATION_TIMEOUT_MS` | `module_time_limit` | 5000 |
    /// | `RENDER_TIMEOUT_MS` | `draw_time_limit` | 120000 |
    /// | `RENDER_QUEUE_SIZE` | `queue` | 64 |
    /// | `PUPPETEER_EXECUTABLE_PATH` | `chromium` | the usual places |
    /// | `USE_GL` | `graphics`: `gpu` for the graphics card | software |
    /// | `RENDER_ALLOW_NO_SANDBOX` | `allow_no_sandbox`: `1` | off |
    ///
    /// A value that cannot be read is reported and the default used.
    pub fn from_env() -> Self {
        let default = Self::default();
        let milliseconds = |name, default: Duration| {
            number(name, default.as_millis() as u64).map_or(default, Duration::from_millis)
        };
        Self {
            chromium: std::env::var_os("PUPPETEER_EXECUTABLE_PATH")
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
            pages: number("RENDER_POOL_SIZE", default.pages as u64)
                .map_or(default.pages, |pages| pages as usize),
            queue: number("RENDER_QUEUE_SIZE", default.queue as u64)
                .map_or(default.queue, |queue| queue as usize),
            module_time_limit: milliseconds("VALIDATION_TIMEOUT_MS", default.module_time_limit),
            draw_time_limit: milliseconds("RENDER_TIMEOUT_MS", default.draw_time_limit),
            graphics: match std::env::var("USE_GL").as_deref() {
                Ok("gpu" | "egl" | "vulkan") => Graphics::Gpu,
                _ => Graphics::Software,
            },
            allow_no_sandbox: matches!(
                std::env::var("RENDER_ALLOW_NO_SANDBOX").as_deref(),
                Ok("1" | "true")
            ),
            ..default
        }
    }
}

/// A positive number of the environment; none if it is not set or wrong.
fn number(name: &str, default: u64) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    match text.trim().parse() {
        Ok(0) | Err(_) => {
            tracing::warn!("{name} is `{text}`, not a positive number; using {default}");
            None
        }
        Ok(value) => Some(value),
    }
}

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
    /// Where the time went.
    pub timings: RenderTimings,
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
}

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
            other => Self::Crashed(other.to_string()),
        }
    }
}

impl From<DrawError> for RenderError {
    fn from(error: DrawError) -> Self {
        match error {
            DrawError::Launch(error) => error.into(),
            DrawError::Timeout(limit) => Self::Timeout(limit),
            DrawError::Scene(message) => Self::rejected(vec![Failure::new(
                Stage::Render,
                Rule::RenderRunFailed,
                message,
            )]),
            other => Self::Crashed(other.to_string()),
        }
    }
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
    /// How long the module's phases took.
    pub times: PhaseTimes,
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

/// Two browsers and what goes between them. Cheap to share behind an [`Arc`].
#[derive(Debug)]
pub struct Renderer {
    config: RendererConfig,
    executor: Executor,
    drawer: tokio::sync::OnceCell<Drawer>,
    waiting: Arc<AtomicUsize>,
}

impl Renderer {
    /// Starts both browsers and makes a page of each ready.
    ///
    /// # Errors
    ///
    /// [`RenderError::BrowserMissing`] names the package to install; [`RenderError::BrowserUnusable`] tells what the
    /// browser said.
    pub async fn launch(config: RendererConfig) -> Result<Self, RenderError> {
        let renderer = Self::launch_for_validation(config).await?;
        renderer.drawer().await?;
        Ok(renderer)
    }

    /// Starts only the browser that executes; the drawing one follows with the first picture.
    ///
    /// # Errors
    ///
    /// As [`Renderer::launch`].
    pub async fn launch_for_validation(config: RendererConfig) -> Result<Self, RenderError> {
        let executor = Executor::launch(ExecutorConfig {
            chromium: config.chromium.clone(),
            unprivileged_uid_gid: config.unprivileged_uid_gid,
            allow_no_sandbox: config.allow_no_sandbox,
            pages: config.pages,
            time_limit: config.module_time_limit,
        })
        .await?;
        Ok(Self {
            config,
            executor,
            drawer: tokio::sync::OnceCell::new(),
            waiting: Arc::default(),
        })
    }

    /// All 12 views, grid, metrics and document hash, from one execution.
    ///
    /// # Errors
    ///
    /// [`RenderError::Rejected`] is the module's fault; every other error is ours and says nothing about the module.
    pub async fn views(&self, source: &str, view_size: u32) -> Result<Rendering, RenderError> {
        check_size(view_size)?;
        let _place = self.enter()?;
        let started = Instant::now();
        let (document, mut timings) = self.checked_document(source).await?;
        let requests = [
            views::view_request(&views::WHITE_VIEWS, view_size, views::WHITE),
            views::view_request(&views::GRAY_VIEWS, view_size, views::GRAY),
            views::grid_request(),
        ];
        let drawing = Instant::now();
        let (mut pixels, _) = self.draw(&document, &requests).await?;
        timings.draw_ms = milliseconds(drawing);
        let encoding = Instant::now();
        let cells = pixels.split_off(views::WHITE_VIEWS.len() + views::GRAY_VIEWS.len());
        pixels.push(Pixels::grid(&cells, views::GRID_CELL, views::GRID_GAP));
        let mut pngs = encode(pixels).await?;
        timings.encode_ms = milliseconds(encoding);
        timings.total_ms = milliseconds(started);
        let grid = pngs.pop().unwrap_or_default();
        let gray = pngs.split_off(views::WHITE_VIEWS.len().min(pngs.len()));
        let name = |views: &[(&'static str, views::Angle)], pngs: Vec<Bytes>| {
            views.iter().map(|(name, _)| *name).zip(pngs).collect()
        };
        Ok(Rendering {
            white: name(&views::WHITE_VIEWS, pngs),
            gray: name(&views::GRAY_VIEWS, gray),
            grid,
            metrics: document.metrics,
            document_sha256: document.sha256,
            timings,
        })
    }

    /// Pictures from any camera, as PNG, one for each angle of the request.
    ///
    /// # Errors
    ///
    /// As [`Renderer::views`].
    pub async fn picture(
        &self,
        source: &str,
        request: PictureRequest,
    ) -> Result<Vec<Bytes>, RenderError> {
        let pixels = self.pixels(source, request).await?;
        encode(pixels).await
    }

    /// Pictures composed to one grid, as PNG.
    ///
    /// # Errors
    ///
    /// As [`Renderer::views`].
    pub async fn grid(
        &self,
        source: &str,
        request: PictureRequest,
        gap: u32,
    ) -> Result<Bytes, RenderError> {
        let size = request.size;
        let pixels = self.pixels(source, request).await?;
        let pngs = encode(vec![Pixels::grid(&pixels, size, gap)]).await?;
        Ok(pngs.into_iter().next().unwrap_or_default())
    }

    /// Runs every validation stage and returns the document or the failures. Nothing is drawn.
    ///
    /// # Errors
    ///
    /// Only our own faults; what the module did wrong is in [`Outcome::result`].
    pub async fn validate(&self, source: &str) -> Result<Outcome, RenderError> {
        let found = analyse(source);
        if !found.is_empty() {
            return Ok(Outcome {
                result: Err(found),
                metrics: None,
                times: PhaseTimes::default(),
                total_ms: 0.0,
            });
        }
        self.run(source).await
    }

    /// Ends both browsers.
    pub async fn close(self) {
        self.shut_down().await;
    }

    /// Ends both browsers of a shared renderer; whatever still runs fails.
    pub async fn shut_down(&self) {
        self.executor.close().await;
        if let Some(drawer) = self.drawer.get() {
            drawer.close().await;
        }
    }

    /// Modules inside [`Renderer::views`] and its siblings, waiting or running.
    pub fn in_flight(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// What the pages are drawn with.
    ///
    /// # Errors
    ///
    /// As [`Renderer::launch`].
    pub async fn graphics_info(&self) -> Result<serde_json::Value, RenderError> {
        Ok(self.drawer().await?.info().await?)
    }

    async fn pixels(
        &self,
        source: &str,
        request: PictureRequest,
    ) -> Result<Vec<Pixels>, RenderError> {
        check_size(request.size)?;
        let _place = self.enter()?;
        let (document, _) = self.checked_document(source).await?;
        let (pixels, _) = self.draw(&document, &[request]).await?;
        Ok(pixels)
    }

    async fn drawer(&self) -> Result<&Drawer, RenderError> {
        let config = &self.config;
        let launch = || async {
            Drawer::launch(DrawerConfig {
                chromium: config.chromium.clone(),
                unprivileged_uid_gid: config.unprivileged_uid_gid,
                allow_no_sandbox: config.allow_no_sandbox,
                pages: config.pages,
                time_limit: config.draw_time_limit,
                graphics: config.graphics,
            })
            .await
        };
        Ok(self.drawer.get_or_try_init(launch).await?)
    }

    async fn draw(
        &self,
        document: &Document,
        requests: &[PictureRequest],
    ) -> Result<(Vec<Pixels>, Timings), RenderError> {
        let drawn = self
            .drawer()
            .await?
            .draw(document.canonical.clone(), requests)
            .await;
        match drawn {
            Err(DrawError::Scene(message)) => Err(RenderError::Rejected {
                failures: vec![Failure::new(Stage::Render, Rule::RenderRunFailed, message)],
                metrics: Some(document.metrics.clone()),
            }),
            other => Ok(other?),
        }
    }

    async fn checked_document(
        &self,
        source: &str,
    ) -> Result<(Document, RenderTimings), RenderError> {
        let mut timings = RenderTimings::default();
        let started = Instant::now();
        let found = analyse(source);
        timings.analyse_ms = milliseconds(started);
        if !found.is_empty() {
            return Err(RenderError::rejected(found));
        }
        let outcome = self.run(source).await?;
        timings.execute_ms = outcome.total_ms;
        timings.measure_ms = milliseconds(started) - timings.analyse_ms - timings.execute_ms;
        match outcome.result {
            Ok(document) => Ok((document, timings)),
            Err(failures) => Err(RenderError::Rejected {
                failures,
                metrics: outcome.metrics,
            }),
        }
    }

    /// Executes and measures; static analysis is the caller's.
    async fn run(&self, source: &str) -> Result<Outcome, RenderError> {
        let started = Instant::now();
        let executed = self.executor.execute(source).await?;
        let total_ms = milliseconds(started);
        let times = executed.times;
        let outcome = |result, metrics| Outcome {
            result,
            metrics,
            times,
            total_ms,
        };
        let bytes = match executed.result {
            Ok(bytes) => bytes,
            Err(failure) => return Ok(outcome(Err(vec![failure]), None)),
        };
        let measured = tokio::task::spawn_blocking(move || {
            Scene::read(bytes).map(|scene| {
                let (metrics, failures) = measure(&scene);
                let canonical = if failures.is_empty() {
                    canonical::encode(&scene)
                } else {
                    Vec::new()
                };
                (metrics, failures, canonical)
            })
        })
        .await
        .map_err(|error| RenderError::Crashed(error.to_string()))?;
        Ok(match measured {
            Err(malformed) => {
                let failure = Failure::new(
                    Stage::PostValidation,
                    Rule::ExecutionThrew,
                    malformed.to_string(),
                );
                outcome(Err(vec![failure]), None)
            }
            Ok((metrics, failures, _)) if !failures.is_empty() => {
                outcome(Err(failures), Some(metrics))
            }
            Ok((metrics, _, canonical)) => {
                let document = Document {
                    sha256: canonical::sha256(&canonical),
                    canonical: canonical.into(),
                    metrics: metrics.clone(),
                    times,
                };
                outcome(Ok(document), Some(metrics))
            }
        })
    }

    fn enter(&self) -> Result<Place, RenderError> {
        let inside = self.waiting.fetch_add(1, Ordering::Relaxed);
        let place = Place(self.waiting.clone());
        if inside >= self.config.pages + self.config.queue {
            return Err(RenderError::Busy {
                retry_after: Duration::from_secs(
                    (inside / self.config.pages.max(1)).clamp(1, 60) as u64
                ),
            });
        }
        Ok(place)
    }
}

/// A module inside the renderer.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Largest picture: four times the judged size.
const MAX_PICTURE_EDGE: u32 = 4096;

fn check_size(size: u32) -> Result<(), RenderError> {
    if (1..=MAX_PICTURE_EDGE).contains(&size) {
        Ok(())
    } else {
        Err(RenderError::BadRequest(format!(
            "the picture size {size} is outside 1 to {MAX_PICTURE_EDGE} pixels"
        )))
    }
}

/// Encodes on blocking threads, as many at a time as there are processors.
async fn encode(pixels: Vec<Pixels>) -> Result<Vec<Bytes>, RenderError> {
    let tasks: Vec<_> = pixels
        .into_iter()
        .map(|pixels| tokio::task::spawn_blocking(move || pixels.to_png()))
        .collect();
    let mut pngs = Vec::with_capacity(tasks.len());
    for task in tasks {
        let png = task
            .await
            .map_err(|error| RenderError::Crashed(error.to_string()))?;
        pngs.push(png.map_err(|error| RenderError::Crashed(error.to_string()))?);
    }
    Ok(pngs)
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
