//! What may be forgotten, and when.

use sqlx::PgPool;
use workflow::db::retention::{self, PruneError};

use crate::support::*;

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn the_history_of_a_round_goes_only_when_it_is_closed_mirrored_and_over(pool: PgPool) {
    let world = World::working(pool);
    for round in [1, 2] {
        let children = (0..20).map(|n| Task {
            round: Some(round),
            ..Task::answer(format!("{round}/{n}"), 1)
        });
        let plan = Plan {
            round: Some(round),
            ..Plan::new(
                format!("r{round}"),
                [Op::Join(children.collect()), Op::Event("end".to_owned())],
            )
        };
        world.start(&plan).await;
        world
            .until_state(&format!("script/r{round}/event/end"), "waiting")
            .await;
    }
    sqlx::query("INSERT INTO round (round, stage) VALUES (1, 'finalizing'), (2, 'duels')")
        .execute(&world.pool)
        .await
        .unwrap();
    let file = "INSERT INTO mirror_file (job_id, attempt, step, round, message, path, change, content) VALUES (1, 1, 's', 1, 'm', 'p', 'put', '')";
    sqlx::query(file).execute(&world.pool).await.unwrap();
    let mut conn = world.conn().await;

    let refused = retention::prune(&mut conn, 1, &operator())
        .await
        .unwrap_err();
    assert!(matches!(refused, PruneError::NotClosed(1)), "{refused}");
    sqlx::query("UPDATE round SET closed_at = now() WHERE round = 1")
        .execute(&mut *conn)
        .await
        .unwrap();
    let refused = retention::prune(&mut conn, 1, &operator())
        .await
        .unwrap_err();
    assert!(
        matches!(refused, PruneError::NotMirrored { round: 1, files: 1 }),
        "{refused}"
    );
    sqlx::query("UPDATE mirror_file SET mirrored_at = now(), commit_sha = 'c'")
        .execute(&mut *conn)
        .await
        .unwrap();
    let refused = retention::prune(&mut conn, 1, &operator())
        .await
        .unwrap_err();
    assert!(
        matches!(refused, PruneError::Unfinished { round: 1, jobs: 2 }),
        "{refused}"
    );
    workflow::db::fire(&mut conn, "end", &0.into())
        .await
        .unwrap();
    world.until_state("script/r1", "completed").await;
    world.until_state("script/r2", "completed").await;

    let pruned = retention::prune(&mut conn, 1, &operator()).await.unwrap();
    assert_eq!(
        pruned,
        retention::Pruned {
            jobs: 22,
            attempts: 23,
            mirror_files: 1
        }
    );
    for table in ["job", "attempt", "open_join"] {
        let sql = format!("SELECT count(*) FROM {table}");
        let left: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_one(&mut *conn)
            .await
            .unwrap();
        let expected = match table {
            "job" => 22,
            "attempt" => 23,
            _ => 1,
        };
        assert_eq!(left, expected, "the other round keeps its {table} rows");
    }
    assert_eq!(
        retention::prune(&mut conn, 1, &operator()).await.unwrap(),
        retention::Pruned::default()
    );
    let kept: Vec<(String, String)> =
        sqlx::query_as("SELECT action, target FROM operator_action ORDER BY id")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    assert_eq!(
        kept,
        vec![("prune".to_owned(), "round 1".to_owned()); 2],
        "whoever prunes says who and why; refusals are not actions"
    );
    drop(conn);
    world.done().await;
}
