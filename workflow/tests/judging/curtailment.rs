//! Matches that stop when no remaining duel can change a decision.

use async_trait::async_trait;
use schema::{
    Hotkey, Side,
    files::report::{DuelDetail, DuelWinner},
};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use workflow::{
    db,
    engine::{
        Flow, FlowDefinition, FlowError, Handler, NewJob, Outcome, Registry, StepContext, Worker,
        WorkerOptions,
    },
    round::{
        entry::Prompt,
        flows::{DuelFlow, DuelInput, Match, MatchInput, MatchOutput},
        judge::{Bound, DuelOutput, DuelSide, Judge},
        judging::Measurement,
        steps::{LoadMatch, LoadMatchInput, LoadedMatch, PairedEntry},
    },
    rules::{
        duel::DuelThresholds,
        matches::{Play, wins},
    },
};

use crate::support::*;

const PROMPTS: usize = 128;
const WIN_MARGIN: f64 = 0.05;
/// Seeds that tell the duels how to end.
const ONE_SIDED: u32 = 1;
const CLOSE: u32 = 2;

struct BothSides;

#[async_trait]
impl Handler<LoadMatch> for BothSides {
    type Error = anyhow::Error;
    async fn run(
        &self,
        input: LoadMatchInput,
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<LoadedMatch>> {
        let pairs = input.prompts.into_iter().map(|prompt| PairedEntry {
            bound: Bound {
                prompt,
                left: DuelSide::default(),
                right: DuelSide::default(),
                seed: input.seed,
                run: input.run,
                judgement: input.judgement,
                judge: Judge::new("told", DuelThresholds::default()),
            },
            judged: None,
        });
        Ok(Outcome::Done(LoadedMatch {
            shown_sha256: "shown".to_owned(),
            pairs: pairs.collect(),
        }))
    }
}

/// Right wins duels of even prompts in a close match, and none in a one-sided one.
struct ToldDuel;

#[async_trait]
impl FlowDefinition for ToldDuel {
    const NAME: &'static str = DuelFlow::NAME;
    type Input = DuelInput;
    type Output = DuelOutput;
    fn key(input: &DuelInput) -> String {
        DuelFlow::key(input)
    }
    async fn run(_flow: &Flow, input: DuelInput) -> Result<DuelOutput, FlowError> {
        let place: usize = input.bound.prompt.stem.as_str().parse().unwrap();
        let is_close = input.bound.seed == CLOSE;
        Ok(DuelOutput {
            winner: if is_close && place.is_multiple_of(2) {
                DuelWinner::Right
            } else {
                DuelWinner::Left
            },
            detail: DuelDetail::MissingViews {
                reason: "a test".to_owned(),
            },
        })
    }
}

/// Plays a match and answers it, with the number of duels that were judged.
async fn play(pool: &PgPool, seed: u32, stop_at: Vec<f64>) -> (MatchOutput, i64) {
    let registry = Registry::new()
        .flow::<Match>()
        .flow::<ToldDuel>()
        .step::<LoadMatch, _>(BothSides);
    let slots = ["flow", "state"].map(|queue| (queue.to_owned(), 20));
    let worker = Worker::new(pool.clone(), registry, WorkerOptions::new("test", slots));
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let worker = tokio::spawn(async move { worker.run(stopped).await.unwrap() });
    let prompts =
        (0..PROMPTS).map(|place| Prompt::of_url(&format!("https://p.example/{place:03}.png")));
    let input = MatchInput {
        round: ROUND,
        left: Side::Leader,
        right: Hotkey::new(if stop_at.is_empty() { "whole" } else { "short" }),
        how: Play::Judge,
        prompts: prompts.collect(),
        seed,
        pictures: String::new(),
        measurement: Measurement::default(),
        stop_at,
    };
    let job = NewJob::flow::<Match>(&input).unwrap();
    let key = job.key.clone();
    db::start(&mut *pool.acquire().await.unwrap(), &[job])
        .await
        .unwrap();
    let ended = format!("SELECT state = 'completed' FROM job WHERE key = '{key}'");
    until(pool, &ended).await;
    let output: serde_json::Value = sqlx::query_scalar("SELECT output FROM job WHERE key = $1")
        .bind(&key)
        .fetch_one(pool)
        .await
        .unwrap();
    stop.cancel();
    worker.await.unwrap();
    let judged =
        sqlx::query_scalar("SELECT count(*) FROM job WHERE name = 'duel' AND starts_with(key, $1)")
            .bind(format!("{key}/"))
            .fetch_one(pool)
            .await
            .unwrap();
    (serde_json::from_value(output).unwrap(), judged)
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_match_stops_at_the_duel_that_settles_it_and_decides_as_the_whole_one(pool: PgPool) {
    let (whole, all) = play(&pool, ONE_SIDED, Vec::new()).await;
    let (short, judged) = play(&pool, ONE_SIDED, vec![WIN_MARGIN]).await;
    // After 61 lost duels 67 won ones would leave 6 points; 7 are needed.
    assert_eq!((all, judged), (PROMPTS as i64, 61));
    assert_eq!(
        wins(whole.margin, WIN_MARGIN),
        wins(short.margin, WIN_MARGIN)
    );
    let report = short.report.unwrap();
    let unjudged = report
        .duels
        .iter()
        .filter(|duel| duel.winner == DuelWinner::Skipped);
    assert_eq!(unjudged.clone().count(), PROMPTS - 61);
    for duel in unjudged {
        let reason = DuelDetail::CURTAILED.to_owned();
        assert_eq!(duel.detail, Some(DuelDetail::MissingViews { reason }));
    }
    assert_eq!(report.margin, -61.0 / 128.0);
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_close_match_is_judged_as_far_as_it_is_open(pool: PgPool) {
    let (short, judged) = play(&pool, CLOSE, vec![WIN_MARGIN]).await;
    // At every even number the score is 0: only when fewer than 7 remain is it settled.
    assert_eq!(judged, 122);
    assert!(!wins(short.margin, WIN_MARGIN));
}
