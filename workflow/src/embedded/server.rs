//! The server process and the thread that it belongs to.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, getpid, getppid};
use tokio::sync::{oneshot, watch};

use super::folder::Folder;
use super::programs::Programs;
use super::{Account, EmbeddedError, EmbeddedOptions, SUPERUSER};

/// How long a start may take. Recovery after a crash reads the log since the last checkpoint, seconds for any log that the
/// default settings allow.
const READY_WITHIN: Duration = Duration::from_mins(2);

/// How long a fast stop (SIGINT, writes everything out) may take before an immediate one (SIGQUIT, recovers at the next start).
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

/// A log longer than this is started anew.
const MAX_LOG_BYTES: u64 = 16 << 20;

/// A running `postgres`.
#[derive(Debug)]
pub(super) struct Server {
    pid: i32,
    process: Arc<Process>,
    /// Becomes `true` when the process has ended and been reaped.
    ended: watch::Receiver<bool>,
}

/// The process, until it is reaped: a signal is never sent to a number that may have a new owner.
#[derive(Debug, Default)]
struct Process {
    running: Mutex<Option<Pid>>,
}

impl Process {
    fn signal(&self, signal: Signal) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pid) = *running {
            // It may have ended without being reaped yet; then there is nobody to tell.
            let _ = kill(pid, signal);
        }
    }
}

impl Server {
    /// Starts the server of `folder` and returns once it takes connections.
    pub async fn start(
        folder: Folder,
        account: Account,
        programs: Programs,
        options: EmbeddedOptions,
    ) -> Result<Self, EmbeddedError> {
        let (ready_sender, ready) = oneshot::channel();
        let (ended_sender, ended) = watch::channel(false);
        // The kernel's parent-death signal follows the thread that made the child, not the process: this thread stays until
        // the server has ended.
        std::thread::Builder::new()
            .name("embedded-postgres".to_owned())
            .spawn(move || {
                let launch = Launch {
                    folder,
                    account,
                    programs,
                    options,
                };
                launch.run(ready_sender);
                // The folder is unlocked before anyone is told that it is free.
                drop(launch);
                let _ = ended_sender.send(true);
            })
            .map_err(EmbeddedError::files("start a thread for", "postgres"))?;
        let process = ready.await.map_err(|_| EmbeddedError::Interrupted)??;
        let pid = process
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .map_or(0, Pid::as_raw);
        Ok(Self {
            pid,
            process,
            ended,
        })
    }

    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Asks for a fast stop, then for an immediate one when that takes too long.
    pub async fn stop(&mut self) {
        for signal in [Signal::SIGINT, Signal::SIGQUIT] {
            self.process.signal(signal);
            let ended = self.ended.wait_for(|ended| *ended);
            if tokio::time::timeout(STOPPED_WITHIN, ended).await.is_ok() {
                return;
            }
        }
    }

    fn has_ended(&self) -> bool {
        *self.ended.borrow() || self.ended.has_changed().is_err()
    }
}

impl Drop for Server {
    /// Waits too, so that whoever drops the server may remove its folder.
    fn drop(&mut self) {
        for signal in [Signal::SIGINT, Signal::SIGQUIT] {
            let asked = Instant::now();
            self.process.signal(signal);
            while !self.has_ended() && asked.elapsed() < STOPPED_WITHIN {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

/// What the server's thread works with.
struct Launch {
    folder: Folder,
    account: Account,
    programs: Programs,
    options: EmbeddedOptions,
}

impl Launch {
    /// Brings the server up, says so, and stays until it has ended.
    fn run(&self, ready: oneshot::Sender<Result<Arc<Process>, EmbeddedError>>) {
        let log_start = std::fs::metadata(self.folder.log()).map_or(0, |facts| facts.len());
        let mut child = match self.make_cluster().and_then(|()| self.spawn_server()) {
            Ok(child) => child,
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        };
        let pid = Pid::from_raw(child.id() as i32);
        let process = Arc::new(Process {
            running: Mutex::new(Some(pid)),
        });
        let unheard = match self.wait_until_ready(&child, log_start) {
            Ok(()) => ready.send(Ok(Arc::clone(&process))).is_err(),
            Err(error) => {
                process.signal(Signal::SIGQUIT);
                let _ = ready.send(Err(error));
                false
            }
        };
        if unheard {
            process.signal(Signal::SIGINT);
        }

        // Ended but not reaped yet: its number is still its own until the lock below says so.
        while let Err(nix::Error::EINTR) =
            waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)
        {}
        let mut running = process
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *running = None;
        match child.wait() {
            Ok(status) if status.success() => {}
            Ok(status) => tracing::warn!("the embedded PostgreSQL ended with {status}"),
            Err(error) => tracing::warn!("the embedded PostgreSQL cannot be waited for: {error}"),
        }
    }

    /// Runs `initdb` unless there is a cluster. It works beside the final place and is moved there when complete, so a kill
    /// in the middle leaves no half cluster.
    fn make_cluster(&self) -> Result<(), EmbeddedError> {
        let cluster = self.folder.cluster();
        if cluster.join("PG_VERSION").is_file() {
            return Ok(());
        }
        let unfinished = self.folder.unfinished_cluster();
        let mut command = self.command(&self.programs.initdb);
        command
            .arg("-D")
            .arg(&unfinished)
            .args(["-U", SUPERUSER, "-E", "UTF8", "--locale=C.UTF-8"])
            .args(["--auth-local=trust", "--auth-host=reject"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if !self.options.durable {
            command.arg("--no-sync");
        }
        let output = command
            .output()
            .map_err(|source| self.spawn_error(&self.programs.initdb, source))?;
        if !output.status.success() {
            return Err(EmbeddedError::Initdb {
                said: last_words(&output.stderr),
            });
        }
        std::fs::rename(&unfinished, &cluster)
            .map_err(EmbeddedError::files("move into place", &cluster))?;
        if self.options.durable {
            File::open(self.folder.path())
                .and_then(|folder| folder.sync_all())
                .map_err(EmbeddedError::files("write out", self.folder.path()))?;
        }
        Ok(())
    }

    fn spawn_server(&self) -> Result<Child, EmbeddedError> {
        let log = self.open_log()?;
        let log_again = log
            .try_clone()
            .map_err(EmbeddedError::files("open", self.folder.log()))?;
        let mut command = self.command(&self.programs.postgres);
        command
            .arg("-D")
            .arg(self.folder.cluster())
            .stdout(log)
            .stderr(log_again);
        for setting in self.settings() {
            command.args(["-c", &setting]);
        }
        command
            .spawn()
            .map_err(|source| self.spawn_error(&self.programs.postgres, source))
    }

    /// Settings are given on the command line, so those of an older version of ours never linger in a file.
    fn settings(&self) -> Vec<String> {
        let socket_dir = self.folder.socket_dir().to_string_lossy();
        let mut settings = vec![
            "listen_addresses=".to_owned(),
            // A list in PostgreSQL's eyes: quotes keep a comma in the path from splitting it.
            format!(
                "unix_socket_directories=\"{}\"",
                socket_dir.replace('"', "\"\"")
            ),
            "port=5432".to_owned(),
            format!("max_connections={}", self.options.max_connections),
            "logging_collector=off".to_owned(),
            "log_destination=stderr".to_owned(),
            "log_line_prefix=%m [%p] ".to_owned(),
            // The default of a minute lets a burst of ended jobs leave more behind than the queue holds.
            "autovacuum_naptime=10s".to_owned(),
            "timezone=UTC".to_owned(),
            "log_timezone=UTC".to_owned(),
        ];
        if !self.options.durable {
            let fast = [
                "fsync=off",
                "synchronous_commit=off",
                "full_page_writes=off",
            ];
            settings.extend(fast.map(str::to_owned));
        }
        settings
    }

    /// A program of PostgreSQL as the server's account, with an environment of its own, that dies with this thread.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            // Ctrl-C in a terminal goes to our whole process group. We want to end first, with a database that still answers.
            .process_group(0);
        self.account.assume(&mut command);
        let parent = getpid();
        let die_with_parent = move || {
            nix::sys::prctl::set_pdeathsig(Signal::SIGQUIT)?;
            // We may have died before that line; nobody would tell the child any more.
            if getppid() != parent {
                return Err(nix::Error::ESRCH.into());
            }
            Ok(())
        };
        #[expect(
            unsafe_code,
            reason = "pre_exec is the only place to set a parent-death signal"
        )]
        // SAFETY: the closure runs between fork and exec and makes two system calls: no allocation, no lock.
        unsafe {
            command.pre_exec(die_with_parent);
        }
        command
    }

    /// The server writes its state into the last line of `postmaster.pid`; `pg_ctl` waits for the same word.
    ///
    /// - `log_start`: where in the log this start begins, so that no complaint of an earlier one is repeated.
    fn wait_until_ready(&self, child: &Child, log_start: u64) -> Result<(), EmbeddedError> {
        let state_file = self.folder.cluster().join("postmaster.pid");
        let started = Instant::now();
        loop {
            let state = std::fs::read_to_string(&state_file).unwrap_or_default();
            let mut lines = state.lines();
            let is_this_one = lines.next() == Some(child.id().to_string().as_str());
            if is_this_one && lines.nth(6).is_some_and(|line| line.trim() == "ready") {
                return Ok(());
            }
            if has_ended(child) {
                return Err(EmbeddedError::EndedEarly {
                    said: self.last_log_words(log_start),
                    log: self.folder.log(),
                });
            }
            if started.elapsed() > READY_WITHIN {
                return Err(EmbeddedError::NotReady {
                    seconds: READY_WITHIN.as_secs(),
                    log: self.folder.log(),
                });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn open_log(&self) -> Result<File, EmbeddedError> {
        let path = self.folder.log();
        let is_long = std::fs::metadata(&path).is_ok_and(|facts| facts.len() > MAX_LOG_BYTES);
        let mut options = OpenOptions::new();
        if is_long {
            options.write(true).truncate(true);
        } else {
            options.append(true).create(true);
        }
        options
            .open(&path)
            .map_err(EmbeddedError::files("open", path))
    }

    fn last_log_words(&self, log_start: u64) -> String {
        let read_new = || -> std::io::Result<Vec<u8>> {
            let mut log = File::open(self.folder.log())?;
            // A log that was started anew is shorter than that.
            let start = log_start.min(log.metadata()?.len());
            log.seek(SeekFrom::Start(start))?;
            let mut said = Vec::new();
            log.read_to_end(&mut said)?;
            Ok(said)
        };
        last_words(&read_new().unwrap_or_default())
    }

    fn spawn_error(&self, program: &Path, source: std::io::Error) -> EmbeddedError {
        EmbeddedError::Spawn {
            program: PathBuf::from(program),
            user: self.account.name.clone(),
            source,
        }
    }
}

/// Whether the child has ended, without reaping it: `Launch::run` does that, at the one place that guards its number.
fn has_ended(child: &Child) -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
    waitid(Id::Pid(Pid::from_raw(child.id() as i32)), flags)
        .is_ok_and(|status| status != WaitStatus::StillAlive)
}

/// The last complaint in what a program said, without the words before it (time, process), else its last line.
fn last_words(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines = || {
        text.lines()
            .rev()
            .map(str::trim)
            .filter(|line| !line.is_empty())
    };
    let complaint = |line: &str| {
        ["FATAL: ", "PANIC: ", "error: "]
            .iter()
            .find_map(|word| line.split_once(word))
            .map(|(_, what)| what.trim().to_owned())
    };
    lines()
        .find_map(complaint)
        .or_else(|| lines().next().map(str::to_owned))
        .unwrap_or_else(|| "it said nothing".to_owned())
}
