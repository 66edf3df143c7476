//! The committer: gathers ends of attempts and commits them in batches until the database has them.
//!
//! While one batch is on its way the next one gathers, so batches grow with the load and an idle worker's end is committed
//! at once. A batch that fails because the connection or the server failed is tried again, whole, for as long as it takes:
//! [`commit`](crate::engine::commit) makes a second try harmless.

use std::{sync::Arc, time::Duration};

use sqlx::PgPool;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::{
    db,
    engine::{
        commit::{self, Company, Ending, Verdict},
        connection::OwnConnection,
        maintenance::Nudge,
        probe::{Point, Probes},
        run,
        step::Retry,
    },
};

/// Most ends in one transaction.
const BATCH: usize = 250;
/// Transactions under way at once: one commits while the other gathers.
const LANES: usize = 2;
/// Ends that may wait; whoever has more waits with them.
const BACKLOG: usize = 4096;
/// Between tries while the database does not answer.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

type Waiting = (Ending, oneshot::Sender<Verdict>);

/// Hands ends to the batches.
#[derive(Clone)]
pub(crate) struct Committer {
    sender: mpsc::Sender<Waiting>,
}

impl Committer {
    /// Starts the lanes; they end when the last handle is gone and everything is committed.
    pub(crate) fn start(
        pool: &PgPool,
        worker: i64,
        nudge: &Nudge,
        probes: &Probes,
    ) -> (Self, tokio::task::JoinSet<()>) {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        let receiver = Arc::new(Mutex::new(receiver));
        let mut lanes = tokio::task::JoinSet::new();
        for _ in 0..LANES {
            let lane = Lane {
                connection: OwnConnection::new(pool, "commit"),
                worker,
                nudge: nudge.clone(),
                probes: probes.clone(),
            };
            lanes.spawn(lane.run(receiver.clone()));
        }
        (Self { sender }, lanes)
    }

    /// Commits an end; `None` if the worker's life ended before.
    pub(crate) async fn commit(&self, ending: Ending) -> Option<Verdict> {
        let (sender, receiver) = oneshot::channel();
        self.sender.send((ending, sender)).await.ok()?;
        receiver.await.ok()
    }
}

struct Lane {
    connection: OwnConnection,
    worker: i64,
    nudge: Nudge,
    probes: Probes,
}

impl Lane {
    async fn run(mut self, receiver: Arc<Mutex<mpsc::Receiver<Waiting>>>) {
        loop {
            let mut gathered = Vec::with_capacity(BATCH);
            if receiver.lock().await.recv_many(&mut gathered, BATCH).await == 0 {
                return;
            }
            for company in [Company::Inline, Company::Plain, Company::Any] {
                let together: Vec<Waiting> = gathered
                    .extract_if(.., |(ending, _)| ending.company() == company)
                    .collect();
                if !together.is_empty() {
                    self.commit(together).await;
                }
            }
        }
    }

    async fn commit(&mut self, together: Vec<Waiting>) {
        let (mut endings, answers): (Vec<Ending>, Vec<oneshot::Sender<Verdict>>) =
            together.into_iter().unzip();
        self.probes.reached_all(Point::BeforeCommit, &endings).await;
        let verdicts = self.commit_until_done(&mut endings).await;
        self.probes.reached_all(Point::AfterCommit, &endings).await;
        for ((ending, answer), verdict) in endings.iter().zip(answers).zip(verdicts) {
            if verdict == Verdict::Fenced {
                tracing::warn!(job.key = %ending.claim.key, job.attempt = ending.claim.attempt,
                    "the attempt had lost its claim; what it brought was not recorded");
            }
            self.nudge.after(ending);
            // Nobody waits for the verdict of a handler that was dropped.
            let _ = answer.send(verdict);
        }
    }

    async fn commit_until_done(&mut self, batch: &mut [Ending]) -> Vec<Verdict> {
        let mut wait = FIRST_WAIT;
        let mut refused = false;
        loop {
            let (worker, endings) = (self.worker, &*batch);
            match self
                .connection
                .run(async |conn| commit::commit(conn, worker, endings).await)
                .await
            {
                Ok(verdicts) if refused => return verdicts.into_iter().map(as_refused).collect(),
                Ok(verdicts) => return verdicts,
                Err(error) if db::is_transient(&error) => {
                    tracing::warn!(error = %error, "the database did not take a batch of results; it is tried again");
                }
                Err(error) => match batch {
                    [only] => {
                        give_up_result(only, &error);
                        refused = true;
                    }
                    _ => {
                        // One of them is to blame: alone, it fails alone.
                        let mut verdicts = Vec::with_capacity(batch.len());
                        for ending in batch.chunks_mut(1) {
                            verdicts.extend(Box::pin(self.commit_until_done(ending)).await);
                        }
                        return verdicts;
                    }
                },
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }
}

fn as_refused(verdict: Verdict) -> Verdict {
    if verdict == Verdict::Applied {
        Verdict::Refused
    } else {
        verdict
    }
}

/// A result that the database refuses is a failure of ours.
fn give_up_result(ending: &mut Ending, error: &sqlx::Error) {
    tracing::error!(job.key = %ending.claim.key, error = %error, "the database refuses the result of an attempt");
    let error = anyhow::anyhow!("the result could not be recorded: {error}");
    let (failures, most) = match &ending.inline {
        Some(job) => (0, job.max_failures),
        None => (ending.claim.failures, ending.claim.max_failures),
    };
    ending.end = run::failure(error, failures, most, Retry::DEFAULT, false);
}
