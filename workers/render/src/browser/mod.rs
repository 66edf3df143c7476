//! Chromium as a child process: unprivileged, sandboxed, with a private profile and no network.
//!
//! Two browsers run side by side. One executes modules and has no graphics and no network at all; the other draws
//! scene documents and never sees a module. Both are started here with a pinned set of flags: the distribution's
//! launcher script, which adds flags of its own, is passed by.

pub mod cdp;

use std::collections::{HashMap, VecDeque};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Gid, Pid, Uid};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use cdp::{CdpError, Connection};

/// Where Chromium is looked for when no path is given. Real binaries before launcher scripts.
const USUAL_PLACES: [&str; 7] = [
    "/usr/lib/chromium/chromium",
    "/usr/lib/chromium-browser/chromium-browser",
    "/opt/google/chrome/chrome",
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/usr/local/bin/chromium",
];

/// How long a browser may take to answer for the first time.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a browser may take to end by itself.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// `nobody` and `nogroup`, who own nothing.
pub const NOBODY: (u32, u32) = (65534, 65534);

/// Flags of both browsers. Nothing is fetched, reported, synchronised or shown; colours are not converted.
const COMMON_FLAGS: &[&str] = &[
    "--headless",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-pings",
    "--lang=en-US",
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-breakpad",
    "--disable-crash-reporter",
    "--disable-client-side-phishing-detection",
    "--disable-component-extensions-with-background-pages",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-hang-monitor",
    "--disable-notifications",
    "--disable-prompt-on-repost",
    "--disable-quic",
    "--disable-sync",
    "--disable-speech-api",
    "--disable-features=Translate,MediaRouter,OptimizationHints,InterestFeedContentSuggestions,DialMediaRouteProvider,\
     AutofillServerCommunication,CertificateTransparencyComponentUpdater,SpareRendererForSitePerProcess,\
     OptimizationGuideOnDeviceModel,OptimizationGuideModelDownloading,OnDeviceModelService",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--metrics-recording-only",
    "--mute-audio",
    "--password-store=basic",
    "--use-mock-keychain",
    "--proxy-server=direct://",
];

/// What a browser is started with.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The browser; looked for in the usual places when none.
    pub chromium: Option<PathBuf>,
    /// The user it runs as when started by root; `nobody` when none.
    pub unprivileged_uid_gid: Option<(u32, u32)>,
    /// Whether it may start without its sandbox where the system offers none.
    pub allow_no_sandbox: bool,
    /// Most private memory of each of its processes, in bytes; none for no limit.
    pub data_limit: Option<u64>,
    /// Flags beyond the common ones.
    pub flags: Vec<String>,
}

/// Why a browser did not start.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// There is none.
    #[error("no Chromium found{}: install the package `chromium` or set its path", at(.looked_at.as_deref()))]
    Missing {
        /// The path that was asked for.
        looked_at: Option<PathBuf>,
    },
    /// The system does not let the browser build its sandbox.
    #[error(
        "Chromium cannot start its sandbox here (user namespaces are not available to uid {uid}); \
         allow unprivileged user namespaces, or set RENDER_ALLOW_NO_SANDBOX=1 to run hostile code without it: {log}"
    )]
    NoSandbox {
        /// The user it ran as.
        uid: u32,
        /// The browser's last words.
        log: String,
    },
    /// It ended or did not answer.
    #[error("Chromium did not start: {log}")]
    DidNotStart {
        /// The browser's last words.
        log: String,
    },
    /// The operating system refused something.
    #[error("cannot {what} for Chromium")]
    System {
        /// What was refused.
        what: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

fn at(path: Option<&Path>) -> String {
    path.map(|path| format!(" at {}", path.display()))
        .unwrap_or_default()
}

/// A running browser. Dropping it kills the whole process group and removes the profile.
#[derive(Debug)]
pub struct Browser {
    connection: Connection,
    group: Pid,
    version: String,
    child: Mutex<Option<Child>>,
    log: LastWords,
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser and waits until it answers.
    ///
    /// # Errors
    ///
    /// [`LaunchError`] if there is none, it cannot build its sandbox, or it does not answer within 30 s.
    pub async fn launch(launch: &Launch) -> Result<Self, LaunchError> {
        match Self::start(launch, true).await {
            Err(LaunchError::NoSandbox { uid, log }) if launch.allow_no_sandbox => {
                tracing::warn!(
                    uid,
                    browser.log = log,
                    "CHROMIUM RUNS WITHOUT ITS SANDBOX: user namespaces are not available and \
                     RENDER_ALLOW_NO_SANDBOX allows it; a flaw in the browser's engine would reach this machine"
                );
                Self::start(launch, false).await
            }
            other => other,
        }
    }

    async fn start(launch: &Launch, sandbox: bool) -> Result<Self, LaunchError> {
        let system = |what| move |source| LaunchError::System { what, source };
        let chromium = find(launch.chromium.as_deref())?;
        let profile = tempfile::Builder::new()
            .prefix("assize-browser-")
            .tempdir()
            .map_err(system("make a profile folder"))?;
        let user = unprivileged_user(launch);
        std::fs::set_permissions(profile.path(), std::fs::Permissions::from_mode(0o700))
            .map_err(system("protect the profile folder"))?;
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(profile.path(), Some(uid), Some(gid))
                .map_err(system("hand over the profile folder"))?;
        }

        let mut command = Command::new("/bin/sh");
        // The shell only moves the pipe to where Chromium expects it and sets the memory limit, then becomes Chromium.
        let limit = launch
            .data_limit
            .map(|bytes| format!("ulimit -d {} && ", bytes / 1024))
            .unwrap_or_default();
        command
            .arg("-c")
            .arg(format!(
                "{limit}exec \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null"
            ))
            .arg("sh")
            .arg(&chromium)
            .args(COMMON_FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(&launch.flags);
        if !sandbox {
            command.arg("--no-sandbox");
        }
        if !shared_memory_is_roomy() {
            command.arg("--disable-dev-shm-usage");
        }
        command
            .current_dir("/")
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", profile.path())
            .env("TMPDIR", profile.path())
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some((uid, gid)) = user {
            command.uid(uid).gid(gid);
        }
        let mut child = command.spawn().map_err(system("start a process"))?;
        let group = Pid::from_raw(child.id().unwrap_or_default() as i32);
        let log = LastWords::default();
        if let Some(stderr) = child.stderr.take() {
            log.listen(stderr);
        }
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(LaunchError::DidNotStart {
                log: "its pipes could not be opened".to_owned(),
            });
        };
        let connection = Connection::new(stdin, stdout);
        let mut browser = Self {
            connection,
            group,
            version: String::new(),
            child: Mutex::new(Some(child)),
            log: log.clone(),
            _profile: profile,
        };
        let answer = tokio::time::timeout(
            START_TIMEOUT,
            browser.connection.call("Browser.getVersion", json!({})),
        )
        .await;
        match answer {
            Ok(Ok(version)) => {
                let discover = json!({ "discover": true });
                if browser
                    .connection
                    .call("Target.setDiscoverTargets", discover)
                    .await
                    .is_err()
                {
                    let log = log.text().await;
                    return Err(LaunchError::DidNotStart { log });
                }
                browser.version = cdp::text(&version, "product");
                tracing::debug!(
                    browser.version,
                    sandbox,
                    uid = user.map(|user| user.0),
                    "browser started"
                );
                Ok(browser)
            }
            other => {
                drop(browser);
                let log = log.text().await;
                let uid = user.map_or_else(|| Uid::current().as_raw(), |user| user.0);
                if sandbox
                    && (log.contains("No usable sandbox")
                        || log.contains("sandbox_host_linux")
                        || log.contains("zygote_host_impl_linux"))
                {
                    Err(LaunchError::NoSandbox { uid, log })
                } else if other.is_err() {
                    Err(LaunchError::DidNotStart {
                        log: format!("no answer within {} s; {log}", START_TIMEOUT.as_secs()),
                    })
                } else {
                    Err(LaunchError::DidNotStart { log })
                }
            }
        }
    }

    /// The control pipe.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The browser's product and version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The last lines it wrote to its error output.
    pub fn last_words(&self) -> String {
        self.log.now()
    }

    /// The browser's process group.
    pub fn process_group(&self) -> i32 {
        self.group.as_raw()
    }

    /// Whether it has ended.
    pub fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    /// Opens an empty page in a profile of its own, hence in a process of its own.
    pub async fn open(
        &self,
    ) -> Result<(PageHandle, tokio::sync::mpsc::UnboundedReceiver<cdp::Event>), CdpError> {
        let context = self
            .connection
            .call(
                "Target.createBrowserContext",
                json!({ "disposeOnDetach": true }),
            )
            .await?;
        let context = cdp::text(&context, "browserContextId");
        let target = self
            .connection
            .call(
                "Target.createTarget",
                json!({ "url": "about:blank", "browserContextId": context, "hidden": true }),
            )
            .await?;
        let lease = PageLease {
            connection: self.connection.clone(),
            context,
            target: cdp::text(&target, "targetId"),
        };
        let (session, events) = self.connection.attach(&lease.target).await?;
        Ok((
            PageHandle {
                session,
                _lease: lease,
            },
            events,
        ))
    }

    /// Processor seconds each of the browser's page processes has used, by process.
    ///
    /// # Errors
    ///
    /// [`CdpError`] if the browser is gone.
    pub async fn renderer_cpu_seconds(&self) -> Result<HashMap<u64, f64>, CdpError> {
        let answer = self
            .connection
            .call("SystemInfo.getProcessInfo", json!({}))
            .await?;
        let processes = answer
            .get("processInfo")
            .and_then(serde_json::Value::as_array);
        Ok(processes
            .into_iter()
            .flatten()
            .filter(|process| cdp::text(process, "type") == "renderer")
            .filter_map(|process| {
                Some((
                    process.get("id")?.as_u64()?,
                    process.get("cpuTime")?.as_f64()?,
                ))
            })
            .collect())
    }

    /// Ends the browser and everything it started.
    pub async fn close(&self) {
        // Asked first, so that it takes its own children with it; then told.
        let asked = self.connection.call("Browser.close", json!({}));
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, asked).await;
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.connection.closed()).await;
        self.kill();
        let child = self
            .child
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(mut child) = child {
            let _ = child.wait().await;
        }
    }

    fn kill(&self) {
        // The group outlives its leader for as long as any process of it does, so the number cannot be reused before
        // the last of them is gone.
        if self.group.as_raw() > 1 {
            let _ = killpg(self.group, Signal::SIGKILL);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A page. Dropping it closes it and its profile.
#[derive(Debug)]
pub struct PageHandle {
    /// The session to speak to it.
    pub session: cdp::Session,
    _lease: PageLease,
}

impl Drop for PageHandle {
    fn drop(&mut self) {
        self.session.forget();
    }
}

/// A target and its profile, given back to the browser in the order it can take.
#[derive(Debug)]
struct PageLease {
    connection: Connection,
    context: String,
    target: String,
}

impl Drop for PageLease {
    fn drop(&mut self) {
        let connection = self.connection.clone();
        let context = std::mem::take(&mut self.context);
        let target = std::mem::take(&mut self.target);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        runtime.spawn(async move {
            // A profile that goes before its hidden page leaves the page's process behind, and sometimes takes the
            // whole browser down.
            let closed = connection.close_target(&target).await;
            let disposed = connection
                .call(
                    "Target.disposeBrowserContext",
                    json!({ "browserContextId": context }),
                )
                .await;
            if let (false, Err(error)) = (connection.is_closed(), closed.and(disposed)) {
                tracing::warn!(%error, "a page could not be closed");
            }
        });
    }
}

/// The last lines a browser wrote to its error output.
#[derive(Debug, Clone, Default)]
struct LastWords {
    lines: Arc<Mutex<VecDeque<String>>>,
    ended: Arc<tokio::sync::Notify>,
}

impl LastWords {
    fn listen(&self, stderr: tokio::process::ChildStderr) {
        let words = self.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                // Chromium complains about the desktop bus that a server does not have.
                if line.contains(":dbus/") {
                    continue;
                }
                tracing::trace!(browser.log = line, "browser");
                let mut kept = words.lines.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == 12 {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
            words.ended.notify_one();
        });
    }

    async fn text(&self) -> String {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.ended.notified()).await;
        self.now()
    }

    fn now(&self) -> String {
        let kept = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" | ")
    }
}

fn find(asked: Option<&Path>) -> Result<PathBuf, LaunchError> {
    let missing = || LaunchError::Missing {
        looked_at: asked.map(Path::to_path_buf),
    };
    let found = match asked {
        Some(path) => path.is_file().then(|| path.to_path_buf()),
        None => USUAL_PLACES
            .iter()
            .map(PathBuf::from)
            .find(|path| path.is_file()),
    };
    let found = found.ok_or_else(missing)?;
    // Debian's launcher sources every file of /etc/chromium.d: flags that are not ours.
    let behind_launcher = Path::new("/usr/lib/chromium/chromium");
    if found == Path::new("/usr/bin/chromium") && behind_launcher.is_file() {
        return Ok(behind_launcher.to_path_buf());
    }
    Ok(found)
}

/// Whom the browser runs as: somebody else only where we may choose.
fn unprivileged_user(launch: &Launch) -> Option<(u32, u32)> {
    if !Uid::effective().is_root() {
        return None;
    }
    let (uid, gid) = launch.unprivileged_uid_gid.unwrap_or(NOBODY);
    if uid == 0 || Gid::from_raw(gid) == Gid::from_raw(0) {
        return Some(NOBODY);
    }
    Some((uid, gid))
}

/// Containers often have 64 MB of shared memory, which pictures overflow; Chromium then uses files instead.
fn shared_memory_is_roomy() -> bool {
    nix::sys::statvfs::statvfs("/dev/shm")
        .is_ok_and(|shm| shm.blocks_available() * shm.fragment_size() > 1 << 30)
}
