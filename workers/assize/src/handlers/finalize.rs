//! Handler of `finalize`.

use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use schema::{
    files::{Config, Leaders},
    paths,
};
use sqlx::PgPool;
use workflow::{
    engine::{Handler, Outcome, StepContext, clock},
    round::steps::{Finalize, FinalizeInput, Finalized},
    rules::{leader::leader_transition, schedule::next_round},
};

use super::state_files;
use crate::clients::chain::Chain;

/// Computes what follows the round. Only reads; of two runs the recorded one counts.
pub struct FinalizeHandler {
    /// Our database.
    pub pool: PgPool,
    /// The chain.
    pub chain: Arc<dyn Chain>,
}

#[async_trait]
impl Handler<Finalize> for FinalizeHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: FinalizeInput,
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<Finalized>> {
        let mut conn = self.pool.acquire().await?;
        let config: Config = state_files::read(&mut conn, &paths::config()).await?;
        let mut leaders: Leaders = state_files::read(&mut conn, &paths::leader()).await?;
        let head = self
            .chain
            .head()
            .await
            .context("the chain's head was not read")?
            .block;
        let now = clock::now(&mut conn).await?;

        let next = next_round(&config, now, head, Some(&input.schedule), None)?;
        let transition = leader_transition(
            &leaders,
            &input.winner,
            next.start_block,
            config.weight_decay,
            config.weight_floor,
        )?;
        let appended = transition.entry().cloned();
        leaders.0.extend(appended.clone());
        Ok(Outcome::Done(Finalized {
            config,
            leaders,
            appended,
            start: next.start,
            next: next.schedule,
        }))
    }
}
