//! What a round records on its way: rows of files that change, and what people are told.

use std::collections::BTreeSet;

use schema::{
    StateFile as _,
    files::{Config, Prompts},
    paths,
};
use serde_json::Value;
use sqlx::PgPool;
use workflow::{
    db,
    engine::NewJob,
    round::{flows::Round, steps::RoundInput},
};

use crate::{
    bad_regenerations,
    playing::Playing,
    scenario::{ROUND, Run},
    world::{Manner, Miner},
};

const ROUND_IS_OVER: &str =
    "SELECT EXISTS (SELECT FROM job WHERE key = 'round/0' AND state = 'completed')";

fn round_of(miners: Vec<Miner>) -> Run {
    let start = NewJob::flow::<Round>(&RoundInput { round: ROUND }).unwrap();
    Run::new(miners, vec![start])
}

async fn played(pool: &PgPool, miners: Vec<Miner>) {
    let playing = Playing::start(pool, round_of(miners)).await;
    playing.until(ROUND_IS_OVER).await;
    playing.done().await;
}

fn honest() -> Miner {
    Miner {
        name: "Honest",
        strength: vec![5, 5, 5],
        ..Miner::default()
    }
}

/// Rows of a map file as they were published, in order.
async fn rows(pool: &PgPool, path: &str, key: &str) -> Vec<Value> {
    let contents: Vec<String> = sqlx::query_scalar(
        "SELECT convert_from(content, 'UTF8') FROM mirror_file WHERE path = $1 AND change = 'merge_entry' ORDER BY id",
    )
    .bind(path)
    .fetch_all(pool)
    .await
    .unwrap();
    let parsed = contents
        .iter()
        .map(|content| serde_json::from_str::<Value>(content).unwrap());
    parsed
        .filter(|content| content["key"] == key)
        .map(|content| content["value"].clone())
        .collect()
}

/// Notices by title, in order: descriptions, or names and values.
async fn told(pool: &PgPool, title: &str) -> Vec<String> {
    let texts: Vec<Value> =
        sqlx::query_scalar("SELECT text FROM notice WHERE text ->> 'title' = $1 ORDER BY id")
            .bind(title)
            .fetch_all(pool)
            .await
            .unwrap();
    let said = |text: &Value| match text["description"].as_str() {
        Some(description) => description.to_owned(),
        None => {
            let fields = text["fields"].as_array().unwrap().iter();
            let fields = fields.map(|field| {
                let part = |name: &str| field[name].as_str().unwrap().to_owned();
                format!("{}: {}", part("name"), part("value"))
            });
            fields.collect::<Vec<_>>().join(", ")
        }
    };
    texts.iter().map(said).collect()
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_regenerated_module_that_cannot_be_drawn_is_generated_and_has_no_pictures(pool: PgPool) {
    let miner = Miner {
        broken_again: Some("table"),
        ..honest()
    };
    let hotkey = miner.hotkey();
    played(&pool, vec![miner]).await;

    let file = format!("rounds/0/{hotkey}/generated_1.json");
    let undrawn = rows(&pool, &file, "table").await;
    assert_eq!(undrawn.len(), 1);
    assert!(undrawn[0]["js"].is_string(), "{undrawn:?}");
    assert_eq!(
        (&undrawn[0]["views"], &undrawn[0]["failure_reason"]),
        (&Value::Null, &Value::Null)
    );
    let reports = rows(&pool, "rounds/0/generation_reports.json", hotkey.as_str()).await;
    let repeat = &reports[0]["repeats"][0];
    assert_eq!(
        (&repeat["generated_prompts"], &repeat["failed_prompts"]),
        (&2.into(), &0.into())
    );
    // What was wrong with it is told to auditors, and what it submitted keeps its reason.
    let faults: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM mirror_file WHERE path = 'rounds/0/ledger/decisions.jsonl'
            AND convert_from(content, 'UTF8') LIKE '%\"module_rejected\"%table%'",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert!(faults > 0);
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_build_is_public_while_it_goes_on_and_when_it_is_decided(pool: PgPool) {
    let slow = Miner {
        is_built_slowly: true,
        ..honest()
    };
    let failing = Miner {
        name: "Failing",
        strength: vec![0],
        is_unbuildable: true,
        ..Miner::default()
    };
    let [slowly, at_once] = [&slow, &failing].map(Miner::hotkey);
    played(&pool, vec![slow, failing]).await;
    let statuses = async |hotkey: &schema::Hotkey| -> Vec<String> {
        let rows = rows(&pool, "rounds/0/builds.json", hotkey.as_str()).await;
        let statuses = rows.iter().map(|row| row["status"].as_str().unwrap());
        statuses.map(str::to_owned).collect()
    };
    assert_eq!(statuses(&slowly).await, ["in_progress", "success"]);
    assert_eq!(statuses(&at_once).await, ["failure"]);
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn people_are_told_how_downloads_and_regenerations_went(pool: PgPool) {
    let careless = Miner {
        name: "Careless",
        strength: vec![0],
        missing: Some("chair"),
        broken: Some("table"),
        ..Miner::default()
    };
    let honest = Miner {
        pods: Manner::FirstIsReplaced,
        ..honest()
    };
    let short = honest.hotkey().short().to_owned();
    played(&pool, vec![honest, careless]).await;

    assert_eq!(
        told(&pool, "Round 0 Downloads Complete").await,
        ["Miners: 2, Perfect (100%): 1 (50%), No submission: 0 (0%), Render failures: 1"]
    );
    let report = told(&pool, "Generation Report").await;
    assert!(
        report[0].starts_with(&format!("`{short}`: completed\n```\n#1: 2 ok, 0 failed, ")),
        "{report:?}"
    );
    let generation = told(&pool, &format!("Round 0 Generation — `{short}`")).await;
    assert!(
        generation[0].starts_with("Generated: 4/4 (100%), Fails: 0, Total time: ")
            && generation[0].ends_with("Replacements: 1"),
        "{generation:?}"
    );
    assert_eq!(told(&pool, "Round 0 Generation — `leader`").await.len(), 1);
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn people_are_told_of_regenerations_that_go_wrong(pool: PgPool) {
    let playing = Playing::start(&pool, bad_regenerations()).await;
    playing
        .until("SELECT count(*) > 0 AND bool_and(finished_at IS NOT NULL) FROM job")
        .await;
    playing.done().await;
    let reports: BTreeSet<String> = told(&pool, "Generation Report").await.into_iter().collect();
    for (miner, reason) in [
        ("5Unbuildab", "Failed to build a docker image"),
        ("5NeverRead", "Failed to deploy a docker image"),
    ] {
        let report = format!("`{miner}`: rejected\n```\n{reason}\n```");
        assert!(reports.contains(&report), "{reports:?}");
    }
    // Both tries of the miner whose pods never are ready.
    let undeployed = told(&pool, "Pod Deploy Failed").await;
    assert_eq!(undeployed.len(), 2, "{undeployed:?}");
    assert!(undeployed[0].contains("miner-00-5neverread-0"));
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_round_without_submissions_ends_in_the_collectors_words(pool: PgPool) {
    played(&pool, Vec::new()).await;
    let messages: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT message FROM mirror_file WHERE path = 'rounds/0/winner.json'",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(messages, ["Round 0 winner: leader\nRound 0: finalizing"]);
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn an_edit_of_the_configuration_counts_for_the_round_whose_reveal_window_is_open(
    pool: PgPool,
) {
    let playing = Playing::start(&pool, round_of(vec![honest()])).await;
    // The world stands still meanwhile: blocks come only when it is driven.
    let opened =
        "SELECT EXISTS (SELECT FROM job WHERE key = 'round/0/open_round' AND state = 'completed')";
    while !sqlx::query_scalar::<_, bool>(opened)
        .fetch_one(&pool)
        .await
        .unwrap()
    {
        tokio::task::yield_now().await;
    }
    let mut conn = pool.acquire().await.unwrap();
    let path = paths::config();
    let content = db::state_file::read(&mut conn, &path).await.unwrap();
    let mut config = Config::parse(&path, &content.unwrap()).unwrap();
    config.prompts_per_round = 1;
    db::state_file::write(&mut conn, &path, &config.to_bytes(), "repository")
        .await
        .unwrap();
    playing.until(ROUND_IS_OVER).await;
    playing.done().await;
    let path = paths::prompts(ROUND);
    let drawn = db::state_file::read(&mut conn, &path).await.unwrap();
    let drawn = Prompts::parse(&path, &drawn.unwrap()).unwrap();
    assert_eq!(drawn.len(), 1);
}
