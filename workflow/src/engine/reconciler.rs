//! Reconcilers: flows without a memory of their own.
//!
//! A loop that looks at the world (the tournament) would pile up one recorded observation after the other. A reconciler
//! observes afresh on every pass, decides by a pure function what is missing, starts it, and sleeps until one of its
//! children ends or somebody wakes it. Starting what was started before does nothing, because keys come from inputs.

use async_trait::async_trait;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::PgConnection;

use crate::engine::{effects::Effects, flow::NewJob};

/// Observe, derive, start what is missing.
#[async_trait]
pub trait Reconciler: Send + Sync + 'static {
    /// The stored name.
    const NAME: &'static str;
    /// What it looks after.
    type Input: Serialize + DeserializeOwned + Send + Sync + Clone;
    /// What it ends with.
    type Output: Serialize + DeserializeOwned + Send + Sync + Clone;
    /// What it sees of the world, read in one snapshot.
    type Observation: Send;

    /// Identifies it for ever.
    fn key(input: &Self::Input) -> String;

    /// The competition round it belongs to.
    fn round(_input: &Self::Input) -> Option<u32> {
        None
    }

    /// Reads what the decision needs, in a read-only snapshot.
    ///
    /// # Errors
    ///
    /// Our failure: the pass backs off and is tried again.
    async fn observe(
        conn: &mut PgConnection,
        input: &Self::Input,
    ) -> anyhow::Result<Self::Observation>;

    /// Decides; a pure function.
    ///
    /// # Errors
    ///
    /// When the observation is impossible: the pass backs off, then is parked.
    fn decide(
        input: &Self::Input,
        observation: Self::Observation,
    ) -> anyhow::Result<Decision<Self::Output>>;
}

/// What one pass of a reconciler wants.
#[derive(Debug)]
pub struct Decision<Output> {
    /// Work that should exist; what exists already is left alone.
    pub starts: Vec<NewJob>,
    /// Keys of unfinished children that nobody needs any more: cancelled, with this reason.
    pub moot: Vec<(String, String)>,
    /// Rows, files and events that commit together with the pass.
    pub effects: Effects,
    /// The result, when all is done.
    pub end: Option<Output>,
}

impl<Output> Default for Decision<Output> {
    fn default() -> Self {
        Self {
            starts: Vec::new(),
            moot: Vec::new(),
            effects: Effects::default(),
            end: None,
        }
    }
}
