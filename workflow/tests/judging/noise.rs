//! Margins near a threshold, and results that are judged anew.

use schema::{
    Hotkey,
    paths::{self, LedgerFile},
};
use sqlx::PgPool;
use workflow::{
    db::{
        measurement::MatchName,
        operator::{Operator, OperatorError},
        rejudge::judge_anew,
    },
    round::judging::Judging,
};

use crate::support::*;

fn leader_against(right: &str) -> MatchName {
    MatchName {
        matrix: "matches",
        left: "leader".to_owned(),
        right: Hotkey::new(right),
    }
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_match_near_the_threshold_is_measured_again_and_its_first_measurement_stands(
    pool: PgPool,
) {
    let judging = Judging {
        near_repeats: 2,
        ..Judging::default()
    };
    let game = Game::start(pool, &["A"], 1, judging).await;
    // One of 20 is the threshold itself: A qualifies, and measuring again finds that it would not have.
    game.plays("leader", "A", 1).await;
    game.ends("round/3/match/leader/A/run/1", 0).await;
    game.until("SELECT 'run 3 of match leader vs A, whose margin is near the threshold' = ANY(waits_for) FROM round").await;
    game.ends("round/3/match/leader/A/run/2", -9).await;

    game.source(&[("A", true)]).await;
    game.generates("A", 1).await;
    game.audits("submitted_1", "A", 4).await;
    game.audits("leader_1", "A", 9).await;
    assert_eq!(game.champion().await.as_str(), "A");

    let again = game.decisions("measured_again").await;
    let told: Vec<(i64, i64)> = again
        .iter()
        .map(|line| {
            (
                line["measurement"]["run"].as_i64().unwrap(),
                line["score"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(told, [(1, 0), (2, -9)], "every run is public");
    assert_eq!(again[1]["winners"].as_object().unwrap().len(), 20);
    let rules = game.decisions("judging_rules").await;
    assert_eq!(rules.len(), 1);
    assert_eq!(rules[0]["rules"]["near_repeats"], 2);
    let first_row = game
        .published()
        .await
        .iter()
        .position(|(path, _)| path.ends_with("matches_matrix.csv"))
        .unwrap();
    let rules_at = game
        .published()
        .await
        .iter()
        .position(|(_, content)| content.contains("judging_rules"))
        .unwrap();
    assert!(
        rules_at < first_row,
        "the rules are public before the first result"
    );
    game.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_match_far_from_the_threshold_is_measured_once(pool: PgPool) {
    let game = Game::start(pool, &["A"], 1, Judging::default()).await;
    game.plays("leader", "A", -2).await;
    assert_eq!(game.champion().await.as_str(), "leader");
    assert_eq!(
        game.count("SELECT count(*) FROM job WHERE name = 'match'")
            .await,
        1
    );
    game.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn only_an_operator_has_a_match_judged_anew_and_the_old_result_stays_public(pool: PgPool) {
    let game = Game::start(pool, &["A", "B"], 1, plain()).await;
    game.plays("leader", "A", 4).await;
    let mut conn = game.pool.acquire().await.unwrap();
    let silent = Operator {
        name: "ann",
        reason: " ",
    };
    let refused = judge_anew(&mut conn, ROUND, &leader_against("A"), &silent).await;
    assert!(matches!(refused, Err(OperatorError::NoReason)));
    let ann = Operator {
        name: "ann",
        reason: "the renderer was broken",
    };
    let unmeasured = judge_anew(&mut conn, ROUND, &leader_against("B"), &ann).await;
    assert!(matches!(unmeasured, Err(OperatorError::NotMeasured(_))));
    assert_eq!(
        judge_anew(&mut conn, ROUND, &leader_against("A"), &ann)
            .await
            .unwrap(),
        1
    );

    game.ends("round/3/match/leader/A/judgement/1", -4).await;
    game.plays("leader", "B", -4).await;
    assert_eq!(game.champion().await.as_str(), "leader");

    let published = game.published().await;
    let path = paths::ledger(
        ROUND,
        &LedgerFile::Superseded("matches_leader_A_0.json".to_owned()),
    );
    let (_, old) = published.iter().find(|(of, _)| *of == path).unwrap();
    assert!(
        old.contains("\"margin\": 0.2") && old.contains("\"winner\": \"right\""),
        "{old}"
    );
    let anew = game.decisions("judged_anew").await;
    assert_eq!(
        (&anew[0]["operator"], &anew[0]["reason"]),
        (&"ann".into(), &"the renderer was broken".into())
    );
    let rows: Vec<&str> = published
        .iter()
        .filter(|(path, content)| path.ends_with("matches_matrix.csv") && content.contains("\"A\""))
        .map(|(_, content)| content.as_str())
        .collect();
    assert!(rows.last().unwrap().contains("-0.2"), "{rows:?}");

    let late = judge_anew(&mut conn, ROUND, &leader_against("A"), &ann).await;
    assert!(matches!(late, Err(OperatorError::TournamentOver(_))));
    game.done().await;
}
