//! Handler of `declare`.

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use schema::{
    CommitSha, Hotkey, RoundNumber, Side,
    files::{Leaders, Winner},
    paths,
};
use sqlx::{PgConnection, PgPool};
use workflow::{
    db,
    engine::{Handler, Outcome, StepContext},
    round::steps::{Declare, DeclareInput},
    rules::winner::winner_file,
};

use super::state_files;

/// Writes down the winner's code and image. Only reads, so running it twice is safe.
pub struct DeclareHandler {
    /// Our database.
    pub pool: PgPool,
}

#[async_trait]
impl Handler<Declare> for DeclareHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: DeclareInput,
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<Winner>> {
        let mut conn = self.pool.acquire().await?;
        let winner = match &input.champion {
            Side::Leader => {
                let leaders: Leaders = state_files::read(&mut conn, &paths::leader()).await?;
                winner_file(&Side::Leader, &schema::files::Builds::default(), &leaders)?
            }
            Side::Miner(hotkey) => miner(&mut conn, input.round, hotkey).await?,
        };
        Ok(Outcome::Done(winner))
    }
}

async fn miner(
    conn: &mut PgConnection,
    round: RoundNumber,
    hotkey: &Hotkey,
) -> anyhow::Result<Winner> {
    let (repo, commit) = db::tournament::submitted_code(conn, round, hotkey)
        .await?
        .with_context(|| format!("the champion {hotkey} has no submission in round {round}"))?;
    let Some((_, Some(docker_image))) = db::tournament::build_image(conn, round, hotkey).await?
    else {
        bail!(
            "the champion {hotkey} has no image in round {round}; repair its build and retry the step"
        );
    };
    Ok(Winner {
        winner_hotkey: Side::Miner(hotkey.clone()),
        repo,
        commit: CommitSha::new(commit),
        docker_image,
    })
}
