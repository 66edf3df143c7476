//! Handler of `seed`.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use schema::{files::Prompts, paths};
use sqlx::PgPool;
use workflow::{
    db,
    engine::{Handler, Outcome, StepContext, clock},
    round::steps::{SeedInput, SeedRound, Seeded},
    rules::{
        prompts::{PromptDraw, colliding_stems, draw_prompts, read_prompts},
        schedule::time_of_block,
        seed::SeedProof,
    },
};

use super::state_files;
use crate::clients::chain::{BlockHash, Chain};

/// Derives the seed from a block hash and draws the prompts: every run draws the same.
pub struct SeedHandler {
    /// Our database.
    pub pool: PgPool,
    /// The chain, for the time left.
    pub chain: Arc<dyn Chain>,
}

#[async_trait]
impl Handler<SeedRound> for SeedHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: SeedInput,
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<Seeded>> {
        let hash: BlockHash = input
            .collected
            .block_hash
            .parse()
            .context("the recorded block hash cannot be read")?;
        let proof = SeedProof::derive(
            input.collected.block,
            hash.0,
            input.round,
            &input.config.name,
        );

        let mut conn = self.pool.acquire().await?;
        let pool = db::state_file::read(&mut conn, &paths::prompt_pool())
            .await?
            .context("prompts.txt is not in the state repository; add the pool of prompts and retry the step")?;
        let pool = read_prompts(&String::from_utf8_lossy(&pool));
        let previous: Option<Prompts> = match input.round.previous() {
            Some(previous) => state_files::find(&mut conn, &paths::prompts(previous)).await?,
            None => None,
        };
        let prompts = draw_prompts(PromptDraw {
            seed: proof.seed,
            round: input.round,
            pool: &pool,
            previous: previous.as_ref().map(|prompts| prompts.0.as_slice()),
            prompts_per_round: input.config.prompts_per_round as usize,
            carryover_prompts: input.config.carryover_prompts as usize,
        })?;
        ensure!(
            !prompts.is_empty(),
            "no prompt could be drawn: prompts.txt is empty"
        );
        let colliding = colliding_stems(&prompts);
        ensure!(
            colliding.is_empty(),
            "prompts share the file name {}; rename one in prompts.txt",
            colliding[0]
        );

        let head = self
            .chain
            .head()
            .await
            .context("the chain's head was not read")?;
        let now = clock::now(&mut conn).await?;
        let deadline_eta = time_of_block(now, head.block, input.schedule.generation_deadline_block)
            .context("the generation deadline lies outside the calendar")?;
        Ok(Outcome::Done(Seeded {
            proof,
            prompts,
            deadline_eta,
        }))
    }
}
