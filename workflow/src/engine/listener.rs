//! The listener: turns notifications of the database into wake-ups of this worker.

use std::{collections::HashMap, sync::Arc, time::Duration};

use sqlx::{PgPool, postgres::PgListener};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{db, engine::dispatcher::Running};

/// Which queues may have work: a queue whose `told` differs from what the last empty claim had seen is worth a look.
#[derive(Default)]
pub(crate) struct Hints {
    told: std::sync::Mutex<HashMap<String, u64>>,
    pub(crate) changed: Notify,
}

impl Hints {
    pub(crate) fn new(queues: impl IntoIterator<Item = String>) -> Arc<Self> {
        let told = queues.into_iter().map(|queue| (queue, 1)).collect();
        Arc::new(Self { told: std::sync::Mutex::new(told), changed: Notify::new() })
    }

    /// Work may have come to these queues.
    fn tell<'a>(&self, queues: impl IntoIterator<Item = &'a str>) {
        let mut told = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for queue in queues {
            if let Some(count) = told.get_mut(queue) {
                *count += 1;
            }
        }
        drop(told);
        self.changed.notify_one();
    }

    /// Notifications may have been missed.
    pub(crate) fn tell_all(&self) {
        let mut told = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        told.values_mut().for_each(|count| *count += 1);
        drop(told);
        self.changed.notify_one();
    }

    pub(crate) fn snapshot(&self) -> HashMap<String, u64> {
        self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

pub(crate) async fn run(pool: PgPool, hints: Arc<Hints>, running: Running, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            ended = listen(&pool, &hints, &running) => {
                if let Err(error) = ended {
                    tracing::warn!(error = %error, "cannot listen for work; looking for it now and then instead");
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(Duration::from_millis(500)) => hints.tell_all(),
        }
    }
}

async fn listen(pool: &PgPool, hints: &Hints, running: &Running) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen_all([db::JOB_CHANNEL, db::CANCEL_CHANNEL]).await?;
    hints.tell_all();
    loop {
        match listener.try_recv().await? {
            Some(notice) if notice.channel() == db::JOB_CHANNEL => hints.tell(notice.payload().split(',')),
            Some(notice) => {
                if let Ok(job) = notice.payload().parse() {
                    running.cancel(job);
                }
            }
            // The connection was lost and is made anew: what was said meanwhile is unknown.
            None => hints.tell_all(),
        }
    }
}
