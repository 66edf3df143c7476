//! Running a module once, in a realm that dies afterwards.
//!
//! A pool of pages in a browser that has neither graphics nor network. Each page keeps one fresh worker ready with
//! Three.js loaded; a module gets that worker for itself and the worker is then terminated. What comes back is a verdict
//! or the bytes of a scene document. A module that does not end, or takes its process down, costs that process only:
//! every page has its own, and no module ever waits behind another one's.

mod page;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;

use crate::browser::cdp::CdpError;
use crate::browser::{Browser, Launch, LaunchError};
use crate::failure::{Failure, Rule, Stage};
use page::{HEAP_MEGABYTES, Page, RunOutcome, STARVATION_FACTOR};

/// Private memory of the executing process: typed arrays live outside V8's heap and are bounded by this.
const DATA_LIMIT_BYTES: u64 = 3 << 30;

/// Modules a page runs before it is replaced.
const RUNS_A_PAGE: u32 = 200;

/// Longest a fresh page may take to be ready; more is our fault.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// What a module may use while it runs.
#[derive(Debug, Clone)]
pub struct ExecutorConfig {
    /// The browser; looked for in the usual places when none.
    pub chromium: Option<PathBuf>,
    /// The user the browser runs as when we are root.
    pub unprivileged_uid_gid: Option<(u32, u32)>,
    /// Whether hostile code may run without the browser's sandbox.
    pub allow_no_sandbox: bool,
    /// Modules executed at the same time.
    pub pages: usize,
    /// Modules a browser runs before it is replaced.
    pub modules_a_browser: u64,
    /// Time of one module: evaluation, generate and reading the scene. Wall clock, unless the machine was too busy to
    /// let it compute for that long; then until it has.
    pub time_limit: Duration,
}

/// A module that ran.
#[derive(Debug)]
pub struct Executed {
    /// The scene document, or what the module did wrong.
    pub result: Result<Bytes, Failure>,
    /// How long evaluation and the call took.
    pub times: PhaseTimes,
}

/// Milliseconds of the two phases, as far as they were reached and survived.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PhaseTimes {
    /// Evaluating the module.
    pub module_load_ms: Option<f64>,
    /// Calling the default export.
    pub execution_ms: Option<f64>,
}

/// Why a module could not be run. Never the module's fault.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// No browser.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The browser broke outside of any module.
    #[error("the executing browser failed: {0}")]
    Browser(#[from] CdpError),
    /// The machine did not let the module compute.
    #[error("the machine is too busy: a module could not compute for {} ms within {STARVATION_FACTOR} times that", .0.as_millis())]
    Starved(Duration),
    /// A page did not become ready.
    #[error("the executing browser had no page ready within {} s", READY_TIMEOUT.as_secs())]
    NotReady,
}

/// The pool.
#[derive(Debug)]
pub struct Executor {
    config: ExecutorConfig,
    places: Semaphore,
    idle: Mutex<Vec<Page>>,
    browser: tokio::sync::Mutex<Option<Arc<Browser>>>,
    runs: AtomicU64,
    starts: AtomicU64,
}

impl Executor {
    /// Starts the browser and makes one page ready.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] if the browser does not start.
    pub async fn launch(config: ExecutorConfig) -> Result<Self, ExecuteError> {
        let executor = Self {
            places: Semaphore::new(config.pages.max(1)),
            idle: Mutex::default(),
            browser: tokio::sync::Mutex::default(),
            runs: AtomicU64::new(0),
            starts: AtomicU64::new(0),
            config,
        };
        let page = executor.open().await?;
        executor.give_back(page);
        Ok(executor)
    }

    /// Runs `source` once. The source must have passed static analysis; the sandbox does not rely on it.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] for our own faults. What the module does wrong is in [`Executed::result`].
    pub async fn execute(&self, source: &str) -> Result<Executed, ExecuteError> {
        let _place = self.places.acquire().await.map_err(|_| CdpError::Closed)?;
        let mut browser_died_before = false;
        let mut process_died_before = false;
        loop {
            let mut page = self.ready_page().await?;
            self.runs.fetch_add(1, Ordering::Relaxed);
            match page.run(source, self.config.time_limit).await {
                RunOutcome::Answered(executed) => {
                    self.give_back(page);
                    return Ok(executed);
                }
                RunOutcome::TimedOut => {
                    return Ok(Executed::failed(
                        Rule::TimeoutExceeded,
                        format!(
                            "the module did not end within {} ms",
                            self.config.time_limit.as_millis()
                        ),
                    ));
                }
                // The system ends processes too, when the machine runs out of memory: that is no verdict. A module that
                // is to blame ends the next one as well.
                RunOutcome::ProcessDied if !process_died_before => process_died_before = true,
                RunOutcome::ProcessDied => {
                    return Ok(Executed::failed(
                        Rule::HeapExceeded,
                        format!(
                            "the module used more memory than it may ({HEAP_MEGABYTES} MB of objects) and its process was ended"
                        ),
                    ));
                }
                // The whole browser went away: nobody knows whose fault it was, so the module gets another chance.
                RunOutcome::BrowserDied if !browser_died_before => browser_died_before = true,
                RunOutcome::BrowserDied => return Err(CdpError::Closed.into()),
                RunOutcome::Starved => return Err(ExecuteError::Starved(self.config.time_limit)),
                RunOutcome::Failed(error) => return Err(error.into()),
            }
        }
    }

    /// How often the browser was started.
    pub fn starts(&self) -> u64 {
        self.starts.load(Ordering::Relaxed)
    }

    /// The browser's product and version.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] if it has to be started and does not start.
    pub async fn browser_version(&self) -> Result<String, ExecuteError> {
        let (browser, _) = self.browser().await?;
        Ok(browser.version().to_owned())
    }

    /// The running browser's process group.
    pub async fn process_group(&self) -> Option<i32> {
        let browser = self.browser.lock().await;
        browser.as_ref().map(|browser| browser.process_group())
    }

    /// Ends the browser.
    pub async fn close(&self) {
        self.places.close();
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        if let Some(browser) = self.browser.lock().await.take() {
            browser.close().await;
        }
    }

    fn take(&self) -> Option<Page> {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
    }

    /// Keeps a page for the next module, unless it or its browser has served long enough.
    fn give_back(&self, page: Page) {
        if page.runs >= RUNS_A_PAGE || self.is_old() || page.generation != self.starts() {
            return;
        }
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(page);
    }

    /// A page with a worker ready. One that died while it was idle says nothing about the next module.
    async fn ready_page(&self) -> Result<Page, ExecuteError> {
        while let Some(mut page) = self.take() {
            if page.is_ready().await {
                return Ok(page);
            }
        }
        for _ in 0..3 {
            let mut page = match self.open().await {
                // The browser died while it opened the page; there is a new one by now.
                Err(ExecuteError::Browser(CdpError::Closed)) => continue,
                page => page?,
            };
            if page.is_ready().await {
                return Ok(page);
            }
        }
        Err(ExecuteError::NotReady)
    }

    async fn open(&self) -> Result<Page, ExecuteError> {
        let (browser, generation) = self.browser().await?;
        let opened =
            tokio::time::timeout(READY_TIMEOUT, Page::open(browser.clone(), generation)).await;
        if let Ok(Err(CdpError::Closed)) = opened {
            // From here on everyone sees that it is closed.
            browser.connection().closed().await;
        }
        opened
            .map_err(|_| ExecuteError::NotReady)?
            .map_err(ExecuteError::from)
    }

    fn is_old(&self) -> bool {
        self.runs.load(Ordering::Relaxed) >= self.config.modules_a_browser.max(1)
    }

    /// The running browser and its number; a new one if it ended or has run long enough.
    async fn browser(&self) -> Result<(Arc<Browser>, u64), ExecuteError> {
        let mut current = self.browser.lock().await;
        if let Some(browser) = current
            .as_ref()
            .filter(|browser| !browser.is_closed() && !self.is_old())
        {
            return Ok((browser.clone(), self.starts()));
        }
        // Pages still at work hold the old browser; it ends with the last of them.
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        *current = None;
        let browser = Arc::new(Browser::launch(&self.launch_options()).await?);
        self.runs.store(0, Ordering::Relaxed);
        let generation = self.starts.fetch_add(1, Ordering::Relaxed) + 1;
        *current = Some(browser.clone());
        Ok((browser, generation))
    }

    fn launch_options(&self) -> Launch {
        let flags = [
            format!("--js-flags=--max-old-space-size={HEAP_MEGABYTES},--max-semi-space-size=32"),
            "--disable-gpu".to_owned(),
            "--disable-3d-apis".to_owned(),
            "--disable-software-rasterizer".to_owned(),
            // Nothing resolves, literal addresses included.
            "--host-resolver-rules=MAP * ~NOTFOUND".to_owned(),
        ];
        Launch {
            chromium: self.config.chromium.clone(),
            unprivileged_uid_gid: self.config.unprivileged_uid_gid,
            allow_no_sandbox: self.config.allow_no_sandbox,
            data_limit: Some(DATA_LIMIT_BYTES),
            flags: flags.into(),
        }
    }
}

impl Executed {
    fn failed(rule: Rule, detail: String) -> Self {
        Self {
            result: Err(Failure::new(Stage::Execution, rule, detail)),
            times: PhaseTimes::default(),
        }
    }
}
