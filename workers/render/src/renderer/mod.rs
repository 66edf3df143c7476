//! One module in, all its pictures out, from one execution.

mod config;
mod drawing;
mod error;
mod picture;
mod places;
mod result;

pub use config::RendererConfig;
pub(crate) use config::number;
pub(crate) use drawing::{MAX_PICTURE_EDGE, check_size};
pub use error::RenderError;
pub use result::{BrowserStarts, Document, Outcome, RenderTimings, Rendering};

use std::time::Instant;

use bytes::Bytes;

use crate::analyse::try_analyse;
use crate::draw::{Drawer, Graphics};
use crate::execute::{Executor, ExecutorConfig, PhaseTimes};
use crate::failure::{Failure, Rule, Stage};
use crate::views::PictureRequest;
use places::{Place, Places};

/// This code's part of [`Renderer::version`]: changes with the crate, with Three.js and with anything else here that
/// changes a pixel.
pub const RENDERER_VERSION: &str = concat!(
    "assize-render/",
    env!("CARGO_PKG_VERSION"),
    " three/0.183.2 scene/1"
);

/// Two browsers and what goes between them. Cheap to share behind an [`Arc`](std::sync::Arc).
#[derive(Debug)]
pub struct Renderer {
    config: RendererConfig,
    executor: Executor,
    drawer: tokio::sync::OnceCell<Drawer>,
    places: Places,
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
            modules_a_browser: config.modules_a_browser,
            time_limit: config.module_time_limit,
        })
        .await?;
        Ok(Self {
            places: Places::new(config.pages, config.queue),
            config,
            executor,
            drawer: tokio::sync::OnceCell::new(),
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
        let (document, timings) = self.document(source).await?;
        self.views_of(&document, view_size, timings).await
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
        check_size(request.size)?;
        let _place = self.enter()?;
        let (document, _) = self.document(source).await?;
        self.pictures_of(&document, &request).await
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
        check_size(request.size)?;
        let _place = self.enter()?;
        let (document, _) = self.document(source).await?;
        self.grid_of(&document, &request, gap).await
    }

    /// Takes a place among the modules that are worked on or wait.
    ///
    /// # Errors
    ///
    /// [`RenderError::Busy`] if there is none.
    pub(crate) fn enter(&self) -> Result<Place, RenderError> {
        self.places.enter()
    }

    /// Runs every validation stage and returns the document or the failures. Nothing is drawn.
    ///
    /// # Errors
    ///
    /// Only our own faults; what the module did wrong is in [`Outcome::result`].
    pub async fn validate(&self, source: &str) -> Result<Outcome, RenderError> {
        let found = analysed(source).await?;
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

    /// What the pictures depend on besides the module: code, Three.js, graphics and Chromium. Pictures of two versions are
    /// not compared; together with a module's hash it names its pictures.
    ///
    /// # Errors
    ///
    /// [`RenderError`] if the browser cannot be started.
    pub async fn version(&self) -> Result<String, RenderError> {
        let graphics = match self.config.graphics {
            Graphics::Software => "software",
            Graphics::Gpu => "gpu",
        };
        let browser = self.executor.browser_version().await?;
        Ok(format!("{RENDERER_VERSION} graphics/{graphics} {browser}"))
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
        self.places.taken()
    }

    /// Whether one more module would be refused as [`RenderError::Busy`].
    pub fn is_full(&self) -> bool {
        self.places.are_full()
    }

    /// How often each browser was started since the renderer was.
    pub fn browser_starts(&self) -> BrowserStarts {
        BrowserStarts {
            execute: self.executor.starts(),
            draw: self.drawer.get().map_or(0, Drawer::starts),
        }
    }

    /// The process groups of the running browsers.
    pub async fn process_groups(&self) -> Vec<i32> {
        let draw = match self.drawer.get() {
            Some(drawer) => drawer.process_group().await,
            None => None,
        };
        self.executor
            .process_group()
            .await
            .into_iter()
            .chain(draw)
            .collect()
    }

    /// What the pages are drawn with.
    ///
    /// # Errors
    ///
    /// As [`Renderer::launch`].
    pub async fn graphics_info(&self) -> Result<serde_json::Value, RenderError> {
        Ok(self.drawer().await?.info().await?)
    }

    /// Analyses, executes and measures. The caller holds a place.
    ///
    /// # Errors
    ///
    /// As [`Renderer::views`].
    pub(crate) async fn document(
        &self,
        source: &str,
    ) -> Result<(Document, RenderTimings), RenderError> {
        let mut timings = RenderTimings::default();
        let started = Instant::now();
        let found = analysed(source).await?;
        timings.analyse_ms = milliseconds(started);
        if !found.is_empty() {
            return Err(RenderError::rejected(found));
        }
        let outcome = self.run(source).await?;
        timings.execute_ms = outcome.total_ms;
        timings.total_ms = milliseconds(started);
        timings.measure_ms = timings.total_ms - timings.analyse_ms - timings.execute_ms;
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
        let measured = tokio::task::spawn_blocking(move || Document::read(bytes, times))
            .await
            .map_err(|error| RenderError::Crashed(error.to_string()))?;
        Ok(match measured {
            Ok((metrics, result)) => outcome(result, Some(metrics)),
            Err(malformed) => {
                let failure = Failure::new(
                    Stage::PostValidation,
                    Rule::ExecutionThrew,
                    malformed.to_string(),
                );
                outcome(Err(vec![failure]), None)
            }
        })
    }
}

/// Static analysis, off the threads that serve: a hostile source may take a second.
async fn analysed(source: &str) -> Result<Vec<Failure>, RenderError> {
    let source = source.to_owned();
    tokio::task::spawn_blocking(move || try_analyse(&source))
        .await
        .map_err(|error| RenderError::Crashed(error.to_string()))?
        .map_err(|error| RenderError::Crashed(error.to_string()))
}

/// Milliseconds since an instant.
fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
