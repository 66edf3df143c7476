//! Pictures of a running round are drawn anew by an operator: what was judged on them is judged again, the old results stay
//! public, and who audits the repository finds nothing wrong.
#![allow(clippy::unwrap_used, missing_docs)]

use assize::{
    audit::{AuditOptions, Finding, Severity, audit},
    cli::{Cli, run},
    rehearse::RehearseArgs,
};
use clap::Parser as _;
use rehearsal::miners::Cast;
use rounds::{Process, database_url};
use sqlx::{Connection as _, PgConnection};

/// An operator's command on the round's database.
async fn command(database: &str, line: &str) {
    let words = line.split(' ').chain([
        "--operator",
        "ann",
        "--reason",
        "the renderer was broken",
        "--database-url",
        database,
    ]);
    let words = ["assize"].into_iter().chain(words);
    assert_eq!(run(Cli::try_parse_from(words).unwrap()).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_finds_nothing_in_a_round_whose_pictures_were_drawn_anew() {
    let dir = tempfile::tempdir().unwrap();
    let state_dir = dir.path().join("rehearsal");
    let database = database_url(&state_dir);
    let args = rounds::small_rehearsal(&state_dir, 4);

    // The round stands still once a match against the leader is public.
    let mut broken = Process::start(&args, 1).unwrap();
    broken
        .until(
            "SELECT EXISTS (SELECT FROM match_result
                            WHERE matrix = 'matches' AND left_side = 'leader' AND duels > 0 AND published)",
        )
        .await
        .unwrap();
    command(&database, "round pause 0").await;
    broken
        .until(
            "SELECT NOT EXISTS (SELECT FROM job WHERE round = 0 AND state = 'running')
             AND NOT EXISTS (SELECT FROM mirror_file WHERE mirrored_at IS NULL)",
        )
        .await
        .unwrap();
    broken.kill().unwrap();

    // A renderer that draws otherwise stands for one that was mended.
    let mut mended = Process::start(
        &RehearseArgs {
            view_size: 160,
            ..args.clone()
        },
        2,
    )
    .unwrap();
    mended
        .until("SELECT EXISTS (SELECT FROM pause WHERE round = 0)")
        .await
        .unwrap();
    let mut conn = PgConnection::connect(&database).await.unwrap();
    let stem: String = sqlx::query_scalar(
        "SELECT stem FROM entry WHERE hotkey = 'leader' AND views IS NOT NULL ORDER BY stem LIMIT 1",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    command(&database, &format!("round redraw 0 leader --stem {stem}")).await;
    command(&database, "round resume 0").await;
    mended
        .until("SELECT EXISTS (SELECT FROM superseded_pictures WHERE left_side = 'leader' AND published)")
        .await
        .unwrap();
    let summary = mended.summary().await.unwrap();
    let winner = Cast::new(args.seed, 6)
        .expected_winner()
        .unwrap()
        .hotkey
        .clone();
    assert_eq!(summary["winner"], winner.as_str());

    let report = audit(&AuditOptions {
        repository: state_dir.join("world").join("state.git"),
        ..AuditOptions::default()
    })
    .unwrap();
    // Notes say that nothing is wrong.
    let mut wrong = report.findings;
    wrong.retain(|finding| finding.severity != Severity::Note);
    assert_eq!(wrong, Vec::<Finding>::new());
}
