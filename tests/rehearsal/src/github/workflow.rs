//! The image build: which runs there are, and how far each is at a given time.
//!
//! A run appears when a push changes a `submissions.json`, and its head is the push's last commit: as on GitHub, a push
//! of several commits gives one run, under the last one's message. Its jobs are the set-up job alone until that is
//! done, and the matrix after it: whoever lists jobs too early does not see the miners (the trap of generation.md, W1).
//! How far a job is follows from the time its push was seen; nothing runs in the background.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use git2::{DiffOptions, Oid, Repository, Sort};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::clock::WorldClock;
use crate::files::{read_json, write_json};
use crate::git::{RefMove, Remote, head_of};

/// The file whose change triggers the build.
const TRIGGER: &str = "submissions.json";

/// How long the image build takes, on the world's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildTimes {
    /// The job that makes the matrix.
    pub setup: Duration,
    /// One miner's image; each takes between three and five quarters of it.
    pub build: Duration,
    /// Images built at a time.
    pub parallel: usize,
}

impl Default for BuildTimes {
    fn default() -> Self {
        Self {
            setup: Duration::from_secs(1),
            build: Duration::from_secs(3),
            parallel: 10,
        }
    }
}

/// How a build ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclusion {
    /// The image is there.
    Success,
    /// The Dockerfile did not build.
    Failure,
    /// The job ran into its time limit.
    TimedOut,
    /// Someone cancelled it.
    Cancelled,
}

impl Conclusion {
    /// The word GitHub uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How the build of a hotkey's image ends.
pub(crate) type Conclusions = Arc<dyn Fn(&str) -> Conclusion + Send + Sync>;

/// The build workflow of the state repository.
#[derive(Clone)]
pub(crate) struct Workflow {
    inner: Arc<Inner>,
}

struct Inner {
    remote: Remote,
    clock: WorldClock,
    times: BuildTimes,
    conclusions: Conclusions,
    file: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Kept {
    /// The last commit whose pushes have been looked at.
    seen: Option<String>,
    runs: Vec<Run>,
}

/// One run of the workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    pub id: u64,
    pub number: u64,
    pub head_sha: String,
    pub message: String,
    pub created_at_ms: u64,
    /// The matrix: keys of the submissions, sorted.
    pub hotkeys: Vec<String>,
}

/// One job of a run, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    pub id: u64,
    pub name: String,
    pub state: JobState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JobState {
    Queued,
    Running {
        started_at_ms: u64,
    },
    Ended {
        started_at_ms: u64,
        ended_at_ms: u64,
        conclusion: Conclusion,
    },
}

impl Workflow {
    /// The workflow whose runs are kept in `file`. A new one starts at the remote's head: older commits have no runs.
    pub(crate) fn open(
        file: PathBuf,
        remote: Remote,
        clock: WorldClock,
        times: BuildTimes,
        conclusions: Conclusions,
    ) -> anyhow::Result<Self> {
        let kept = if let Some(kept) = read_json::<Kept>(&file)? {
            kept
        } else {
            let kept = Kept {
                seen: remote.head()?,
                runs: Vec::new(),
            };
            write_json(&file, &kept)?;
            kept
        };
        Ok(Self {
            inner: Arc::new(Inner {
                remote,
                clock,
                times,
                conclusions,
                file,
                kept: Mutex::new(kept),
            }),
        })
    }

    /// Notices pushes until `stop`, first those made while the world was down.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut moves = self.inner.remote.moves();
        self.notice(None).await;
        loop {
            let moved = tokio::select! {
                () = stop.cancelled() => return,
                moved = moves.recv() => moved,
            };
            match moved {
                Ok(moved) => self.notice(Some(moved)).await,
                Err(RecvError::Lagged(_)) => self.notice(None).await,
                Err(RecvError::Closed) => return,
            }
        }
    }

    async fn notice(&self, moved: Option<RefMove>) {
        let workflow = self.clone();
        let noticed = tokio::task::spawn_blocking(move || workflow.look(moved)).await;
        if let Ok(Err(error)) = noticed {
            tracing::warn!(
                error = format!("{error:#}"),
                "the rehearsal's image builds missed a push"
            );
        }
    }

    /// Starts the runs of the pushes since the last look: up to a move of the branch, or to its tip when moves were missed.
    pub(super) fn look(&self, moved: Option<RefMove>) -> anyhow::Result<()> {
        let inner = &self.inner;
        let repository = inner.remote.repository()?;
        // The branch may be further on than the move: what came after it is another push.
        let head = match &moved {
            Some(moved) => Some(moved.after),
            None => head_of(&repository)?,
        };
        let Some(head) = head else {
            return Ok(());
        };
        let mut kept = inner.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let before = kept.seen.as_deref().map(Oid::from_str).transpose()?;
        if let Some(seen) = before
            && (seen == head || repository.graph_descendant_of(seen, head)?)
        {
            return Ok(());
        }
        let one_push = moved.is_some_and(|moved| moved.one_push && moved.before == before);
        let mut next = kept.clone();
        for (before, after) in pushes(&repository, before, head, one_push)? {
            if let Some(changed) = changed_submissions(&repository, before, after)? {
                let run = self.new_run(&repository, after, &changed, next.runs.len() as u64 + 1)?;
                tracing::debug!(
                    run = run.id,
                    commit = run.head_sha,
                    "the image build has begun"
                );
                next.runs.push(run);
            }
        }
        next.seen = Some(head.to_string());
        write_json(&inner.file, &next)?;
        *kept = next;
        Ok(())
    }

    fn new_run(
        &self,
        repository: &Repository,
        head: Oid,
        path: &str,
        number: u64,
    ) -> anyhow::Result<Run> {
        let commit = repository.find_commit(head)?;
        let entry = commit.tree()?.get_path(std::path::Path::new(path))?;
        let blob = repository.find_blob(entry.id())?;
        // A file that cannot be read gives an empty matrix, and the runs after it go on.
        let submissions: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(blob.content()).unwrap_or_default();
        let mut hotkeys: Vec<String> = submissions.keys().cloned().collect();
        hotkeys.sort_unstable();
        Ok(Run {
            // Below 2^53, so that JavaScript readers keep it whole.
            id: derived(&[head.as_bytes()]) >> 12,
            number,
            head_sha: head.to_string(),
            message: String::from_utf8_lossy(commit.message_bytes()).into_owned(),
            created_at_ms: self.inner.clock.now_ms(),
            hotkeys,
        })
    }

    /// All runs, newest first.
    pub(super) fn runs(&self) -> Vec<Run> {
        let mut runs = self
            .inner
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .runs
            .clone();
        runs.reverse();
        runs
    }

    /// The jobs of a run as they stand now.
    pub(super) fn jobs(&self, run: &Run) -> Vec<Job> {
        self.jobs_at(run, self.inner.clock.now_ms())
    }

    fn jobs_at(&self, run: &Run, now_ms: u64) -> Vec<Job> {
        let BuildTimes {
            setup,
            build,
            parallel,
        } = self.inner.times;
        let setup_ends = run.created_at_ms + setup.as_millis() as u64;
        let id = |index: u64| (run.id << 8).wrapping_add(index) & ((1 << 53) - 1);
        let set_up = job_state(run.created_at_ms, setup_ends, now_ms, Conclusion::Success);
        let mut jobs = vec![Job {
            id: id(0),
            name: "setup".to_owned(),
            state: set_up,
        }];
        if now_ms < setup_ends {
            return jobs;
        }
        let mut runners = vec![setup_ends; parallel.max(1)];
        for (index, hotkey) in run.hotkeys.iter().enumerate() {
            let quarters = 750 + derived(&[hotkey.as_bytes(), run.head_sha.as_bytes()]) % 501;
            let lasts = build.as_millis() as u64 * quarters / 1000;
            let runner = runners.iter_mut().min();
            let Some(free_at) = runner else { break };
            let (starts, ends) = (*free_at, *free_at + lasts);
            *free_at = ends;
            jobs.push(Job {
                id: id(index as u64 + 1),
                name: format!("Bake and push images to Google Cloud ({hotkey})"),
                state: job_state(starts, ends, now_ms, (self.inner.conclusions)(hotkey)),
            });
        }
        jobs
    }
}

fn job_state(
    started_at_ms: u64,
    ended_at_ms: u64,
    now_ms: u64,
    conclusion: Conclusion,
) -> JobState {
    if now_ms >= ended_at_ms {
        JobState::Ended {
            started_at_ms,
            ended_at_ms,
            conclusion,
        }
    } else if now_ms >= started_at_ms {
        JobState::Running { started_at_ms }
    } else {
        JobState::Queued
    }
}

/// The pushes that led from one commit to another: one, or one a commit when nobody knows.
fn pushes(
    repository: &Repository,
    before: Option<Oid>,
    after: Oid,
    one_push: bool,
) -> anyhow::Result<Vec<(Option<Oid>, Oid)>> {
    if one_push {
        return Ok(vec![(before, after)]);
    }
    let mut walk = repository.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)?;
    walk.push(after)?;
    if let Some(before) = before {
        walk.hide(before)?;
    }
    let mut pushes = Vec::new();
    for oid in walk {
        let oid = oid?;
        pushes.push((repository.find_commit(oid)?.parent_id(0).ok(), oid));
    }
    Ok(pushes)
}

/// The submissions file a push changed; of several the one of the highest round.
fn changed_submissions(
    repository: &Repository,
    before: Option<Oid>,
    after: Oid,
) -> anyhow::Result<Option<String>> {
    let old = before
        .map(|oid| repository.find_commit(oid).and_then(|commit| commit.tree()))
        .transpose()?;
    let new = repository.find_commit(after)?.tree()?;
    let diff =
        repository.diff_tree_to_tree(old.as_ref(), Some(&new), Some(&mut DiffOptions::new()))?;
    let mut changed: Vec<(u64, String)> = diff
        .deltas()
        .filter_map(|delta| {
            let path = delta.new_file().path()?.to_str()?.to_owned();
            let mut parts = path.rsplit('/');
            let name = parts.next()?;
            let exists = new.get_path(std::path::Path::new(&path)).is_ok();
            let round = parts
                .next()
                .and_then(|folder| folder.parse().ok())
                .unwrap_or(0);
            (name == TRIGGER && exists).then_some((round, path))
        })
        .collect();
    changed.sort();
    Ok(changed.pop().map(|(_, path)| path))
}

/// A number that follows from `parts` alone.
fn derived(parts: &[&[u8]]) -> u64 {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    let digest = hasher.finalize();
    digest
        .iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}
