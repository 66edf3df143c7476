//! Handler of `renew-pods`.

use anyhow::bail;
use async_trait::async_trait;
use sqlx::PgPool;
use workflow::{
    db,
    engine::{Handler, Outcome, StepContext},
    round::steps::{RenewPods, RenewPodsInput},
};

/// Fails once, so that the step is parked, then ends: it is tried again only by an operator. Safe to run twice: a run that
/// was lost with its worker has not failed.
pub struct RenewPodsHandler {
    /// Our database.
    pub pool: PgPool,
}

#[async_trait]
impl Handler<RenewPods> for RenewPodsHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: RenewPodsInput,
        context: &StepContext,
    ) -> anyhow::Result<Outcome<()>> {
        let mut conn = self.pool.acquire().await?;
        if db::attempt::failures(&mut conn, &context.key).await? == 0 {
            bail!(
                "the leader's pods 0 to {} were used up before its baseline was complete; look why, then retry this step for \
                 another set",
                input.used_up.saturating_sub(1)
            );
        }
        Ok(Outcome::Done(()))
    }
}
