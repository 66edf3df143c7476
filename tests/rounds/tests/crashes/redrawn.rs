//! Pictures that are drawn anew: the duel that showed them is judged again and no other, and the old result stays public.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use assize::{
    cli::{Cli, run},
    clients::{
        object_store::Object,
        png,
        render_service::{FakeRenderService, RenderService as _},
        vlm::{Part, Vlm, VlmError, VlmRequest},
    },
    handlers::{self, RoundSettings, Services},
    roles::{self, Role, Sizes},
};
use async_trait::async_trait;
use clap::Parser as _;
use schema::{
    Hotkey, Side, StateFile as _,
    files::report::{DuelWinner, MatchReport},
    paths::{self, LedgerFile},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::{ConnectOptions as _, PgPool};
use tokio_util::sync::CancellationToken;
use workflow::{
    db,
    engine::{NewJob, Worker, WorkerOptions},
    round::{
        entry::{EntryId, ModuleRef, Prompt},
        flows::{Tournament, TournamentInput},
        judging::Judging,
        steps::{Render, RenderInput},
    },
    rules::regeneration::Budget,
};

use crate::{
    duels::answer,
    scenario::ROUND,
    world::{Manner, World},
};

/// The leader's picture of it comes out badly at first.
const MENDED: &str = "chair";
const OTHER: &str = "stool";
const PATIENCE: Duration = Duration::from_secs(120);

fn miner() -> Hotkey {
    Hotkey::new("5Challenger")
}

fn prompts() -> Vec<Prompt> {
    [MENDED, OTHER]
        .map(|stem| Prompt::of_url(&format!("https://prompts.example/{stem}.png")))
        .to_vec()
}

/// Sees no difference, until the leader's picture is mended.
#[derive(Default)]
struct Model {
    is_mended: Mutex<bool>,
    /// How often it was asked, by prompt.
    asked: Mutex<HashMap<String, usize>>,
}

#[async_trait]
impl Vlm for Model {
    async fn complete(&self, request: &VlmRequest) -> Result<String, VlmError> {
        let pictures: Vec<&str> = request
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Image(url) => Some(url.as_str()),
                Part::Text(_) => None,
            })
            .collect();
        let of = |stem: &&str| pictures.iter().any(|url| url.contains(*stem));
        let stem = [MENDED, OTHER].into_iter().find(of).unwrap_or_default();
        *self
            .asked
            .lock()
            .unwrap()
            .entry(stem.to_owned())
            .or_default() += 1;
        let is_mended = *self.is_mended.lock().unwrap();
        let penalty = |url: &str| {
            let is_better = is_mended && url.contains("/leader/") && url.contains(MENDED);
            if is_better { 1 } else { 4 }
        };
        Ok(answer(&request.label, &pictures, penalty).to_string())
    }
}

/// Stores a side's modules, and asks for their pictures.
async fn draws(services: &Services, side: &Side) -> Vec<NewJob> {
    let mut jobs = Vec::new();
    for prompt in prompts() {
        let entry = EntryId {
            round: ROUND,
            side: side.clone(),
            repeat: u32::from(side.is_leader()),
            stem: prompt.stem.clone(),
        };
        let source = format!("// {} by {side}", prompt.stem);
        let module = ModuleRef {
            key: format!("modules/{side}/{}.js", prompt.stem),
            url: format!("https://store.example/modules/{side}/{}.js", prompt.stem),
            sha256: hex::encode(Sha256::digest(&source)),
            size_bytes: source.len() as u64,
            fetched_at: None,
        };
        let object = Object {
            key: module.key.clone(),
            content_type: "text/javascript",
            bytes: source.into(),
        };
        services.store.put(object).await.unwrap();
        let input = RenderInput {
            entry,
            prompt,
            module,
            again: 0,
        };
        jobs.push(NewJob::step::<Render>(&input).unwrap());
    }
    jobs
}

/// The second miner has not delivered yet, so the tournament stays open.
fn tournament() -> NewJob {
    let submission = |block: u32| {
        serde_json::from_value(json!({
            "repo": "owner/miner", "commit": "0".repeat(40), "cdn_url": "https://miner.example", "revealed_at_block": block,
            "round": "crash-0",
        }))
        .unwrap()
    };
    let input = TournamentInput {
        round: ROUND,
        win_margin: 0.05,
        audit_repeats: 1,
        submissions: vec![
            (miner(), submission(1)),
            (Hotkey::new("5Late"), submission(2)),
        ],
        prompts: prompts(),
        seed: 7,
        judging: Judging {
            near_repeats: 0,
            ..Judging::default()
        },
        budget: Budget::default(),
    };
    NewJob::reconciler::<Tournament>(&input).unwrap()
}

async fn until(pool: &PgPool, condition: &'static str) {
    let waiting = async {
        let holds = || sqlx::query_scalar::<_, Option<bool>>(condition).fetch_optional(pool);
        while holds().await.unwrap().flatten() != Some(true) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("never: {condition}"));
}

/// What was put under a path, and lines that were appended to it, in order.
async fn published(pool: &PgPool, path: &str) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT convert_from(content, 'UTF8') FROM mirror_file WHERE path = $1 ORDER BY id",
    )
    .bind(path)
    .fetch_all(pool)
    .await
    .unwrap()
}

async fn lines(pool: &PgPool, file: LedgerFile) -> Vec<Value> {
    let lines = published(pool, &paths::ledger(ROUND, &file)).await;
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn new_pictures_have_their_duel_judged_again_and_no_other(pool: PgPool) {
    let (renderer, model) = (
        Arc::new(FakeRenderService::default()),
        Arc::new(Model::default()),
    );
    let services = Services {
        vlm: model.clone(),
        renderer: renderer.clone(),
        ..World::new(&[], Manner::Work).services(&pool)
    };
    let worker = Worker::new(
        pool.clone(),
        handlers::registry(&services, &RoundSettings::default()),
        WorkerOptions::new("judge", roles::slots(&Role::ALL, &Sizes::default())),
    );
    let stop = CancellationToken::new();
    let working = tokio::spawn(worker.run(stop.clone()));
    let mut jobs = draws(&services, &Side::Leader).await;
    jobs.extend(draws(&services, &Side::Miner(miner())).await);
    jobs.push(tournament());
    let mut conn = pool.acquire().await.unwrap();
    sqlx::query("INSERT INTO round (round, stage) VALUES (0, 'duels')")
        .execute(&mut *conn)
        .await
        .unwrap();
    db::start(&mut conn, &jobs).await.unwrap();
    until(&pool, "SELECT margin = 0 AND published FROM match_result").await;
    let first = model.asked.lock().unwrap().clone();

    let mut mended = FakeRenderService::default().views("", 1).await.unwrap();
    mended.grid = png::one_pixel([10; 3]).into();
    renderer.script.push(Ok(mended));
    *model.is_mended.lock().unwrap() = true;
    let database = pool.connect_options().to_url_lossy().to_string();
    let redraw = "assize round redraw 0 leader --stem chair --operator ann --database-url";
    let words = redraw
        .split(' ')
        .chain([database.as_str(), "--reason", "the renderer was broken"]);
    run(Cli::try_parse_from(words).unwrap()).await.unwrap();
    until(
        &pool,
        "SELECT margin = -0.5 AND published FROM match_result",
    )
    .await;
    until(&pool, "SELECT published FROM superseded_pictures").await;

    let second = model.asked.lock().unwrap().clone();
    assert!(second[MENDED] > first[MENDED], "judged again");
    assert_eq!(second[OTHER], first[OTHER], "not asked again");
    let duels: Vec<(String, String, bool)> = sqlx::query_as(
        "SELECT stem, winner, superseded_at IS NULL FROM duel ORDER BY stem, recorded_at",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let duel = |stem: &str, winner: &str, counts| (stem.to_owned(), winner.to_owned(), counts);
    assert_eq!(
        duels,
        [
            duel(MENDED, "draw", false),
            duel(MENDED, "left", true),
            duel(OTHER, "draw", true)
        ]
    );

    let path = paths::duels_report(ROUND, &Side::Leader, &miner());
    let reports: Vec<Vec<DuelWinner>> = published(&pool, &path)
        .await
        .iter()
        .map(|report| {
            let report = MatchReport::parse(&path, report.as_bytes()).unwrap();
            report.duels.iter().map(|duel| duel.winner).collect()
        })
        .collect();
    let (draw, left) = (DuelWinner::Draw, DuelWinner::Left);
    assert_eq!(reports, [[draw, draw], [left, draw]]);
    let rows = published(&pool, &paths::matches_matrix(ROUND)).await;
    let margins: Vec<f64> = rows
        .iter()
        .map(|row| {
            serde_json::from_str::<Value>(row).unwrap()["margin"]
                .as_f64()
                .unwrap()
        })
        .collect();
    assert_eq!(margins, [0.0, -0.5]);

    let superseded = lines(&pool, LedgerFile::Decisions).await;
    let superseded: Vec<&Value> = superseded
        .iter()
        .filter(|line| line["kind"] == "result_superseded")
        .collect();
    assert_eq!(superseded.len(), 1);
    assert_eq!(
        (&superseded[0]["margin"], &superseded[0]["right"]),
        (&json!(0.0), &json!(miner()))
    );
    let actions = lines(&pool, LedgerFile::Operators).await;
    assert_eq!(actions.len(), 1);
    assert_eq!(
        (
            &actions[0]["action"],
            &actions[0]["operator"],
            &actions[0]["reason"]
        ),
        (
            &json!("draw-anew"),
            &json!("ann"),
            &json!("the renderer was broken")
        )
    );
    stop.cancel();
    working.await.unwrap().unwrap();
}
