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

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};

use crate::browser::cdp::CdpError;
use crate::browser::{Browser, Launch};
use crate::png::Part;
use desk::Desk;
use page::Page;

/// Documents a page draws before it is replaced.
const RUNS_A_PAGE: u32 = 1_000;
/// Private memory of each of its processes, in bytes. The largest document takes a small part of it.
const DATA_LIMIT_BYTES: u64 = 8 << 30;
/// Longest a fresh page may take: it compiles its first shaders only when it draws.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// The pool of drawing pages.
#[derive(Debug)]
pub struct Drawer {
    config: DrawerConfig,
    places: Semaphore,
    idle: Mutex<Vec<Page>>,
    browser: tokio::sync::Mutex<Option<Arc<Browser>>>,
    desk: Arc<Desk>,
    address: String,
    server: tokio::task::JoinHandle<()>,
    runs: AtomicU64,
    starts: AtomicU64,
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
        let drawer = Self {
            places: Semaphore::new(config.pages.max(1)),
            idle: Mutex::default(),
            browser: tokio::sync::Mutex::default(),
            desk,
            address: format!("http://127.0.0.1:{port}/{secret}/"),
            server,
            runs: AtomicU64::new(0),
            starts: AtomicU64::new(0),
            config,
        };
        let page = drawer.open().await?;
        drawer.give_back(page);
        Ok(drawer)
    }

    /// Draws a canonical document: one picture for every angle of every batch, in order. Nothing is drawn outside of
    /// `bounds` (lower and upper corner in world units), if they are known.
    ///
    /// # Errors
    ///
    /// [`DrawError::Scene`] if Three.js cannot draw it, which it says again in a fresh page; everything else is ours.
    pub async fn draw(
        &self,
        document: Bytes,
        bounds: Option<[f64; 6]>,
        batches: &[Batch],
    ) -> Result<(Vec<Part>, Timings), DrawError> {
        let _place = self.places.acquire().await.map_err(|_| CdpError::Closed)?;
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
                    self.forget_idle_pages();
                } else {
                    // Chromium refuses graphics to pages whose graphics process crashed: a fresh page needs a fresh browser.
                    self.discard_browser().await;
                }
                self.draw_once(document, bounds, batches).await
            }
            other => other,
        }
    }

    /// How often the browser was started.
    pub fn starts(&self) -> u64 {
        self.starts.load(Ordering::Relaxed)
    }

    /// The running browser's process group.
    pub async fn process_group(&self) -> Option<i32> {
        let browser = self.browser.lock().await;
        browser.as_ref().map(|browser| browser.process_group())
    }

    /// Lets go of the browser. Pages still at work hold it; it ends with the last of them.
    async fn discard_browser(&self) {
        let mut current = self.browser.lock().await;
        self.forget_idle_pages();
        *current = None;
    }

    fn forget_idle_pages(&self) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// The graphics behind the pages: renderer, samples, what is in memory.
    ///
    /// # Errors
    ///
    /// [`DrawError`] if no page answers.
    pub async fn info(&self) -> Result<Value, DrawError> {
        let _place = self.places.acquire().await.map_err(|_| CdpError::Closed)?;
        let page = match self.take() {
            Some(page) => page,
            None => self.open().await?,
        };
        let info = page.handle.session.evaluate("assizeInfo()").await?;
        self.give_back(page);
        Ok(info)
    }

    /// Ends browser and server.
    pub async fn close(&self) {
        self.places.close();
        self.forget_idle_pages();
        if let Some(browser) = self.browser.lock().await.take() {
            browser.close().await;
        }
        self.server.abort();
    }

    async fn draw_once(
        &self,
        document: Bytes,
        bounds: Option<[f64; 6]>,
        batches: &[Batch],
    ) -> Result<(Vec<Part>, Timings), DrawError> {
        let mut page = match self.take().filter(|page| !page.is_dead()) {
            Some(page) => page,
            None => self.open().await?,
        };
        page.runs += 1;
        self.runs.fetch_add(1, Ordering::Relaxed);
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
                    () = tokio::time::sleep(self.config.time_limit) => Err(DrawError::Timeout(self.config.time_limit)),
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
        let drawn: Drawn =
            serde_json::from_value(answer?).map_err(|error| CdpError::Script(error.to_string()))?;
        if let Some(error) = drawn.error {
            return Err(DrawError::Scene(error));
        }
        self.give_back(page);
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

    fn take(&self) -> Option<Page> {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
    }

    /// Keeps a page for the next document, unless it or its browser has served long enough.
    fn give_back(&self, page: Page) {
        if page.runs >= RUNS_A_PAGE || self.is_old() || page.generation != self.starts() {
            return;
        }
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(page);
    }

    async fn open(&self) -> Result<Page, DrawError> {
        let (browser, generation) = self.browser().await?;
        tokio::time::timeout(
            READY_TIMEOUT,
            Page::open(browser, generation, &self.address),
        )
        .await
        .map_err(|_| DrawError::Timeout(READY_TIMEOUT))?
        .map_err(DrawError::from)
    }

    fn is_old(&self) -> bool {
        self.runs.load(Ordering::Relaxed) >= self.config.documents_a_browser.max(1)
    }

    /// The running browser and its number; a new one if it ended or has run long enough.
    async fn browser(&self) -> Result<(Arc<Browser>, u64), DrawError> {
        let mut current = self.browser.lock().await;
        if let Some(browser) = current
            .as_ref()
            .filter(|browser| !browser.is_closed() && !self.is_old())
        {
            return Ok((browser.clone(), self.starts()));
        }
        // Pages still at work hold the old browser; it ends with the last of them.
        self.forget_idle_pages();
        *current = None;
        let browser = Arc::new(Browser::launch(&self.launch_options()).await?);
        self.runs.store(0, Ordering::Relaxed);
        let generation = self.starts.fetch_add(1, Ordering::Relaxed) + 1;
        *current = Some(browser.clone());
        Ok((browser, generation))
    }

    fn launch_options(&self) -> Launch {
        let mut flags = vec![
            // Only the loopback server's literal address resolves.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1".to_owned(),
            "--enable-webgl".to_owned(),
            "--ignore-gpu-blocklist".to_owned(),
            "--use-gl=angle".to_owned(),
        ];
        match self.config.graphics {
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
            chromium: self.config.chromium.clone(),
            unprivileged_uid_gid: self.config.unprivileged_uid_gid,
            allow_no_sandbox: self.config.allow_no_sandbox,
            data_limit: Some(DATA_LIMIT_BYTES),
            flags,
        }
    }
}

impl Drop for Drawer {
    fn drop(&mut self) {
        self.server.abort();
    }
}
