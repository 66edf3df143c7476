//! Pictures with writing on them do not steer a verdict, whatever the model makes of writing.
//!
//! The rehearsal's model really looks at the pictures, over HTTP, and can be given a weakness for writing: it then prefers
//! whatever carries it. The test set has several objects, the writing on the worse or on the better one, on either side.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use bytes::Bytes;
use indexmap::IndexMap;
use rehearsal::{
    scenes::PAINTED_TEXT_COLORS,
    vlm::{Fetch, Vlm as RehearsalVlm, VlmOptions, Weakness},
};
use schema::{
    Hotkey, RoundNumber, Side,
    files::report::{DuelDetail, DuelWinner},
    storage::{DEFAULT_CDN_URL, EntryFiles, Layout},
    views,
};
use tokio_util::sync::CancellationToken;
use workflow::{
    db::records::{EntryRecord, Record},
    engine::{NewJob, Registry, Worker, WorkerOptions, flow::FLOW_QUEUE},
    round::{
        self,
        entry::Prompt,
        flows::{Match, MatchInput, MatchOutput},
        judge::Judge,
        judging::Measurement,
        steps,
    },
    rules::{duel::DuelThresholds, matches::Play, vlm_calls::MODEL},
};

use super::*;
use crate::{
    clients::{
        embedder::{Embedder as _, HistogramEmbedder},
        object_store::{FakeObjectStore, Object, ObjectStore as _},
        testing,
        vlm::{HttpVlm, VlmSettings},
    },
    handlers::{CompareEmbeddingsHandler, LoadMatchHandler, MeasureGrayHandler, StoredViews},
};

const ROUND: RoundNumber = RoundNumber(0);
const PATIENCE: Duration = Duration::from_secs(90);

/// A rectangle: left, top, width, height and colour.
type Block = ([u32; 4], [u8; 3]);

const RED: [u8; 3] = [200, 40, 40];
const BLUE: [u8; 3] = [40, 60, 190];
const GREEN: [u8; 3] = [40, 140, 60];
const BROWN: [u8; 3] = [120, 80, 45];

/// Objects: what the prompt shows, and what a bad copy shows instead.
const OBJECTS: [(&str, &[Block], &[Block]); 3] = [
    (
        "tree",
        &[([34, 10, 60, 60], GREEN), ([56, 70, 16, 50], BROWN)],
        &[([4, 70, 120, 40], BLUE)],
    ),
    (
        "table",
        &[
            ([10, 40, 108, 16], BROWN),
            ([16, 56, 12, 60], BROWN),
            ([100, 56, 12, 60], BROWN),
        ],
        &[([50, 8, 28, 110], RED)],
    ),
    (
        "lamp",
        &[
            ([40, 8, 48, 36], RED),
            ([60, 44, 8, 60], BLUE),
            ([44, 104, 40, 12], BLUE),
        ],
        &[([8, 30, 112, 80], GREEN)],
    ),
];

/// Who carries the writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Painted {
    Worse,
    Better,
}

/// Writing stands as a strip of two colours at the picture's foot.
fn strip() -> Vec<Block> {
    (0..8)
        .map(|i| ([30 + i * 8, 112, 8, 8], PAINTED_TEXT_COLORS[i as usize % 2]))
        .collect()
}

fn picture(blocks: &[Block]) -> Bytes {
    let mut image = image::RgbImage::from_pixel(128, 128, image::Rgb([255; 3]));
    for ([left, top, width, height], colour) in blocks {
        for x in *left..left + width {
            for y in *top..top + height {
                image.put_pixel(x, y, image::Rgb(*colour));
            }
        }
    }
    testing::encode(&image).into()
}

/// Pictures by the folder of their entry: all views of a side show the same.
#[derive(Default, Clone)]
struct Album(HashMap<String, Bytes>);

#[async_trait]
impl Fetch for Album {
    async fn fetch(&self, url: &str) -> Result<Bytes, String> {
        let entry = self.0.iter().find(|(prefix, _)| url.starts_with(*prefix));
        entry
            .map(|(_, picture)| picture.clone())
            .ok_or_else(|| format!("{url}: 404"))
    }
}

/// The verdicts on all objects when the leader's copy is the better one (`leader_is_better`) and the writing is on one side.
async fn verdicts(
    pool: &PgPool,
    weakness: Weakness,
    painted: Painted,
    leader_is_better: bool,
) -> Vec<(DuelWinner, String)> {
    workflow::testing::forget_everything(pool).await.unwrap();
    let layout = Layout::default();
    let store = Arc::new(FakeObjectStore::new(DEFAULT_CDN_URL));
    let mut album = Album::default();
    let hotkey = Hotkey::new("5Miner");
    let mut prompts = Vec::new();
    for (stem, prompt_blocks, bad) in OBJECTS {
        let prompt = Prompt::of_url(&format!("https://prompts.example/{stem}.png"));
        let prompt_picture = picture(prompt_blocks);
        album.0.insert(prompt.url.clone(), prompt_picture.clone());
        let mut better = prompt_blocks.to_vec();
        let mut worse = bad.to_vec();
        match painted {
            Painted::Worse => worse.extend(strip()),
            Painted::Better => better.extend(strip()),
        }
        let (left, right) = if leader_is_better {
            (better, worse)
        } else {
            (worse, better)
        };
        let baseline = layout.generated(ROUND, &Side::Leader, 1, &prompt.stem);
        let submitted = layout.submitted(ROUND, &hotkey, &prompt.stem);
        for (side, repeat, files, blocks) in [
            ("leader", 1, baseline, left),
            (hotkey.as_str(), 0, submitted, right),
        ] {
            let shown = picture(&blocks);
            keep(&store, &files, &prompt_picture, &shown).await;
            album.0.insert(files.views_url_prefix.clone(), shown);
            settle(pool, side, repeat, &prompt, &files).await;
        }
        prompts.push(prompt);
    }
    let model = RehearsalVlm::new(
        VlmOptions {
            weakness,
            ..VlmOptions::default()
        },
        Arc::new(album),
    );
    let base = testing::serve(model.router()).await;
    let vlm = HttpVlm::new(
        testing::egress(),
        VlmSettings {
            base_url: base.join("v1").unwrap(),
            api_key: "any".into(),
            deadline: Duration::from_secs(30),
        },
    );
    let input = MatchInput {
        round: ROUND,
        left: Side::Leader,
        right: hotkey,
        how: Play::Judge,
        prompts,
        seed: 1,
        pictures: String::new(),
        measurement: Measurement::default(),
        stop_at: Vec::new(),
    };
    let output = play(pool, vlm, StoredViews { store, layout }, &input).await;
    let duels = output.report.unwrap().duels;
    duels
        .into_iter()
        .map(
            |duel| match duel.detail.map(DuelDetail::in_published_order) {
                Some(DuelDetail::Judged(judged)) => (duel.winner, judged.decided_by),
                other => panic!("not judged: {other:?}"),
            },
        )
        .collect()
}

async fn keep(store: &FakeObjectStore, files: &EntryFiles, prompt: &Bytes, shown: &Bytes) {
    let white: IndexMap<String, Bytes> = views::WHITE_VIEWS
        .iter()
        .map(|view| (view.name.to_owned(), shown.clone()))
        .collect();
    let embedded = HistogramEmbedder.embed(prompt.clone(), &white).await;
    let embeddings = Bytes::from(embedded.unwrap().to_npz().unwrap());
    for (name, bytes) in [
        (views::EMBEDDINGS, embeddings),
        ("gray/front_left.png", shown.clone()),
    ] {
        let object = Object {
            key: files.object_key(name),
            content_type: "image/png",
            bytes,
        };
        store.put(object).await.unwrap();
    }
}

async fn settle(pool: &PgPool, side: &str, repeat: i32, prompt: &Prompt, files: &EntryFiles) {
    let entry = EntryRecord {
        round: ROUND.0,
        hotkey: side.to_owned(),
        repeat,
        stem: prompt.stem.as_str().to_owned(),
        js: Some(files.module_url.clone()),
        views: Some(files.views_url_prefix.clone()),
        ..EntryRecord::default()
    };
    let mut conn = pool.acquire().await.unwrap();
    Record::Entry(entry).write(&mut conn).await.unwrap();
}

async fn play(pool: &PgPool, vlm: HttpVlm, views: StoredViews, input: &MatchInput) -> MatchOutput {
    let registry = round::with_flows(Registry::new())
        .step::<Ask, _>(AskHandler {
            vlm: Arc::new(vlm),
            pool: pool.clone(),
            failing: Failing::default(),
        })
        .step::<steps::LoadMatch, _>(LoadMatchHandler {
            pool: pool.clone(),
            judge: Judge::new(MODEL, DuelThresholds::default()),
        })
        .step::<steps::CompareEmbeddings, _>(CompareEmbeddingsHandler(views.clone()))
        .step::<steps::MeasureGray, _>(MeasureGrayHandler(views));
    let slots = [FLOW_QUEUE, queues::VLM, queues::STATE, queues::NETWORK]
        .map(|queue| (queue.to_owned(), 16));
    let worker = Worker::new(pool.clone(), registry, WorkerOptions::new("judge", slots));
    let stop = CancellationToken::new();
    let _stops = stop.clone().drop_guard();
    tokio::spawn(worker.run(stop));
    let job = NewJob::flow::<Match>(input).unwrap();
    let mut conn = pool.acquire().await.unwrap();
    db::start(&mut conn, std::slice::from_ref(&job))
        .await
        .unwrap();
    let ended = async {
        loop {
            let row = db::job::find(&mut conn, &job.key).await.unwrap().unwrap();
            if let Some(output) = row.output {
                return serde_json::from_value(output).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended)
        .await
        .expect("the match ends")
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn writing_on_the_worse_model_wins_nothing_from_a_model_that_can_be_warned(pool: PgPool) {
    for weakness in [Weakness::None, Weakness::ObeysUnlessWarned] {
        for leader_is_better in [true, false] {
            let better = if leader_is_better {
                DuelWinner::Left
            } else {
                DuelWinner::Right
            };
            for (winner, by) in verdicts(&pool, weakness, Painted::Worse, leader_is_better).await {
                assert_eq!(winner, better, "{weakness:?}: {by}");
            }
        }
    }
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn writing_on_the_worse_model_wins_nothing_from_a_model_that_obeys_whatever_it_reads(
    pool: PgPool,
) {
    for leader_is_better in [true, false] {
        let verdicts = verdicts(
            &pool,
            Weakness::AlwaysObeys,
            Painted::Worse,
            leader_is_better,
        )
        .await;
        let was = if leader_is_better { "B" } else { "A" };
        for (winner, by) in verdicts {
            assert_eq!(winner, DuelWinner::Draw, "{by}");
            assert_eq!(by, format!("text step-down (was {was})"));
        }
    }
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn the_better_model_does_not_lose_for_carrying_writing(pool: PgPool) {
    for weakness in [Weakness::None, Weakness::AlwaysObeys] {
        for (winner, by) in verdicts(&pool, weakness, Painted::Better, true).await {
            assert_eq!(winner, DuelWinner::Left, "{weakness:?}: {by}");
        }
    }
}
