//! Maintenance: due work becomes available, dead workers' work goes to others. Every worker does it; nobody waits for it.

use std::time::Duration;

use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    db,
    engine::{
        commit::{End, Ending},
        connection::OwnConnection,
    },
};

/// How often due work is looked for when nothing is known to become due sooner.
const PROMOTE_EVERY: Duration = Duration::from_secs(5);
/// How often expired leases are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// Between tries while the database does not answer.
const AFTER_FAILURE: Duration = Duration::from_millis(500);

/// Tells maintenance when something will become due.
#[derive(Clone)]
pub(crate) struct Nudge(mpsc::UnboundedSender<Duration>);

impl Nudge {
    pub(crate) fn channel() -> (Self, mpsc::UnboundedReceiver<Duration>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    pub(crate) fn after(&self, ending: &Ending) {
        let starts = match &ending.end {
            End::Suspended { starts, .. } => starts.as_slice(),
            End::Completed { effects, .. } => effects.starts.as_slice(),
            _ => &[],
        };
        let due = match &ending.end {
            End::Snoozed(wait) | End::Errored { wait, .. } | End::Declined { wait, .. } => *wait,
            // The database says when, by its own clock.
            _ if starts.iter().any(|job| job.run_at.is_some()) => Duration::ZERO,
            _ => return,
        };
        // Only a stopping worker has no listener.
        let _ = self.0.send(due);
    }
}

pub(crate) async fn run(
    mut connection: OwnConnection,
    mut nudges: mpsc::UnboundedReceiver<Duration>,
    stop: CancellationToken,
) {
    let mut next_promote = Instant::now();
    let mut next_sweep = Instant::now();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(due) = nudges.recv() => next_promote = next_promote.min(Instant::now() + due),
            () = tokio::time::sleep_until(next_promote) => next_promote = Instant::now() + promote(&mut connection).await,
            () = tokio::time::sleep_until(next_sweep) => {
                sweep(&mut connection).await;
                next_sweep = Instant::now() + SWEEP_EVERY;
            }
        }
    }
}

/// Answers when to look again.
async fn promote(connection: &mut OwnConnection) -> Duration {
    match connection
        .run(async |conn| db::event::promote(conn).await)
        .await
    {
        Ok(promoted) if promoted.jobs >= db::event::PROMOTED_AT_ONCE => Duration::ZERO,
        // A millisecond late is on time; early is a wasted look.
        Ok(promoted) => promoted.next_seconds.map_or(PROMOTE_EVERY, |seconds| {
            Duration::from_secs_f64(seconds.clamp(0.0, PROMOTE_EVERY.as_secs_f64()))
                + Duration::from_millis(1)
        }),
        Err(error) => {
            tracing::debug!(error = %error, "cannot look for due work now");
            AFTER_FAILURE
        }
    }
}

async fn sweep(connection: &mut OwnConnection) {
    match connection
        .run(async |conn| db::worker::sweep(conn).await)
        .await
    {
        Ok(lost) if !lost.is_empty() => {
            tracing::warn!(workers = ?lost, "workers stopped answering; their work goes to others")
        }
        Ok(_) => {}
        Err(error) => tracing::debug!(error = %error, "cannot look for expired leases now"),
    }
}
