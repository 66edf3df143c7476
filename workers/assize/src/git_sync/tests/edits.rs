//! What people edit in their own files.

use serde_json::{Value, json};
use sqlx::PgPool;
use workflow::db::{
    self,
    operator::{Filter, Operator},
};

use super::{Bench, put};

const CONFIG: &str = r#"{"name": "mesh", "description": "d", "first_evaluation_date": "2026-02-02",
    "last_competition_date": "2027-01-26", "generation_stage_minutes": 120, "win_margin": 0.05, "weight_decay": 0.2,
    "weight_floor": 0.2, "prompts_per_round": 128, "carryover_prompts": 32}"#;
const AUDITS: &str = "rounds/0/source_audit.json";

fn state(stage: &str) -> String {
    format!(
        "{{\n  \"current_round\": 0,\n  \"stage\": \"{stage}\",\n  \"next_stage_eta\": null\n}}"
    )
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_valid_edit_is_in_force_and_kept_with_its_author_and_both_versions(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    let commit = bench.world.person(&[("config.json", Some(CONFIG))]);
    bench.drain().await;
    bench.drain().await;
    assert_eq!(bench.in_force("config.json").await.as_deref(), Some(CONFIG));
    let kept: Vec<(String, String, String, Value, Value)> =
        sqlx::query_as("SELECT operator, action, reason, coalesce(before, 'null'), after FROM operator_action WHERE target = 'config.json'")
            .fetch_all(&pool)
            .await
            .unwrap();
    let [(operator, action, reason, before, after)] = &kept[..] else {
        panic!("{kept:?}")
    };
    assert_eq!((operator.as_str(), action.as_str()), ("Operator", "edit"));
    assert_eq!(reason, "Edit by hand");
    assert_eq!(*before, Value::Null);
    assert_eq!(after["commit"], json!(commit.to_string()));
    assert_eq!(after["bytes"], json!(CONFIG.len()));
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn an_invalid_edit_is_refused_told_once_and_the_last_valid_version_stays_in_force(
    pool: PgPool,
) {
    let bench = Bench::new(&pool).await;
    bench.world.person(&[("config.json", Some(CONFIG))]);
    bench.drain().await;
    let broken = CONFIG.replace("0.05", "7");
    bench.world.person(&[("config.json", Some(&broken))]);
    bench.drain().await;
    bench.drain().await;

    assert_eq!(bench.in_force("config.json").await.as_deref(), Some(CONFIG));
    assert_eq!(
        bench.world.file("config.json").unwrap(),
        broken,
        "their file is not touched"
    );
    let newest = &db::hand_edit::newest(&mut pool.acquire().await.unwrap(), 10)
        .await
        .unwrap()[0];
    assert_eq!(newest.outcome, "refused");
    assert!(newest.problems[0].contains("win_margin is 7"), "{newest:?}");
    let notices = bench.notices.script.asked();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert_eq!(notices[0].title, "An edit of config.json is not in force");
    assert!(
        notices[0]
            .description
            .as_ref()
            .unwrap()
            .contains("win_margin is 7")
    );

    bench.world.person(&[("config.json", Some(CONFIG))]);
    bench.drain().await;
    let edits = db::hand_edit::newest(&mut pool.acquire().await.unwrap(), 10)
        .await
        .unwrap();
    assert_eq!(edits[0].outcome, "in_force");
    assert!(edits[1].replaced);
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_malformed_row_is_quarantined_and_the_round_goes_on_with_the_others(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    let edited =
        r#"[{"hotkey": "5A", "verdict": "passed"}, {"hotkey": "5B", "verdict": "perhaps"}]"#;
    bench.world.person(&[(AUDITS, Some(edited))]);
    bench.drain().await;
    let in_force: Value = serde_json::from_str(&bench.in_force(AUDITS).await.unwrap()).unwrap();
    assert_eq!(
        in_force,
        json!([{"hotkey": "5A", "verdict": "passed", "reason": ""}])
    );
    let newest = &db::hand_edit::newest(&mut pool.acquire().await.unwrap(), 1)
        .await
        .unwrap()[0];
    assert_eq!(newest.outcome, "partly_in_force");
    assert!(
        newest.problems[0].contains("rounds/0/source_audit.json: row [1]"),
        "{newest:?}"
    );
    assert_eq!(bench.notices.script.asked().len(), 1);
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn paused_by_hand_stops_the_round_and_what_it_says_meanwhile_waits(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    sqlx::query("INSERT INTO round (round, stage) VALUES (0, 'duels')")
        .execute(&pool)
        .await
        .unwrap();
    bench
        .world
        .person(&[("state.json", Some(&state("paused")))]);
    bench.drain().await;
    assert_eq!(
        bench
            .scalar::<i64>("SELECT count(*) FROM pause WHERE round = 0")
            .await,
        1
    );

    // A step that was running ends the stage: PAUSED stands until people say otherwise.
    sqlx::query("UPDATE round SET stage = 'finalizing'")
        .execute(&pool)
        .await
        .unwrap();
    bench
        .step(
            1,
            "declare",
            true,
            vec![
                put("state.json", &state("finalizing")),
                put("rounds/0/winner.json", "{}"),
            ],
        )
        .await;
    bench.drain().await;
    assert_eq!(bench.world.file("state.json").unwrap(), state("paused"));
    assert_eq!(bench.world.file("rounds/0/winner.json").unwrap(), "{}");

    // A restart that lost its clone remembers.
    let bench = bench.restarted(true).await;
    bench.drain().await;
    assert_eq!(bench.world.file("state.json").unwrap(), state("paused"));

    bench.world.person(&[("state.json", Some(&state("open")))]);
    bench.drain().await;
    let refused = &db::hand_edit::newest(&mut pool.acquire().await.unwrap(), 1)
        .await
        .unwrap()[0];
    assert!(
        refused.problems[0].contains("or `finalizing`, in which the round is"),
        "{refused:?}"
    );
    assert_eq!(bench.scalar::<i64>("SELECT count(*) FROM pause").await, 1);

    bench
        .world
        .person(&[("state.json", Some(&state("paused")))]);
    bench.drain().await;
    bench
        .world
        .person(&[("state.json", Some(&format!("{}\n", state("finalizing"))))]);
    bench.drain().await;
    assert_eq!(bench.scalar::<i64>("SELECT count(*) FROM pause").await, 0);
    assert_eq!(bench.world.file("state.json").unwrap(), state("finalizing"));
    assert_eq!(
        bench
            .scalar::<i64>("SELECT count(*) FROM mirror_conflict WHERE settled_at IS NULL")
            .await,
        0
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_pause_by_hand_that_an_operator_lifts_is_taken_out_of_the_file(pool: PgPool) {
    for ended_meanwhile in [false, true] {
        workflow::testing::forget_everything(&pool).await.unwrap();
        let bench = Bench::new(&pool).await;
        sqlx::query("INSERT INTO round (round, stage) VALUES (0, 'duels')")
            .execute(&pool)
            .await
            .unwrap();
        bench
            .world
            .person(&[("state.json", Some(&state("paused")))]);
        bench.drain().await;
        let mut stage = "duels";
        if ended_meanwhile {
            stage = "finalizing";
            sqlx::query("UPDATE round SET stage = 'finalizing'")
                .execute(&pool)
                .await
                .unwrap();
            let change = put("state.json", &state(stage));
            bench.step(1, "declare", true, vec![change]).await;
            bench.drain().await;
        }
        assert_eq!(bench.world.file("state.json").unwrap(), state("paused"));

        let round = Filter {
            round: Some(0),
            ..Filter::default()
        };
        let operator = Operator {
            name: "ann",
            reason: "seen",
        };
        let mut conn = pool.acquire().await.unwrap();
        db::operator::resume(&mut conn, &round, &operator)
            .await
            .unwrap();
        bench.drain().await;
        bench.drain().await;
        assert_eq!(bench.world.file("state.json").unwrap(), state(stage));
        let unsettled = db::conflict::unsettled(&mut conn).await.unwrap();
        assert!(unsettled.is_empty(), "{unsettled:?}");
    }
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_pause_of_a_round_that_has_just_ended_holds_the_next_one_until_it_is_taken_back(
    pool: PgPool,
) {
    let bench = Bench::new(&pool).await;
    sqlx::query("INSERT INTO round (round, stage) VALUES (0, 'closed'), (1, 'open')")
        .execute(&pool)
        .await
        .unwrap();
    // The person saw round 0; what ended it is on its way.
    bench
        .world
        .person(&[("state.json", Some(&state("paused")))]);
    bench.drain().await;
    let next = r#"{"current_round":1,"stage":"open","next_stage_eta":null}"#;
    bench
        .step(1, "finalize", true, vec![put("state.json", next)])
        .await;
    bench.drain().await;
    let paused = "SELECT count(*) FROM pause WHERE round IN (0, 1)";
    assert_eq!(bench.scalar::<i64>(paused).await, 2);
    assert_eq!(bench.world.file("state.json").unwrap(), state("paused"));

    bench
        .world
        .person(&[("state.json", Some(&state("finalizing")))]);
    bench.drain().await;
    assert_eq!(bench.scalar::<i64>(paused).await, 0);
    assert_eq!(bench.world.file("state.json").unwrap(), next);
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn edits_that_were_made_while_the_clone_was_lost_are_read(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    bench.drain().await;
    bench
        .world
        .person(&[("prompts.txt", Some("https://a.example/1.png"))]);
    let bench = bench.restarted(true).await;
    bench.drain().await;
    assert_eq!(
        bench.in_force("prompts.txt").await.as_deref(),
        Some("https://a.example/1.png")
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_webhook_lets_an_edit_be_read_long_before_the_next_poll(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    let stop = tokio_util::sync::CancellationToken::new();
    let never = std::time::Duration::from_secs(24 * 3600);
    let running = tokio::spawn(bench.sync.clone().polling_every(never).run(stop.clone()));
    // It holds the lock and has read the remote once.
    until(&bench, "SELECT EXISTS (SELECT FROM mirror_cursor) AND EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted)").await;
    bench
        .step(1, "first", true, vec![put("rounds/0/seed.json", "1")])
        .await;
    until(
        &bench,
        "SELECT count(*) = 0 FROM mirror_file WHERE mirrored_at IS NULL",
    )
    .await;
    bench.world.person(&[("config.json", Some(CONFIG))]);
    db::conflict::wake_mirror(&mut pool.acquire().await.unwrap(), "fetch")
        .await
        .unwrap();
    until(
        &bench,
        "SELECT EXISTS (SELECT FROM repository_edit WHERE path = 'config.json')",
    )
    .await;
    stop.cancel();
    running.await.unwrap();
}

/// Waits for a state of the database.
async fn until(bench: &Bench, holds: &'static str) {
    let waiting = async {
        while !bench.scalar::<bool>(holds).await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), waiting)
        .await
        .unwrap_or_else(|_| panic!("never: {holds}"));
}
