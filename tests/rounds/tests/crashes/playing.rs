//! A run of the round's flows with one worker that does not die, for tests of what it records.

use std::time::Duration;

use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use workflow::{
    engine::{Registry, Worker, WorkerOptions},
    testing::Scenario as _,
};

use crate::scenario::Run;

/// A run and its worker.
pub struct Playing {
    run: Run,
    pub pool: PgPool,
    stop: CancellationToken,
    worker: JoinHandle<()>,
}

impl Playing {
    pub async fn start(pool: &PgPool, run: Run) -> Self {
        Self::start_with(pool, run, |registry| registry).await
    }

    /// The same with other handlers for some steps.
    pub async fn start_with(
        pool: &PgPool,
        run: Run,
        change: impl FnOnce(Registry) -> Registry,
    ) -> Self {
        run.begin(pool).await.unwrap();
        let registry = change(run.registry(pool));
        let options = WorkerOptions::new("playing", run.slots());
        let worker = Worker::new(pool.clone(), registry, options);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let worker = tokio::spawn(async move { worker.run(stopped).await.unwrap() });
        Self {
            run,
            pool: pool.clone(),
            stop,
            worker,
        }
    }

    /// Drives the world until a query of the database says yes.
    pub async fn until(&self, holds: &'static str) {
        let waiting = async {
            while !sqlx::query_scalar::<_, bool>(holds)
                .fetch_one(&self.pool)
                .await
                .unwrap()
            {
                self.run.drive(&self.pool).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(120), waiting)
            .await
            .unwrap_or_else(|_| panic!("never: {holds}"));
    }

    pub async fn done(self) {
        self.stop.cancel();
        self.worker.await.unwrap();
    }
}
