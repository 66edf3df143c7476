//! One module in, all its pictures out, from one execution.

mod config;
mod error;
mod picture;
mod places;
mod result;

pub use config::RendererConfig;
pub(crate) use config::number;
pub use error::RenderError;
pub use result::{BrowserStarts, Document, Outcome, RenderTimings, Rendering};

use std::time::Instant;

use bytes::Bytes;

use crate::analyse::try_analyse;
use crate::draw::{Batch, DrawError, Drawer, DrawerConfig, Graphics, Timings};
use crate::execute::{Executor, ExecutorConfig, PhaseTimes};
use crate::failure::{Failure, Rule, Stage};
use crate::png::Part;
use crate::views::{self, PictureRequest};
use picture::Picture;
use places::Places;

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
        let _place = self.places.enter()?;
        let started = Instant::now();
        let (document, mut timings) = self.checked_document(source).await?;
        let drawing = Instant::now();
        let (pictures, page) = self.draw_views(&document, view_size).await?;
        timings.page = page;
        timings.draw_ms = milliseconds(drawing);
        let encoding = Instant::now();
        let mut pngs = picture::encode_views(pictures).await?;
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
            renderer_version: self.version().await?,
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
        picture::encode(self.pictures(source, &request).await?).await
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
        let cells = self.pictures(source, &request).await?;
        picture::encode_grid(cells, request.size, gap).await
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

    async fn pictures(
        &self,
        source: &str,
        request: &PictureRequest,
    ) -> Result<Vec<Picture>, RenderError> {
        check_size(request.size)?;
        let _place = self.places.enter()?;
        let (document, _) = self.checked_document(source).await?;
        // Through the same path as the judged views, so that both are the same pixels.
        let background = (!document.is_opaque).then_some(request.background);
        let (parts, _) = self
            .draw(&document, &[Batch::new(request, background)])
            .await?;
        Ok(Picture::all(&parts, request, document.is_opaque))
    }

    /// White views, gray views and the cells of the grid, in this order.
    async fn draw_views(
        &self,
        document: &Document,
        size: u32,
    ) -> Result<(Vec<Picture>, Timings), RenderError> {
        let white = views::view_request(&views::WHITE_VIEWS, size, views::WHITE);
        let gray = views::view_request(&views::GRAY_VIEWS, size, views::GRAY);
        let grid = views::grid_request();
        if document.is_opaque {
            // The gray views are four of the white ones: drawn once without a background, put over both.
            let (parts, page) = self
                .draw(
                    document,
                    &[Batch::new(&white, None), Batch::new(&grid, None)],
                )
                .await?;
            let (shared, cells) = parts.split_at(white.angles.len());
            let pictures = [
                Picture::all(shared, &white, true),
                Picture::all(&shared[..gray.angles.len()], &gray, true),
                Picture::all(cells, &grid, true),
            ];
            return Ok((pictures.concat(), page));
        }
        let requests = [&white, &gray, &grid];
        let batches = requests.map(|request| Batch::new(request, Some(request.background)));
        let (parts, page) = self.draw(document, &batches).await?;
        let mut parts = parts.as_slice();
        let mut pictures = Vec::new();
        for request in requests {
            let (own, rest) = parts.split_at(request.angles.len());
            pictures.extend(Picture::all(own, request, false));
            parts = rest;
        }
        Ok((pictures, page))
    }

    async fn drawer(&self) -> Result<&Drawer, RenderError> {
        let config = &self.config;
        let launch = || async {
            Drawer::launch(DrawerConfig {
                chromium: config.chromium.clone(),
                unprivileged_uid_gid: config.unprivileged_uid_gid,
                allow_no_sandbox: config.allow_no_sandbox,
                pages: config.pages,
                documents_a_browser: config.modules_a_browser,
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
        batches: &[Batch],
    ) -> Result<(Vec<Part>, Timings), RenderError> {
        let drawer = self.drawer().await?;
        let drawn = drawer
            .draw(document.canonical.clone(), document.bounds, batches)
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
        let found = analysed(source).await?;
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

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
