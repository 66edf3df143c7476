//! Duels as flows of calls, on a real Postgres with a model that answers by a plan.
#![allow(clippy::unwrap_used, missing_docs)]

mod pictures;
mod world;

use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
};

use async_trait::async_trait;
use schema::files::report::{DuelDetail, DuelWinner, Judged};
use sqlx::PgPool;
use workflow::{
    db::operator::{self, Filter, Operator},
    engine::Registry,
    testing::{self, Scenario},
};

use world::*;

/// One clear duel for B, and one in which both sides look alike from the front.
fn clear_and_close() -> Plan {
    Plan {
        front: HashMap::from([("clear".to_owned(), (6, 2)), ("close".to_owned(), (4, 4))]),
        closer: (5, 2),
        pale: false,
        likeness: (0.5, 0.6),
        writing: false,
    }
}

fn judge(plan: Plan) -> FakeJudge {
    FakeJudge {
        plan,
        ..FakeJudge::default()
    }
}

fn judged(output: &workflow::round::flows::MatchOutput, place: usize) -> (DuelWinner, Judged) {
    let duel = &output.report.as_ref().unwrap().duels[place];
    match duel.detail.clone().map(DuelDetail::in_published_order) {
        Some(DuelDetail::Judged(judged)) => (duel.winner, *judged),
        other => panic!("not judged: {other:?}"),
    }
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_duel_asks_the_calls_of_the_stages_it_needs_each_once(pool: PgPool) {
    let judge = judge(clear_and_close());
    let output = play(&pool, &judge, &challenge(&["clear", "close"]))
        .await
        .unwrap();
    assert_eq!((output.score, output.margin), (2, 1.0));

    let (winner, clear) = judged(&output, 0);
    assert_eq!(
        (winner, clear.decided_by.as_str()),
        (DuelWinner::Right, "S1")
    );
    assert_eq!((clear.s2, clear.s4), (None, None));
    assert_eq!(judge.asked_of("/duel/clear/"), 9, "8 of stage 1, 1 summary");
    assert_eq!(clear.issues, "A lacks its lid.");

    let (winner, close) = judged(&output, 1);
    assert_eq!(winner, DuelWinner::Right);
    assert_eq!(close.decided_by, "S2 strong_voter [bv|+3.0|]");
    assert!(close.s2.is_some() && close.s3.is_none() && close.s4.is_some());
    assert_eq!(judge.asked_of("/duel/close/"), 24);
    let different: HashSet<String> = judge.asked().into_iter().collect();
    assert_eq!(different.len(), 33, "no call is asked twice");
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_duel_that_needs_every_stage_costs_26_calls_and_five_passes(pool: PgPool) {
    let mut plan = clear_and_close();
    (plan.closer, plan.pale) = ((4, 4), true);
    let judge = judge(plan);
    let output = play(&pool, &judge, &challenge(&["close"])).await.unwrap();
    let (winner, close) = judged(&output, 0);
    assert_eq!(winner, DuelWinner::Draw);
    assert_eq!(close.decided_by, "S3 (gate did not fire) → draw");
    assert!(close.s3.unwrap().fired);
    assert_eq!(judge.asked_of("/duel/close/"), 26);
    let passes: i32 = sqlx::query_scalar("SELECT attempt FROM job WHERE name = 'duel'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert!(passes <= 5, "{passes} passes");
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_call_without_an_answer_is_parked_and_its_match_has_no_margin_until_it_is_answered(
    pool: PgPool,
) {
    let judge = judge(clear_and_close());
    let call = "/duel/clear/";
    judge.seen.lock().unwrap().failing = vec![("s1_prompt_match/front_above/ba".to_owned(), 5)];
    let _working = Working::with(&pool, &judge);
    start(&pool, &challenge(&["clear"])).await.unwrap();
    let parked = until(&pool, "%/s1_prompt_match/front_above/ba", "parked")
        .await
        .unwrap();
    assert!(parked.key.contains(call), "{}", parked.key);
    assert_eq!(parked.failures, 5, "as often as the catalogue says");
    let margins: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM match_result) + (SELECT count(*) FROM duel)",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(margins, 0, "nothing is cached, neither a draw nor a margin");

    let before = judge.asked().len();
    let who = Operator {
        name: "tester",
        reason: "the model is repaired",
    };
    let filter = Filter {
        key: Some(parked.key.clone()),
        ..Filter::default()
    };
    operator::retry(&mut *pool.acquire().await.unwrap(), &filter, &who)
        .await
        .unwrap();
    let output = ended(&pool).await.unwrap();
    assert_eq!(output.margin, 1.0);
    assert_eq!(
        judge.asked().len(),
        before + 1,
        "what was answered is not asked again"
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_verdict_is_recorded_with_what_it_is_bound_to(pool: PgPool) {
    let judge = judge(clear_and_close());
    play(&pool, &judge, &challenge(&["clear"])).await.unwrap();
    let (binding, winner, by, key): (String, String, String, String) = sqlx::query_as(
        "SELECT binding, winner, decided_by, job_key FROM duel
         WHERE round = 3 AND matrix = 'matches' AND left_side = 'leader' AND right_side = '5F' AND stem = 'clear' AND run = 0",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(binding.len(), 64);
    assert_eq!((winner.as_str(), by.as_str()), ("right", "S1"));
    assert!(key.ends_with(&binding[..12]), "{key}");
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_winner_steps_down_only_if_the_embeddings_contradict_it_and_it_carries_writing(
    pool: PgPool,
) {
    for (likeness, writing, winner, by, searched) in [
        (
            (0.9, 0.5),
            true,
            DuelWinner::Draw,
            "text step-down (was B)",
            1,
        ),
        ((0.9, 0.5), false, DuelWinner::Right, "S1", 1),
        ((0.5, 0.9), true, DuelWinner::Right, "S1", 0),
    ] {
        testing::forget_everything(&pool).await.unwrap();
        let judge = judge(Plan {
            likeness,
            writing,
            ..clear_and_close()
        });
        let output = play(&pool, &judge, &challenge(&["clear"])).await.unwrap();
        let (won, detail) = judged(&output, 0);
        assert_eq!((won, detail.decided_by.as_str()), (winner, by));
        assert_eq!(judge.asked_of("text_check"), searched);
    }
}

/// The clear winner is searched for writing, and the close duel needs every stage.
fn every_call() -> Plan {
    Plan {
        closer: (4, 4),
        pale: true,
        likeness: (0.9, 0.5),
        writing: true,
        ..clear_and_close()
    }
}

/// A match of two duels that ask every call of the catalogue, its workers dying.
struct Dying(Mutex<FakeJudge>);

#[async_trait]
impl Scenario for Dying {
    async fn begin(&self, pool: &PgPool) -> anyhow::Result<()> {
        *self.0.lock().unwrap() = judge(every_call());
        start(pool, &challenge(&["clear", "close"])).await
    }

    fn registry(&self, _pool: &PgPool) -> Registry {
        self.0.lock().unwrap().registry()
    }

    fn slots(&self) -> HashMap<String, usize> {
        slots()
    }
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_match_ends_the_same_when_every_call_and_every_pass_dies_once(pool: PgPool) {
    let dying = Dying(Mutex::new(judge(every_call())));
    let report = testing::crash_every_job_in_one_run(&pool, &dying)
        .await
        .unwrap();
    // 36 calls, 2 duels, 1 match, 1 loading, 2 looks at embeddings, 1 at gray pictures.
    assert_eq!(report.jobs, 43);
    assert!(report.crashes > 4, "{report:?}");
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_crash_costs_at_most_the_calls_in_flight(pool: PgPool) {
    let judge = judge(clear_and_close());
    // The close duel hangs on one of its last calls.
    judge.seen.lock().unwrap().failing = vec![("s2cl_verify/b".to_owned(), 5)];
    {
        let _dies = Working::with(&pool, &judge);
        start(&pool, &challenge(&["clear", "close"])).await.unwrap();
        until(&pool, "%/s2cl_verify/b", "parked").await.unwrap();
    }
    let before: HashMap<String, usize> = counted(judge.asked());
    let who = Operator {
        name: "tester",
        reason: "after the crash",
    };
    let filter = Filter {
        name: Some("ask".to_owned()),
        ..Filter::default()
    };
    operator::retry(&mut *pool.acquire().await.unwrap(), &filter, &who)
        .await
        .unwrap();
    let _next = Working::with(&pool, &judge);
    ended(&pool).await.unwrap();
    for (key, times) in counted(judge.asked()) {
        let again = times - before.get(&key).copied().unwrap_or(0);
        assert!(again == 0 || key.ends_with("s2cl_verify/b"), "{key}");
    }
}

fn counted(keys: Vec<String>) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for key in keys {
        *counts.entry(key).or_default() += 1;
    }
    counts
}
