//! Handler of `open_round` and `fix_rules`.

use anyhow::Context as _;
use async_trait::async_trait;
use schema::{files::Build, paths};
use sqlx::PgPool;
use workflow::{
    db,
    engine::{Handler, Outcome, StepContext},
    round::{
        judging::Judging,
        steps::{FixRules, OpenRound, OpenedRound, RoundInput},
    },
    rules::regeneration::Budget,
};

use super::state_files;

/// Reads the rules of the round. Running it twice reads twice; the first recorded answer stands.
#[derive(Clone)]
pub struct OpenRoundHandler {
    /// Our database.
    pub pool: PgPool,
    /// How matches are measured from now on.
    pub judging: Judging,
    /// What regenerations may take from now on.
    pub budget: Budget,
}

#[async_trait]
impl Handler<OpenRound> for OpenRoundHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: RoundInput,
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<OpenedRound>> {
        self.read(input).await.map(Outcome::Done)
    }
}

#[async_trait]
impl Handler<FixRules> for OpenRoundHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: RoundInput,
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<OpenedRound>> {
        self.read(input).await.map(Outcome::Done)
    }
}

impl OpenRoundHandler {
    async fn read(&self, input: RoundInput) -> anyhow::Result<OpenedRound> {
        let mut conn = self.pool.acquire().await?;
        let config: schema::files::Config = state_files::read(&mut conn, &paths::config()).await?;
        if let Some(problem) = config.problems().first() {
            anyhow::bail!("config.json: {problem}");
        }
        let schedule = state_files::read(&mut conn, &paths::schedule(input.round)).await?;
        let leaders: schema::files::Leaders =
            state_files::read(&mut conn, &paths::leader()).await?;
        let leader = leaders
            .latest()
            .context("leader.json has no entry; add the base miner as the first leader")?;
        // The image that won, wherever its tag may point by now.
        let leader_image = match db::tournament::image_digest(&mut conn, &leader.docker).await? {
            Some(digest) => Build::pinned(&leader.docker, &digest),
            None => leader.docker.clone(),
        };
        Ok(OpenedRound {
            judging: self.judging.clone(),
            budget: self.budget,
            leader_image,
            config,
            schedule,
        })
    }
}
