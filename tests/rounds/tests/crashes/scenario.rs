//! Runs of the round's flows for the crash harness.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use anyhow::ensure;
use assize::{
    clients::object_store::Object,
    roles::{self, Role, Sizes},
};
use async_trait::async_trait;
use regex::Regex;
use schema::{
    BlockNumber, RoundNumber, StateFile as _,
    files::{Config, LeaderEntry, Leaders, Prompts, Schedule, SourceAudit, SourceAudits, Verdict},
    paths,
};
use serde_json::Value;
use sqlx::PgPool;
use workflow::{
    db,
    engine::{NewJob, Registry},
    testing::Scenario,
};

use crate::world::{Manner, Miner, World};

pub const ROUND: RoundNumber = RoundNumber(0);
/// What lasts, in files and outputs: other in each run, and nobody's business here.
const DURATIONS: [&str; 4] = [
    "seconds",
    "generation_time",
    "total_generation_time",
    "batch_times",
];
/// What follows from the time of day.
const BLOCKS: [&str; 4] = [
    "effective_block",
    "earliest_reveal_block",
    "latest_reveal_block",
    "generation_deadline_block",
];

/// Flows in a world of these miners, from start to end.
pub struct Run {
    pub miners: Vec<Miner>,
    /// What is started.
    pub starts: Vec<NewJob>,
    /// Events that have happened before.
    pub events: Vec<(String, Value)>,
    /// What the object store holds before.
    pub kept: Vec<Object>,
    /// How the leader's pods behave.
    pub leaders_pods: Manner,
    /// Whether another round follows.
    pub goes_on: bool,
    pub world: Mutex<Arc<World>>,
    pub objects: Mutex<Option<BTreeMap<String, String>>>,
}

impl Run {
    pub fn new(miners: Vec<Miner>, starts: Vec<NewJob>) -> Self {
        Self {
            world: Mutex::new(World::new(&miners, Manner::Work)),
            miners,
            starts,
            events: Vec::new(),
            kept: Vec::new(),
            leaders_pods: Manner::Work,
            goes_on: false,
            objects: Mutex::default(),
        }
    }

    pub fn world(&self) -> Arc<World> {
        self.world.lock().unwrap().clone()
    }

    /// The state repository as people have set it up.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let day = |text: &str| text.parse().unwrap();
        let config = Config {
            name: "crash".to_owned(),
            description: "crashes".to_owned(),
            first_evaluation_date: day("2026-01-01"),
            last_competition_date: day(if self.goes_on {
                "2999-01-01"
            } else {
                "2026-01-02"
            }),
            round_start_time: "08:00:00".parse().unwrap(),
            generation_stage_minutes: 2,
            finalization_buffer_hours: 1.0,
            win_margin: 0.05,
            weight_decay: 0.1,
            weight_floor: 0.2,
            prompts_per_round: 2,
            carryover_prompts: 0,
            round_duration_days: 1,
            audit_repeats: 2,
        };
        let schedule = Schedule {
            earliest_reveal_block: BlockNumber(1000),
            latest_reveal_block: BlockNumber(1010),
            generation_deadline_block: BlockNumber(1020),
        };
        let leader = LeaderEntry {
            hotkey: schema::Hotkey::new("5LeaderLeader"),
            repo: "base/miner".to_owned(),
            commit: schema::CommitSha::new("a".repeat(40)),
            docker: "registry.example/base:1".to_owned(),
            weight: 1.0,
            effective_block: BlockNumber(0),
        };
        let audit = |miner: &Miner| SourceAudit {
            hotkey: miner.hotkey(),
            verdict: Verdict::Passed,
            reason: String::new(),
        };
        let prompts = Prompts(
            ["chair", "table"]
                .map(|stem| format!("https://prompts.example/{stem}.png"))
                .to_vec(),
        );
        vec![
            (paths::config(), config.to_bytes()),
            (paths::schedule(ROUND), schedule.to_bytes()),
            (paths::leader(), Leaders(vec![leader]).to_bytes()),
            (paths::prompt_pool(), prompts.to_bytes()),
            (
                paths::source_audit(ROUND),
                SourceAudits(self.miners.iter().map(audit).collect()).to_bytes(),
            ),
        ]
    }
}

#[async_trait]
impl Scenario for Run {
    async fn begin(&self, pool: &PgPool) -> anyhow::Result<()> {
        *self.world.lock().unwrap() = World::new(&self.miners, self.leaders_pods);
        let store = self.world().services(pool).store;
        store.put_all(self.kept.clone()).await?;
        let mut transaction = pool.begin().await?;
        for (path, content) in self.files() {
            db::state_file::write(&mut transaction, &path, &content, "repository").await?;
        }
        for (name, payload) in &self.events {
            db::fire(&mut transaction, name, payload).await?;
        }
        db::start(&mut transaction, &self.starts).await?;
        Ok(transaction.commit().await?)
    }

    fn registry(&self, pool: &PgPool) -> Registry {
        self.world().registry(pool)
    }

    fn slots(&self) -> HashMap<String, usize> {
        roles::slots(&Role::ALL, &Sizes::default())
    }

    /// Blocks come when the round waits for them, and an operator retries what is parked.
    async fn drive(&self, pool: &PgPool) -> anyhow::Result<()> {
        let parked = db::operator::Filter {
            name: Some("renew-pods".to_owned()),
            ..db::operator::Filter::default()
        };
        let operator = db::operator::Operator {
            name: "somebody",
            reason: "the leader's image is mended",
        };
        let is_parked =
            "SELECT EXISTS (SELECT FROM job WHERE state = 'parked' AND name = 'renew-pods')";
        if sqlx::query_scalar(is_parked).fetch_one(pool).await? {
            db::operator::retry(&mut *pool.acquire().await?, &parked, &operator).await?;
        }
        let awaited: Option<i64> = sqlx::query_scalar(
            "SELECT min(wait_block) FROM job WHERE state = 'waiting' AND round = $1",
        )
        .bind(ROUND.0 as i32)
        .fetch_one(pool)
        .await?;
        if let Some(block) = awaited.and_then(|block| u64::try_from(block).ok()) {
            self.world().chain.advance_to(BlockNumber(block));
            db::chain::record_head(&mut *pool.acquire().await?, block, "").await?;
        }
        Ok(())
    }

    async fn is_over(&self, pool: &PgPool) -> anyhow::Result<bool> {
        let over = "SELECT count(*) > 0 AND bool_and(finished_at IS NOT NULL OR round > $1 AND state = 'waiting') FROM job";
        Ok(sqlx::query_scalar(over)
            .bind(ROUND.0 as i32)
            .fetch_one(pool)
            .await?)
    }

    /// Seconds on a machine that has nothing else to do.
    fn patience(&self) -> Duration {
        Duration::from_secs(240)
    }

    async fn check(&self, _pool: &PgPool) -> anyhow::Result<()> {
        let world = self.world();
        let problems = world.problems();
        ensure!(problems.is_empty(), "{}", problems.join(", "));
        let objects = world.objects();
        let first = self
            .objects
            .lock()
            .unwrap()
            .get_or_insert(objects.clone())
            .clone();
        ensure!(
            first == objects,
            "other objects are stored than without a crash"
        );
        Ok(())
    }

    fn normalize(&self, table: &str, row: &mut Value) {
        if table == "state_file"
            && let Some(text) = readable(&row["content"])
        {
            row["content"] = text.into();
        }
        // Verdicts stand in the order in which they fell.
        if row["path"] == paths::generation_audits(ROUND)
            && let Some(Ok(verdicts)) = row["content"].as_str().map(serde_json::from_str)
        {
            row["content"] = verdicts;
        }
        timeless(row);
    }

    /// The tournament publishes what it finds measured when it looks. How that falls into commits depends on when; what is
    /// said in the end does not.
    fn settle(&self, table: &str, rows: &mut Vec<Value>) {
        if table == "notice" {
            // People are told of what was seen on the way, too.
            let is_of_the_way = |row: &Value| {
                let subject = row["subject"].as_str().unwrap_or_default();
                ["timeline", "request/", "audit/"]
                    .iter()
                    .any(|begin| subject.starts_with(begin))
            };
            rows.retain(|row| !is_of_the_way(row));
        }
        if table != "mirror_file" {
            return;
        }
        let is_tournament = |row: &mut Value| {
            row["step"]
                .as_str()
                .is_some_and(|step| step.ends_with("/tournament"))
        };
        let mut last_of_file = BTreeMap::new();
        let mut others = Vec::new();
        for mut row in rows.extract_if(.., is_tournament) {
            for detail in ["message", "place", "urgent"] {
                row[detail] = Value::Null;
            }
            if row["change"] == "put" {
                last_of_file.insert(row["path"].to_string(), row);
            } else {
                others.push(row);
            }
        }
        rows.extend(others);
        rows.extend(last_of_file.into_values());
    }
}

/// The text of a `bytea` column as `to_jsonb` writes it.
fn readable(column: &Value) -> Option<String> {
    let bytes = hex::decode(column.as_str()?.strip_prefix("\\x")?).ok()?;
    String::from_utf8(bytes).ok()
}

fn timeless(value: &mut Value) {
    match value {
        Value::String(text) => *text = timeless_text(text),
        Value::Array(items) => items.iter_mut().for_each(timeless),
        Value::Object(fields) => {
            for (name, value) in fields {
                if DURATIONS.contains(&name.as_str()) || BLOCKS.contains(&name.as_str()) {
                    *value = Value::Null;
                } else {
                    timeless(value);
                }
            }
        }
        _ => {}
    }
}

/// What is replaced in texts, and by what.
static PATTERNS: LazyLock<[(Regex, &str); 5]> = LazyLock::new(|| {
    let names = [DURATIONS, BLOCKS].concat().join("|");
    let moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)";
    let number = format!(r#""({names})": ?(\[[^\]]*\]|[0-9.]+)"#);
    let block = r"^round/[1-9]\d*/block/\d+$";
    [
        (Regex::new(moment).unwrap(), "MOMENT"),
        (Regex::new(&number).unwrap(), "\"$1\": null"),
        (Regex::new(block).unwrap(), "round/next/block"),
        (Regex::new(r"<t:\d+:f>").unwrap(), "MOMENT"),
        (Regex::new(r"\b\d+\.\d+s\b").unwrap(), "SECONDS"),
    ]
});

fn timeless_text(text: &str) -> String {
    PATTERNS
        .iter()
        .fold(text.to_owned(), |text, (pattern, instead)| {
            pattern.replace_all(&text, *instead).into_owned()
        })
}
