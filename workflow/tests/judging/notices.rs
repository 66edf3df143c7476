//! What people are told while a tournament runs.

use sqlx::PgPool;
use workflow::round::judging::Judging;

use crate::support::*;

/// Titles and descriptions, in the order in which people read them.
async fn told(game: &Game) -> Vec<(String, String)> {
    sqlx::query_as("SELECT text ->> 'title', text ->> 'description' FROM notice ORDER BY id")
        .fetch_all(&game.pool)
        .await
        .unwrap()
}

fn of(told: &[(String, String)], title: &str) -> Vec<String> {
    told.iter()
        .filter(|(found, _)| found == title)
        .map(|(_, description)| description.clone())
        .collect()
}

fn judging() -> Judging {
    Judging {
        near_repeats: 0,
        ..Judging::default()
    }
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn one_challenger_that_wins_is_told_in_two_timelines_one_request_and_one_audit(pool: PgPool) {
    let game = Game::start(pool, &["A"], 1, judging()).await;
    game.plays("leader", "A", 4).await;
    game.source(&[("A", true)]).await;
    game.generates("A", 1).await;
    game.audits("submitted_1", "A", 0).await;
    game.audits("leader_1", "A", 4).await;
    assert_eq!(game.champion().await.as_str(), "A");

    let told = told(&game).await;
    assert_eq!(
        of(&told, "Round 3 timeline"),
        ["unverified", "verified"].map(|verified| format!(
            "```\nleader\n1. A won +20.00% vs leader, {verified}\n\ncurrent leader: A\n```"
        ))
    );
    assert_eq!(
        of(&told, "Round 3 Audit Requested"),
        ["`A` defeated `leader` by +20.00%"]
    );
    assert_eq!(
        of(&told, "Round 3 Audit Completed"),
        ["`A` vs `leader`: verified\n```\n#1: vs submitted +0.00%, vs leader +20.00%\n```"]
    );
    assert_eq!(told.len(), 4);
    game.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_defender_that_falls_is_told_and_whom_the_next_one_has_to_beat_now(pool: PgPool) {
    let game = Game::start(pool, &["A", "B"], 1, judging()).await;
    game.plays("leader", "A", 4).await;
    game.plays("leader", "B", 4).await;
    game.plays("A", "B", 4).await;
    game.source(&[("A", true), ("B", true)]).await;
    // B's outputs do not beat A's, whose title may still fall: held back.
    game.generates("B", 1).await;
    game.audits("submitted_1", "B", 0).await;
    game.audits("A_1", "B", 0).await;
    game.generates("A", 1).await;
    game.audits("submitted_1", "A", -20).await;
    game.audits("leader_1", "B", 4).await;
    assert_eq!(game.champion().await.as_str(), "B");

    let told = told(&game).await;
    let mut requested = of(&told, "Round 3 Audit Requested");
    requested.sort();
    assert_eq!(
        requested,
        [
            "`A` defeated `leader` by +20.00%",
            "`B` defeated `A` by +20.00%",
            "`B` defeated `leader` by +20.00%"
        ]
    );
    assert_eq!(
        of(&told, "Round 3 Audit Completed"),
        [
            "`B` vs `A`: rejected\n```\n#1: vs submitted +0.00%, vs A +0.00%\n```",
            "`A` vs `leader`: rejected\n```\n#1: vs submitted -100.00%, vs leader not played\n```",
            "`B` vs `leader`: verified\n```\n#1: vs submitted +0.00%, vs leader +20.00%\n```",
        ]
    );
    let last = of(&told, "Round 3 timeline").pop().unwrap();
    assert_eq!(
        last,
        "```\nleader\n1. A rejected: submitted vs generated #1: -100.00%\n\
         2. B won +20.00% vs leader, verified\n\ncurrent leader: B\n```"
    );
    game.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn nothing_is_told_of_a_timeline_before_everybody_has_qualified_or_not(pool: PgPool) {
    let game = Game::start(pool, &["A", "B"], 1, judging()).await;
    game.plays("leader", "A", -4).await;
    assert!(told(&game).await.is_empty());
    game.plays("leader", "B", -4).await;
    assert_eq!(game.champion().await.as_str(), "leader");
    assert_eq!(
        told(&game).await,
        [(
            "Round 3 timeline".to_owned(),
            "```\nleader\nno qualifiers\n\ncurrent leader: leader\n```".to_owned()
        )]
    );
    game.done().await;
}
