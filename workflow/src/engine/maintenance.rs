//! Maintenance: due work becomes available, dead workers' work goes to others. Every worker does it; nobody waits for it.

use std::time::Duration;

use sqlx::PgPool;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    db,
    engine::commit::{End, Ending},
};

/// How often due work is looked for when nothing is known to become due sooner.
const PROMOTE_EVERY: Duration = Duration::from_secs(5);
/// How often expired leases are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// Tells maintenance when something will become due.
#[derive(Clone)]
pub(crate) struct Nudge(mpsc::UnboundedSender<Duration>);

impl Nudge {
    pub(crate) fn channel() -> (Self, mpsc::UnboundedReceiver<Duration>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    pub(crate) fn after(&self, ending: &Ending) {
        let due = match &ending.end {
            End::Snoozed(wait) | End::Errored { wait, .. } => Some(*wait),
            End::Suspended { starts, .. } if starts.iter().any(|job| job.run_at.is_some()) => Some(Duration::ZERO),
            _ => None,
        };
        if let Some(due) = due {
            // Only a stopping worker has no listener.
            let _ = self.0.send(due);
        }
    }
}

pub(crate) async fn run(pool: PgPool, mut nudges: mpsc::UnboundedReceiver<Duration>, stop: CancellationToken) {
    let mut next_promote = Instant::now();
    let mut next_sweep = Instant::now();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(due) = nudges.recv() => next_promote = next_promote.min(Instant::now() + due),
            () = tokio::time::sleep_until(next_promote) => {
                let next = promote(&pool).await;
                // A millisecond late is on time; early is a wasted look.
                next_promote = Instant::now() + next.map_or(PROMOTE_EVERY, |next| (next + Duration::from_millis(1)).min(PROMOTE_EVERY));
            }
            () = tokio::time::sleep_until(next_sweep) => {
                sweep(&pool).await;
                next_sweep = Instant::now() + SWEEP_EVERY;
            }
        }
    }
}

async fn promote(pool: &PgPool) -> Option<Duration> {
    match promote_once(pool).await {
        Ok(promoted) => promoted.next_seconds.map(|seconds| Duration::from_secs_f64(seconds.clamp(0.0, 3600.0))),
        Err(error) => {
            tracing::debug!(error = %error, "cannot look for due work now");
            Some(Duration::from_millis(500))
        }
    }
}

async fn promote_once(pool: &PgPool) -> sqlx::Result<db::event::Promoted> {
    let mut transaction = pool.begin().await?;
    let promoted = db::event::promote(&mut transaction).await?;
    transaction.commit().await?;
    Ok(promoted)
}

async fn sweep(pool: &PgPool) {
    match sweep_once(pool).await {
        Ok(swept) if !swept.lost_workers.is_empty() => {
            tracing::warn!(workers = ?swept.lost_workers, "workers stopped answering; their work goes to others");
        }
        Ok(_) => {}
        Err(error) => tracing::debug!(error = %error, "cannot look for expired leases now"),
    }
}

async fn sweep_once(pool: &PgPool) -> sqlx::Result<db::worker::Swept> {
    let mut transaction = pool.begin().await?;
    let swept = db::worker::sweep(&mut transaction).await?;
    transaction.commit().await?;
    Ok(swept)
}
