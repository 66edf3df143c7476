//! Points at which tests let a worker die. Without a probe they cost nothing.

use std::sync::Arc;

use async_trait::async_trait;

use crate::engine::commit::Ending;

/// A moment in the life of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Point {
    /// The step is claimed, its handler has not begun.
    BeforeHandler,
    /// The handler has answered, nobody knows yet.
    AfterHandler,
    /// The end is about to be committed.
    BeforeCommit,
    /// The end is committed, the worker has not been told.
    AfterCommit,
}

/// Is told of every moment. A worker that should die there is one whose call never returns.
#[async_trait]
pub trait Probe: Send + Sync + 'static {
    /// The attempt of the job with this key has reached `point`.
    async fn reached(&self, point: Point, key: &str);
}

#[derive(Clone, Default)]
pub(crate) struct Probes(pub(crate) Option<Arc<dyn Probe>>);

impl Probes {
    pub(crate) async fn reached(&self, point: Point, key: &str) {
        if let Some(probe) = &self.0 {
            probe.reached(point, key).await;
        }
    }

    pub(crate) async fn reached_all(&self, point: Point, endings: &[Ending]) {
        if let Some(probe) = &self.0 {
            for ending in endings {
                probe
                    .reached(
                        point,
                        ending
                            .inline
                            .as_ref()
                            .map_or(&ending.claim.key, |job| &job.key),
                    )
                    .await;
            }
        }
    }
}
