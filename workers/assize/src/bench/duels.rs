//! `assize bench duels`: how busy the judge keeps a model of fixed latency and capacity.
//!
//! Real matches on a PostgreSQL of their own with the settings of production, the real flows, the real client over HTTP on
//! loopback. Only the model and the pictures are stand-ins: what is measured is everything between two calls.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use schema::{
    Hotkey, RoundNumber, Side,
    storage::{EntryFiles, Layout},
    views,
};
use serde::Serialize;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use url::Url;
use workflow::{
    db::{
        self,
        records::{EntryRecord, Record},
    },
    embedded::{EmbeddedOptions, EmbeddedPostgres},
    engine::{NewJob, Registry, Worker, WorkerOptions, flow::FLOW_QUEUE},
    round::{
        self,
        entry::Prompt,
        flows::{Match, MatchInput},
        judge::Judge,
        judging::Measurement,
        queues, steps,
    },
    rules::{duel::DuelThresholds, matches::Play, vlm_calls},
};

use super::fixed_vlm::FixedVlm;
use crate::{
    clients::{
        embedder::{Embedder as _, FakeEmbedder},
        object_store::{FakeObjectStore, Object, ObjectStore},
        png,
        vlm::{HttpVlm, VlmSettings},
    },
    egress::Egress,
    handlers::{
        AskHandler, CompareEmbeddingsHandler, Failing, LoadMatchHandler, MeasureGrayHandler,
        StoredViews,
    },
};

const ROUND: RoundNumber = RoundNumber(0);
const DATABASE: &str = "bench_duels";
/// How often to look whether all matches have ended.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What to measure.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    /// Challengers; each plays the leader.
    pub miners: u32,
    /// Prompts of the round.
    pub prompts: u32,
    /// How long the model takes for a call.
    pub latency: Duration,
    /// Calls the model works on at once; the budget of the judge over all replicas is the same.
    pub capacity: usize,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Which measure.
    pub bench: &'static str,
    /// Calls answered a second, between the first call's start and the last one's end.
    pub calls_per_s: f64,
    /// Share of the model's capacity that was used in that time.
    pub utilisation: f64,
    /// That time.
    pub seconds: f64,
    /// What the same calls take when duels are judged one after the other, with the calls of a stage at once: the reference's
    /// way, reckoned from the stages that ran.
    pub serial_seconds: f64,
    /// Calls.
    pub calls: u64,
    /// Duels.
    pub duels: u64,
    /// Most calls at once.
    pub peak_in_flight: usize,
    /// Challengers.
    pub miners: u32,
    /// Prompts.
    pub prompts: u32,
    /// Latency of the model.
    pub latency_s: f64,
    /// Capacity of the model.
    pub capacity: usize,
}

/// Judges a whole qualification; `home` is an empty folder for the database.
///
/// # Errors
///
/// If PostgreSQL cannot be started, or a match has no margin in the end.
pub async fn run(workload: Workload, home: &Path) -> anyhow::Result<Figures> {
    let postgres = EmbeddedPostgres::start(EmbeddedOptions::new(home.join("postgres"))).await?;
    postgres.create_database(DATABASE).await?;
    let pool = connect(&postgres.url(DATABASE)).await?;
    db::migrate(&pool).await?;
    pool.close().await;
    // Settings of the database that the migration made count for new connections.
    let pool = connect(&postgres.url(DATABASE)).await?;
    let figures = judge(workload, &pool).await;
    pool.close().await;
    postgres.stop().await;
    figures
}

async fn connect(url: &str) -> anyhow::Result<PgPool> {
    Ok(db::pool_options().max_connections(20).connect(url).await?)
}

async fn judge(workload: Workload, pool: &PgPool) -> anyhow::Result<Figures> {
    let layout = Layout::default();
    let store = Arc::new(FakeObjectStore::new(schema::storage::DEFAULT_CDN_URL));
    let matches = prepare(workload, pool, &layout, &store).await?;
    let model = FixedVlm::new(workload.latency, workload.capacity);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = format!("http://{}/v1", listener.local_addr()?);
    let serving = tokio::spawn(axum::serve(listener, model.router()).into_future());

    let capacity = i32::try_from(workload.capacity).context("the capacity is too large")?;
    db::queue::limit(
        &mut *pool.acquire().await?,
        queues::VLM,
        Some(capacity),
        None,
    )
    .await?;
    let slots = HashMap::from([
        (FLOW_QUEUE.to_owned(), 50),
        (queues::VLM.to_owned(), workload.capacity),
        (queues::STATE.to_owned(), 20),
        (queues::NETWORK.to_owned(), 40),
    ]);
    let registry = registry(pool, &Url::parse(&address)?, store, layout)?;
    let worker = Worker::new(pool.clone(), registry, WorkerOptions::new("bench", slots));
    let stop = CancellationToken::new();
    let working = tokio::spawn(worker.run(stop.clone()));

    let jobs = matches
        .iter()
        .map(NewJob::flow::<Match>)
        .collect::<Result<Vec<_>, _>>()?;
    let mut transaction = pool.begin().await?;
    db::start(&mut transaction, &jobs).await?;
    transaction.commit().await?;
    until_measured(pool, matches.len()).await?;
    stop.cancel();
    working.await??;
    serving.abort();

    let account = model.account();
    let span = account.span().as_secs_f64();
    let waves = serial_waves(pool).await?;
    Ok(Figures {
        bench: "duels",
        calls_per_s: account.calls as f64 / span,
        utilisation: account.busy.as_secs_f64() / (span * workload.capacity as f64),
        seconds: span,
        serial_seconds: waves as f64 * workload.latency.as_secs_f64(),
        calls: account.calls,
        duels: u64::from(workload.miners) * u64::from(workload.prompts),
        peak_in_flight: account.peak_in_flight,
        miners: workload.miners,
        prompts: workload.prompts,
        latency_s: workload.latency.as_secs_f64(),
        capacity: workload.capacity,
    })
}

fn registry(
    pool: &PgPool,
    model: &Url,
    store: Arc<FakeObjectStore>,
    layout: Layout,
) -> anyhow::Result<Registry> {
    let vlm = HttpVlm::new(
        Egress::new(&[])?,
        VlmSettings {
            base_url: model.clone(),
            api_key: "bench".into(),
            deadline: Duration::from_secs(120),
        },
    );
    let views = StoredViews { store, layout };
    Ok(round::with_flows(Registry::new())
        .step::<steps::Ask, _>(AskHandler {
            vlm: Arc::new(vlm),
            pool: pool.clone(),
            failing: Failing::default(),
        })
        .step::<steps::LoadMatch, _>(LoadMatchHandler {
            pool: pool.clone(),
            judge: Judge::new(vlm_calls::MODEL, DuelThresholds::default()),
        })
        .step::<steps::CompareEmbeddings, _>(CompareEmbeddingsHandler(views.clone()))
        .step::<steps::MeasureGray, _>(MeasureGrayHandler(views)))
}

/// Stores what the judge reads of each entry, and answers the matches of the qualification.
async fn prepare(
    workload: Workload,
    pool: &PgPool,
    layout: &Layout,
    store: &FakeObjectStore,
) -> anyhow::Result<Vec<MatchInput>> {
    let prompts: Vec<Prompt> = (0..workload.prompts)
        .map(|number| Prompt::of_url(&format!("https://prompts.example/{number:04}.png")))
        .collect();
    let hotkeys: Vec<Hotkey> = (0..workload.miners)
        .map(|number| Hotkey::new(format!("5Miner{number:04}")))
        .collect();
    let embeddings = embeddings().await?;
    let gray = Bytes::from(png::one_pixel([200, 60, 40]));
    let mut transaction = pool.begin().await?;
    for prompt in &prompts {
        let baseline = layout.generated(ROUND, &Side::Leader, 1, &prompt.stem);
        settle(&mut transaction, "leader", 1, prompt, &baseline).await?;
        keep(store, &baseline, &embeddings, &gray).await?;
        for hotkey in &hotkeys {
            let submitted = layout.submitted(ROUND, hotkey, &prompt.stem);
            settle(&mut transaction, hotkey.as_str(), 0, prompt, &submitted).await?;
            keep(store, &submitted, &embeddings, &gray).await?;
        }
    }
    transaction.commit().await?;
    let challenge = |hotkey: Hotkey| MatchInput {
        round: ROUND,
        left: Side::Leader,
        right: hotkey,
        how: Play::Judge,
        prompts: prompts.clone(),
        seed: 1,
        pictures: String::new(),
        measurement: Measurement::default(),
        stop_at: Vec::new(),
    };
    Ok(hotkeys.into_iter().map(challenge).collect())
}

async fn embeddings() -> anyhow::Result<Bytes> {
    let picture = Bytes::from(png::one_pixel([200, 60, 40]));
    let white = views::WHITE_VIEWS
        .iter()
        .map(|view| (view.name.to_owned(), picture.clone()))
        .collect();
    let embedded = FakeEmbedder::default().embed(picture, &white).await?;
    Ok(embedded.to_npz()?.into())
}

async fn settle(
    conn: &mut sqlx::PgConnection,
    side: &str,
    repeat: i32,
    prompt: &Prompt,
    files: &EntryFiles,
) -> sqlx::Result<()> {
    let digest = Some(format!("{side}/{}", prompt.stem));
    let entry = EntryRecord {
        round: ROUND.0,
        hotkey: side.to_owned(),
        repeat,
        stem: prompt.stem.as_str().to_owned(),
        js: Some(files.module_url.clone()),
        views: Some(files.views_url_prefix.clone()),
        module_sha256: digest.clone(),
        pictures_sha256: digest,
        ..EntryRecord::default()
    };
    Record::Entry(entry).write(conn).await
}

async fn keep(
    store: &FakeObjectStore,
    files: &EntryFiles,
    embeddings: &Bytes,
    gray: &Bytes,
) -> anyhow::Result<()> {
    for (name, bytes) in [
        (views::EMBEDDINGS, embeddings),
        ("gray/front_left.png", gray),
    ] {
        let object = Object {
            key: files.object_key(name),
            content_type: "application/octet-stream",
            bytes: bytes.clone(),
        };
        store.put(object).await?;
    }
    Ok(())
}

async fn until_measured(pool: &PgPool, matches: usize) -> anyhow::Result<()> {
    loop {
        let (measured, parked): (i64, Option<String>) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM match_result), (SELECT key || ': ' || error FROM job WHERE state = 'parked' LIMIT 1)",
        )
        .fetch_one(pool)
        .await?;
        ensure!(parked.is_none(), "a step is parked: {parked:?}");
        if usize::try_from(measured).is_ok_and(|measured| measured == matches) {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// How many times a judge that takes one duel after the other waits for the model: once a duel in stage 1, four times more
/// when it is a draw (decompose, verify, side guard, and gray when it fired), once for a search for writing.
async fn serial_waves(pool: &PgPool) -> anyhow::Result<i64> {
    let waves: i64 = sqlx::query_scalar(
        "SELECT count(DISTINCT (input ->> 'duel', CASE input -> 'call' ->> 'call'
                    WHEN 'explain' THEN 'prompt_match'
                    WHEN 'best_view' THEN 'decompose'
                    WHEN 'artifact_compare' THEN 'decompose'
                    ELSE input -> 'call' ->> 'call' END))
         FROM job WHERE name = 'ask'",
    )
    .fetch_one(pool)
    .await?;
    Ok(waves)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_small_qualification_is_measured_at_the_model() {
        let workload = Workload {
            miners: 3,
            prompts: 4,
            latency: Duration::from_millis(5),
            capacity: 6,
        };
        let home = tempfile::tempdir().unwrap();
        let figures = run(workload, home.path()).await.unwrap();
        assert_eq!(figures.duels, 12);
        assert!(figures.calls >= 12 * 9, "{figures:?}");
        assert!(
            figures.peak_in_flight <= 6,
            "the budget is kept: {figures:?}"
        );
        assert!(figures.utilisation > 0.0 && figures.utilisation <= 1.0);
        // One wave in stage 1 for each duel at least.
        assert!(figures.serial_seconds >= 12.0 * 0.005, "{figures:?}");
    }
}
