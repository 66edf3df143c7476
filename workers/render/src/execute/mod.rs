//! Running a module once, in a realm that dies afterwards.
//!
//! A pool of pages in a browser that has neither graphics nor network. Each page keeps one fresh worker ready with
//! Three.js loaded; a module gets that worker for itself and the worker is then terminated. What comes back is a verdict
//! or the bytes of a scene document. A module that does not end, or takes its process down, costs that process only:
//! every page has its own, and no module ever waits behind another one's.

mod page;

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

use crate::browser::cdp::CdpError;
use crate::browser::{Launch, LaunchError, Lent, OpenError, Pool, PoolLimits};
use crate::failure::{Failure, Rule, Stage};
use page::{Death, HEAP_MEGABYTES, Page, RunOutcome, STARVATION_FACTOR};

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

impl From<OpenError> for ExecuteError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Launch(error) => error.into(),
            OpenError::Browser(error) => error.into(),
            OpenError::TooSlow(_) => Self::NotReady,
        }
    }
}

/// The pool.
#[derive(Debug)]
pub struct Executor {
    time_limit: Duration,
    pages: Pool<Page>,
    /// Pages are opened one at a time, see [`Page::open`].
    opening: tokio::sync::Mutex<()>,
}

impl Executor {
    /// Starts the browser and makes one page ready.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] if the browser does not start.
    pub async fn launch(config: ExecutorConfig) -> Result<Self, ExecuteError> {
        let limits = PoolLimits {
            pages: config.pages,
            uses_a_page: RUNS_A_PAGE,
            uses_a_browser: config.modules_a_browser,
            open_timeout: READY_TIMEOUT,
        };
        let executor = Self {
            time_limit: config.time_limit,
            pages: Pool::new(limits, launch_options(config)),
            opening: tokio::sync::Mutex::default(),
        };
        let page = executor.open().await?;
        executor.pages.give_back(page);
        Ok(executor)
    }

    /// Runs `source` once. The source must have passed static analysis; the sandbox does not rely on it.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] for our own faults. What the module does wrong is in [`Executed::result`].
    pub async fn execute(&self, source: &str) -> Result<Executed, ExecuteError> {
        let mut place = self.pages.enter().await?;
        let mut browser_died_before = false;
        let mut process_died_before = false;
        let mut alone = false;
        loop {
            let mut lent = self.ready_page().await?;
            self.pages.count_use(&mut lent);
            match lent.page.run(source, self.time_limit).await {
                RunOutcome::Answered(executed) => {
                    self.pages.give_back(lent);
                    return Ok(executed);
                }
                RunOutcome::TimedOut => {
                    return Ok(Executed::failed(
                        Rule::TimeoutExceeded,
                        format!(
                            "the module did not end within {} ms",
                            self.time_limit.as_millis()
                        ),
                    ));
                }
                // The system ends processes too, when the machine runs out of memory: that is no verdict. A module that
                // is to blame ends the next one as well.
                RunOutcome::ProcessDied(_) if !process_died_before => process_died_before = true,
                // Twice the system's doing: once more without neighbours who could have used up the memory.
                RunOutcome::ProcessDied(Death::Killed) if !alone => {
                    drop(place);
                    place = self.pages.enter_alone().await?;
                    alone = true;
                }
                RunOutcome::ProcessDied(_) => {
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
                RunOutcome::Starved => return Err(ExecuteError::Starved(self.time_limit)),
                RunOutcome::Failed(error) => return Err(error.into()),
            }
        }
    }

    /// How often the browser was started.
    pub fn starts(&self) -> u64 {
        self.pages.starts()
    }

    /// The browser's product and version.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] if it has to be started and does not start.
    pub async fn browser_version(&self) -> Result<String, ExecuteError> {
        Ok(self.pages.browser().await?.version().to_owned())
    }

    /// The running browser's process group.
    pub async fn process_group(&self) -> Option<i32> {
        self.pages.process_group().await
    }

    /// Ends the browser.
    pub async fn close(&self) {
        self.pages.close().await;
    }

    /// A page with a worker ready. One that died while it was idle says nothing about the next module.
    async fn ready_page(&self) -> Result<Lent<Page>, ExecuteError> {
        while let Some(mut lent) = self.pages.take() {
            if lent.page.is_ready().await {
                return Ok(lent);
            }
        }
        for _ in 0..3 {
            let mut lent = match self.open().await {
                // The browser died while it opened the page; there is a new one by now.
                Err(OpenError::Browser(CdpError::Closed)) => continue,
                opened => opened?,
            };
            if lent.page.is_ready().await {
                return Ok(lent);
            }
        }
        Err(ExecuteError::NotReady)
    }

    async fn open(&self) -> Result<Lent<Page>, OpenError> {
        let _turn = self.opening.lock().await;
        self.pages.open(Page::open).await
    }
}

fn launch_options(config: ExecutorConfig) -> Launch {
    let flags = [
        format!("--js-flags=--max-old-space-size={HEAP_MEGABYTES},--max-semi-space-size=32"),
        "--disable-gpu".to_owned(),
        "--disable-3d-apis".to_owned(),
        "--disable-software-rasterizer".to_owned(),
        // Nothing resolves, literal addresses included.
        "--host-resolver-rules=MAP * ~NOTFOUND".to_owned(),
    ];
    Launch {
        chromium: config.chromium,
        unprivileged_uid_gid: config.unprivileged_uid_gid,
        allow_no_sandbox: config.allow_no_sandbox,
        data_limit: Some(DATA_LIMIT_BYTES),
        flags: flags.into(),
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_process_of_each_page_is_known() {
        let config = ExecutorConfig {
            chromium: None,
            unprivileged_uid_gid: None,
            allow_no_sandbox: false,
            pages: 3,
            modules_a_browser: 100,
            time_limit: Duration::from_secs(5),
        };
        let executor = Executor::launch(config).await.unwrap();
        let first = executor.pages.take().unwrap();
        let (second, third) = tokio::join!(executor.open(), executor.open());
        let pages = [first, second.unwrap(), third.unwrap()];
        let mut processes: Vec<u64> = pages
            .iter()
            .map(|lent| lent.page.process.expect("it is told"))
            .collect();
        processes.sort_unstable();
        processes.dedup();
        assert_eq!(processes.len(), pages.len());
        executor.close().await;
    }
}
