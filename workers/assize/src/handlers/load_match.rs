//! Handler of `load_match`.

use anyhow::ensure;
use async_trait::async_trait;
use sqlx::PgPool;
use workflow::{
    db,
    engine::{Handler, Outcome, StepContext},
    round::steps::{LoadMatch, LoadMatchInput, PairedEntry},
};

/// Reads the entries of both sides. Only reads, so running it twice is safe; the first recorded answer binds the match to
/// the pictures it was made from.
pub struct LoadMatchHandler {
    /// Our database.
    pub pool: PgPool,
}

#[async_trait]
impl Handler<LoadMatch> for LoadMatchHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: LoadMatchInput,
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<Vec<PairedEntry>>> {
        let mut conn = self.pool.acquire().await?;
        let mut left =
            db::tournament::side_entries(&mut conn, input.round, &input.left.0, input.left.1)
                .await?;
        let mut right =
            db::tournament::side_entries(&mut conn, input.round, &input.right.0, input.right.1)
                .await?;
        ensure!(!input.prompts.is_empty(), "the round has no prompts");
        let pairs = input.prompts.into_iter().map(|prompt| PairedEntry {
            left: left.remove(prompt.stem.as_str()).unwrap_or_default(),
            right: right.remove(prompt.stem.as_str()).unwrap_or_default(),
            prompt,
        });
        Ok(Outcome::Done(pairs.collect()))
    }
}
