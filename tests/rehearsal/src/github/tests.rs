//! The API as a service of the competition uses it.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::ACCEPT;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::clock::WorldClock;
use crate::faults::{Faults, Service};
use crate::http::{Door, serve};

const REPOSITORY: &str = "rehearsal/state";
const TIMES: BuildTimes = BuildTimes {
    setup: Duration::from_mins(1),
    build: Duration::from_mins(10),
    parallel: 2,
};

struct World {
    clock: WorldClock,
    remote: Remote,
    workflow: Workflow,
    base: String,
    client: reqwest::Client,
    stop: CancellationToken,
}

impl World {
    async fn start(folder: &Path) -> Self {
        let path = folder.join("remote.git");
        let remote = if path.exists() {
            Remote::open(path).unwrap()
        } else {
            Remote::create_with(&path, &[("config.json".into(), b"{}\n".to_vec())], "First")
                .unwrap()
        };
        let clock = WorldClock::open(folder.join("clock.json")).unwrap();
        let conclusions: Conclusions = Arc::new(|hotkey| {
            if hotkey == "5Bad" {
                Conclusion::Failure
            } else {
                Conclusion::Success
            }
        });
        let workflow = Workflow::open(
            folder.join("github.json"),
            remote.clone(),
            clock.clone(),
            TIMES,
            conclusions,
        )
        .unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(workflow.clone().run(stop.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!(
            "http://{}/repos/{REPOSITORY}",
            listener.local_addr().unwrap()
        );
        let door = Door {
            service: Service::GitHub,
            faults: Faults::new(clock.clone()),
            stop: stop.clone(),
        };
        let github = GitHub::new(REPOSITORY, "token", remote.clone(), workflow.clone());
        tokio::spawn(serve(listener, door, github.router()));
        Self {
            clock,
            remote,
            workflow,
            base,
            client: reqwest::Client::new(),
            stop,
        }
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let response = self
            .client
            .get(format!("{}/{path}", self.base))
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let request = self
            .client
            .post(format!("{}/{path}", self.base))
            .bearer_auth("token")
            .json(&body);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn raw(&self, path: &str) -> (u16, String) {
        let url = format!("{}/contents/{path}", self.base);
        let response = self
            .client
            .get(url)
            .header(ACCEPT, "application/vnd.github.raw+json")
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn move_branch(&self, sha: &str) -> u16 {
        let request = self
            .client
            .patch(format!("{}/git/refs/heads/main", self.base))
            .bearer_auth("token");
        request
            .json(&json!({"sha": sha, "force": false}))
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    }

    /// The commit procedure of the specification: tree of the base, blobs, tree, commit. Not moving the branch.
    async fn build_commit(&self, base: &str, files: &[(&str, &str)], message: &str) -> String {
        let (_, commit) = self.get(&format!("git/commits/{base}")).await;
        let mut tree = Vec::new();
        for (path, content) in files {
            let (status, blob) = self
                .post(
                    "git/blobs",
                    json!({"content": content, "encoding": "utf-8"}),
                )
                .await;
            assert_eq!(status, 201);
            tree.push(json!({"path": path, "mode": "100644", "type": "blob", "sha": blob["sha"]}));
        }
        let (status, tree) = self
            .post(
                "git/trees",
                json!({"base_tree": commit["tree"]["sha"], "tree": tree}),
            )
            .await;
        assert_eq!(status, 201);
        let new = json!({"message": message, "tree": tree["sha"], "parents": [base]});
        let (status, commit) = self.post("git/commits", new).await;
        assert_eq!(status, 201);
        commit["sha"].as_str().unwrap().to_owned()
    }

    async fn head(&self) -> String {
        self.get("commits/main").await.1["sha"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    async fn wait_for_runs(&self, count: usize) -> Value {
        let waiting = async {
            loop {
                let (_, runs) = self.get("actions/runs").await;
                if runs["workflow_runs"].as_array().unwrap().len() == count {
                    return runs;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), waiting)
            .await
            .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_by_the_api_is_atomic_and_a_lost_race_is_422() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path()).await;
    let base = world.head().await;
    let mine = world
        .build_commit(
            &base,
            &[
                ("state.json", "{}"),
                ("rounds/0/seed.json", "{\"seed\": 1}"),
            ],
            "Mine",
        )
        .await;
    let theirs = world
        .build_commit(&base, &[("leader.json", "[]")], "Theirs")
        .await;
    assert_eq!(world.raw("state.json?ref=main").await.0, 404);

    assert_eq!(world.move_branch(&mine).await, 200);
    assert_eq!(world.move_branch(&theirs).await, 422);
    assert_eq!(world.move_branch(&"0".repeat(40)).await, 422);

    assert_eq!(
        world.raw("rounds/0/seed.json?ref=main").await,
        (200, "{\"seed\": 1}".to_owned())
    );
    assert_eq!(world.raw(&format!("state.json?ref={base}")).await.0, 404);
    assert_eq!(world.raw("leader.json").await.0, 404);
    assert_eq!(world.head().await, mine);
    assert_eq!(
        world.get("commits/heads/main").await.1["commit"]["message"],
        "Mine"
    );
    assert_eq!(world.get("commits/nowhere").await.0, 422);
    world.stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_need_the_token_and_a_wrong_one_reads_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path()).await;
    let blob = json!({"content": "x", "encoding": "utf-8"});
    let url = format!("{}/git/blobs", world.base);
    assert_eq!(
        world
            .client
            .post(&url)
            .json(&blob)
            .send()
            .await
            .unwrap()
            .status(),
        401
    );
    let commit = format!("{}/commits/main", world.base);
    assert_eq!(
        world
            .client
            .get(&commit)
            .bearer_auth("other")
            .send()
            .await
            .unwrap()
            .status(),
        401
    );
    let elsewhere = world.base.replace(REPOSITORY, "someone/else");
    assert_eq!(
        world
            .client
            .get(format!("{elsewhere}/commits/main"))
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
    world.stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_matrix_appears_after_the_set_up_and_each_build_ends_as_its_miner_deserves() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path()).await;
    let message = "Seed, prompts and submissions for round 0";
    let submissions = "{\"5Good\": {}, \"5Bad\": {}, \"5Also\": {}}";
    world
        .remote
        .commit(
            &[("rounds/0/submissions.json".into(), submissions.into())],
            message,
        )
        .unwrap();
    let runs = world.wait_for_runs(1).await;
    let run = &runs["workflow_runs"][0];
    assert!(
        run["head_commit"]["message"]
            .as_str()
            .unwrap()
            .ends_with("submissions for round 0")
    );
    assert_eq!(run["status"], "in_progress");
    let jobs_path = format!("actions/runs/{}/jobs?per_page=100&page=1", run["id"]);

    let early = world.get(&jobs_path).await.1;
    assert_eq!(early["total_count"], 1, "the miners' jobs do not exist yet");
    assert_eq!(early["jobs"][0]["name"], "setup");

    world.clock.skip(TIMES.setup).unwrap();
    let running = world.get(&jobs_path).await.1;
    let states: Vec<(&str, &str)> = running["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| {
            (
                job["name"].as_str().unwrap(),
                job["status"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        states,
        [
            ("setup", "completed"),
            (
                "Bake and push images to Google Cloud (5Also)",
                "in_progress"
            ),
            ("Bake and push images to Google Cloud (5Bad)", "in_progress"),
            ("Bake and push images to Google Cloud (5Good)", "queued"),
        ]
    );

    world.clock.skip(TIMES.build * 3).unwrap();
    let ended = world.get(&jobs_path).await.1;
    let conclusions: Vec<&str> = ended["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["conclusion"].as_str().unwrap())
        .collect();
    assert_eq!(conclusions, ["success", "success", "failure", "success"]);
    assert_eq!(
        world.get("actions/runs").await.1["workflow_runs"][0]["conclusion"],
        "failure"
    );
    let second_page = world
        .get(&format!(
            "actions/runs/{}/jobs?per_page=3&page=2",
            run["id"]
        ))
        .await
        .1;
    assert_eq!(second_page["jobs"].as_array().unwrap().len(), 1);
    world.stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_push_of_two_commits_is_one_run_under_the_last_message() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path()).await;
    let base = world.head().await;
    let first = world
        .build_commit(
            &base,
            &[("rounds/0/submissions.json", "{\"5A\": {}}")],
            "Submissions",
        )
        .await;
    let second = world
        .build_commit(&first, &[("state.json", "{}")], "Later")
        .await;
    assert_eq!(world.move_branch(&second).await, 200);

    let runs = world.wait_for_runs(1).await;
    assert_eq!(runs["workflow_runs"][0]["head_commit"]["message"], "Later");
    assert_eq!(runs["workflow_runs"][0]["head_sha"], second);
    world.stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_in_quick_succession_are_each_a_push() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path()).await;
    let commit = |path: &str, message: &str| {
        let file = (path.to_owned(), b"{\"5A\": {}}".to_vec());
        world.remote.commit(&[file], message).unwrap()
    };
    let submissions = commit("rounds/0/submissions.json", "Submissions");
    commit("rounds/0/source_audit.json", "Source audits");

    let runs = world.wait_for_runs(1).await;
    assert_eq!(runs["workflow_runs"][0]["head_sha"], submissions);
    world.stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_outlive_a_restart_and_pushes_made_meanwhile_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path()).await;
    let file = |content: &str| {
        [(
            "rounds/0/submissions.json".to_owned(),
            content.as_bytes().to_vec(),
        )]
    };
    world
        .remote
        .commit(&file("{\"5A\": {}}"), "First submissions")
        .unwrap();
    let before = world.wait_for_runs(1).await["workflow_runs"][0].clone();
    world.stop.cancel();
    drop(world.workflow);
    let path = folder.path().join("remote.git");
    Remote::open(path)
        .unwrap()
        .commit(&file("{\"5A\": {}, \"5B\": {}}"), "Second submissions")
        .unwrap();

    let world = World::start(folder.path()).await;
    let runs = world.wait_for_runs(2).await;
    assert_eq!(
        runs["workflow_runs"][0]["head_commit"]["message"],
        "Second submissions"
    );
    assert_eq!(runs["workflow_runs"][1]["id"], before["id"]);
    world.stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn submissions_nobody_can_read_build_nothing_and_later_ones_are_built() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path()).await;
    let commit = |content: &str| {
        let file = (
            "rounds/0/submissions.json".to_owned(),
            content.as_bytes().to_vec(),
        );
        world.remote.commit(&[file], "Submissions").unwrap()
    };
    commit("not JSON");
    let broken = world.wait_for_runs(1).await["workflow_runs"][0].clone();
    world.clock.skip(TIMES.setup).unwrap();
    let jobs = world
        .get(&format!("actions/runs/{}/jobs", broken["id"]))
        .await
        .1;
    assert_eq!(jobs["total_count"], 1);

    let mended = commit("{\"5A\": {}}");
    let runs = world.wait_for_runs(2).await;
    assert_eq!(runs["workflow_runs"][0]["head_sha"], mended);
    world.stop.cancel();
}
