//! The README's sample compiles and does what it says, as it stands there.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use serde_json::json;
use sqlx::{PgPool, Postgres, Transaction};
use tokio_util::sync::CancellationToken;
use workflow::{
    db,
    engine::{
        Effects, Flow, FlowDefinition, FlowError, Handler, NewJob, OnFailure, Outcome, Registry,
        Step, StepContext, Worker, WorkerOptions, flow::FLOW_QUEUE,
    },
};

include!("readme_sample.rs");

const README: &str = include_str!("../../README.md");
const PATIENCE: Duration = Duration::from_secs(60);

/// Code that stands in the README, too.
macro_rules! as_in_the_readme {
    ($($code:tt)*) => { (stands_in_the_readme(stringify!($($code)*)), $($code)*).1 };
}

fn stands_in_the_readme(code: &str) {
    let plain = |text: &str| text.split_whitespace().collect::<String>();
    assert!(
        plain(README).contains(&plain(code)),
        "the README lacks: {code}"
    );
}

#[derive(Debug, thiserror::Error)]
#[error("nobody listens")]
struct ClientError;

#[async_trait]
trait Client: Send + Sync {
    /// Greets, and answers how many letters were said.
    async fn greet(&self, name: &str) -> Result<usize, ClientError>;
}

#[derive(Default)]
struct Listener(Mutex<BTreeSet<String>>);

#[async_trait]
impl Client for Listener {
    async fn greet(&self, name: &str) -> Result<usize, ClientError> {
        self.0.lock().unwrap().insert(name.to_owned());
        Ok(name.len())
    }
}

#[test]
fn the_readme_shows_this_sample_and_it_is_short() {
    let (_, section) = README.split_once("## A step and a flow").unwrap();
    let (_, shown) = section.split_once("```rust\n").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    assert_eq!(shown, include_str!("readme_sample.rs"));
    assert!(shown.lines().count() < 40);
}

/// The table of guarantees names tests as `module::test`, or all of a module.
#[test]
fn every_test_that_the_readme_names_exists() {
    let engine = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine");
    let mut named = 0;
    for words in README.split('`').filter(|words| !words.contains(' ')) {
        let Some((module, test)) = words.split_once("::") else {
            continue;
        };
        let files = [format!("{module}.rs"), format!("{module}/mod.rs")];
        let source = files
            .iter()
            .find_map(|file| std::fs::read_to_string(engine.join(file)).ok());
        match test {
            "*" => assert!(source.is_some(), "there is no module {module}"),
            test => {
                let Some(source) = source else { continue };
                assert!(
                    source.contains(&format!("fn {test}(")),
                    "there is no {words}"
                );
            }
        }
        named += 1;
    }
    assert!(named >= 15, "{named} named tests were found");
}

async fn start(
    mut transaction: Transaction<'_, Postgres>,
    names: Vec<String>,
) -> anyhow::Result<()> {
    as_in_the_readme!(db::start(
        &mut transaction,
        &[NewJob::flow::<GreetAll>(&names)?]
    ))
    .await?;
    Ok(transaction.commit().await?)
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn the_readmes_flow_greets_everybody(pool: PgPool) {
    let listener = Arc::new(Listener::default());
    let client: Arc<dyn Client> = listener.clone();
    let registry = as_in_the_readme!(
        Registry::new()
            .step::<Greet, _>(Greeter { client })
            .flow::<GreetAll>()
    );
    let slots = HashMap::from([(FLOW_QUEUE.to_owned(), 2), ("network".to_owned(), 2)]);
    let worker = Worker::new(pool.clone(), registry, WorkerOptions::new("readme", slots));
    let stop = CancellationToken::new();
    let working = tokio::spawn(worker.run(stop.clone()));

    let names = ["Ann".to_owned(), "Berta".to_owned()].to_vec();
    start(pool.begin().await.unwrap(), names.clone())
        .await
        .unwrap();

    let ended = async {
        loop {
            let key = GreetAll::key(&names);
            let mut conn = pool.acquire().await.unwrap();
            let flow = db::job::find(&mut conn, &key).await.unwrap().unwrap();
            if let Some(output) = flow.output {
                return output;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let sent = tokio::time::timeout(PATIENCE, ended).await.unwrap();
    assert_eq!(sent, json!(8));
    let greeted = listener.0.lock().unwrap().clone();
    assert_eq!(greeted, names.into_iter().collect());
    let events: Vec<String> = sqlx::query_scalar("SELECT name FROM event ORDER BY name")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(events, ["greeted/Ann", "greeted/Berta"], "with the output");
    stop.cancel();
    working.await.unwrap().unwrap();
}
