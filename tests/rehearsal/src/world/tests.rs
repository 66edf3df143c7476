//! Worlds as the main job uses them: started, killed, opened again, started from a real competition's state.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use schema::files::{Config, Leaders, Prompts, Schedule, SourceAudits, State, Verdict};
use schema::{BlockNumber, RoundNumber, Stage, StateFile};
use serde_json::json;

use super::bootstrap::BLOCKS_BEFORE_REVEAL;
use super::*;
use crate::gateway::{PromptImages, loopback_url};
use crate::miners::Behaviour;

/// The published state of the real competition after its round 1, as the files' tests have it.
const PUBLISHED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../schema/tests/fixtures/competition-0"
);
/// Names the folder in which the test process plays a world, to be killed.
const CHILD_DIR: &str = "REHEARSAL_TEST_CHILD_DIR";

struct NoPictures;

#[async_trait]
impl PromptImages for NoPictures {
    async fn png(&self, stem: &str) -> anyhow::Result<bytes::Bytes> {
        Ok(format!("picture of {stem}").into())
    }
}

fn options(dir: &std::path::Path) -> WorldOptions {
    WorldOptions {
        blocks_per_second: 0.0,
        ..WorldOptions::new(dir.to_owned(), 7, Arc::new(NoPictures))
    }
}

fn read<T: StateFile>(world: &World, path: &str) -> T {
    T::parse(path, &world.remote().read(path).unwrap().unwrap()).unwrap()
}

/// Waits until `found` finds something in the repository.
async fn wait_for<T>(world: &World, found: impl Fn(&World) -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(value) = found(world) {
                return value;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting)
        .await
        .unwrap()
}

/// Hotkeys that revealed something within the window by the given block, as the node tells.
async fn revealed_within(world: &World, earliest: u64, latest: u64) -> Vec<String> {
    use subxt::utils::AccountId32;
    let api = subxt::OnlineClient::<subxt::SubstrateConfig>::from_insecure_url(
        &world.addresses().chain_ws,
    )
    .await
    .unwrap();
    let at = api.at_block(u32::try_from(latest).unwrap()).await.unwrap();
    let address = subxt::dynamic::storage::<(u16, AccountId32), Vec<(Vec<u8>, u64)>>(
        "Commitments",
        "RevealedCommitments",
    );
    let mut entries = at
        .storage()
        .entry(address)
        .unwrap()
        .iter((17_u16,))
        .await
        .unwrap();
    let mut hotkeys = Vec::new();
    while let Some(entry) = entries.next().await {
        let entry = entry.unwrap();
        let reveals = entry.value().decode().unwrap();
        if reveals
            .iter()
            .any(|(_, block)| (earliest..=latest).contains(block))
        {
            hotkeys.push(entry.key().unwrap().decode().unwrap().1.to_string());
        }
    }
    hotkeys
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_world_is_a_competition_whose_round_0_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(options(folder.path())).await.unwrap();
    let config: Config = read(&world, "config.json");
    assert_eq!(config.problems(), Vec::<String>::new());
    assert_eq!(
        (
            config.name.as_str(),
            config.prompts_per_round,
            config.carryover_prompts
        ),
        ("rehearsal", 8, 2)
    );
    let state: State = read(&world, "state.json");
    assert_eq!(
        (state.current_round, state.stage),
        (RoundNumber(0), Stage::Open)
    );
    let schedule: Schedule = read(&world, "rounds/0/schedule.json");
    assert_eq!(
        schedule.latest_reveal_block.0,
        u64::from(world.chain().current() + BLOCKS_BEFORE_REVEAL)
    );
    assert_eq!(
        schedule.generation_deadline_block.0 - schedule.latest_reveal_block.0,
        50
    );
    let leaders: Leaders = read(&world, "leader.json");
    assert_eq!(leaders.problems(), Vec::<String>::new());
    assert_eq!(
        leaders.latest().unwrap().effective_block,
        schedule.latest_reveal_block
    );
    let prompts: Prompts = read(&world, "prompts.txt");
    assert_eq!(prompts.len(), 32);
    assert!(prompts.stems().any(|stem| stem.as_str().contains('-')));

    // By the end of the window the chain holds the submissions of all but the late miner.
    world
        .chain()
        .advance_to(schedule.latest_reveal_block.0 as u32)
        .unwrap();
    let revealed = revealed_within(
        &world,
        schedule.earliest_reveal_block.0,
        schedule.latest_reveal_block.0,
    )
    .await;
    for miner in world.cast().miners() {
        assert_eq!(
            revealed.contains(&miner.hotkey),
            miner.behaviour != Behaviour::Late,
            "{}",
            miner.name
        );
    }
    assert_eq!(world.expected_submitters().len(), 5);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_service_of_a_world_answers_at_its_address() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(options(folder.path())).await.unwrap();
    let at = world.addresses().clone();
    let client = reqwest::Client::new();
    let get = async |url: String, token: &str| {
        client
            .get(url)
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(
        get(
            format!("{}/repos/{}/commits/main", at.github_api, at.github_repo),
            &at.github_token
        )
        .await,
        200
    );
    assert_eq!(
        get(
            format!("{}/tha/v2/workloads?type=SERVERLESS", at.targon),
            &at.targon_api_key
        )
        .await,
        200
    );
    assert_eq!(
        get(format!("{}/container-deployments", at.verda), "none").await,
        401
    );
    assert_eq!(
        get(format!("{}/pods", at.runpod), &at.runpod_api_key).await,
        200
    );
    assert_eq!(get(format!("{}/models", at.vlm), "any").await, 200);
    assert_eq!(
        get(
            format!("{}/info/refs?service=git-upload-pack", at.git_remote_http),
            ""
        )
        .await,
        200
    );
    assert_eq!(
        get(
            loopback_url(&at.gateway, "https://prompts.rehearsal.example/abc.png"),
            ""
        )
        .await,
        200
    );
    assert_eq!(
        get(
            loopback_url(&at.gateway, &format!("{}/rounds/0/none.js", at.public_cdn)),
            ""
        )
        .await,
        404
    );
    assert_eq!(
        get(format!("{}/{}?list-type=2", at.s3_endpoint, at.bucket), "").await / 100,
        4,
        "unsigned"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn submissions_are_audited_and_the_miners_reveal_again_for_the_next_round() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(options(folder.path())).await.unwrap();
    let hotkey = world.cast().miners()[0].hotkey.clone();
    let submission = json!({hotkey.as_str(): {
        "repo": "a/b", "commit": "c".repeat(40), "cdn_url": "https://a.example", "revealed_at_block": 1, "round": "r-0",
    }});
    let submissions = (
        "rounds/0/submissions.json".to_owned(),
        submission.to_string().into_bytes(),
    );
    world
        .remote()
        .commit(&[submissions], "Seed, prompts and submissions for round 0")
        .unwrap();
    let audits = wait_for(&world, |world| {
        world.remote().read("rounds/0/source_audit.json").unwrap()
    })
    .await;
    let audits = SourceAudits::parse("source_audit.json", &audits).unwrap();
    assert_eq!(
        audits.of(&hotkey.as_str().into()).unwrap().verdict,
        Verdict::Passed
    );

    let now = u64::from(world.chain().current());
    let schedule = Schedule {
        earliest_reveal_block: BlockNumber(now - 10),
        latest_reveal_block: BlockNumber(now + 100),
        generation_deadline_block: BlockNumber(now + 150),
    };
    let state = State {
        current_round: RoundNumber(1),
        stage: Stage::Open,
        next_stage_eta: None,
    };
    let files = [
        ("state.json".to_owned(), state.to_bytes()),
        ("rounds/1/schedule.json".to_owned(), schedule.to_bytes()),
    ];
    world
        .remote()
        .commit(&files, "Update state (open), schedule for round 1")
        .unwrap();
    wait_for(&world, |world| {
        world
            .ledger()
            .reveals()
            .iter()
            .any(|reveal| reveal.round == 1)
            .then_some(())
    })
    .await;
    for reveal in world
        .ledger()
        .reveals()
        .iter()
        .filter(|reveal| reveal.round == 1)
    {
        assert!(
            u64::from(reveal.block) > now,
            "a block that has passed was changed"
        );
    }
    world.chain().advance_to(now as u32 + 100).unwrap();
    let revealed = revealed_within(&world, now + 1, now + 100).await;
    assert!(
        world
            .expected_submitters()
            .iter()
            .all(|hotkey| revealed.contains(hotkey))
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_crowd_the_chain_turns_two_miners_away() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(WorldOptions {
        miners: 9,
        ..options(folder.path())
    })
    .await
    .unwrap();
    assert_eq!(world.standing(8), Standing::TooLittleLocked);
    assert_eq!(world.standing(7), Standing::NotRegistered);
    let registered = |index: usize| {
        let key = world.cast().miners()[index].hotkey_bytes;
        world
            .ledger()
            .neurons()
            .iter()
            .any(|neuron| neuron.hotkey.0 == key)
    };
    assert!(registered(8) && !registered(7));
    assert_eq!(world.ledger().neurons().len(), 256);
    let expected = world.expected_submitters();
    assert_eq!(expected.len(), 6);
    assert!(expected.contains(&world.cast().expected_winner().unwrap().hotkey));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_world_goes_on_from_an_imported_competition() {
    let folder = tempfile::tempdir().unwrap();
    let options = WorldOptions {
        start: Start::FromDir(PUBLISHED.into()),
        prompts_per_round: Some(8),
        ..options(&folder.path().join("world"))
    };
    let world = World::start(options.clone()).await.unwrap();

    assert_eq!(world.chain().current(), 7_497_680 - BLOCKS_BEFORE_REVEAL);
    let config: Config = read(&world, "config.json");
    assert_eq!(
        (
            config.name.as_str(),
            config.prompts_per_round,
            config.carryover_prompts
        ),
        ("mesh", 8, 2)
    );
    assert_eq!(read::<Prompts>(&world, "prompts.txt").len(), 32);
    assert_eq!(world.notices().len(), 2, "{:?}", world.notices());
    let published = std::fs::read(format!("{PUBLISHED}/rounds/1/prompts.txt")).unwrap();
    assert_eq!(
        world
            .remote()
            .read("rounds/1/prompts.txt")
            .unwrap()
            .unwrap(),
        published
    );
    let carried = Prompts::parse("prompts.txt", &published).unwrap();
    let picture = loopback_url(&world.addresses().gateway, &carried.urls()[0]);
    assert_eq!(reqwest::get(picture).await.unwrap().status(), 200);
    let leader: crate::chain::Account = "5GgpGaDxzTyBAME1Ju9ZhUstWj2VTm1n4tAUkRHLi4birQZg"
        .parse()
        .unwrap();
    assert!(
        world
            .ledger()
            .neurons()
            .iter()
            .any(|neuron| neuron.hotkey == leader)
    );
    world.chain().advance_to(7_497_680).unwrap();
    let revealed = revealed_within(&world, 7_476_091, 7_497_680).await;
    assert!(
        world
            .expected_submitters()
            .iter()
            .all(|hotkey| revealed.contains(hotkey))
    );

    // Opened again, it is not adapted again.
    let head = world.remote().head().unwrap();
    world.stop().await;
    let again = World::start(options).await.unwrap();
    assert_eq!(again.remote().head().unwrap(), head);
    assert_eq!(again.notices(), Vec::<String>::new());
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_opened_is_said_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("world");
    let failure =
        async |options: WorldOptions| format!("{:#}", World::start(options).await.err().unwrap());

    let start = Start::FromDir(folder.path().join("nowhere"));
    let error = failure(WorldOptions {
        start,
        ..options(&dir)
    })
    .await;
    assert!(error.contains("nowhere is not a folder"), "{error}");
    assert!(!dir.join("world.json").exists() && !dir.join("state.git").exists());

    let world = World::start(options(&dir)).await.unwrap();
    let error = failure(options(&dir)).await;
    assert!(error.contains("another rehearsal is running"), "{error}");
    let gateway = world.addresses().gateway.clone();
    world.stop().await;

    let error = failure(WorldOptions {
        miners: 4,
        ..options(&dir)
    })
    .await;
    assert!(error.contains("with seed 7 and 6 miners"), "{error}");
    let port: u16 = gateway.rsplit(':').next().unwrap().parse().unwrap();
    let taken = tokio::net::TcpListener::bind(("127.0.0.1", port))
        .await
        .unwrap();
    let error = failure(options(&dir)).await;
    assert!(
        error.contains(&format!("port {port} of the rehearsal's gateway is taken")),
        "{error}"
    );
    drop(taken);
    World::start(options(&dir)).await.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_world_is_the_same_world_again() {
    if let Some(dir) = std::env::var_os(CHILD_DIR) {
        return play_world_until_killed(std::path::Path::new(&dir)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let test = "world::tests::a_killed_world_is_the_same_world_again";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD_DIR, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let mut told = |what: &str| {
        lines
            .find_map(|line| line.strip_prefix(what).map(str::to_owned))
            .unwrap()
    };
    let gateway = told("gateway ");
    let hash = told("hash ");
    let pod = told("pod ");
    let seen: u32 = told("block ").parse().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();

    let world = World::start(options(folder.path())).await.unwrap();
    assert_eq!(world.addresses().gateway, gateway);
    assert!(world.chain().current() >= seen, "the chain has shrunk");
    let api = subxt::OnlineClient::<subxt::SubstrateConfig>::from_insecure_url(
        &world.addresses().chain_ws,
    )
    .await
    .unwrap();
    let block = api.at_block(seen - 1).await.unwrap();
    assert_eq!(format!("{:?}", block.block_hash()), hash, "another chain");
    assert_eq!(
        world.remote().read("note.txt").unwrap().unwrap(),
        b"before the kill"
    );
    assert_eq!(
        world
            .fleet()
            .pods()
            .into_iter()
            .map(|pod| pod.name)
            .collect::<Vec<_>>(),
        [pod]
    );
    world.stop().await;
}

/// The other process of the test above: does a bit of everything, tells it, and lets blocks pass until it is killed.
async fn play_world_until_killed(dir: &std::path::Path) {
    let world = World::start(options(dir)).await.unwrap();
    let at = world.addresses();
    let mut out = std::io::stdout();
    writeln!(out, "\ngateway {}", at.gateway).unwrap();
    world
        .remote()
        .commit(
            &[("note.txt".to_owned(), b"before the kill".to_vec())],
            "Note",
        )
        .unwrap();
    let first = world.chain().current();
    world.chain().advance_to(first + 10).unwrap();
    let api = subxt::OnlineClient::<subxt::SubstrateConfig>::from_insecure_url(&at.chain_ws)
        .await
        .unwrap();
    let pods = format!("{}/pods", at.runpod);
    let body = json!({
        "name": "miner-00-leader-0", "imageName": "any:1", "gpuTypeIds": ["NVIDIA H200"], "gpuCount": 4,
        "ports": ["10006/http"], "cloudType": "SECURE",
    });
    let request = reqwest::Client::new()
        .post(pods)
        .bearer_auth(&at.runpod_api_key)
        .json(&body);
    assert_eq!(request.send().await.unwrap().status(), 201);
    world.chain().set_rate(500.0);
    world.chain().reached(first + 100).await;
    let seen = world.chain().current();
    let hash = api.at_block(seen - 1).await.unwrap().block_hash();
    writeln!(out, "hash {hash:?}\npod miner-00-leader-0\nblock {seen}").unwrap();
    out.flush().unwrap();
    std::future::pending::<()>().await;
}
