//! The listener: turns notifications of the database into wake-ups of this worker.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sqlx::{PgPool, postgres::PgListener};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{db, engine::running::Running};

/// How often a silent connection is asked whether it is still one.
const ASK_AFTER: Duration = Duration::from_secs(30);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Which queues may have work: a queue whose `told` differs from what the last empty claim had seen is worth a look.
#[derive(Default)]
pub(crate) struct Hints {
    state: Mutex<Told>,
    pub(crate) changed: Notify,
}

#[derive(Default)]
struct Told {
    queues: HashMap<String, u64>,
    /// How often limits may have changed.
    limits: u64,
}

impl Hints {
    pub(crate) fn new(queues: impl IntoIterator<Item = String>) -> Arc<Self> {
        let queues = queues.into_iter().map(|queue| (queue, 1)).collect();
        Arc::new(Self {
            state: Mutex::new(Told { queues, limits: 1 }),
            changed: Notify::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Work may have come to these queues; `*` stands for a change of limits.
    pub(crate) fn tell<'a>(&self, queues: impl IntoIterator<Item = &'a str>) {
        let mut told = self.lock();
        for queue in queues {
            if queue == "*" {
                told.limits += 1;
                told.queues.values_mut().for_each(|count| *count += 1);
            } else if let Some(count) = told.queues.get_mut(queue) {
                *count += 1;
            }
        }
        drop(told);
        self.changed.notify_one();
    }

    /// Notifications may have been missed.
    pub(crate) fn tell_all(&self) {
        self.tell(["*"]);
    }

    /// What has been said of the queues, and of limits, until now.
    pub(crate) fn snapshot(&self) -> (HashMap<String, u64>, u64) {
        let told = self.lock();
        (told.queues.clone(), told.limits)
    }
}

pub(crate) async fn run(
    pool: PgPool,
    hints: Arc<Hints>,
    running: Running,
    stop: CancellationToken,
) {
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
    listener
        .listen_all([db::JOB_CHANNEL, db::CANCEL_CHANNEL])
        .await?;
    hints.tell_all();
    loop {
        let Ok(notice) = tokio::time::timeout(ASK_AFTER, listener.try_recv()).await else {
            let asked = tokio::time::timeout(
                ANSWER_WITHIN,
                sqlx::query("SELECT 1").execute(&mut listener),
            )
            .await;
            asked.map_err(|_| {
                sqlx::Error::Protocol("the listening connection is silent".to_owned())
            })??;
            continue;
        };
        match notice? {
            Some(notice) if notice.channel() == db::JOB_CHANNEL => {
                hints.tell(notice.payload().split(','))
            }
            Some(notice) => {
                let fenced = notice
                    .payload()
                    .split_once(':')
                    .map(|(job, attempt)| (job.parse(), attempt.parse()));
                if let Some((Ok(job), Ok(attempt))) = fenced {
                    running.cancel(job, attempt);
                }
            }
            // The connection was lost and is made anew: what was said meanwhile is unknown.
            None => hints.tell_all(),
        }
    }
}
