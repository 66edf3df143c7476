//! A round in which the strongest miner falls by an audit. The rest of its regeneration and what else is judged with it are
//! cancelled wherever they stand, so rows and files about that differ from run to run. What may not differ: who wins, the
//! verdicts with their reasons, everything that is public about the others and about how it fell. Nothing is recorded twice,
//! and nothing stays rented.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::ensure;
use async_trait::async_trait;
use schema::{LeftSide, Side, StateFile as _, files::GenerationAudits, paths};
use serde_json::Value;
use sqlx::PgPool;
use workflow::{
    db,
    engine::{NewJob, Registry},
    round::{
        flows::{Round, tournament_key},
        steps::RoundInput,
    },
    testing::Scenario,
};

use crate::{
    scenario::{ROUND, Run},
    world::Miner,
};

/// The round.
pub struct Fallen {
    run: Run,
    /// Submitted what its code does not make.
    cheat: Miner,
    honest: Miner,
}

impl Fallen {
    pub fn new() -> Self {
        let miner = |name, strength: [i32; 3]| Miner {
            name,
            strength: strength.to_vec(),
            ..Miner::default()
        };
        let (cheat, honest) = (miner("Cheat", [9, 0, 0]), miner("Honest", [5, 5, 5]));
        let start = NewJob::flow::<Round>(&RoundInput { round: ROUND }).unwrap();
        Self {
            run: Run::new(vec![cheat.clone(), honest.clone()], vec![start]),
            cheat,
            honest,
        }
    }

    fn is_about_the_cheat(&self, row: &Value) -> bool {
        let short = self.cheat.hotkey().short().to_lowercase();
        row.to_string().to_lowercase().contains(&short)
    }

    /// What is about the cheat and the same in every run: what it submitted, how it beat the leader, how it fell.
    fn is_certain(&self, table: &str, row: &Value) -> bool {
        let hotkey = self.cheat.hotkey();
        let text = |column: &str| row[column].as_str().unwrap_or_default();
        let (beat, fell) = (
            format!("round/{ROUND}/match/leader/{hotkey}"),
            format!("round/{ROUND}/compare/submitted_1/{hotkey}"),
        );
        let files = [
            paths::submissions(ROUND),
            paths::builds(ROUND),
            paths::submitted(ROUND, &hotkey),
            paths::duels_report(ROUND, &Side::Leader, &hotkey),
            paths::audit_report(ROUND, &LeftSide::Submitted, &hotkey, 1),
            paths::require_audit(ROUND),
            paths::generation_audits(ROUND),
        ];
        let is_certain_side = |left: &str| left == "leader" || left == "submitted_1";
        match table {
            "job" => {
                let key = text("key");
                let whole = [format!("round/{ROUND}"), tournament_key(ROUND)];
                key.starts_with(&beat) || key.starts_with(&fell) || whole.iter().any(|of| of == key)
            }
            "state_file" => files.iter().any(|path| path == text("path")),
            "mirror_file" => {
                let said: Value = serde_json::from_str(text("content")).unwrap_or_default();
                let left = said["left"].as_str().unwrap_or_default();
                files.iter().any(|path| path == text("path"))
                    || text("step").starts_with(&beat)
                    || text("step").starts_with(&fell)
                    || is_certain_side(left)
                    || said["kind"] == "verdict"
            }
            "match_result" | "match_shown" | "duel" => is_certain_side(text("left_side")),
            "entry" => row["repeat"].as_i64() < Some(2),
            "submission" | "build" => true,
            _ => false,
        }
    }
}

#[async_trait]
impl Scenario for Fallen {
    async fn begin(&self, pool: &PgPool) -> anyhow::Result<()> {
        self.run.begin(pool).await
    }

    fn registry(&self, pool: &PgPool) -> Registry {
        self.run.registry(pool)
    }

    fn slots(&self) -> HashMap<String, usize> {
        self.run.slots()
    }

    async fn drive(&self, pool: &PgPool) -> anyhow::Result<()> {
        self.run.drive(pool).await
    }

    async fn is_over(&self, pool: &PgPool) -> anyhow::Result<bool> {
        self.run.is_over(pool).await
    }

    async fn check(&self, pool: &PgPool) -> anyhow::Result<()> {
        let problems = self.run.world().problems();
        ensure!(problems.is_empty(), "{}", problems.join(", "));

        let (cheat, honest) = (self.cheat.hotkey(), self.honest.hotkey());
        let winner: Option<String> = sqlx::query_scalar("SELECT winner FROM round")
            .fetch_one(pool)
            .await?;
        ensure!(winner.as_deref() == Some(honest.as_str()), "{winner:?} won");
        let path = paths::generation_audits(ROUND);
        let file = db::state_file::read(&mut *pool.acquire().await?, &path).await?;
        let verdicts = GenerationAudits::parse(&path, &file.unwrap_or_default())?;
        let told = |hotkey| {
            let audit = verdicts.get(hotkey)?;
            Some((audit.verdict.as_str(), audit.reason.as_str()))
        };
        let reason = "submitted vs generated #1: -100.00%";
        ensure!(told(&cheat) == Some(("failed", reason)), "{verdicts:?}");
        ensure!(told(&honest) == Some(("passed", "")), "{verdicts:?}");

        let audits: Vec<String> = sqlx::query_scalar(
            "SELECT left_side FROM match_result WHERE matrix = 'audits' AND right_side = $1",
        )
        .bind(cheat.as_str())
        .fetch_all(pool)
        .await?;
        ensure!(
            audits == ["submitted_1"],
            "audited after its fall: {audits:?}"
        );
        let twice: Vec<(String, String)> = sqlx::query_as(
            "SELECT path, convert_from(content, 'UTF8') FROM mirror_file WHERE change IN ('append_line', 'matrix_row')
             GROUP BY 1, 2 HAVING count(*) > 1",
        )
        .fetch_all(pool)
        .await?;
        ensure!(twice.is_empty(), "published twice: {twice:?}");
        Ok(())
    }

    fn normalize(&self, table: &str, row: &mut Value) {
        self.run.normalize(table, row);
    }

    fn settle(&self, table: &str, rows: &mut Vec<Value>) {
        self.run.settle(table, rows);
        rows.retain(|row| !self.is_about_the_cheat(row) || self.is_certain(table, row));
    }

    fn patience(&self) -> Duration {
        self.run.patience()
    }
}
