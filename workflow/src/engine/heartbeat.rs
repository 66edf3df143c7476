//! The heartbeat: renews the worker's lease from a thread of its own, so that handlers which block or saturate the runtime
//! cannot cost the lease. The lease lives as long as the process does.

use std::time::Duration;

use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::db;

/// Runs until `stop`; cancels `lost` if the database has given the worker's work to others.
pub(crate) fn start(
    options: PgConnectOptions,
    worker: i64,
    lease: Duration,
    stop: CancellationToken,
    lost: CancellationToken,
) -> std::io::Result<oneshot::Receiver<()>> {
    let (ended, ending) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name(format!("heartbeat-{worker}"))
        .spawn(move || {
            runtime.block_on(beat(&options, worker, lease, &stop, &lost));
            // The worker may have stopped listening.
            let _ = ended.send(());
        })?;
    Ok(ending)
}

async fn beat(
    options: &PgConnectOptions,
    worker: i64,
    lease: Duration,
    stop: &CancellationToken,
    lost: &CancellationToken,
) {
    let every = lease / 3;
    let mut connection: Option<PgConnection> = None;
    loop {
        let wait = match tokio::time::timeout(every, renew(options, &mut connection, worker, lease))
            .await
        {
            Ok(Ok(true)) => every,
            Ok(Ok(false)) => {
                lost.cancel();
                return;
            }
            failed => {
                // A connection in an unknown state is not used again.
                connection = None;
                tracing::warn!(worker.id = worker, error = ?failed.map(|result| result.map_err(|error| error.to_string())),
                    "the heartbeat did not reach the database");
                Duration::from_millis(500)
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

async fn renew(
    options: &PgConnectOptions,
    connection: &mut Option<PgConnection>,
    worker: i64,
    lease: Duration,
) -> sqlx::Result<bool> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(options.connect().await?),
    };
    db::worker::heartbeat(connection, worker, lease.as_secs_f64()).await
}
