//! From the outbox to the remote.

use std::time::Duration;

use serde_json::json;
use sqlx::{PgPool, postgres::PgListener};
use workflow::db;

use super::{Bench, entry, put};
use crate::{
    git_sync::{Wake, next_wake, outbox},
    repository::{SIGNERS_PATH, testing::run_git},
};

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn git_itself_accepts_the_signature_by_the_key_that_the_repository_publishes(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    bench
        .step(
            1,
            "round/0/seed",
            true,
            vec![put("rounds/0/seed.json", "{\"seed\": 1}")],
        )
        .await;
    bench.drain().await;

    let signers = bench.world.clone_path("signers");
    std::fs::write(&signers, bench.world.file(SIGNERS_PATH).unwrap()).unwrap();
    let allowed = format!("gpg.ssh.allowedSignersFile={}", signers.display());
    for commit in ["main", "main~1"] {
        let said = run_git(
            &bench.world.remote,
            &["-c", &allowed, "verify-commit", "-v", commit],
        );
        assert!(
            said.contains("Good \"git\" signature for assize@example.org"),
            "{said}"
        );
    }
    let shown = run_git(
        &bench.world.remote,
        &["log", "-1", "--format=%an <%ae>%n%B", "main"],
    );
    assert_eq!(
        shown.trim_end(),
        "Assize <assize@example.org>\nStep round/0/seed\n\nAssize-Step: round/0/seed\nAssize-Attempt: 1"
    );
    // Opened again, the key stands there already.
    let bench = bench.restarted(false).await;
    assert_eq!(bench.subjects()[0], "Step round/0/seed");
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn steps_share_commits_and_a_stage_change_travels_alone(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    let before = bench.subjects().len();
    for job in 0..100 {
        let row = entry("rounds/0/builds.json", &format!("hk{job:03}"), json!(job));
        bench
            .step(job, &format!("build/{job}"), false, vec![row])
            .await;
    }
    bench
        .step(100, "enter_stage", true, vec![put("state.json", "{}")])
        .await;
    bench
        .step(
            101,
            "build/101",
            false,
            vec![entry("rounds/0/builds.json", "last", json!(1))],
        )
        .await;
    bench.drain().await;

    let messages = bench.world.messages();
    let steps: Vec<usize> = messages[..messages.len() - before]
        .iter()
        .rev()
        .map(|message| message.matches("Assize-Step: ").count())
        .collect();
    assert_eq!(steps, [40, 40, 20, 1, 1]);
    let stage = &messages[1];
    assert!(
        stage.starts_with("Step enter_stage\n\nAssize-Step: enter_stage\n"),
        "{stage}"
    );
    let builds: serde_json::Value =
        serde_json::from_str(&bench.world.file("rounds/0/builds.json").unwrap()).unwrap();
    assert_eq!(builds.as_object().unwrap().len(), 101);
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn what_changes_nothing_makes_no_commit(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    bench
        .step(1, "a", false, vec![put("rounds/0/winner.json", "{}")])
        .await;
    bench.drain().await;
    let commits = bench.subjects().len();
    bench
        .step(2, "b", true, vec![put("rounds/0/winner.json", "{}")])
        .await;
    bench.drain().await;
    assert_eq!(bench.subjects().len(), commits);
    // The row names the commit in which its content stands.
    let commit: String = bench
        .scalar("SELECT commit_sha FROM mirror_file ORDER BY id DESC LIMIT 1")
        .await;
    assert_eq!(commit, bench.world.tip().to_string());
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_remote_that_was_down_for_an_hour_is_caught_up_in_order(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    let away = bench.world.clone_path("away");
    std::fs::rename(&bench.world.remote, &away).unwrap();
    for job in 0..120 {
        let row = put("rounds/0/seed.json", &job.to_string());
        bench
            .step(job, &format!("step-{job}"), job % 3 == 0, vec![row])
            .await;
        assert!(job % 40 != 0 || bench.sync.drain().await.is_err());
    }
    // The clock is set: the outage began an hour ago, a step every 30 s.
    sqlx::query(
        "UPDATE mirror_file SET created_at = now() - interval '1 hour' + job_id * interval '30 s'",
    )
    .execute(&pool)
    .await
    .unwrap();
    let lag = db::mirror::lag_within(&mut pool.acquire().await.unwrap(), 3600.0)
        .await
        .unwrap();
    assert_eq!(lag.waiting, 120);
    assert!(lag.oldest_waiting_seconds >= 3600.0, "{lag:?}");

    std::fs::rename(&away, &bench.world.remote).unwrap();
    bench.drain().await;
    assert_eq!(bench.world.file("rounds/0/seed.json").unwrap(), "119");
    let steps: Vec<String> = bench
        .world
        .messages()
        .iter()
        .rev()
        .flat_map(|message| message.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|line| line.strip_prefix("Assize-Step: step-").map(str::to_owned))
        .collect();
    let expected: Vec<String> = (0..120).map(|job| job.to_string()).collect();
    assert_eq!(steps, expected);
    let lag = db::mirror::lag_within(&mut pool.acquire().await.unwrap(), 3600.0)
        .await
        .unwrap();
    assert_eq!((lag.files, lag.waiting), (120, 0));
    assert!(lag.max_seconds.unwrap() >= 3600.0, "{lag:?}");
    run_git(&bench.world.remote, &["fsck", "--strict"]);
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_push_whose_answer_was_lost_is_recorded_and_not_made_again(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    bench
        .step(1, "first", true, vec![put("rounds/0/seed.json", "1")])
        .await;
    bench
        .step(2, "second", true, vec![put("rounds/0/seed.json", "2")])
        .await;
    bench.drain().await;
    let (tip, commits) = (bench.world.tip(), bench.subjects().len());
    let recorded = "SELECT string_agg(commit_sha, ' ' ORDER BY id) FROM mirror_file";
    let before: String = bench.scalar(recorded).await;
    let mut bench = bench;
    for clone_is_lost in [false, true] {
        // The process died before it could record what it had pushed.
        sqlx::query("UPDATE mirror_file SET mirrored_at = NULL, commit_sha = NULL")
            .execute(&pool)
            .await
            .unwrap();
        bench = bench.restarted(clone_is_lost).await;
        bench.drain().await;
        assert_eq!((bench.world.tip(), bench.subjects().len()), (tip, commits));
        assert_eq!(bench.scalar::<String>(recorded).await, before);
    }
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn after_a_lost_race_rows_name_the_commit_in_which_their_changes_stand(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    bench.drain().await;
    bench
        .step(1, "first", true, vec![put("rounds/0/seed.json", "same")])
        .await;
    bench
        .step(
            2,
            "second",
            false,
            vec![put("rounds/0/winner.json", "ours")],
        )
        .await;
    // Somebody is quicker, with the very content of the first step.
    let foreign = bench.world.person(&[("rounds/0/seed.json", Some("same"))]);
    let pushed = outbox::push_batch(&pool, bench.sync.mirror())
        .await
        .unwrap()
        .unwrap();
    assert!(pushed.met_others);
    outbox::acknowledge(&mut pool.acquire().await.unwrap(), &pushed)
        .await
        .unwrap();
    bench.drain().await;
    assert_eq!(bench.world.file("rounds/0/winner.json").unwrap(), "ours");
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT step, commit_sha FROM mirror_file ORDER BY id")
            .fetch_all(&pool)
            .await
            .unwrap();
    assert_eq!(rows[0], ("first".to_owned(), foreign.to_string()));
    let git = bench.world.git();
    let second = git
        .find_commit(git2::Oid::from_str(&rows[1].1).unwrap())
        .unwrap();
    assert!(second.message().unwrap().contains("Assize-Step: second"));
    assert_eq!(second.parent_id(0).unwrap(), foreign);
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_stage_change_ends_the_wait_for_company_at_once(pool: PgPool) {
    const A_DAY: Duration = Duration::from_secs(24 * 3600);
    let bench = Bench::new(&pool).await;
    let mut listener = PgListener::connect_with(&pool).await.unwrap();
    listener.listen(db::MIRROR_CHANNEL).await.unwrap();
    let row = |index: usize| entry("rounds/0/builds.json", &index.to_string(), json!(1));
    for index in 0..3 {
        let job = index as i64;
        bench.step(job, "build", false, vec![row(index)]).await;
    }
    bench
        .step(4, "enter_stage", true, vec![put("state.json", "{}")])
        .await;
    // It would wait for a day, were the last change not urgent.
    let woken = tokio::time::timeout(Duration::from_secs(60), next_wake(&mut listener, A_DAY));
    assert_eq!(woken.await.unwrap().unwrap(), Wake::Push);

    bench.step(5, "build", false, vec![row(5)]).await;
    let woken = next_wake(&mut listener, Duration::ZERO).await.unwrap();
    assert_eq!(woken, Wake::Push);
    db::conflict::wake_mirror(&mut pool.acquire().await.unwrap(), "fetch")
        .await
        .unwrap();
    let woken = next_wake(&mut listener, A_DAY).await.unwrap();
    assert_eq!(woken, Wake::Fetch);
}
