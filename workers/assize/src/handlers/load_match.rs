//! Handler of `load_match`.

use anyhow::ensure;
use async_trait::async_trait;
use sqlx::{Acquire as _, PgPool};
use workflow::{
    db,
    engine::{Handler, Outcome, StepContext},
    round::{
        judge::{Bound, Judge},
        steps::{LoadMatch, LoadMatchInput, LoadedMatch, PairedEntry},
    },
};

/// Reads the entries of both sides in one snapshot. Only reads, so running it twice is safe; the first recorded answer binds
/// the match to the pictures and the judge it was made with.
pub struct LoadMatchHandler {
    /// Our database.
    pub pool: PgPool,
    /// Who judges new matches.
    pub judge: Judge,
}

#[async_trait]
impl Handler<LoadMatch> for LoadMatchHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: LoadMatchInput,
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<LoadedMatch>> {
        ensure!(!input.prompts.is_empty(), "the round has no prompts");
        let mut conn = self.pool.acquire().await?;
        let mut snapshot = conn.begin().await?;
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .execute(&mut *snapshot)
            .await?;
        let (round, left, right) = (input.round, &input.left, &input.right);
        let mut lefts = db::tournament::side_entries(&mut snapshot, round, &left.0, left.1).await?;
        let mut rights =
            db::tournament::side_entries(&mut snapshot, round, &right.0, right.1).await?;
        let shown_sha256 = db::tournament::shown(&mut snapshot, round)
            .await?
            .of(left, right);

        let bounds: Vec<Bound> = input
            .prompts
            .into_iter()
            .map(|prompt| Bound {
                left: lefts.remove(prompt.stem.as_str()).unwrap_or_default(),
                right: rights.remove(prompt.stem.as_str()).unwrap_or_default(),
                prompt,
                seed: input.seed,
                run: input.run,
                judgement: input.judgement,
                judge: self.judge.clone(),
            })
            .collect();
        let bindings: Vec<String> = bounds.iter().map(Bound::binding).collect();
        let mut judged =
            db::tournament::judged_duels(&mut snapshot, &input.pairing, &bindings).await?;
        let pairs = bounds
            .into_iter()
            .zip(bindings)
            .map(|(bound, binding)| PairedEntry {
                bound,
                judged: judged.remove(&binding),
            });
        Ok(Outcome::Done(LoadedMatch {
            shown_sha256,
            pairs: pairs.collect(),
        }))
    }
}
