//! One page of the executing browser: a process of its own, and one fresh worker ready in it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::{Executed, PhaseTimes, READY_TIMEOUT};
use crate::browser::cdp::{CdpError, Event, Session};
use crate::browser::{Browser, PageHandle, Work};
use crate::document::fields::{Field, MaterialKind, TEXTURE};
use crate::document::{ATTRIBUTES, DEEPEST_NODE, MAGIC, MAX_DOCUMENT_BYTES};
use crate::failure::{Failure, Rule, Stage};
use crate::names;

/// V8's old generation in the executing process. The limit miners are told is 256 MB as Node counts; Chromium stores
/// pointers in half the space, so the same objects take about half of it here.
pub const HEAP_MEGABYTES: u32 = 160;

/// Seed of `Math.random`, the same in every round.
const RANDOM_SEED: u32 = 0x1234_5678;

/// How many times its limit a module may wait for the processor before we give up on it, as our fault.
pub const STARVATION_FACTOR: u32 = 6;

/// Part of the limit that a module must have computed before it counts as too slow: it also waits for the collection of
/// its garbage.
const COMPUTED_PART: f64 = 0.9;

/// How one run ended.
pub enum RunOutcome {
    /// The module was run, to whatever end.
    Answered(Executed),
    /// It had its time.
    TimedOut,
    /// Its process died, and no other.
    ProcessDied(Death),
    /// The whole browser went away.
    BrowserDied,
    /// The machine did not let it compute.
    Starved,
    /// The page's own script failed.
    Failed(CdpError),
}

/// How a page's process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// By itself: the engine gives up when its memory is used up.
    Crashed,
    /// By the system, which ends processes when the machine runs out of memory.
    Killed,
}

/// Longest the browser takes to tell how a process ended once it has told that it did.
const DEATH_TIMEOUT: Duration = Duration::from_secs(2);

/// A page with a process of its own and one worker ready.
#[derive(Debug)]
pub struct Page {
    handle: PageHandle,
    browser: Arc<Browser>,
    death: watch::Receiver<Option<Death>>,
    /// Its process, if it is known.
    pub process: Option<u64>,
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

/// The largest document a page passes on. The worker's script stops before; nobody relies on that.
const LARGEST_ANSWER_BYTES: usize = MAX_DOCUMENT_BYTES + (2 << 20);

const PAGE_SCRIPT: &str = include_str!("../../assets/execute/page.js");

/// The worker's script, in parts: they share one scope, and each uses what those before it define.
const WORKER_SCRIPT: &str = concat!(
    include_str!("../../assets/execute/captured.js"),
    include_str!("../../assets/execute/namespace.js"),
    include_str!("../../assets/execute/lockdown.js"),
    include_str!("../../assets/execute/stream.js"),
    include_str!("../../assets/execute/scene.js"),
    include_str!("../../assets/execute/run.js"),
);

const THREE_CORE: &str = include_str!(concat!(env!("OUT_DIR"), "/three.core.js"));

impl Page {
    /// Opens a page and makes its first worker ready. One at a time in a browser, or the page's process is not known.
    pub async fn open(browser: Arc<Browser>) -> Result<Self, CdpError> {
        let before = browser.work().await?;
        let (handle, events) = browser.open().await?;
        let (dying, death) = watch::channel(None);
        tokio::spawn(guard(handle.session.clone(), events, dying));
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
            "assizeStart({}, {}, {LARGEST_ANSWER_BYTES})",
            Value::from(THREE_CORE),
            Value::from(WORKER_SCRIPT.replace("__TABLES__", &tables().to_string()))
        );
        session.evaluate(&start).await?;
        let process = browser.work().await?.new_process_since(&before);
        Ok(Self {
            handle,
            browser,
            death,
            process,
        })
    }

    /// Waits for the worker. False if the page died meanwhile.
    pub async fn is_ready(&mut self) -> bool {
        let mut death = self.death.clone();
        let ready = self.handle.session.evaluate("assizeReady()");
        tokio::select! {
            answer = ready => answer.is_ok(),
            _ = death.wait_for(Option::is_some) => false,
            () = tokio::time::sleep(READY_TIMEOUT) => false,
        }
    }

    /// Runs one module in the worker that is ready.
    pub async fn run(&mut self, source: &str, limit: Duration) -> RunOutcome {
        let mut death = self.death.clone();
        let expression = format!("assizeRun({})", Value::from(source));
        let started = Instant::now();
        let evaluation = self.handle.session.evaluate(&expression);
        // Asked beside the evaluation, not before it: it costs the module no time.
        let baseline = async { self.browser.work().await.ok() };
        let watchdog = self.watchdog(baseline, started, limit);
        let answer = tokio::select! {
            answer = evaluation => Some(answer),
            _ = death.wait_for(Option::is_some) => None,
            outcome = watchdog => return outcome,
        };
        let Some(answer) = answer else {
            return self.died().await;
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
            Err(CdpError::Refused { .. }) => self.died().await,
            Err(error) => RunOutcome::Failed(error),
        }
    }
}

impl Page {
    async fn died(&self) -> RunOutcome {
        let mut death = self.death.clone();
        let told = tokio::time::timeout(DEATH_TIMEOUT, death.wait_for(Option::is_some)).await;
        let death = match told {
            Ok(Ok(death)) => *death,
            _ => None,
        };
        if self.browser.is_closed() {
            return RunOutcome::BrowserDied;
        }
        RunOutcome::ProcessDied(death.unwrap_or(Death::Crashed))
    }

    /// Whether the worker has said how the module ended.
    async fn has_answered(&self) -> bool {
        let answered = self.handle.session.evaluate("assizeAnswered()");
        let answered = tokio::time::timeout(READY_TIMEOUT, answered).await;
        matches!(answered, Ok(Ok(Value::Bool(true))))
    }

    /// Ends when the module has had its time: wall clock on a machine that let it compute, longer on one that did not.
    async fn watchdog(
        &self,
        baseline: impl Future<Output = Option<Work>>,
        started: Instant,
        limit: Duration,
    ) -> RunOutcome {
        let baseline = baseline.await;
        let mut next = limit;
        loop {
            tokio::time::sleep(next.saturating_sub(started.elapsed())).await;
            let now = self.browser.work().await.ok();
            let (Some(before), Some(now)) = (&baseline, now) else {
                return RunOutcome::BrowserDied;
            };
            let computed = now.computed_since(before, self.process);
            let missing = limit.as_secs_f64() * COMPUTED_PART - computed;
            if missing <= 0.0 {
                if !self.has_answered().await {
                    return RunOutcome::TimedOut;
                }
                // It ended in time; its scene is on its way to us.
                tokio::time::sleep(READY_TIMEOUT).await;
                return RunOutcome::Starved;
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
    dying: watch::Sender<Option<Death>>,
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
            "Target.targetCrashed" => {
                let _ = dying.send(Some(death_of(&event)));
            }
            "Inspector.targetCrashed" | "Inspector.detached" if dying.borrow().is_none() => {
                let next = tokio::time::timeout(DEATH_TIMEOUT / 2, events.recv()).await;
                let death = match next {
                    Ok(Some(event)) => death_of(&event),
                    _ => Death::Crashed,
                };
                let _ = dying.send(Some(death));
            }
            _ => {}
        }
    }
    dying.send_if_modified(|death| death.replace(Death::Crashed).is_none());
}

fn death_of(event: &Event) -> Death {
    match event.params.get("status").and_then(Value::as_str) {
        Some("killed" | "oom") => Death::Killed,
        _ => Death::Crashed,
    }
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
        "deepestNode": DEEPEST_NODE,
    })
}
