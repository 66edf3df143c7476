//! A round in which the test decides every measurement.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use schema::{
    Hotkey, RoundNumber, Side, StateFile as _,
    files::{
        GenerationReport, RepeatReport, ReportOutcome, SourceAudit, SourceAudits, Submission,
        Verdict,
        report::{Duel, DuelWinner, MatchReport},
    },
    paths,
};
use serde_json::Value;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use workflow::{
    db,
    engine::{
        Effects, Flow, FlowDefinition, FlowError, Handler, NewJob, Outcome, Registry, StepContext,
        Worker, WorkerOptions,
    },
    round::{
        entry::Prompt,
        flows::{
            Compare, CompareInput, Match, MatchInput, MatchOutput, Regeneration, RegenerationInput,
            RegenerationOutput, Tournament, TournamentInput, tournament_key,
        },
        judging::Judging,
        steps::{ReleasePods, ReleasePodsInput, ReportGeneration, ReportGenerationInput},
    },
    rules::{matches::Play, regeneration::Budget},
};

pub const ROUND: RoundNumber = RoundNumber(3);
const PROMPTS: usize = 20;
/// Longer than anything here takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the test says of a match, by event: right wins minus left wins.
async fn measured(
    flow: &Flow,
    key: &str,
    how: Play,
    prompts: &[Prompt],
    left: schema::LeftSide,
    right: Hotkey,
) -> Result<MatchOutput, FlowError> {
    if let Play::Walkover { margin } = how {
        return Ok(MatchOutput {
            score: 0,
            margin,
            report: None,
            shown_sha256: None,
        });
    }
    let score = flow.event(&score_event(key)).await?.as_i64().unwrap();
    let duels = prompts.iter().enumerate().map(|(place, prompt)| Duel {
        name: prompt.stem.clone(),
        prompt: prompt.url.clone(),
        left_js: None,
        left_png: None,
        right_js: None,
        right_png: None,
        winner: match (place as i64) < score.abs() {
            false => DuelWinner::Draw,
            true if score > 0 => DuelWinner::Right,
            true => DuelWinner::Left,
        },
        detail: None,
    });
    let report = MatchReport::of_duels(left, right, duels.collect());
    Ok(MatchOutput {
        score: report.score,
        margin: report.margin,
        report: Some(report),
        shown_sha256: None,
    })
}

fn score_event(key: &str) -> String {
    format!("score of {key}")
}

struct ToldMatch;

#[async_trait]
impl FlowDefinition for ToldMatch {
    const NAME: &'static str = Match::NAME;
    type Input = MatchInput;
    type Output = MatchOutput;
    fn key(input: &MatchInput) -> String {
        Match::key(input)
    }
    fn round(input: &MatchInput) -> Option<u32> {
        Match::round(input)
    }
    async fn run(flow: &Flow, input: MatchInput) -> Result<MatchOutput, FlowError> {
        let key = Match::key(&input);
        measured(
            flow,
            &key,
            input.how,
            &input.prompts,
            input.left.into(),
            input.right,
        )
        .await
    }
    fn effects(input: &MatchInput, output: &MatchOutput) -> Effects {
        Match::effects(input, output)
    }
}

struct ToldCompare;

#[async_trait]
impl FlowDefinition for ToldCompare {
    const NAME: &'static str = Compare::NAME;
    type Input = CompareInput;
    type Output = MatchOutput;
    fn key(input: &CompareInput) -> String {
        Compare::key(input)
    }
    fn round(input: &CompareInput) -> Option<u32> {
        Compare::round(input)
    }
    async fn run(flow: &Flow, input: CompareInput) -> Result<MatchOutput, FlowError> {
        let key = Compare::key(&input);
        let left = schema::LeftSide::Submitted;
        measured(flow, &key, input.how, &input.prompts, left, input.right).await
    }
    fn effects(input: &CompareInput, output: &MatchOutput) -> Effects {
        Compare::effects(input, output)
    }
}

/// Reports a repeat whenever the test says that it is generated.
struct ToldRegeneration;

#[async_trait]
impl FlowDefinition for ToldRegeneration {
    const NAME: &'static str = Regeneration::NAME;
    type Input = RegenerationInput;
    type Output = RegenerationOutput;
    fn key(input: &RegenerationInput) -> String {
        Regeneration::key(input)
    }
    fn round(input: &RegenerationInput) -> Option<u32> {
        Regeneration::round(input)
    }
    async fn run(flow: &Flow, input: RegenerationInput) -> Result<RegenerationOutput, FlowError> {
        let hotkey = input.side.hotkey().unwrap().clone();
        let mut repeats = input.reported.clone();
        for repeat in repeats.len() as u32 + 1..=input.repeats {
            let event = format!("{} has repeat {repeat}", Regeneration::key(&input));
            flow.event(&event).await?;
            repeats.push(RepeatReport {
                repeat_index: repeat,
                generated_prompts: PROMPTS as u32,
                failed_prompts: 0,
                generation_time: None,
            });
            let outcome = if repeat == input.repeats {
                ReportOutcome::Completed
            } else {
                ReportOutcome::Pending
            };
            let report = GenerationReport {
                hotkey: hotkey.clone(),
                outcome,
                repeats: repeats.clone(),
                reason: String::new(),
            };
            flow.step::<ReportGeneration>(ReportGenerationInput {
                round: input.round,
                report,
                limits: input.budget.limits,
            })
            .await?;
        }
        Ok(RegenerationOutput {
            report: None,
            generated: None,
        })
    }
}

struct Nothing;

#[async_trait]
impl Handler<ReportGeneration> for Nothing {
    type Error = anyhow::Error;
    async fn run(
        &self,
        _input: ReportGenerationInput,
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<()>> {
        Ok(Outcome::Done(()))
    }
}

#[async_trait]
impl Handler<ReleasePods> for Nothing {
    type Error = anyhow::Error;
    async fn run(
        &self,
        _input: ReleasePodsInput,
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<()>> {
        Ok(Outcome::Done(()))
    }
}

/// A tournament under way, with one worker.
pub struct Game {
    pub pool: PgPool,
    stop: CancellationToken,
    worker: tokio::task::JoinHandle<()>,
}

impl Game {
    /// Starts a tournament of these miners, in this order of reveal. Everything that could be generated lies ready.
    pub async fn start(
        pool: PgPool,
        miners: &[&str],
        audit_repeats: u32,
        judging: Judging,
    ) -> Self {
        let mut conn = pool.acquire().await.unwrap();
        sqlx::query("INSERT INTO round (round, stage) VALUES ($1, 'duels')")
            .bind(ROUND.0 as i32)
            .execute(&mut *conn)
            .await
            .unwrap();
        let prompts: Vec<Prompt> = (0..PROMPTS)
            .map(|place| Prompt::of_url(&format!("https://prompts.example/p{place:02}.png")))
            .collect();
        let stems: Vec<String> = prompts
            .iter()
            .map(|prompt| prompt.stem.to_string())
            .collect();
        let mut sides: Vec<(&str, i32)> = vec![("leader", 1)];
        for miner in miners {
            sides.extend((0..=audit_repeats as i32).map(|repeat| (*miner, repeat)));
            sqlx::query("INSERT INTO build (round, hotkey, status, docker_image) VALUES ($1, $2, 'success', 'image')")
                .bind(ROUND.0 as i32)
                .bind(miner)
                .execute(&mut *conn)
                .await
                .unwrap();
        }
        for (side, repeat) in sides {
            sqlx::query(
                "INSERT INTO entry (round, hotkey, repeat, stem, js, views)
                 SELECT $1, $2, $3, stem, 'js', 'views' FROM unnest($4::text[]) AS stem",
            )
            .bind(ROUND.0 as i32)
            .bind(side)
            .bind(repeat)
            .bind(&stems)
            .execute(&mut *conn)
            .await
            .unwrap();
        }
        let submissions = miners.iter().enumerate().map(|(place, miner)| {
            let submission: Submission = serde_json::from_value(serde_json::json!({
                "repo": "o/n", "commit": "a".repeat(40), "cdn_url": "https://cdn.example",
                "revealed_at_block": 100 + place, "round": "r-3",
            }))
            .unwrap();
            (Hotkey::new(*miner), submission)
        });
        let input = TournamentInput {
            round: ROUND,
            win_margin: 0.05,
            audit_repeats,
            submissions: submissions.collect(),
            prompts,
            seed: 1,
            judging,
            budget: Budget::default(),
        };
        db::start(
            &mut conn,
            &[NewJob::reconciler::<Tournament>(&input).unwrap()],
        )
        .await
        .unwrap();
        drop(conn);
        let registry = Registry::new()
            .flow::<ToldMatch>()
            .flow::<ToldCompare>()
            .flow::<ToldRegeneration>()
            .reconciler::<Tournament>()
            .step::<ReportGeneration, _>(Nothing)
            .step::<ReleasePods, _>(Nothing);
        let slots: HashMap<String, usize> = ["flow", "state", "gpu"]
            .map(|queue| (queue.to_owned(), 8))
            .into();
        let worker = Worker::new(pool.clone(), registry, WorkerOptions::new("test", slots));
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let worker = tokio::spawn(async move { worker.run(stopped).await.unwrap() });
        Self { pool, stop, worker }
    }

    /// A match that has been asked for ends with this score of 20.
    pub async fn plays(&self, left: &str, right: &str, score: i64) {
        self.ends(&format!("round/3/match/{left}/{right}"), score)
            .await;
    }

    /// An audit duel that has been asked for ends with this score of 20.
    pub async fn audits(&self, left: &str, right: &str, score: i64) {
        self.ends(&format!("round/3/compare/{left}/{right}"), score)
            .await;
    }

    /// The flow with this key ends with this score.
    pub async fn ends(&self, key: &str, score: i64) {
        self.exists(key).await;
        self.fire(&score_event(key), score.into()).await;
        self.until(&format!(
            "SELECT state = 'completed' FROM job WHERE key = '{key}'"
        ))
        .await;
    }

    /// The next repeat of a regeneration is there.
    pub async fn generates(&self, regeneration: &str, repeat: u32) {
        let key = format!("round/3/regeneration/{regeneration}");
        self.exists(&key).await;
        self.fire(&format!("{key} has repeat {repeat}"), true.into())
            .await;
    }

    async fn fire(&self, name: &str, payload: Value) {
        let mut conn = self.pool.acquire().await.unwrap();
        db::fire(&mut conn, name, &payload).await.unwrap();
    }

    /// Somebody edits the source audits.
    pub async fn source(&self, verdicts: &[(&str, bool)]) {
        let audits = verdicts.iter().map(|(hotkey, passed)| SourceAudit {
            hotkey: Hotkey::new(*hotkey),
            verdict: if *passed {
                Verdict::Passed
            } else {
                Verdict::Failed
            },
            reason: String::new(),
        });
        let audits = SourceAudits(audits.collect());
        let mut conn = self.pool.acquire().await.unwrap();
        let path = paths::source_audit(ROUND);
        db::state_file::write(&mut conn, &path, &audits.to_bytes(), "repository")
            .await
            .unwrap();
        db::wake(&mut conn, &[tournament_key(ROUND)]).await.unwrap();
    }

    /// Waits until a job exists.
    pub async fn exists(&self, key: &str) {
        self.until(&format!("SELECT count(*) = 1 FROM job WHERE key = '{key}'"))
            .await;
    }

    /// Waits until a flow was cancelled.
    pub async fn is_cancelled(&self, key: &str) {
        self.until(&format!(
            "SELECT state = 'cancelled' FROM job WHERE key = '{key}'"
        ))
        .await;
    }

    /// Waits until a query answers true.
    pub async fn until(&self, query: &str) {
        until(&self.pool, query).await;
    }

    /// Waits for the end and answers the champion.
    pub async fn champion(&self) -> Side {
        let key = tournament_key(ROUND);
        self.until(&format!(
            "SELECT state = 'completed' FROM job WHERE key = '{key}'"
        ))
        .await;
        let output: Value = sqlx::query_scalar("SELECT output FROM job WHERE key = $1")
            .bind(key)
            .fetch_one(&self.pool)
            .await
            .unwrap();
        serde_json::from_value(output).unwrap()
    }

    /// The changes of the public repository so far: path and content.
    pub async fn published(&self) -> Vec<(String, String)> {
        sqlx::query_as("SELECT path, convert_from(content, 'UTF8') FROM mirror_file ORDER BY id")
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }

    /// The lines of the ledger with decisions, by kind.
    pub async fn decisions(&self, kind: &str) -> Vec<Value> {
        let path = paths::ledger(ROUND, &paths::LedgerFile::Decisions);
        let lines = self
            .published()
            .await
            .into_iter()
            .filter(|(of, _)| *of == path);
        lines
            .map(|(_, line)| serde_json::from_str::<Value>(&line).unwrap())
            .filter(|line| line["kind"] == kind)
            .collect()
    }

    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    pub async fn done(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.worker)
            .await
            .unwrap()
            .unwrap();
    }
}

/// Rules without runs beside the first.
pub fn plain() -> Judging {
    Judging {
        near_repeats: 0,
        ..Judging::default()
    }
}

/// Waits until a query answers true.
pub async fn until(pool: &PgPool, query: &str) {
    let waiting = async {
        loop {
            let holds: Option<bool> = sqlx::query_scalar(sqlx::AssertSqlSafe(query.to_owned()))
                .fetch_optional(pool)
                .await
                .unwrap();
            if holds == Some(true) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
        let waits_for: Vec<Vec<String>> = sqlx::query_scalar("SELECT waits_for FROM round")
            .fetch_all(pool)
            .await
            .unwrap();
        panic!("never: {query}; the round waits for {waits_for:?}");
    }
}
