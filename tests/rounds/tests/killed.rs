//! A round whose process is killed twice ends as one that is not.
#![allow(clippy::unwrap_used, missing_docs)]

use rehearsal::miners::Cast;
use rounds::Process;
use sqlx::{Connection as _, PgConnection};
use workflow::embedded::{EmbeddedOptions, EmbeddedPostgres};

#[tokio::test(flavor = "multi_thread")]
async fn a_round_killed_while_downloading_and_while_judging_ends_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let state_dir = dir.path().join("rehearsal");
    let args = rounds::small_rehearsal(&state_dir, 4);

    let mut first = Process::start(&args, 1).unwrap();
    first
        .until(
            "SELECT EXISTS (SELECT FROM round WHERE round = 0 AND stage = 'downloading')
             AND (SELECT count(*) BETWEEN 3 AND 15 FROM job WHERE name = 'render' AND state = 'completed')",
        )
        .await
        .unwrap();
    first.kill().unwrap();

    let mut second = Process::start(&args, 2).unwrap();
    second
        .until("SELECT count(*) > 2 FROM job WHERE name = 'duel' AND state = 'completed'")
        .await
        .unwrap();
    second.kill().unwrap();

    let summary = Process::start(&args, 3).unwrap().summary().await.unwrap();
    let cast = Cast::new(args.seed, 6);
    assert_eq!(
        summary["winner"],
        cast.expected_winner().unwrap().hotkey.as_str()
    );
    assert_eq!(summary["entries"], 20);

    let postgres = EmbeddedPostgres::start(EmbeddedOptions::new(state_dir.join("postgres")))
        .await
        .unwrap();
    let mut connection = PgConnection::connect(&postgres.url("assize"))
        .await
        .unwrap();
    let twice: Vec<String> = sqlx::query_scalar(
        "SELECT key FROM attempt JOIN job ON job.id = job_id WHERE outcome = 'completed' GROUP BY key HAVING count(*) > 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert_eq!(twice, Vec::<String>::new(), "no step completed twice");
    let lost: i64 = sqlx::query_scalar("SELECT count(*) FROM attempt WHERE outcome = 'lost'")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert!(
        lost > 0,
        "the kills cost attempts, and the history shows it"
    );
    connection.close().await.unwrap();
    postgres.stop().await;
}
