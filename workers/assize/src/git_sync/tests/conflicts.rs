//! Edits of files that Assize owns, and what becomes of them.

use serde_json::{Value, json};
use sqlx::PgPool;
use workflow::db::{self, operator::Operator};

use super::{Bench, entry, put};

const BUILDS: &str = "rounds/0/builds.json";

fn build(status: &str) -> Value {
    json!({
        "repo": "a/b", "commit": "c".repeat(40), "revealed_at_block": 1, "tag": "ccccccc-mesh-0",
        "status": status, "docker_image": null,
    })
}

fn builds(rows: &[(&str, &str)]) -> String {
    let rows = rows
        .iter()
        .map(|(hotkey, status)| ((*hotkey).to_owned(), build(status)));
    serde_json::to_string_pretty(&Value::Object(rows.collect())).unwrap()
}

fn statuses(bench: &Bench) -> Vec<(String, String)> {
    let file: Value = serde_json::from_str(&bench.world.file(BUILDS).unwrap()).unwrap();
    let rows = file.as_object().unwrap().iter();
    rows.map(|(hotkey, row)| (hotkey.clone(), row["status"].as_str().unwrap().to_owned()))
        .collect()
}

fn pairs(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    rows.iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

/// Two builds, of which a person sets one to failure; then Assize goes on with both.
async fn edited(pool: &PgPool) -> Bench {
    let bench = Bench::new(pool).await;
    sqlx::query("INSERT INTO build (round, hotkey, status) VALUES (0, '5A', 'pending'), (0, '5B', 'pending')")
        .execute(pool)
        .await
        .unwrap();
    bench
        .step(
            1,
            "start_builds",
            false,
            vec![put(
                BUILDS,
                &builds(&[("5A", "pending"), ("5B", "pending")]),
            )],
        )
        .await;
    bench.drain().await;
    bench.world.person(&[(
        BUILDS,
        Some(&builds(&[("5A", "failure"), ("5B", "pending")])),
    )]);
    bench.drain().await;
    bench
        .step(
            2,
            "build/5A",
            false,
            vec![entry(BUILDS, "5A", build("in_progress"))],
        )
        .await;
    bench
        .step(
            3,
            "build/5B",
            false,
            vec![entry(BUILDS, "5B", build("in_progress"))],
        )
        .await;
    bench.drain().await;
    bench
}

async fn decide(bench: &Bench, accept: bool) {
    let mut conn = bench.pool.acquire().await.unwrap();
    let conflict = &db::conflict::unsettled(&mut conn).await.unwrap()[0];
    let operator = Operator {
        name: "Ada",
        reason: "looked at it",
    };
    db::conflict::decide(&mut conn, conflict.id, accept, &operator)
        .await
        .unwrap();
}

async fn known_status(bench: &Bench, hotkey: &str) -> String {
    sqlx::query_scalar("SELECT status FROM build WHERE hotkey = $1")
        .bind(hotkey)
        .fetch_one(&bench.pool)
        .await
        .unwrap()
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn an_edit_of_our_file_is_visible_and_stands_and_only_its_row_waits(pool: PgPool) {
    let bench = edited(&pool).await;
    assert_eq!(
        statuses(&bench),
        pairs(&[("5A", "failure"), ("5B", "in_progress")])
    );
    let conflicts = db::conflict::unsettled(&mut pool.acquire().await.unwrap())
        .await
        .unwrap();
    let [conflict] = &conflicts[..] else {
        panic!("{conflicts:?}")
    };
    assert_eq!(
        (
            conflict.path.as_str(),
            conflict.owner.as_str(),
            conflict.author.as_str()
        ),
        (BUILDS, "assize", "Operator")
    );
    assert_eq!(conflict.held, 1);
    assert_eq!(
        known_status(&bench, "5A").await,
        "pending",
        "the round does not know of it yet"
    );
    let notices = bench.notices.script.asked();
    assert_eq!(notices[0].title, "rounds/0/builds.json was edited by hand");
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_rejected_edit_is_taken_back_and_what_waited_is_made(pool: PgPool) {
    let bench = edited(&pool).await;
    decide(&bench, false).await;
    bench.drain().await;
    assert_eq!(
        statuses(&bench),
        pairs(&[("5A", "in_progress"), ("5B", "in_progress")])
    );
    let taken_back = "Take back the edit of rounds/0/builds.json".to_owned();
    assert!(bench.subjects().contains(&taken_back));
    let kept: (String, String, String) = sqlx::query_as(
        "SELECT operator, action, reason FROM operator_action ORDER BY id DESC LIMIT 1",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(
        kept,
        (
            "Ada".to_owned(),
            "reject-edit".to_owned(),
            "looked at it".to_owned()
        )
    );
    // Later changes go through.
    bench
        .step(
            4,
            "build/5A again",
            false,
            vec![entry(BUILDS, "5A", build("success"))],
        )
        .await;
    bench.drain().await;
    assert_eq!(statuses(&bench)[0].1, "success");
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn an_accepted_edit_is_what_the_round_knows_from_then_on(pool: PgPool) {
    let bench = edited(&pool).await;
    // Whoever waits for the build is told what the round knows, also when it asks only after the edit.
    sqlx::query("INSERT INTO event (name, payload) VALUES ('round/0/build/5A', $1)")
        .bind(build("success"))
        .execute(&pool)
        .await
        .unwrap();
    decide(&bench, true).await;
    bench.drain().await;
    assert_eq!(
        statuses(&bench),
        pairs(&[("5A", "failure"), ("5B", "in_progress")])
    );
    assert_eq!(known_status(&bench, "5A").await, "failure");
    let told: String = bench.scalar("SELECT payload ->> 'status' FROM event").await;
    assert_eq!(told, "failure");
    let action: String = bench
        .scalar("SELECT action FROM operator_action ORDER BY id DESC LIMIT 1")
        .await;
    assert_eq!(action, "accept-edit");
    assert_eq!(
        bench
            .scalar::<i64>("SELECT count(*) FROM mirror_conflict WHERE settled_at IS NULL")
            .await,
        0
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_decision_survives_a_crash_at_any_point_and_a_lost_clone(pool: PgPool) {
    let bench = edited(&pool).await;
    decide(&bench, false).await;
    // It was carried out on the remote, but the process died before it could record that.
    let (_, pushed) = super::super::settle::carry_out(&pool, bench.sync.mirror())
        .await
        .unwrap()
        .unwrap();
    drop(pushed);
    let bench = bench.restarted(true).await;
    bench.drain().await;
    let taken_back = |subject: &&String| subject.starts_with("Take back the edit");
    let subjects = bench.subjects();
    assert_eq!(
        subjects.iter().filter(taken_back).count(),
        1,
        "{subjects:?}"
    );
    assert_eq!(statuses(&bench)[0].1, "in_progress");
    assert_eq!(
        bench
            .scalar::<i64>("SELECT count(*) FROM operator_action WHERE action = 'reject-edit'")
            .await,
        1
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn an_edit_that_its_author_takes_back_needs_no_decision(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    bench
        .step(
            1,
            "start_builds",
            false,
            vec![put(BUILDS, &builds(&[("5A", "pending")]))],
        )
        .await;
    bench.drain().await;
    bench
        .world
        .person(&[(BUILDS, Some(&builds(&[("5A", "failure")])))]);
    bench.drain().await;
    bench
        .step(
            2,
            "build/5A",
            false,
            vec![entry(BUILDS, "5A", build("success"))],
        )
        .await;
    bench.drain().await;
    assert_eq!(statuses(&bench)[0].1, "failure");
    bench
        .world
        .person(&[(BUILDS, Some(&builds(&[("5A", "pending")])))]);
    bench.drain().await;
    assert_eq!(statuses(&bench)[0].1, "success");
    assert_eq!(
        bench
            .scalar::<i64>("SELECT count(*) FROM mirror_conflict WHERE settled_at IS NULL")
            .await,
        0
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_further_edit_opens_the_decision_again(pool: PgPool) {
    let bench = edited(&pool).await;
    decide(&bench, true).await;
    // Before it is carried out, the author edits once more: that is not what was decided upon.
    bench.world.person(&[(
        BUILDS,
        Some(&builds(&[("5A", "timed_out"), ("5B", "in_progress")])),
    )]);
    bench.drain().await;
    let conflict = &db::conflict::unsettled(&mut pool.acquire().await.unwrap())
        .await
        .unwrap()[0];
    assert_eq!(conflict.decision, None);
    assert_eq!(known_status(&bench, "5A").await, "pending");
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_decision_needs_a_reason_and_something_to_decide(pool: PgPool) {
    let bench = edited(&pool).await;
    let mut conn = pool.acquire().await.unwrap();
    let id = db::conflict::unsettled(&mut conn).await.unwrap()[0].id;
    let silent = Operator {
        name: "Ada",
        reason: " ",
    };
    assert!(
        db::conflict::decide(&mut conn, id, true, &silent)
            .await
            .is_err()
    );
    let operator = Operator {
        name: "Ada",
        reason: "so",
    };
    assert!(
        db::conflict::decide(&mut conn, id + 1, true, &operator)
            .await
            .is_err()
    );
    decide(&bench, true).await;
    bench.drain().await;
    assert!(
        db::conflict::decide(&mut conn, id, false, &operator)
            .await
            .is_err()
    );
}
