#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use schema::RoundNumber;
use tokio_util::sync::{CancellationToken, DropGuard};
use workflow::{
    engine::{NewJob, Registry, Step as _, Worker, WorkerOptions},
    rules::vlm_calls::{DuelView, Order},
};

use super::*;

/// Longer than anything here takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

const GOOD: &str = r#"{"penalty_1": 3, "penalty_2": 5, "issues": ""}"#;

/// What the model does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Answers(&'static str),
    Away,
    /// Status 500 for requests with this seed, answers for others.
    Chokes(u64),
    /// Status 400 for requests with seeds below this, answers for others.
    CannotFetch(u64),
    /// A completion without text.
    SaysNothing,
}

#[derive(Clone)]
struct MoodyVlm {
    mood: Arc<Mutex<Mood>>,
    asked: Arc<Mutex<Vec<VlmRequest>>>,
}

impl MoodyVlm {
    fn new(mood: Mood) -> Self {
        Self {
            mood: Arc::new(Mutex::new(mood)),
            asked: Arc::default(),
        }
    }

    fn asked(&self) -> Vec<VlmRequest> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Vlm for MoodyVlm {
    async fn complete(&self, request: &VlmRequest) -> Result<String, VlmError> {
        self.asked.lock().unwrap().push(request.clone());
        let unavailable = |status| {
            Err(VlmError::Unavailable {
                status,
                retry_after: Some(Duration::from_millis(20)),
                message: "the engine is being restarted".to_owned(),
            })
        };
        match *self.mood.lock().unwrap() {
            Mood::Away => unavailable(503),
            Mood::Chokes(seed) if (seed..seed + 10).contains(&request.seed) => unavailable(500),
            Mood::CannotFetch(below) if request.seed < below => Err(VlmError::Refused {
                status: 400,
                message: "image cannot be fetched".to_owned(),
            }),
            Mood::SaysNothing => Err(VlmError::Empty),
            Mood::Chokes(_) | Mood::CannotFetch(_) => Ok(GOOD.to_owned()),
            Mood::Answers(text) => Ok(text.to_owned()),
        }
    }
}

fn input(number: u32, call: VlmCall) -> AskInput {
    AskInput {
        round: RoundNumber(1),
        duel: format!("duel/{number}"),
        call,
        pictures: call
            .pictures()
            .iter()
            .map(|picture| format!("https://cdn/{picture:?}.png"))
            .collect(),
        features: Vec::new(),
        questions: questions::VERSION,
        model: "glm".to_owned(),
        seed: 1000 * number,
        priority: 100,
    }
}

fn compare(number: u32) -> AskInput {
    let (view, order) = (DuelView::FrontLeft, Order::Ab);
    input(number, VlmCall::PromptMatch { view, order })
}

async fn ask(pool: &PgPool, inputs: &[AskInput]) {
    let jobs: Vec<NewJob> = inputs
        .iter()
        .map(|input| NewJob::step::<Ask>(input).unwrap())
        .collect();
    let mut conn = pool.acquire().await.unwrap();
    db::queue::limit(&mut conn, queues::VLM, Some(8), None)
        .await
        .unwrap();
    db::start(&mut conn, &jobs).await.unwrap();
}

fn working(pool: &PgPool, vlm: &MoodyVlm) -> DropGuard {
    let handler = AskHandler {
        vlm: Arc::new(vlm.clone()),
        pool: pool.clone(),
        failing: Failing::default(),
    };
    let slots = HashMap::from([(queues::VLM.to_owned(), 8)]);
    let worker = Worker::new(
        pool.clone(),
        Registry::new().step::<Ask, _>(handler),
        WorkerOptions::new("judge", slots),
    );
    let stop = CancellationToken::new();
    tokio::spawn(worker.run(stop.clone()));
    stop.drop_guard()
}

async fn until(pool: &PgPool, condition: &'static str) {
    let waiting = async {
        while !sqlx::query_scalar::<_, bool>(condition)
            .fetch_one(pool)
            .await
            .unwrap()
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("never: {condition}"));
}

const ALL_DONE: &str = "SELECT bool_and(state = 'completed') FROM job";
const OUT: &str = "SELECT EXISTS (SELECT FROM queue WHERE outage IS NOT NULL)";

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn an_outage_pauses_judging_says_so_and_costs_nothing(pool: PgPool) {
    let vlm = MoodyVlm::new(Mood::Away);
    let inputs: Vec<AskInput> = (0..40).map(compare).collect();
    ask(&pool, &inputs).await;
    let _working = working(&pool, &vlm);
    until(&pool, OUT).await;
    // Several tries later it is still one call at a time that looks whether the model is back.
    until(
        &pool,
        "SELECT count(*) >= 14 FROM attempt WHERE outcome = 'snoozed'",
    )
    .await;
    let mut conn = pool.acquire().await.unwrap();
    let outages = db::queue::outages(&mut conn).await.unwrap();
    assert_eq!(outages[0].queue, queues::VLM);
    assert!(
        outages[0].because.contains("the engine is being restarted"),
        "{outages:?}"
    );
    let running: i64 = sqlx::query_scalar("SELECT count(*) FROM job WHERE state = 'running'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert!(running <= 1, "{running} calls try at once");

    *vlm.mood.lock().unwrap() = Mood::Answers(GOOD);
    until(&pool, ALL_DONE).await;
    assert!(db::queue::outages(&mut conn).await.unwrap().is_empty());
    let failures: i64 = sqlx::query_scalar("SELECT sum(failures)::bigint FROM job")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(failures, 0, "nothing failed: nobody was asked");
    assert!(
        vlm.asked().iter().all(|request| request.temperature == 0.0),
        "every call is answered as if nothing had happened"
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn one_call_that_the_server_chokes_on_is_parked_and_the_others_are_answered(pool: PgPool) {
    let poison = compare(1);
    let seed = poison.call.wire_seed(poison.seed, 1);
    let vlm = MoodyVlm::new(Mood::Chokes(seed));
    ask(&pool, &[poison, compare(2), compare(3)]).await;
    let _working = working(&pool, &vlm);
    until(
        &pool,
        "SELECT count(*) FILTER (WHERE state = 'completed') = 2 AND count(*) FILTER (WHERE state = 'parked') = 1 FROM job",
    )
    .await;
    let outages = db::queue::outages(&mut pool.acquire().await.unwrap()).await;
    assert!(outages.unwrap().is_empty(), "one call is no outage");
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn calls_whose_pictures_cannot_be_had_do_not_hold_up_the_others(pool: PgPool) {
    // The first nine, as many as a duel asks at once: more than are asked at a time here.
    let vlm = MoodyVlm::new(Mood::CannotFetch(10_000));
    let inputs: Vec<AskInput> = (1..24).map(compare).collect();
    ask(&pool, &inputs).await;
    let _working = working(&pool, &vlm);
    until(
        &pool,
        "SELECT count(*) FILTER (WHERE state = 'completed') = 14 FROM job",
    )
    .await;
    until(
        &pool,
        "SELECT NOT EXISTS (SELECT FROM queue WHERE outage IS NOT NULL)",
    )
    .await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn an_answer_without_text_costs_its_call_a_try_and_ends_an_outage(pool: PgPool) {
    let vlm = MoodyVlm::new(Mood::Away);
    ask(&pool, &[compare(1)]).await;
    let _working = working(&pool, &vlm);
    until(&pool, OUT).await;
    *vlm.mood.lock().unwrap() = Mood::SaysNothing;
    until(&pool, "SELECT bool_and(state = 'parked') FROM job").await;
    let outages = db::queue::outages(&mut pool.acquire().await.unwrap()).await;
    assert!(outages.unwrap().is_empty(), "the model's server answers");
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn an_answer_out_of_its_schema_is_asked_for_again_otherwise_and_then_parked(pool: PgPool) {
    for text in [
        "Both look nice.",
        r#"{"score": 7}"#,
        r#"{"penalty_1": 3, "pen"#,
        "",
    ] {
        workflow_is_empty(&pool).await;
        let vlm = MoodyVlm::new(Mood::Answers(text));
        ask(&pool, &[compare(1)]).await;
        let _working = working(&pool, &vlm);
        until(&pool, "SELECT bool_and(state = 'parked') FROM job").await;
        let asked: Vec<(f64, u64)> = vlm
            .asked()
            .iter()
            .map(|request| (request.temperature, request.seed))
            .collect();
        assert_eq!(
            asked,
            [
                (0.0, 1100),
                (0.15, 1101),
                (0.2, 1102),
                (0.25, 1103),
                (0.3, 1104)
            ],
            "{text:?}"
        );
    }
}

async fn workflow_is_empty(pool: &PgPool) {
    sqlx::query("TRUNCATE job, attempt, queue, worker")
        .execute(pool)
        .await
        .unwrap();
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_summary_that_cannot_be_had_holds_nobody_up(pool: PgPool) {
    let vlm = MoodyVlm::new(Mood::Answers("no JSON today"));
    let explain = input(1, VlmCall::Explain);
    ask(&pool, std::slice::from_ref(&explain)).await;
    let _working = working(&pool, &vlm);
    until(&pool, ALL_DONE).await;
    let job = db::job::find(&mut pool.acquire().await.unwrap(), &Ask::key(&explain))
        .await
        .unwrap()
        .unwrap();
    let answer: CallAnswer = serde_json::from_value(job.output.unwrap()).unwrap();
    assert!(matches!(answer, CallAnswer::NoSummary { .. }), "{answer:?}");
    assert_eq!(vlm.asked().len(), 3);
}

#[test]
fn a_request_carries_the_words_pictures_and_limits_of_its_call() {
    let request = request(&compare(2), 1).unwrap();
    assert_eq!(
        (request.label.as_str(), request.max_tokens, request.seed),
        ("s1_prompt_match", 1024, 2100)
    );
    let images = request
        .parts
        .iter()
        .filter(|part| matches!(part, Part::Image(_)))
        .count();
    assert_eq!((images, request.parts.len()), (3, 7));
    let mut unknown = compare(2);
    unknown.questions = 99;
    let said = super::request(&unknown, 1).unwrap_err().to_string();
    assert!(said.contains("version 99 of the questions"), "{said}");
}
