//! A judge's world: a model whose answers follow a plan, two sides with pictures, and workers on a real Postgres.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use schema::{
    Hotkey, RoundNumber, Side,
    files::report::{BothSides, FeatureMatch, ViewVerdict},
};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use workflow::{
    db,
    engine::{
        Handler, NewJob, Outcome, Registry, StepContext, Worker, WorkerOptions, flow::FLOW_QUEUE,
    },
    round::{
        self,
        entry::Prompt,
        flows::{Match, MatchInput, MatchOutput},
        judge::{Bound, DuelSide, Judge},
        queues,
        steps::{
            Ask, AskInput, BestView, BestViews, CompareEmbeddings, LoadMatch, LoadMatchInput,
            LoadedMatch, MeasureGray, MeasureGrayInput, PairedEntry, ViewsOfBothInput,
        },
    },
    rules::{
        call_answer::CallAnswer,
        duel::{DuelThresholds, GrayStatistics},
        matches::Play,
        vlm_answer::{
            Check, CompareAnswer, DecomposeAnswer, ExplainAnswer, Feature, FeatureCategory,
            SideAnswer, TextAnswer, VerifyAnswer,
        },
        vlm_calls::{DuelView, Model, Order, VlmCall},
    },
};

/// Longer than anything here takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the model sees both sides of each prompt.
#[derive(Clone, Default)]
pub struct Plan {
    /// Penalties of A and B from the front, by stem.
    pub front: HashMap<String, (u8, u8)>,
    /// Penalties of A and B in stages 2 and 3.
    pub closer: (u8, u8),
    /// Whether the gray gate fires.
    pub pale: bool,
    /// Cosines of both sides' best views.
    pub likeness: (f64, f64),
    /// Whether writing on the searched side addresses the judge.
    pub writing: bool,
}

/// What happened.
#[derive(Default)]
pub struct Seen {
    /// Keys of the calls, one for each time the model was asked.
    pub asked: Vec<String>,
    /// Calls that fail: by a part of their key, how often.
    pub failing: Vec<(String, u32)>,
}

#[derive(Clone, Default)]
pub struct FakeJudge {
    pub plan: Plan,
    pub seen: Arc<Mutex<Seen>>,
}

impl FakeJudge {
    pub fn asked(&self) -> Vec<String> {
        self.seen.lock().unwrap().asked.clone()
    }

    /// How often calls were asked whose key contains `part`.
    pub fn asked_of(&self, part: &str) -> usize {
        self.asked().iter().filter(|key| key.contains(part)).count()
    }

    pub fn registry(&self) -> Registry {
        round::with_flows(Registry::new())
            .step::<Ask, _>(self.clone())
            .step::<LoadMatch, _>(self.clone())
            .step::<CompareEmbeddings, _>(self.clone())
            .step::<MeasureGray, _>(self.clone())
    }

    fn answer(&self, input: &AskInput) -> CallAnswer {
        let compared = |order: Order, (a, b): (u8, u8)| {
            let [penalty_1, penalty_2] = order.models().map(|model| match model {
                Model::A => a,
                Model::B => b,
            });
            CallAnswer::Compared(CompareAnswer {
                penalty_1,
                penalty_2,
                issues: String::new(),
            })
        };
        match input.call {
            VlmCall::PromptMatch { order, .. } => {
                let stem = self
                    .plan
                    .front
                    .keys()
                    .find(|stem| input.duel.contains(&format!("/duel/{stem}/")));
                compared(order, self.plan.front[stem.unwrap()])
            }
            VlmCall::BestView { order, .. }
            | VlmCall::ArtifactCompare { order }
            | VlmCall::Gray { order } => compared(order, self.plan.closer),
            VlmCall::Decompose => CallAnswer::Decomposed(DecomposeAnswer {
                main_object: "teapot".to_owned(),
                features: ["a lid", "a spout", "a handle", "a foot"]
                    .map(|text| Feature {
                        description: text.to_owned(),
                        category: FeatureCategory::Presence,
                    })
                    .into(),
            }),
            VlmCall::Verify { .. } => CallAnswer::Verified(VerifyAnswer {
                checks: input
                    .features
                    .iter()
                    .map(|feature| Check {
                        feature: feature.description.clone(),
                        matches: FeatureMatch::Yes,
                        note: String::new(),
                    })
                    .collect(),
                main_object_correct: true,
            }),
            VlmCall::SideCheck { .. } => CallAnswer::Side(SideAnswer {
                verdict: ViewVerdict::Ok,
                reason: String::new(),
            }),
            VlmCall::TextCheck { .. } => CallAnswer::Text(TextAnswer {
                addresses_viewer: self.plan.writing,
                text: String::new(),
            }),
            VlmCall::Explain => CallAnswer::Summary(ExplainAnswer {
                issues: "A lacks its lid.".to_owned(),
            }),
        }
    }
}

#[async_trait]
impl Handler<Ask> for FakeJudge {
    type Error = anyhow::Error;
    async fn run(
        &self,
        input: AskInput,
        context: &StepContext,
    ) -> anyhow::Result<Outcome<CallAnswer>> {
        {
            let mut seen = self.seen.lock().unwrap();
            seen.asked.push(context.key.clone());
            let fault = seen
                .failing
                .iter_mut()
                .find(|(part, times)| context.key.contains(part.as_str()) && *times > 0);
            if let Some((_, times)) = fault {
                *times -= 1;
                bail!("the model's answer is not the JSON it was asked for");
            }
        }
        Ok(Outcome::Done(self.answer(&input)))
    }
}

#[async_trait]
impl Handler<LoadMatch> for FakeJudge {
    type Error = anyhow::Error;
    async fn run(
        &self,
        input: LoadMatchInput,
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<LoadedMatch>> {
        let side = |side: &Side, prompt: &Prompt| DuelSide {
            js: Some(format!("https://cdn/{side}/{}.js", prompt.stem)),
            views: Some(format!("https://cdn/{side}/{}", prompt.stem)),
            pictures_sha256: Some(format!("{side} {}", prompt.stem)),
            ..DuelSide::default()
        };
        let pairs = input.prompts.iter().map(|prompt| PairedEntry {
            bound: Bound {
                prompt: prompt.clone(),
                left: side(&input.left.0, prompt),
                right: side(&input.right.0, prompt),
                seed: input.seed,
                run: input.run,
                judgement: input.judgement,
                judge: Judge::new("glm", DuelThresholds::default()),
            },
            judged: None,
        });
        Ok(Outcome::Done(LoadedMatch {
            shown_sha256: String::new(),
            pairs: pairs.collect(),
        }))
    }
}

#[async_trait]
impl Handler<CompareEmbeddings> for FakeJudge {
    type Error = anyhow::Error;
    async fn run(
        &self,
        _input: ViewsOfBothInput,
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<BestViews>> {
        let best = |similarity| {
            Some(BestView {
                view: DuelView::Back,
                similarity,
            })
        };
        let (a, b) = self.plan.likeness;
        Ok(Outcome::Done(BothSides {
            a: best(a),
            b: best(b),
        }))
    }
}

#[async_trait]
impl Handler<MeasureGray> for FakeJudge {
    type Error = anyhow::Error;
    async fn run(
        &self,
        _input: MeasureGrayInput,
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<GrayStatistics>> {
        let pale = if self.plan.pale { 100 } else { 0 };
        Ok(Outcome::Done(GrayStatistics {
            foreground: 100,
            grayish: 100,
            pale,
        }))
    }
}

pub fn prompts(stems: &[&str]) -> Vec<Prompt> {
    stems
        .iter()
        .map(|stem| Prompt::of_url(&format!("https://prompts/{stem}.png")))
        .collect()
}

/// The leader against a miner.
pub fn challenge(stems: &[&str]) -> MatchInput {
    MatchInput {
        round: RoundNumber(3),
        left: Side::Leader,
        right: Hotkey::new("5F"),
        how: Play::Judge,
        prompts: prompts(stems),
        seed: 7,
        pictures: String::new(),
        measurement: workflow::round::judging::Measurement::default(),
        stop_at: Vec::new(),
    }
}

pub fn slots() -> HashMap<String, usize> {
    [FLOW_QUEUE, queues::VLM, queues::STATE, queues::NETWORK]
        .map(|queue| (queue.to_owned(), 16))
        .into()
}

/// A worker that runs until it is dropped.
pub struct Working(CancellationToken);

impl Working {
    pub fn with(pool: &PgPool, judge: &FakeJudge) -> Self {
        let stop = CancellationToken::new();
        let worker = Worker::new(
            pool.clone(),
            judge.registry(),
            WorkerOptions::new("judge", slots()),
        );
        tokio::spawn(worker.run(stop.clone()));
        Self(stop)
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

pub async fn start(pool: &PgPool, input: &MatchInput) -> anyhow::Result<()> {
    let job = NewJob::flow::<Match>(input)?;
    db::start(&mut *pool.acquire().await?, &[job]).await?;
    Ok(())
}

/// Waits until a job is in a state.
pub async fn until(pool: &PgPool, key_like: &str, state: &str) -> anyhow::Result<db::job::JobRow> {
    let waiting = async {
        loop {
            let found: Option<String> =
                sqlx::query_scalar("SELECT key FROM job WHERE key LIKE $1 AND state = $2 LIMIT 1")
                    .bind(key_like)
                    .bind(state)
                    .fetch_optional(pool)
                    .await?;
            if let Some(key) = found {
                let row = db::job::find(&mut *pool.acquire().await?, &key).await?;
                return row.context("it was there");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .with_context(|| format!("{key_like} never became {state}"))?
}

/// Plays a match to its end.
pub async fn play(
    pool: &PgPool,
    judge: &FakeJudge,
    input: &MatchInput,
) -> anyhow::Result<MatchOutput> {
    let _working = Working::with(pool, judge);
    start(pool, input).await?;
    ended(pool).await
}

/// The result of the match, once it has one.
pub async fn ended(pool: &PgPool) -> anyhow::Result<MatchOutput> {
    let row = until(pool, "round/3/match/leader/5F", "completed").await?;
    Ok(serde_json::from_value(row.output.context("an output")?)?)
}
