//! People edit the public repository while a round runs on it: what they own is in force, what is wrong is refused, what
//! Assize owns waits for an operator's word, and a paused round stands still.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::Command;

use assize::cli::{Cli, run};
use clap::Parser as _;
use rehearsal::miners::Cast;
use rounds::{Process, database_url};
use schema::{
    RoundNumber, StateFile as _,
    files::{Config, Schedule},
    paths,
};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use workflow::db;

const ROUND: RoundNumber = RoundNumber(0);
/// Length of a block, seconds.
const SECONDS_PER_BLOCK: u64 = 12;
/// What a person sets `generation_stage_minutes` to.
const MINUTES: u32 = 44;

/// Somebody with push access and a clone.
struct Person {
    clone: PathBuf,
    database: String,
}

impl Person {
    fn new(dir: &Path, state_dir: &Path) -> Self {
        let remote = state_dir.join("world").join("state.git");
        let clone = dir.join("person");
        git(
            dir,
            &[
                "clone",
                "-q",
                remote.to_str().unwrap(),
                clone.to_str().unwrap(),
            ],
        );
        Self {
            clone,
            database: database_url(state_dir),
        }
    }

    /// The file as it stands in the repository now.
    fn read(&self, path: &str) -> String {
        git(&self.clone, &["fetch", "-q"]);
        git(&self.clone, &["reset", "-q", "--hard", "origin/main"]);
        std::fs::read_to_string(self.clone.join(path)).unwrap()
    }

    /// Changes a file, pushes as often as it takes, and calls the webhook.
    async fn edit(&self, path: &str, change: impl Fn(String) -> String) {
        loop {
            let changed = change(self.read(path));
            std::fs::write(self.clone.join(path), changed).unwrap();
            let message = format!("Edit {path}");
            git(
                &self.clone,
                &[
                    "-c",
                    "user.name=Ann",
                    "-c",
                    "user.email=ann@example.org",
                    "commit",
                    "-qam",
                    &message,
                ],
            );
            if tried(&self.clone, &["push", "-q"]).status.success() {
                break;
            }
        }
        let mut conn = self.connect().await;
        db::conflict::wake_mirror(&mut conn, "fetch").await.unwrap();
    }

    /// The same for one value of a JSON file.
    async fn set(&self, path: &str, change: impl Fn(&mut Value)) {
        self.edit(path, |text| {
            let mut value = serde_json::from_str(&text).unwrap();
            change(&mut value);
            serde_json::to_string_pretty(&value).unwrap()
        })
        .await;
    }

    async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.database).await.unwrap()
    }

    async fn ask<T>(&self, sql: &'static str) -> T
    where
        T: Send + Unpin,
        (T,): for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
    {
        let mut conn = self.connect().await;
        sqlx::query_as::<_, (T,)>(sql)
            .fetch_one(&mut conn)
            .await
            .unwrap()
            .0
    }

    /// An operator's command on the round's database.
    async fn command(&self, line: &str) -> u8 {
        let words = ["assize"].into_iter().chain(line.split(' '));
        let words = words.chain(["--database-url", &self.database]);
        run(Cli::try_parse_from(words).unwrap()).await.unwrap()
    }
}

fn tried(folder: &Path, arguments: &[&str]) -> std::process::Output {
    Command::new("git")
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

fn git(folder: &Path, arguments: &[&str]) {
    let output = tried(folder, arguments);
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_by_people_reach_the_round_that_runs() {
    let dir = tempfile::tempdir().unwrap();
    let state_dir = dir.path().join("rehearsal");
    let args = rounds::small_rehearsal(&state_dir, 4);
    let cast = Cast::new(args.seed, 6);
    let best = &cast.expected_winner().unwrap().hotkey;
    let mut round = Process::start(&args, 1).unwrap();
    round
        .until("SELECT EXISTS (SELECT FROM round WHERE round = 0 AND stage IN ('downloading', 'duels'))")
        .await
        .unwrap();
    let person = Person::new(dir.path(), &state_dir);

    // A valid configuration is in force, a broken one after it is not.
    person
        .set("config.json", |config| {
            config["generation_stage_minutes"] = json!(MINUTES);
        })
        .await;
    round
        .until("SELECT EXISTS (SELECT FROM repository_edit WHERE path = 'config.json' AND outcome = 'in_force')")
        .await
        .unwrap();
    person
        .set("config.json", |config| {
            config["generation_stage_minutes"] = json!("soon");
        })
        .await;
    round
        .until("SELECT EXISTS (SELECT FROM repository_edit WHERE path = 'config.json' AND outcome = 'refused')")
        .await
        .unwrap();

    // A paused round finishes what runs and stands still.
    person
        .set("state.json", |state| state["stage"] = json!("paused"))
        .await;
    round
        .until(
            "SELECT EXISTS (SELECT FROM pause WHERE round = 0)
             AND NOT EXISTS (SELECT FROM job WHERE state = 'running' AND round = 0)",
        )
        .await
        .unwrap();
    let finished = "SELECT count(*) FROM job WHERE round = 0 AND finished_at IS NOT NULL";
    let before: i64 = person.ask(finished).await;

    // Meanwhile the auditor finds that the best miner copied, and somebody touches a file of ours.
    person
        .set(&paths::source_audit(ROUND), |audits| {
            let audit = json!({"hotkey": best, "verdict": "failed", "reason": "copied"});
            audits.as_array_mut().unwrap().push(audit);
        })
        .await;
    let prompts = paths::prompts(ROUND);
    let as_drawn = person.read(&prompts);
    person
        .edit(&prompts, |text| text + "\nhttps://elsewhere.example/x.png")
        .await;
    round
        .until(
            "SELECT EXISTS (SELECT FROM repository_edit WHERE path = 'rounds/0/source_audit.json' AND author = 'Ann'
                            AND outcome = 'in_force')
             AND EXISTS (SELECT FROM mirror_conflict WHERE path = 'rounds/0/prompts.txt' AND settled_at IS NULL)",
        )
        .await
        .unwrap();
    let id: i64 = person
        .ask("SELECT id FROM mirror_conflict WHERE path = 'rounds/0/prompts.txt'")
        .await;
    let reject = format!("conflict reject {id} --operator ann --reason mistaken");
    assert_eq!(person.command(&reject).await, 0);
    round
        .until("SELECT settled_at IS NOT NULL FROM mirror_conflict WHERE path = 'rounds/0/prompts.txt'")
        .await
        .unwrap();
    assert_eq!(person.read(&prompts), as_drawn);
    let after: i64 = person.ask(finished).await;
    assert_eq!(after, before, "a paused round finishes nothing");

    // The stage's name lets it go on.
    let stage: String = person.ask("SELECT stage FROM round WHERE round = 0").await;
    person
        .set("state.json", |state| state["stage"] = json!(stage))
        .await;
    let summary = round.summary().await.unwrap();
    assert_ne!(summary["winner"], best.as_str(), "its source was refused");
    assert_eq!(summary["stage"], "open");

    let path = paths::schedule(ROUND.next());
    let next = Schedule::parse(&path, person.read(&path).as_bytes()).unwrap();
    assert_eq!(
        next.generation_deadline_block.0 - next.latest_reveal_block.0,
        u64::from(MINUTES) * 60 / SECONDS_PER_BLOCK,
        "the last valid configuration counts"
    );
    let broken = person.read("config.json");
    assert!(broken.contains("soon"), "their file is not touched");
    assert!(Config::parse("config.json", broken.as_bytes()).is_err());
}
