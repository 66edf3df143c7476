//! What the tournament starts, cancels and starts anew.

use sqlx::PgPool;
use workflow::round::judging::Judging;

use crate::support::*;

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_miner_that_is_no_longer_rejected_is_regenerated_to_the_end_and_may_win(pool: PgPool) {
    let game = Game::start(pool, &["A", "B", "C"], 2, plain()).await;
    // C's qualification keeps the round open.
    game.plays("leader", "A", 4).await;
    game.plays("leader", "B", 4).await;
    game.plays("A", "B", 4).await;
    game.source(&[("A", true), ("B", true)]).await;
    for repeat in [1, 2] {
        game.generates("A", repeat).await;
        game.audits(&format!("submitted_{repeat}"), "A", 0).await;
        game.audits(&format!("leader_{repeat}"), "A", 4).await;
    }
    // B's first repeat does not beat A, whose title is final: B is out while its second repeat is generated.
    game.generates("B", 1).await;
    game.audits("submitted_1", "B", 0).await;
    game.audits("A_1", "B", 0).await;
    game.is_cancelled("round/3/regeneration/B").await;
    game.exists("round/3/regeneration/B/release/cancelled/0")
        .await;

    // A falls after all. B holds the title against the leader; its regeneration goes on where it was.
    game.source(&[("A", false), ("B", true)]).await;
    game.exists("round/3/regeneration/B/again/1").await;
    game.audits("leader_1", "B", 4).await;
    game.generates("B/again/1", 2).await;
    game.audits("submitted_2", "B", 0).await;
    game.audits("leader_2", "B", 4).await;
    game.plays("leader", "C", -4).await;
    assert_eq!(game.champion().await.as_str(), "B");

    let verdicts: Vec<String> = game
        .published()
        .await
        .into_iter()
        .filter(|(path, _)| path.ends_with("generation_audits.json"))
        .map(|(_, content)| content)
        .collect();
    assert!(
        verdicts
            .iter()
            .any(|file| file.contains("A vs generated #1: +0.00%"))
    );
    assert!(
        !verdicts.last().unwrap().contains("A vs generated"),
        "the failure is withdrawn"
    );
    let withdrawn = game.decisions("verdict_withdrawn").await;
    assert_eq!(
        withdrawn
            .iter()
            .map(|line| (line["hotkey"].as_str(), line["reason"].as_str()))
            .collect::<Vec<_>>(),
        [(Some("B"), Some("A vs generated #1: +0.00%"))],
        "A, whose pass became a failure, has a new verdict instead"
    );
    game.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn what_nobody_needs_any_more_is_cancelled_before_the_round_ends(pool: PgPool) {
    let game = Game::start(pool, &["A", "B", "C"], 1, plain()).await;
    for right in ["A", "B", "C"] {
        game.plays("leader", right, 4).await;
    }
    game.plays("A", "B", -4).await;
    game.plays("A", "C", -4).await;
    // While A is audited, the pair that matters if A falls is explored.
    game.exists("round/3/match/B/C").await;
    game.source(&[("A", true)]).await;
    game.generates("A", 1).await;
    game.audits("submitted_1", "A", 0).await;
    game.audits("leader_1", "A", 4).await;
    assert_eq!(game.champion().await.as_str(), "A");
    game.is_cancelled("round/3/match/B/C").await;
    let open = "SELECT count(*) FROM job WHERE name IN ('match', 'compare', 'regeneration') AND finished_at IS NULL";
    assert_eq!(game.count(open).await, 0);
    game.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn audits_of_a_miner_take_turns_and_end_with_the_one_that_rejects_it(pool: PgPool) {
    let game = Game::start(pool, &["A"], 1, plain()).await;
    game.plays("leader", "A", 4).await;
    game.generates("A", 1).await;
    game.audits("submitted_1", "A", -4).await;
    assert_eq!(game.champion().await.as_str(), "leader");
    game.until("SELECT count(*) = 0 FROM job WHERE key LIKE 'round/3/compare/leader_1/%'")
        .await;
    game.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_match_that_was_cancelled_too_early_is_played_under_a_new_judgement(pool: PgPool) {
    let game = Game::start(pool, &["A", "B"], 1, plain()).await;
    game.exists("round/3/match/leader/B").await;
    game.source(&[("B", false)]).await;
    game.is_cancelled("round/3/match/leader/B").await;
    game.source(&[("B", true)]).await;
    game.ends("round/3/match/leader/B/judgement/1", -2).await;
    game.plays("leader", "A", -2).await;
    assert_eq!(game.champion().await.as_str(), "leader");
    game.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn an_alternate_is_regenerated_before_it_holds_a_title_only_if_the_rules_say_so(
    pool: PgPool,
) {
    let judging = Judging {
        speculative_audits: 1,
        ..plain()
    };
    let game = Game::start(pool, &["A", "B"], 1, judging).await;
    game.plays("leader", "A", 4).await;
    game.plays("leader", "B", 4).await;
    game.plays("A", "B", -4).await;
    // B lost to A, and would hold the title if A fell.
    game.exists("round/3/regeneration/B").await;
    let requested = game.published().await;
    let requested = requested
        .iter()
        .filter(|(path, _)| path.ends_with("require_audit.json"));
    assert!(
        requested
            .into_iter()
            .all(|(_, content)| !content.contains("\"B\""))
    );
    game.generates("B", 1).await;
    game.generates("A", 1).await;
    game.source(&[("A", false), ("B", true)]).await;
    game.audits("submitted_1", "B", 0).await;
    game.audits("leader_1", "B", 4).await;
    assert_eq!(game.champion().await.as_str(), "B");
    game.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn rows_come_in_the_order_of_play_each_with_its_report(pool: PgPool) {
    let game = Game::start(pool, &["A", "B", "C"], 1, plain()).await;
    game.plays("leader", "C", -3).await;
    game.plays("leader", "B", -2).await;
    game.plays("leader", "A", -1).await;
    assert_eq!(game.champion().await.as_str(), "leader");
    let published = game.published().await;
    let told: Vec<&str> = published
        .iter()
        .filter(|(path, _)| path.contains("duels_leader") || path.ends_with("matches_matrix.csv"))
        .map(|(path, content)| {
            if path.ends_with("matches_matrix.csv") {
                content
            } else {
                path
            }
            .as_str()
        })
        .collect();
    let row = |right: &str, margin: &str| {
        format!(r#"{{"left":"leader","right":"{right}","margin":{margin}}}"#)
    };
    let report = |right: &str| format!("rounds/3/{right}/duels_leader.json");
    assert_eq!(
        told,
        [
            report("A"),
            row("A", "-0.05"),
            report("B"),
            row("B", "-0.1"),
            report("C"),
            row("C", "-0.15"),
        ]
    );
    game.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn the_pods_of_miners_whose_hotkeys_begin_alike_are_numbered_apart(pool: PgPool) {
    let (first, second) = ("5Abcdefghi1", "5aBCDEFGHI2");
    let game = Game::start(pool, &[first, second], 1, plain()).await;
    for (left, right) in [("leader", first), ("leader", second), (first, second)] {
        game.plays(left, right, 4).await;
    }
    for (miner, number) in [(first, 0), (second, 1000)] {
        let key = format!("round/3/regeneration/{miner}");
        game.exists(&key).await;
        game.until(&format!(
            "SELECT (input ->> 'first_pod')::int = {number} FROM job WHERE key = '{key}'"
        ))
        .await;
    }
    game.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn the_report_of_a_defender_whose_hotkey_begins_like_another_has_a_name_of_its_own(
    pool: PgPool,
) {
    let (first, second) = ("5Gg1111111A", "5Gg1111111B");
    let game = Game::start(pool, &[first, second, "C"], 0, plain()).await;
    game.source(&[(first, true), (second, true)]).await;
    for miner in [first, second, "C"] {
        game.plays("leader", miner, 4).await;
    }
    game.plays(first, second, 4).await;
    game.plays(second, "C", -4).await;
    assert_eq!(game.champion().await.as_str(), second);
    let reports: Vec<String> = game
        .published()
        .await
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| path.contains("/duels_5Gg"))
        .collect();
    assert_eq!(
        reports,
        [
            "rounds/3/5Gg1111111B/duels_5Gg1111111.json",
            "rounds/3/C/duels_5Gg1111111B.json"
        ]
    );
    game.done().await;
}
