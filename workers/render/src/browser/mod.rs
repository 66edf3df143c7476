//! Chromium as a child process: unprivileged, sandboxed, with a private profile and no network.
//!
//! Two browsers run side by side. One executes modules and has no graphics and no network at all; the other draws
//! scene documents and never sees a module. Both are started here with a pinned set of flags: the distribution's
//! launcher script, which adds flags of its own, is passed by.

pub mod cdp;
mod launch;
mod page;
mod pool;
mod words;
mod work;

pub use launch::{Launch, LaunchError, NOBODY};
pub use page::PageHandle;
pub use pool::{Lent, OpenError, Pool, PoolLimits};
pub use work::Work;

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, Uid};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use cdp::{CdpError, Connection};
use page::PageLease;
use words::LastWords;

/// How long a browser may take to answer for the first time.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a browser may take to end by itself.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

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
    pub async fn launch(options: &Launch) -> Result<Self, LaunchError> {
        match Self::start(options, true).await {
            Err(LaunchError::NoSandbox { uid, log }) if options.allow_no_sandbox => {
                tracing::warn!(
                    uid,
                    browser.log = log,
                    "CHROMIUM RUNS WITHOUT ITS SANDBOX: user namespaces are not available and \
                     RENDER_ALLOW_NO_SANDBOX allows it; a flaw in the browser's engine would reach this machine"
                );
                Self::start(options, false).await
            }
            other => other,
        }
    }

    async fn start(options: &Launch, sandbox: bool) -> Result<Self, LaunchError> {
        let system = |what| move |source| LaunchError::System { what, source };
        let chromium = launch::find(options.chromium.as_deref())?;
        let profile = tempfile::Builder::new()
            .prefix("assize-browser-")
            .tempdir()
            .map_err(system("make a profile folder"))?;
        let user = launch::unprivileged_user(options);
        std::fs::set_permissions(profile.path(), std::fs::Permissions::from_mode(0o700))
            .map_err(system("protect the profile folder"))?;
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(profile.path(), Some(uid), Some(gid))
                .map_err(system("hand over the profile folder"))?;
        }

        let mut command = Command::new("/bin/sh");
        // The shell only moves the pipe to where Chromium expects it and sets the memory limit, then becomes Chromium.
        let limit = options
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
            .args(launch::COMMON_FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(&options.flags);
        if !sandbox {
            command.arg("--no-sandbox");
        }
        if !launch::shared_memory_is_roomy() {
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
        Ok((PageHandle::new(session, lease), events))
    }

    /// What the browser's pages have done so far.
    ///
    /// # Errors
    ///
    /// [`CdpError`] if the browser is gone.
    pub async fn work(&self) -> Result<Work, CdpError> {
        let answer = self
            .connection
            .call("SystemInfo.getProcessInfo", json!({}))
            .await?;
        let processes = answer
            .get("processInfo")
            .and_then(serde_json::Value::as_array);
        let pages = processes
            .into_iter()
            .flatten()
            .filter(|process| cdp::text(process, "type") == "renderer")
            .filter_map(|process| {
                Some((
                    process.get("id")?.as_u64()?,
                    process.get("cpuTime")?.as_f64()?,
                ))
            });
        Ok(Work::of(pages.collect()).await)
    }

    /// Seconds that all of its processes have computed, those of the graphics included.
    ///
    /// # Errors
    ///
    /// [`CdpError`] if the browser is gone.
    pub async fn computed(&self) -> Result<f64, CdpError> {
        let answer = self
            .connection
            .call("SystemInfo.getProcessInfo", json!({}))
            .await?;
        let processes = answer
            .get("processInfo")
            .and_then(serde_json::Value::as_array);
        let seconds = |process: &serde_json::Value| process.get("cpuTime")?.as_f64();
        Ok(processes.into_iter().flatten().filter_map(seconds).sum())
    }

    /// Ends the browser at once, whoever still works on its pages.
    pub fn end(&self) {
        self.kill();
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
