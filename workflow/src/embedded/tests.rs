#![allow(clippy::unwrap_used)]

use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use super::*;

/// Longer than anything here takes on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Names the data folder for [`holds_a_cluster_until_killed`], which only then does anything.
const HOLD: &str = "ASSIZE_TEST_HOLD_CLUSTER";

/// A folder that the server's account may enter, whatever the umask.
fn home() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}

async fn connect(postgres: &EmbeddedPostgres, database: &str) -> PgConnection {
    PgConnection::connect(&postgres.url(database))
        .await
        .unwrap()
}

fn is_alive(pid: i32) -> bool {
    // A process that was killed but not reaped still has a number.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

async fn wait_until_gone(pid: i32) {
    let gone = async {
        while is_alive(pid) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
}

#[tokio::test]
async fn a_cluster_is_made_and_keeps_its_databases_over_a_stop_and_a_start() {
    let home = home();
    let options = EmbeddedOptions::for_tests(home.path().join("new/postgres"));
    let postgres = EmbeddedPostgres::start(options.clone()).await.unwrap();
    postgres.create_database("round \"two\"").await.unwrap();
    postgres.create_database("round \"two\"").await.unwrap();
    let mut connection = connect(&postgres, "round \"two\"").await;
    sqlx::query("CREATE TABLE kept AS SELECT 404 AS number")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let pid = postgres.pid();
    postgres.stop().await;
    assert!(!is_alive(pid));

    let postgres = EmbeddedPostgres::start(options).await.unwrap();
    let mut connection = connect(&postgres, "round \"two\"").await;
    let number: i32 = sqlx::query_scalar("SELECT number FROM kept")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(number, 404);
}

#[tokio::test]
async fn dropping_it_stops_the_server_at_once() {
    let home = home();
    let postgres = EmbeddedPostgres::start(EmbeddedOptions::for_tests(home.path().join("pg")))
        .await
        .unwrap();
    let pid = postgres.pid();
    assert!(is_alive(pid));
    drop(postgres);
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn only_a_durable_cluster_waits_for_the_disk() {
    let home = home();
    for (durable, expected) in [(true, "on"), (false, "off")] {
        let mut options = EmbeddedOptions::new(home.path().join(expected));
        options.durable = durable;
        let postgres = EmbeddedPostgres::start(options).await.unwrap();
        let mut connection = connect(&postgres, "postgres").await;
        for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
            let value: String = sqlx::query_scalar("SELECT current_setting($1)")
                .bind(setting)
                .fetch_one(&mut connection)
                .await
                .unwrap();
            assert_eq!(value, expected, "{setting}");
        }
    }
}

#[tokio::test]
async fn a_second_start_on_the_same_folder_is_refused_while_the_first_runs() {
    let home = home();
    let options = EmbeddedOptions::for_tests(home.path().join("pg"));
    let first = EmbeddedPostgres::start(options.clone()).await.unwrap();
    let error = EmbeddedPostgres::start(options).await.unwrap_err();
    assert!(matches!(error, EmbeddedError::InUse { .. }), "{error}");
    connect(&first, "postgres").await.ping().await.unwrap();
}

#[tokio::test]
async fn a_killed_server_leaves_a_stale_pid_file_and_the_next_start_recovers_every_commit() {
    let home = home();
    let options = EmbeddedOptions::new(home.path().join("pg"));
    let postgres = EmbeddedPostgres::start(options.clone()).await.unwrap();
    let mut connection = connect(&postgres, "postgres").await;
    sqlx::query("CREATE TABLE kept AS SELECT 404 AS number")
        .execute(&mut connection)
        .await
        .unwrap();
    kill(Pid::from_raw(postgres.pid()), Signal::SIGKILL).unwrap();
    wait_until_gone(postgres.pid()).await;
    drop(postgres);
    let pid_file = options.data_dir.join("cluster/postmaster.pid");
    assert!(
        pid_file.exists(),
        "the kill was not hard enough for this test"
    );

    let postgres = EmbeddedPostgres::start(options).await.unwrap();
    let mut connection = connect(&postgres, "postgres").await;
    let number: i32 = sqlx::query_scalar("SELECT number FROM kept")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(number, 404);
}

#[tokio::test]
async fn a_stale_pid_file_whose_number_now_belongs_to_another_process_does_not_stop_the_start() {
    let home = home();
    let options = EmbeddedOptions::for_tests(home.path().join("pg"));
    EmbeddedPostgres::start(options.clone())
        .await
        .unwrap()
        .stop()
        .await;
    // A process of the server's own account, so that PostgreSQL alone would believe the file.
    let account = Account::for_server().unwrap();
    let mut command = Command::new("sleep");
    account.assume(&mut command);
    let mut other = command.arg("600").spawn().unwrap();
    let cluster = options.data_dir.join("cluster");
    let stale = format!("{}\n{}\n1\n5432\n", other.id(), cluster.display());
    std::fs::write(cluster.join("postmaster.pid"), stale).unwrap();

    let started = EmbeddedPostgres::start(options).await;
    other.kill().unwrap();
    other.wait().unwrap();
    connect(&started.unwrap(), "postgres")
        .await
        .ping()
        .await
        .unwrap();
}

#[tokio::test]
async fn an_interrupted_initdb_is_cleared_away_and_done_again() {
    let home = home();
    let options = EmbeddedOptions::for_tests(home.path().join("pg"));
    std::fs::create_dir_all(options.data_dir.join("cluster.unfinished/base")).unwrap();
    std::fs::write(options.data_dir.join("lock"), "").unwrap();
    let postgres = EmbeddedPostgres::start(options.clone()).await.unwrap();
    connect(&postgres, "postgres").await.ping().await.unwrap();
    assert!(!options.data_dir.join("cluster.unfinished").exists());
}

/// Not a test by itself: the process that [`a_server_dies_with_its_killed_owner_and_starts_again`] kills.
#[tokio::test]
async fn holds_a_cluster_until_killed() {
    let Some(folder) = std::env::var_os(HOLD) else {
        return;
    };
    let postgres = EmbeddedPostgres::start(EmbeddedOptions::new(folder))
        .await
        .unwrap();
    let mut connection = connect(&postgres, "postgres").await;
    sqlx::query("CREATE TABLE IF NOT EXISTS kept AS SELECT 404 AS number")
        .execute(&mut connection)
        .await
        .unwrap();
    println!("\nholding {}", postgres.pid());
    std::future::pending::<()>().await;
}

/// Starts [`holds_a_cluster_until_killed`] in a process of its own and returns it with the server's number.
fn hold_cluster(data_dir: &Path) -> (Child, i32) {
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            "embedded::tests::holds_a_cluster_until_killed",
        ])
        .env(HOLD, data_dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let said = BufReader::new(owner.stdout.take().unwrap());
    let pid = said
        .lines()
        .find_map(|line| line.unwrap().strip_prefix("holding ")?.parse().ok())
        .unwrap();
    (owner, pid)
}

#[tokio::test]
async fn a_server_dies_with_its_killed_owner_and_starts_again() {
    let home = home();
    let data_dir = home.path().join("pg");
    let (mut owner, server) = hold_cluster(&data_dir);
    assert!(is_alive(server));
    owner.kill().unwrap();
    owner.wait().unwrap();
    // Nobody but the kernel is left to tell it.
    wait_until_gone(server).await;

    let (mut owner, server) = hold_cluster(&data_dir);
    owner.kill().unwrap();
    owner.wait().unwrap();
    // And at once, while the orphan may still be dying.
    let postgres = EmbeddedPostgres::start(EmbeddedOptions::new(&data_dir))
        .await
        .unwrap();
    assert!(!is_alive(server));
    let mut connection = connect(&postgres, "postgres").await;
    let number: i32 = sqlx::query_scalar("SELECT number FROM kept")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(number, 404);
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_gets_a_short_one_elsewhere() {
    let home = home();
    let deep = home.path().join("d".repeat(120));
    let postgres = EmbeddedPostgres::start(EmbeddedOptions::for_tests(&deep))
        .await
        .unwrap();
    connect(&postgres, "postgres").await.ping().await.unwrap();
    let socket_dir = postgres.socket_dir.clone();
    assert!(!socket_dir.starts_with(&deep));
    drop(postgres);
    std::fs::remove_dir_all(socket_dir).unwrap();
}

#[tokio::test]
async fn a_folder_with_other_things_in_it_is_left_alone() {
    let home = home();
    std::fs::write(home.path().join("thesis.txt"), "years of work").unwrap();
    let before = std::fs::metadata(home.path()).unwrap().permissions();
    let error = EmbeddedPostgres::start(EmbeddedOptions::for_tests(home.path()))
        .await
        .unwrap_err();
    assert!(
        matches!(error, EmbeddedError::ForeignFolder { .. }),
        "{error}"
    );
    assert_eq!(
        std::fs::metadata(home.path()).unwrap().permissions(),
        before
    );
}

#[tokio::test]
async fn a_cluster_that_cannot_start_says_why_in_postgres_own_words() {
    let home = home();
    let options = EmbeddedOptions::for_tests(home.path().join("pg"));
    EmbeddedPostgres::start(options.clone())
        .await
        .unwrap()
        .stop()
        .await;
    std::fs::write(
        options.data_dir.join("cluster/postgresql.conf"),
        "no_such = 1\n",
    )
    .unwrap();
    let error = EmbeddedPostgres::start(options).await.unwrap_err();
    assert!(error.to_string().contains("contains errors"), "{error}");
}

#[test]
fn a_closed_folder_above_the_data_folder_is_named() {
    let home = home();
    std::fs::set_permissions(home.path(), Permissions::from_mode(0o700)).unwrap();
    let stranger = Account::stranger();
    let error = stranger
        .can_reach(&home.path().join("state/pg"))
        .unwrap_err();
    let expected = home.path().canonicalize().unwrap();
    assert!(
        matches!(&error, EmbeddedError::ClosedFolder { folder, .. } if *folder == expected),
        "{error}"
    );
    std::fs::set_permissions(home.path(), Permissions::from_mode(0o711)).unwrap();
    stranger.can_reach(&home.path().join("state/pg")).unwrap();
}
