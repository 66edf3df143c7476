//! Running a module once, in a realm that dies afterwards.
//!
//! A pool of pages in a browser that has neither graphics nor network. Each page keeps one fresh worker ready with
//! Three.js loaded; a module gets that worker for itself and the worker is then terminated. What comes back is a verdict
//! or the bytes of a scene document. A module that does not end, or takes its process down, costs that process only:
//! every page has its own, and no module ever waits behind another one's.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::browser::cdp::{CdpError, Event, Session};
use crate::browser::{Browser, Launch, LaunchError, PageHandle};
use crate::document::fields::{Field, MaterialKind, TEXTURE};
use crate::document::{ATTRIBUTES, MAGIC, MAX_DOCUMENT_BYTES};
use crate::failure::{Failure, Rule, Stage};
use crate::names;

/// V8's old generation in the executing process. The limit miners are told is 256 MB as Node counts; Chromium stores
/// pointers in half the space, so the same objects take about half of it here.
const HEAP_MEGABYTES: u32 = 160;

/// Private memory of the executing process: typed arrays live outside V8's heap and are bounded by this.
const DATA_LIMIT_BYTES: u64 = 3 << 30;

/// Seed of `Math.random`, the same in every round.
const RANDOM_SEED: u32 = 0x1234_5678;

/// Modules a page runs before it is replaced.
const RUNS_A_PAGE: u32 = 200;

/// Modules a browser runs before it is replaced.
const RUNS_A_BROWSER: u64 = 2_000;

/// How many times its limit a module may wait for the processor before we give up on it, as our fault.
const STARVATION_FACTOR: u32 = 6;

/// Part of the limit that the busiest process must have computed before a module counts as too slow. Garbage is
/// collected on other threads and may count too; a little less than all of it is left for clocks that tick coarsely.
const BUSY_PART: f64 = 0.9;

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
        let mut died_before = false;
        loop {
            let mut page = self.ready_page().await?;
            self.runs.fetch_add(1, Ordering::Relaxed);
            match page.run(source, self.config.time_limit).await {
                RunOutcome::Answered(executed) => {
                    if page.runs < RUNS_A_PAGE {
                        self.give_back(page);
                    }
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
                RunOutcome::ProcessDied => {
                    return Ok(Executed::failed(
                        Rule::HeapExceeded,
                        format!(
                            "the module used more memory than it may ({HEAP_MEGABYTES} MB of objects) and its process was ended"
                        ),
                    ));
                }
                // The whole browser went away: nobody knows whose fault it was, so the module gets another chance.
                RunOutcome::BrowserDied if !died_before => died_before = true,
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

    fn give_back(&self, page: Page) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(page);
    }

    /// A page with a worker ready. One that died while it was idle says nothing about the next module.
    async fn ready_page(&self) -> Result<Page, ExecuteError> {
        for _ in 0..3 {
            let mut page = match self.take() {
                Some(page) => page,
                None => self.open().await?,
            };
            if page.is_ready().await {
                return Ok(page);
            }
        }
        Err(ExecuteError::NotReady)
    }

    async fn open(&self) -> Result<Page, ExecuteError> {
        let browser = self.browser().await?;
        tokio::time::timeout(READY_TIMEOUT, Page::open(browser))
            .await
            .map_err(|_| ExecuteError::NotReady)?
            .map_err(ExecuteError::from)
    }

    /// The running browser; a new one if it ended or has run long enough.
    async fn browser(&self) -> Result<Arc<Browser>, ExecuteError> {
        let mut current = self.browser.lock().await;
        let is_old = self.runs.load(Ordering::Relaxed) >= RUNS_A_BROWSER;
        if let Some(browser) = current
            .as_ref()
            .filter(|browser| !browser.is_closed() && !is_old)
        {
            return Ok(browser.clone());
        }
        // Pages still at work hold the old browser; it ends with the last of them.
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        *current = None;
        let browser = Arc::new(Browser::launch(&self.launch_options()).await?);
        self.runs.store(0, Ordering::Relaxed);
        self.starts.fetch_add(1, Ordering::Relaxed);
        *current = Some(browser.clone());
        Ok(browser)
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

enum RunOutcome {
    Answered(Executed),
    TimedOut,
    ProcessDied,
    BrowserDied,
    Starved,
    Failed(CdpError),
}

/// A page with a process of its own and one worker ready.
#[derive(Debug)]
struct Page {
    handle: PageHandle,
    browser: Arc<Browser>,
    crashed: watch::Receiver<bool>,
    runs: u32,
}

/// What the page's script reports.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    stage: String,
    rule: String,
    detail: String,
    module_load_ms: Option<f64>,
    execution_ms: Option<f64>,
    document: Option<String>,
}

const PAGE_SCRIPT: &str = include_str!("../assets/execute_page.js");
const WORKER_SCRIPT: &str = include_str!("../assets/execute.js");
const THREE_CORE: &str = include_str!(concat!(env!("OUT_DIR"), "/three.core.js"));

impl Page {
    async fn open(browser: Arc<Browser>) -> Result<Self, CdpError> {
        let (handle, events) = browser.open().await?;
        let (crash, crashed) = watch::channel(false);
        tokio::spawn(guard(handle.session.clone(), events, crash));
        let session = &handle.session;
        session.call("Inspector.enable", json!({})).await?;
        session
            .call(
                "Fetch.enable",
                json!({ "patterns": [{ "urlPattern": "*" }] }),
            )
            .await?;
        session
            .call("Page.navigate", json!({ "url": PAGE_URL }))
            .await?;
        session.evaluate(PAGE_SCRIPT).await?;
        let start = format!(
            "assizeStart({}, {})",
            Value::from(THREE_CORE),
            Value::from(WORKER_SCRIPT.replace("__TABLES__", &tables().to_string()))
        );
        session.evaluate(&start).await?;
        Ok(Self {
            handle,
            browser,
            crashed,
            runs: 0,
        })
    }

    async fn is_ready(&mut self) -> bool {
        let mut crashed = self.crashed.clone();
        let ready = self.handle.session.evaluate("assizeReady()");
        tokio::select! {
            answer = ready => answer.is_ok(),
            _ = crashed.wait_for(|crashed| *crashed) => false,
            () = tokio::time::sleep(READY_TIMEOUT) => false,
        }
    }

    async fn run(&mut self, source: &str, limit: Duration) -> RunOutcome {
        self.runs += 1;
        let mut crashed = self.crashed.clone();
        let expression = format!("assizeRun({})", Value::from(source));
        let started = Instant::now();
        let evaluation = self.handle.session.evaluate(&expression);
        // Asked beside the evaluation, not before it: it costs the module no time.
        let baseline = async { self.browser.renderer_cpu_seconds().await.ok() };
        let watchdog = self.watchdog(baseline, started, limit);
        let answer = tokio::select! {
            answer = evaluation => answer,
            _ = crashed.wait_for(|crashed| *crashed) => {
                return if self.browser.is_closed() { RunOutcome::BrowserDied } else { RunOutcome::ProcessDied };
            }
            outcome = watchdog => return outcome,
        };
        match answer {
            Ok(report) => match serde_json::from_value::<Report>(report) {
                Ok(report) => {
                    tracing::trace!(
                        duration_ms = started.elapsed().as_millis() as u64,
                        "module executed"
                    );
                    RunOutcome::Answered(report.into_executed())
                }
                Err(error) => RunOutcome::Failed(CdpError::Script(error.to_string())),
            },
            Err(CdpError::Closed) => RunOutcome::BrowserDied,
            // The page's target is gone: its process died and the event was overtaken by the answer.
            Err(CdpError::Refused { .. }) => RunOutcome::ProcessDied,
            Err(error) => RunOutcome::Failed(error),
        }
    }
}

impl Page {
    /// Ends when the module has had its time: wall clock on a machine that let it compute, longer on one that did not.
    ///
    /// Which of the browser's processes is this page's cannot be asked, so the busiest one stands for it: the system
    /// shares the processor evenly among busy processes, and an idle one cannot be the one that hangs.
    async fn watchdog(
        &self,
        baseline: impl Future<Output = Option<HashMap<u64, f64>>>,
        started: Instant,
        limit: Duration,
    ) -> RunOutcome {
        let baseline = baseline.await;
        let mut next = limit;
        loop {
            tokio::time::sleep(next.saturating_sub(started.elapsed())).await;
            let now = self.browser.renderer_cpu_seconds().await.ok();
            let (Some(before), Some(now)) = (&baseline, now) else {
                return RunOutcome::TimedOut;
            };
            let busiest = now
                .iter()
                .map(|(process, seconds)| seconds - before.get(process).copied().unwrap_or(0.0))
                .fold(0.0, f64::max);
            let missing = limit.as_secs_f64() * BUSY_PART - busiest;
            if missing <= 0.0 {
                return RunOutcome::TimedOut;
            }
            if started.elapsed() >= limit * STARVATION_FACTOR {
                return RunOutcome::Starved;
            }
            next = started.elapsed() + Duration::from_secs_f64(missing.max(0.1));
        }
    }
}

impl Report {
    fn into_executed(self) -> Executed {
        let times = PhaseTimes {
            module_load_ms: self.module_load_ms.filter(|ms| ms.is_finite()),
            execution_ms: self.execution_ms.filter(|ms| ms.is_finite()),
        };
        let result = match self.document {
            Some(document) if self.rule.is_empty() => base64::engine::general_purpose::STANDARD
                .decode(document)
                .map(Bytes::from)
                .map_err(|_| thrown(Stage::PostValidation, "the scene description is malformed")),
            _ => {
                let stage = match self.stage.as_str() {
                    "module_load" => Stage::ModuleLoad,
                    "post_validation" => Stage::PostValidation,
                    _ => Stage::Execution,
                };
                let rule = Rule::from_code(&self.rule).unwrap_or(Rule::ExecutionThrew);
                Err(Failure::new(stage, rule, self.detail))
            }
        };
        Executed { result, times }
    }
}

fn thrown(stage: Stage, detail: &str) -> Failure {
    Failure::new(stage, Rule::ExecutionThrew, detail)
}

/// The page's address: it exists nowhere, its text is answered by us.
const PAGE_URL: &str = "https://execute.invalid/";

/// No connection to anywhere, no code from text; scripts from our own blobs only.
const PAGE_POLICY: &str =
    "default-src 'none'; script-src blob:; worker-src blob:; connect-src 'none'";

/// Answers the page's one request, refuses every other, and tells when its process dies.
async fn guard(
    session: Session,
    mut events: mpsc::UnboundedReceiver<Event>,
    crash: watch::Sender<bool>,
) {
    while let Some(event) = events.recv().await {
        match event.method.as_str() {
            "Fetch.requestPaused" => {
                let id = event.params.get("requestId").cloned().unwrap_or_default();
                let url = event.params.pointer("/request/url").and_then(Value::as_str);
                let answer = if url == Some(PAGE_URL) {
                    let body = base64::engine::general_purpose::STANDARD
                        .encode("<!doctype html><title>execute</title>");
                    let params = json!({
                        "requestId": id,
                        "responseCode": 200,
                        "responseHeaders": [
                            { "name": "Content-Type", "value": "text/html; charset=utf-8" },
                            { "name": "Content-Security-Policy", "value": PAGE_POLICY },
                        ],
                        "body": body,
                    });
                    session.call("Fetch.fulfillRequest", params).await
                } else {
                    let params = json!({ "requestId": id, "errorReason": "BlockedByClient" });
                    session.call("Fetch.failRequest", params).await
                };
                if let Err(error) = answer {
                    tracing::debug!(%error, "a page's request could not be answered");
                }
            }
            "Inspector.targetCrashed" | "Inspector.detached" => {
                let _ = crash.send(true);
            }
            _ => {}
        }
    }
    let _ = crash.send(true);
}

/// What the sandbox's script is told: names, limits and the layout of the document.
fn tables() -> Value {
    let fields = |fields: Vec<&Field>| serde_json::to_value(fields).unwrap_or_default();
    let materials: serde_json::Map<String, Value> = MaterialKind::ALL
        .iter()
        .map(|kind| (kind.class().to_owned(), fields(kind.fields().collect())))
        .collect();
    let globals: Vec<&str> = names::DOCUMENTED_GLOBALS
        .iter()
        .chain(&names::TOLERATED_GLOBALS)
        .copied()
        .collect();
    json!({
        "allowed": names::ALLOWED_MEMBERS.to_vec(),
        "forbidden": names::FORBIDDEN_MEMBERS.to_vec(),
        "blockedMathUtils": names::BLOCKED_MATH_UTILS,
        "trappedGlobals": names::TRAPPED_GLOBALS.to_vec(),
        "globals": globals,
        "randomSeed": RANDOM_SEED,
        "materials": materials,
        "texture": fields(TEXTURE.iter().collect()),
        "attributes": ATTRIBUTES,
        "magic": MAGIC,
        "documentBytes": MAX_DOCUMENT_BYTES,
        "deepestNode": 33,
    })
}
