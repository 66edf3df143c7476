//! Handler of `note_time`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use workflow::{
    engine::{Handler, Outcome, StepContext, clock},
    round::steps::{NoteTime, NoteTimeInput},
};

/// Asks the database for its time. Of two runs the recorded one counts.
pub struct NoteTimeHandler {
    /// Our database.
    pub pool: PgPool,
}

#[async_trait]
impl Handler<NoteTime> for NoteTimeHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        _input: NoteTimeInput,
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<DateTime<Utc>>> {
        let mut conn = self.pool.acquire().await?;
        Ok(Outcome::Done(clock::now(&mut conn).await?))
    }
}
