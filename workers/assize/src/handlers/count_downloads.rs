//! Handler of `count_downloads`.

use async_trait::async_trait;
use sqlx::PgPool;
use workflow::{
    db,
    engine::{Handler, Outcome, StepContext},
    round::{
        notices::Downloads,
        steps::{CountDownloads, CountDownloadsInput},
    },
};

/// Asks the database. Only reads, so running it twice is safe.
pub struct CountDownloadsHandler {
    /// Our database.
    pub pool: PgPool,
}

#[async_trait]
impl Handler<CountDownloads> for CountDownloadsHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: CountDownloadsInput,
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<Downloads>> {
        let mut conn = self.pool.acquire().await?;
        Ok(Outcome::Done(
            db::entry::downloads(&mut conn, input.round).await?,
        ))
    }
}
