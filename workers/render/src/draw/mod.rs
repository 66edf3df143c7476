//! Drawing scene documents in a browser that never sees a module.
//!
//! Pages load once from a server on the loopback interface whose address holds a secret, and keep their renderer and
//! its compiled shaders. A document is fetched from that server and every picture is posted back to it as raw pixels,
//! so nothing is encoded, or decoded, on the browser's side. PNG is made here, on threads of our own, while the next
//! picture is drawn.

mod batch;
mod config;
mod desk;
mod error;
mod page;

pub use batch::{Batch, Timings};
pub use config::{DrawerConfig, Graphics};
pub use error::DrawError;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::browser::cdp::CdpError;
use crate::browser::{Launch, Lent, Pool, PoolLimits};
use crate::png::Part;
use desk::Desk;
use page::Page;

/// Documents a page draws before it is replaced.
const RUNS_A_PAGE: u32 = 1_000;
/// Private memory of each of its processes, in bytes. The largest document takes a small part of it.
const DATA_LIMIT_BYTES: u64 = 8 << 30;
/// Longest a fresh page may take: it compiles its first shaders only when it draws.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// Part of the limit that the browser's processes must have computed, all together, before the scene counts as too costly.
const COMPUTED_PART: f64 = 0.9;
/// How many times its limit a drawing may wait for the processor before we give up on it, as our fault.
const STARVATION_FACTOR: u32 = 3;

/// The pool of drawing pages.
#[derive(Debug)]
pub struct Drawer {
    time_limit: Duration,
    pages: Pool<Page>,
    desk: Arc<Desk>,
    address: String,
    server: tokio::task::JoinHandle<()>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Drawn {
    error: Option<String>,
    timings: Timings,
}

impl Drawer {
    /// Starts the loopback server and the browser, and makes one page ready.
    ///
    /// # Errors
    ///
    /// [`DrawError`] if either does not start.
    pub async fn launch(config: DrawerConfig) -> Result<Self, DrawError> {
        let desk = Arc::new(Desk::default());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .map_err(DrawError::Listen)?;
        let port = listener.local_addr().map_err(DrawError::Listen)?.port();
        let secret = desk::secret().map_err(DrawError::Listen)?;
        let routes = desk::routes(&secret, desk.clone());
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                tracing::error!(%error, "the loopback server of the drawing pages ended");
            }
        });
        let limits = PoolLimits {
            pages: config.pages,
            uses_a_page: RUNS_A_PAGE,
            uses_a_browser: config.documents_a_browser,
            open_timeout: READY_TIMEOUT,
        };
        let drawer = Self {
            time_limit: config.time_limit,
            pages: Pool::new(limits, launch_options(config)),
            desk,
            address: format!("http://127.0.0.1:{port}/{secret}/"),
            server,
        };
        let page = drawer.open().await?;
        drawer.pages.give_back(page);
        Ok(drawer)
    }

    /// Draws a canonical document: one picture for every angle of every batch, in order. Nothing is drawn outside of
    /// `bounds` (lower and upper corner in world units), if they are known. What `is_costly` is drawn with nothing beside
    /// it.
    ///
    /// # Errors
    ///
    /// [`DrawError::Scene`] if Three.js cannot draw it, which it says again in a fresh page, and [`DrawError::TooCostly`]
    /// if it takes too long even alone; everything else is ours.
    pub async fn draw(
        &self,
        document: Bytes,
        bounds: Option<[f64; 6]>,
        is_costly: bool,
        batches: &[Batch],
    ) -> Result<(Vec<Part>, Timings), DrawError> {
        let place = if is_costly {
            self.pages.enter_alone().await?
        } else {
            self.pages.enter().await?
        };
        let first = self.draw_once(document.clone(), bounds, batches).await;
        match first {
            Err(
                error @ (DrawError::Crashed
                | DrawError::Browser(_)
                | DrawError::Scene(_)
                | DrawError::Missing { .. }),
            ) => {
                tracing::warn!(%error, "drawing failed, once more in a fresh page");
                if matches!(error, DrawError::Scene(_)) {
                    self.pages.forget_idle();
                } else {
                    // Chromium refuses graphics to pages whose graphics process crashed: a fresh page needs a fresh browser.
                    self.pages.discard_browser().await;
                }
                self.draw_once(document, bounds, batches).await
            }
            Err(error @ (DrawError::Timeout(_) | DrawError::TooCostly(_))) if !is_costly => {
                tracing::warn!(%error, "drawing took too long, once more with no other beside it");
                drop(place);
                let _alone = self.pages.enter_alone().await?;
                self.draw_once(document, bounds, batches).await
            }
            other => other,
        }
    }

    /// How often the browser was started.
    pub fn starts(&self) -> u64 {
        self.pages.starts()
    }

    /// The running browser's process group.
    pub async fn process_group(&self) -> Option<i32> {
        self.pages.process_group().await
    }

    /// The graphics behind the pages: renderer, samples, what is in memory.
    ///
    /// # Errors
    ///
    /// [`DrawError`] if no page answers.
    pub async fn info(&self) -> Result<Value, DrawError> {
        let _place = self.pages.enter().await?;
        let lent = match self.pages.take() {
            Some(lent) => lent,
            None => self.open().await?,
        };
        let info = lent.page.handle.session.evaluate("assizeInfo()").await?;
        self.pages.give_back(lent);
        Ok(info)
    }

    /// Ends browser and server.
    pub async fn close(&self) {
        self.pages.close().await;
        self.server.abort();
    }

    async fn draw_once(
        &self,
        document: Bytes,
        bounds: Option<[f64; 6]>,
        batches: &[Batch],
    ) -> Result<(Vec<Part>, Timings), DrawError> {
        let mut lent = match self.pages.take().filter(|lent| !lent.page.is_dead()) {
            Some(lent) => lent,
            None => self.open().await?,
        };
        self.pages.count_use(&mut lent);
        let page = &lent.page;
        let sizes: Vec<u32> = batches
            .iter()
            .flat_map(|batch| batch.angles.iter().map(|_| batch.size))
            .collect();
        let (sender, mut arriving) = mpsc::unbounded_channel();
        let ticket = self.desk.take_in(document, sender);
        let job = json!({
            "document": format!("document/{}", ticket.number),
            "upload": format!("pixels/{}", ticket.number),
            "bounds": bounds,
            "batches": batches,
        });
        let expression = format!("assizeDraw({job})");
        let mut crashed = page.crashed.clone();
        let mut pictures: Vec<Option<Part>> = vec![None; sizes.len()];
        let answer = {
            let drawing = async {
                tokio::select! {
                    answer = page.handle.session.evaluate(&expression) => answer.map_err(DrawError::from),
                    _ = crashed.wait_for(|crashed| *crashed) => Err(DrawError::Crashed),
                    late = self.too_late(page) => Err(late),
                }
            };
            tokio::pin!(drawing);
            loop {
                tokio::select! {
                    answer = &mut drawing => break answer,
                    Some((number, pixels)) = arriving.recv() => {
                        if let Some(slot) = pictures.get_mut(number) {
                            *slot = Some(pixels);
                        }
                    }
                }
            }
        };
        drop(ticket);
        while let Ok((number, pixels)) = arriving.try_recv() {
            if let Some(slot) = pictures.get_mut(number) {
                *slot = Some(pixels);
            }
        }
        if let Err(DrawError::Timeout(_) | DrawError::TooCostly(_)) = answer {
            // What is left of the drawing would keep the graphics process from every other page for as long as it takes.
            page.browser.end();
            self.pages.discard_browser().await;
        }
        let drawn: Drawn =
            serde_json::from_value(answer?).map_err(|error| CdpError::Script(error.to_string()))?;
        if let Some(error) = drawn.error {
            return Err(DrawError::Scene(error));
        }
        self.pages.give_back(lent);
        let received = pictures.iter().flatten().count();
        if received != sizes.len() {
            return Err(DrawError::Missing {
                received,
                expected: sizes.len(),
            });
        }
        for (part, size) in pictures.iter().flatten().zip(sizes) {
            part.check(size)?;
        }
        Ok((pictures.into_iter().flatten().collect(), drawn.timings))
    }

    /// Waits until a drawing has had its time: wall clock on a machine that computed all the while, longer on a busy one.
    async fn too_late(&self, page: &Page) -> DrawError {
        let limit = self.time_limit;
        let before = page.browser.computed().await.unwrap_or_default();
        for _ in 0..STARVATION_FACTOR {
            tokio::time::sleep(limit).await;
            let computed = match page.browser.computed().await {
                Ok(computed) => computed - before,
                Err(error) => return error.into(),
            };
            if computed >= limit.as_secs_f64() * COMPUTED_PART {
                return DrawError::TooCostly(limit);
            }
        }
        DrawError::Timeout(limit * STARVATION_FACTOR)
    }

    async fn open(&self) -> Result<Lent<Page>, DrawError> {
        let open = |browser| Page::open(browser, &self.address);
        Ok(self.pages.open(open).await?)
    }
}

fn launch_options(config: DrawerConfig) -> Launch {
    let mut flags = vec![
        // Only the loopback server's literal address resolves.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1".to_owned(),
        "--enable-webgl".to_owned(),
        "--ignore-gpu-blocklist".to_owned(),
        "--use-gl=angle".to_owned(),
    ];
    match config.graphics {
        Graphics::Software => flags.extend([
            "--use-angle=swiftshader".to_owned(),
            "--enable-unsafe-swiftshader".to_owned(),
        ]),
        Graphics::Gpu => flags.extend([
            "--use-angle=vulkan".to_owned(),
            "--enable-features=Vulkan".to_owned(),
        ]),
    }
    Launch {
        chromium: config.chromium,
        unprivileged_uid_gid: config.unprivileged_uid_gid,
        allow_no_sandbox: config.allow_no_sandbox,
        data_limit: Some(DATA_LIMIT_BYTES),
        flags,
    }
}

impl Drop for Drawer {
    fn drop(&mut self) {
        self.server.abort();
    }
}
