//! What tests of flows need: a harness that lets workers die at every moment that matters and compares what is recorded.
//!
//! A run of a [`Scenario`] without any crash is the yardstick. Then each job is crashed once at each [`Point`] of its life, in
//! a run of its own: the worker is gone with everything it had under way, as by SIGKILL; its lease ends; the next one takes
//! over. A crash after the handler makes the handler run twice. Every run must end with the same rows and the same outbox.

mod crash;
mod snapshot;

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use serde_json::Value;
use sqlx::PgPool;

use crate::engine::Registry;
pub use crate::engine::probe::{Point, Probe};
pub use crash::{
    Coverage, CrashReport, crash_each_job, crash_every_job_in_one_run, crash_one_job_of_each_kind,
};
pub use snapshot::{Snapshot, forget_everything, take};

/// What a crash test runs.
#[async_trait]
pub trait Scenario: Send + Sync {
    /// Begins a run: the outside world is as new.
    async fn begin(&self, pool: &PgPool) -> anyhow::Result<()>;

    /// The handlers of one worker's life. What they talk to lives as long as the run.
    fn registry(&self, pool: &PgPool) -> Registry;

    /// Queues the worker serves, with slots.
    fn slots(&self) -> HashMap<String, usize>;

    /// Called over and over while a run goes on: what the world outside does by itself (events, blocks, people).
    async fn drive(&self, _pool: &PgPool) -> anyhow::Result<()> {
        Ok(())
    }

    /// Whether a run is over: by default when every flow has ended.
    async fn is_over(&self, pool: &PgPool) -> anyhow::Result<bool> {
        let open = "SELECT EXISTS (SELECT FROM job WHERE kind = 'flow') AND NOT EXISTS (SELECT FROM job WHERE finished_at IS NULL)";
        Ok(sqlx::query_scalar(open).fetch_one(pool).await?)
    }

    /// Called when a run is over: what must hold of the world outside, and of the database beside equal rows.
    async fn check(&self, _pool: &PgPool) -> anyhow::Result<()> {
        Ok(())
    }

    /// What a job is one of: jobs of one kind are alike, so that it is enough to crash one. By default its step or flow.
    fn kind(&self, name: &str, _key: &str) -> String {
        name.to_owned()
    }

    /// Removes from a row what may differ between two runs (moments in outputs).
    fn normalize(&self, _table: &str, _row: &mut Value) {}

    /// Removes from the rows of a table, each of them normalized, what may differ between two runs.
    fn settle(&self, _table: &str, _rows: &mut Vec<Value>) {}

    /// How long one run may take.
    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
}
