//! A result is bound to what both sides show.

use schema::{
    Hotkey, RoundNumber, Side,
    files::{Submission, report::MatchReport},
};
use sqlx::PgPool;
use workflow::{
    db::{
        self,
        records::{EntryRecord, Record},
        tournament::{Standing, shown},
    },
    engine::{Decision, FlowDefinition as _, MirrorChange, Reconciler as _},
    round::flows::{Match, MatchInput, MatchOutput, Tournament, TournamentInput},
};

use crate::world::prompts;

const ROUND: RoundNumber = RoundNumber(3);
const MARGIN: f64 = -1.0;

fn tournament() -> TournamentInput {
    let submission: Submission = serde_json::from_value(serde_json::json!({
        "repo": "owner/miner", "commit": "0".repeat(40), "cdn_url": "https://miner", "revealed_at_block": 1, "round": "c-3",
    }))
    .unwrap();
    TournamentInput {
        round: ROUND,
        win_margin: 0.05,
        audit_repeats: 1,
        submissions: vec![(Hotkey::new("5F"), submission)],
        prompts: prompts(&["chair"]),
        seed: 7,
        judging: workflow::round::judging::Judging::default(),
        budget: workflow::rules::regeneration::Budget::default(),
    }
}

async fn settle(pool: &PgPool, side: &str, repeat: i32, pictures: &str) {
    let entry = EntryRecord {
        round: ROUND.0,
        hotkey: side.to_owned(),
        repeat,
        stem: "chair".to_owned(),
        js: Some(format!("https://cdn/{side}.js")),
        views: Some(format!("https://cdn/{side}")),
        pictures_sha256: Some(pictures.to_owned()),
        ..EntryRecord::default()
    };
    let mut conn = pool.acquire().await.unwrap();
    Record::Entry(entry).write(&mut conn).await.unwrap();
}

async fn look(pool: &PgPool) -> (Standing, Decision<Side>) {
    let mut conn = pool.acquire().await.unwrap();
    let observed = Tournament::observe(&mut conn, &tournament()).await.unwrap();
    let decision = Tournament::decide(&tournament(), observed.clone()).unwrap();
    (observed, decision)
}

/// Ends the match that the tournament wants, with nobody better than the other.
async fn measure(pool: &PgPool, decision: &Decision<Side>) -> String {
    let wanted = decision.starts.iter().find(|job| job.name == "match");
    let wanted = wanted.expect("a match is wanted");
    let input: MatchInput = serde_json::from_value(wanted.input.clone()).unwrap();
    let mut conn = pool.acquire().await.unwrap();
    let sides = shown(&mut conn, ROUND).await.unwrap();
    let output = MatchOutput {
        score: -1,
        margin: MARGIN,
        report: Some(MatchReport::of_duels(
            Side::Leader,
            Hotkey::new("5F"),
            Vec::new(),
        )),
        shown_sha256: Some(sides.of(&(Side::Leader, 1), &(Side::from("5F"), 0))),
    };
    db::start(&mut conn, std::slice::from_ref(wanted))
        .await
        .unwrap();
    sqlx::query(
        "UPDATE job SET state = 'completed', output = $2, finished_at = now() WHERE key = $1",
    )
    .bind(&wanted.key)
    .bind(serde_json::to_value(&output).unwrap())
    .execute(&mut *conn)
    .await
    .unwrap();
    write(pool, Match::effects(&input, &output).records).await;
    wanted.key.clone()
}

async fn write(pool: &PgPool, records: Vec<Record>) {
    let mut conn = pool.acquire().await.unwrap();
    for record in records {
        record.write(&mut conn).await.unwrap();
    }
}

fn margin(standing: &Standing) -> Option<f64> {
    standing
        .observation
        .matches
        .get(&Side::Leader, &Hotkey::new("5F"))
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn new_pictures_mean_a_new_match_and_the_old_result_is_kept_as_superseded(pool: PgPool) {
    settle(&pool, "leader", 1, "broken").await;
    settle(&pool, "5F", 0, "fine").await;
    let (_, first) = look(&pool).await;
    let key = measure(&pool, &first).await;
    assert_eq!(key, "round/3/match/leader/5F");
    let (standing, decision) = look(&pool).await;
    assert_eq!(margin(&standing), Some(MARGIN));
    write(&pool, decision.effects.records).await;

    // The leader's broken pictures are drawn again under the same addresses.
    settle(&pool, "leader", 1, "whole").await;
    let (standing, decision) = look(&pool).await;
    assert_eq!(margin(&standing), None, "the old margin counts no more");
    let again = measure(&pool, &decision).await;
    assert!(
        again.starts_with("round/3/match/leader/5F/pictures/"),
        "{again}"
    );

    let (standing, decision) = look(&pool).await;
    assert_eq!(margin(&standing), Some(MARGIN));
    let superseded: Vec<&str> = standing
        .superseded
        .iter()
        .map(|result| result.job_key.as_str())
        .collect();
    assert_eq!(superseded, [key.as_str()]);
    let changes = decision.effects.publication.unwrap().changes;
    let published = |path: &str| changes.iter().any(|change| change.path() == path);
    assert!(published("rounds/3/matches_matrix.csv"), "the row anew");
    assert!(
        published("rounds/3/5F/duels_leader.json"),
        "with its report"
    );
    let in_ledger = changes.iter().any(|change| {
        matches!(change, MirrorChange::AppendLine { line, .. } if line.contains("result_superseded"))
    });
    assert!(in_ledger, "the old result, in the ledger");

    write(&pool, decision.effects.records).await;
    let (standing, decision) = look(&pool).await;
    assert!(standing.superseded.is_empty(), "once");
    assert!(decision.starts.iter().all(|job| job.name != "match"));
}
