//! The clients against a whole rehearsal world: the same programs on both ends of the wire as in `assize rehearse`.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use rehearsal::faults::{Fault, Lasting, Service};
use rehearsal::{World, WorldOptions};
use schema::files::{Build, Leaders, Schedule};
use schema::{BlockNumber, Hotkey, StateFile};
use tokio::time::timeout;
use url::Url;

use super::cdn::{CdnSettings, FetchError, HttpModuleSource, ModuleSource};
use super::chain::{Chain, ChainError, ChainSettings, Coldkey, SubxtChain};
use super::clouds::{CloudPod, GpuCloud, PodSpec, RunPod, Targon, Verda, VerdaCredentials};
use super::github::{Actions, ActionsSettings, HttpActions, RunQuery, WorkflowJob};
use super::object_store::{Object, ObjectStore, S3ObjectStore, S3Settings};
use super::pod::{HttpPods, PodAddress, PodPrompt, PodSettings, PodState, Pods, StemResult};
use super::prompt_images::{HttpPromptImages, PromptImages};
use super::registry::{HttpRegistry, ImageRegistry, RegistrySettings};
use super::testing::{png, unused_address, url};
use workflow::rules::vlm_answer::{Answer as _, CompareAnswer, read_answer};

use super::vlm::{HttpVlm, Part, Vlm, VlmError, VlmRequest, VlmSettings};
use crate::egress::Egress;

const NETUID: u16 = 17;
const PATIENCE: Duration = Duration::from_secs(30);

/// Draws every prompt as one gray square.
struct GraySquares;

#[async_trait]
impl rehearsal::gateway::PromptImages for GraySquares {
    async fn png(&self, _stem: &str) -> anyhow::Result<Bytes> {
        Ok(png(64, 64, [120, 120, 120]).into())
    }
}

/// A world whose chain stands still.
struct Outside {
    world: World,
    _folder: tempfile::TempDir,
}

impl Outside {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = WorldOptions {
            blocks_per_second: 0.0,
            ..WorldOptions::new(folder.path().join("world"), 7, Arc::new(GraySquares))
        };
        Self {
            world: World::start(options).await.unwrap(),
            _folder: folder,
        }
    }

    fn egress(&self) -> Egress {
        Egress::new(&[("*".to_owned(), url(&self.world.addresses().gateway))]).unwrap()
    }

    fn chain(&self, before: &[Url]) -> SubxtChain {
        let mut endpoints = before.to_vec();
        endpoints.push(url(&self.world.addresses().chain_ws));
        SubxtChain::new(ChainSettings {
            connect_timeout: Duration::from_secs(2),
            call_timeout: Duration::from_secs(20),
            silence_timeout: Duration::from_secs(20),
            ..ChainSettings::new(endpoints)
        })
    }

    fn state<T: StateFile>(&self, path: &str) -> T {
        T::parse(path, &self.world.remote().read(path).unwrap().unwrap()).unwrap()
    }

    /// Lets the chain pass the end of the reveal window.
    fn close_window(&self) -> BlockNumber {
        let latest = self
            .state::<Schedule>("rounds/0/schedule.json")
            .latest_reveal_block;
        self.world
            .chain()
            .advance_to(u32::try_from(latest.0).unwrap())
            .unwrap();
        latest
    }
}

/// Waits until `look` finds something.
async fn wait_for<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("no {what}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn reveals_owners_and_locks_are_read_at_the_hash_of_a_block() {
    let outside = Outside::start().await;
    let chain = outside.chain(&[]);
    let early = chain.head().await.unwrap();
    let latest = BlockNumber(early.block.0 + 1);
    let error = chain.block_hash(latest).await.unwrap_err();
    assert!(
        matches!(error, ChainError::NotFinal { block } if block == latest),
        "{error:?}"
    );

    let latest = outside.close_window();
    let at = chain.block_hash(latest).await.unwrap();
    assert_eq!(chain.head().await.unwrap().hash, at);
    let revealed = chain.revealed_commitments(NETUID, at).await.unwrap();
    let submitters = outside.world.expected_submitters();
    for hotkey in &submitters {
        let (_, reveals) = revealed
            .iter()
            .find(|(revealing, _)| revealing.as_str() == hotkey)
            .unwrap();
        assert!(
            reveals
                .iter()
                .all(|(bytes, block)| !bytes.is_empty() && *block <= latest.0)
        );
    }
    // What was revealed after the earlier block is not there at its hash, whenever it is asked.
    let before = chain
        .revealed_commitments(NETUID, early.hash)
        .await
        .unwrap();
    let all = |found: &[(Hotkey, Vec<(Vec<u8>, u64)>)]| {
        found
            .iter()
            .map(|(_, reveals)| reveals.len())
            .sum::<usize>()
    };
    assert!(
        all(&before) < all(&revealed),
        "{} and {}",
        all(&before),
        all(&revealed)
    );
    assert_eq!(
        chain.revealed_commitments(NETUID + 1, at).await.unwrap(),
        []
    );

    let owners = chain.neurons(NETUID, at).await.unwrap();
    assert_eq!(owners.len(), 256);
    for miner in outside
        .world
        .cast()
        .miners()
        .iter()
        .filter(|miner| submitters.contains(&miner.hotkey))
    {
        let coldkey = Coldkey(miner.coldkey.clone());
        assert_eq!(owners.get(miner.hotkey.as_str()), Some(&coldkey));
        let locked = chain.coldkey_lock(&coldkey, NETUID, at).await.unwrap();
        assert_eq!(locked, (miner.locked_alpha * 1e9) as u64);
    }
    let stranger = Coldkey("5GgpGaDxzTyBAME1Ju9ZhUstWj2VTm1n4tAUkRHLi4birQZg".to_owned());
    assert_eq!(chain.coldkey_lock(&stranger, NETUID, at).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn reveals_come_in_the_order_of_their_storage_keys() {
    let outside = Outside::start().await;
    let chain = outside.chain(&[]);
    let at = chain.block_hash(outside.close_window()).await.unwrap();
    let revealed = chain.revealed_commitments(NETUID, at).await.unwrap();
    let key = |hotkey: &Hotkey| {
        let account: subxt::utils::AccountId32 = hotkey.as_str().parse().unwrap();
        (sp_crypto_hashing::twox_64(&account.0), account.0)
    };
    assert!(revealed.len() > 5);
    assert!(revealed.is_sorted_by_key(|(hotkey, _)| key(hotkey)));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_answers_when_one_is_gone_and_a_lost_connection_is_made_again() {
    let outside = Outside::start().await;
    let mut gone = unused_address().await;
    gone.set_scheme("ws").unwrap();
    let chain = outside.chain(&[gone]);
    let head = chain.head().await.unwrap();

    let outage =
        outside
            .world
            .faults()
            .inject(Service::Chain, Fault::Outage, Lasting::UntilCleared);
    assert!(chain.head().await.is_err());
    outside.world.faults().clear(outage);
    assert_eq!(chain.head().await.unwrap(), head);

    outside
        .world
        .faults()
        .inject(Service::Chain, Fault::Garbage, Lasting::Times(1));
    assert!(chain.head().await.is_err());
    assert_eq!(chain.head().await.unwrap(), head);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_of_blocks_goes_on_after_an_outage() {
    let outside = Outside::start().await;
    let mut heads = outside.chain(&[]).heads();
    let first = outside.world.chain().current();
    assert_eq!(
        timeout(PATIENCE, heads.next()).await.unwrap(),
        Some(BlockNumber(u64::from(first)))
    );

    let outage =
        outside
            .world
            .faults()
            .inject(Service::Chain, Fault::Outage, Lasting::UntilCleared);
    outside.world.chain().advance_to(first + 3).unwrap();
    // The stream is polled while nobody is there, and only then is the node back.
    assert!(
        timeout(Duration::from_millis(300), heads.next())
            .await
            .is_err()
    );
    outside.world.faults().clear(outage);
    let next = timeout(PATIENCE, heads.next()).await.unwrap().unwrap();
    assert!(next.0 > u64::from(first), "{next} came twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_and_prompt_images_come_from_their_hosts() {
    let outside = Outside::start().await;
    let miner = &outside.world.cast().miners()[0];
    let cdn_url = format!(
        "https://{}.{}/round-0",
        miner.hotkey[..10].to_ascii_lowercase(),
        rehearsal::gateway::CDN_DOMAIN
    );
    let settings = CdnSettings {
        pause: Duration::ZERO,
        control: Some(url("https://subnet404.xyz/control")),
        ..CdnSettings::default()
    };
    let source = HttpModuleSource::new(outside.egress(), settings);
    let fetched = source.fetch(&cdn_url, "some-stem").await.unwrap();
    let expected = outside
        .world
        .cast()
        .submitted_module(&miner.hotkey, "some-stem")
        .unwrap();
    assert_eq!(&*fetched.bytes, expected.as_bytes());

    let reason = |result: Result<_, FetchError>| match result {
        Err(FetchError::TheirFault { reason }) => reason,
        other => panic!("{other:?}"),
    };
    let nobody = source
        .fetch(
            &format!("https://nobody.{}", rehearsal::gateway::CDN_DOMAIN),
            "a",
        )
        .await;
    assert_eq!(reason(nobody), "js_fetch_failed: HTTP 404");
    let faults = outside.world.faults();
    let cut = faults.inject_on(
        Service::Gateway,
        ".js",
        Fault::Truncated,
        Lasting::UntilCleared,
    );
    let truncated = reason(source.fetch(&cdn_url, "some-stem").await);
    let classes =
        ["ReadError", "RemoteProtocolError"].map(|class| format!("js_fetch_failed: {class}"));
    assert!(classes.contains(&truncated), "{truncated}");
    faults.clear(cut);
    // When everything is gone, so is our control address: that is no miner's fault.
    let outage = faults.inject(Service::Gateway, Fault::Outage, Lasting::UntilCleared);
    let result = source.fetch(&cdn_url, "some-stem").await;
    assert!(matches!(result, Err(FetchError::Ours { .. })), "{result:?}");
    faults.clear(outage);

    let images = HttpPromptImages::new(outside.egress());
    let image = images
        .fetch(&url("https://images.example/a/some-stem.png"))
        .await
        .unwrap();
    assert_eq!(&*image, png(64, 64, [120, 120, 120]));
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_stored_and_read_by_everyone_under_their_public_url() {
    let outside = Outside::start().await;
    let addresses = outside.world.addresses().clone();
    let store = S3ObjectStore::new(S3Settings {
        endpoint: url(&addresses.s3_endpoint),
        bucket: addresses.bucket,
        access_key_id: addresses.s3_access_key,
        secret_access_key: addresses.s3_secret_key.into(),
        public_base: addresses.public_cdn,
        attempt_deadline: Duration::from_secs(10),
    });
    store.ensure_bucket().await.unwrap();
    let key = "rounds/0/5Gg/submitted/a-1/grid.png";
    let bytes = Bytes::from(png(2, 2, [1, 2, 3]));
    store
        .put(Object {
            key: key.to_owned(),
            content_type: "image/png",
            bytes: bytes.clone(),
        })
        .await
        .unwrap();
    assert_eq!(store.get(key, 1 << 20).await.unwrap(), Some(bytes.clone()));
    let public = url(&store.public_url(key));
    assert_eq!(
        HttpPromptImages::new(outside.egress())
            .fetch(&public)
            .await
            .unwrap(),
        bytes
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_of_submissions_is_found_as_a_run_and_its_matrix_when_it_is_there() {
    let outside = Outside::start().await;
    let addresses = outside.world.addresses();
    let actions = HttpActions::new(
        outside.egress(),
        ActionsSettings {
            base_url: url(&addresses.github_api),
            repository: addresses.github_repo.clone(),
            token: addresses.github_token.clone().into(),
            deadline: Duration::from_secs(10),
        },
    );
    let message = "Seed, prompts and submissions for round 0";
    let hotkey = "5GgpGaDxzTyBAME1Ju9ZhUstWj2VTm1n4tAUkRHLi4birQZg";
    let submissions = format!("{{\"{hotkey}\": {{}}}}").into_bytes();
    let files = [("rounds/0/submissions.json".to_owned(), submissions)];
    let head_sha = outside.world.remote().commit(&files, message).unwrap();
    let query = RunQuery {
        message_suffix: "submissions for round 0".to_owned(),
        head_sha: Some(head_sha.clone()),
        workflow_file: Some("build-and-push.yml".to_owned()),
    };

    let run = wait_for("run", async || actions.runs(&query).await.unwrap().pop()).await;
    assert_eq!(run.head_sha, head_sha);
    let of_hotkey = |jobs: Vec<WorkflowJob>| {
        jobs.into_iter()
            .find(|job| job.name == format!("Bake and push images to Google Cloud ({hotkey})"))
    };
    let built = wait_for("finished job", async || {
        of_hotkey(actions.jobs(run.id).await.unwrap()).filter(|job| job.status == "completed")
    })
    .await;
    assert!(built.conclusion.is_some());
    let finished = async || {
        actions
            .runs(&query)
            .await
            .unwrap()
            .pop()
            .filter(|run| run.completed)
    };
    assert_eq!(wait_for("finished run", finished).await.id, run.id);

    let faults = outside.world.faults();
    faults.inject(Service::GitHub, Fault::Garbage, Lasting::Times(1));
    assert!(
        actions.jobs(run.id).await.is_err(),
        "garbage is no list of jobs"
    );
    faults.inject(Service::GitHub, Fault::Status(502), Lasting::Times(1));
    assert!(
        actions.jobs(run.id).await.is_err(),
        "a failure is no list of jobs"
    );
    let other = RunQuery {
        head_sha: Some("0".repeat(40)),
        ..query
    };
    assert_eq!(actions.runs(&other).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cloud_rents_a_pod_of_an_image_by_its_digest_that_generates_a_batch() {
    let outside = Outside::start().await;
    let addresses = outside.world.addresses().clone();
    let egress = outside.egress();
    let clouds: Vec<Box<dyn GpuCloud>> = vec![
        Box::new(Targon::new(
            egress.clone(),
            url(&addresses.targon),
            addresses.targon_api_key.into(),
        )),
        Box::new(Verda::new(
            egress.clone(),
            url(&addresses.verda),
            VerdaCredentials {
                client_id: addresses.verda_client_id,
                client_secret: addresses.verda_client_secret.into(),
                generation_token: addresses.verda_generation_token.into(),
            },
        )),
        Box::new(RunPod::new(
            egress.clone(),
            url(&addresses.runpod),
            addresses.runpod_api_key.into(),
            10006,
        )),
    ];
    let image = outside
        .state::<Leaders>("leader.json")
        .latest()
        .unwrap()
        .docker
        .clone();
    let registry = HttpRegistry::new(egress.clone(), RegistrySettings::default());
    let digest = registry.digest(&image).await.unwrap();
    let image = Build::pinned(&image, &digest);
    let pods = HttpPods::new(egress, PodSettings::default());
    for cloud in clouds {
        let name = format!("miner-00-leader-{}", cloud.kind());
        let env = vec![("HF_TOKEN".to_owned(), "hf".into())];
        let spec = PodSpec {
            name: name.clone(),
            image: image.clone(),
            port: 10006,
            gpu_type: "H200".to_owned(),
            gpu_count: 4,
            env,
        };
        let id = cloud.create(&spec).await.unwrap();
        let visible = async || {
            let listed = cloud.list().await.unwrap();
            listed
                .into_iter()
                .find(|pod| pod.name == name && pod.url.is_some())
        };
        let CloudPod {
            id: listed_id, url, ..
        } = wait_for("visible pod", visible).await;
        assert_eq!(listed_id, id, "{}", cloud.kind());
        let pod = PodAddress {
            url: url.unwrap(),
            token: cloud.pod_token().cloned(),
        };

        wait_for("healthy pod", async || pods.health(&pod).await.ok()).await;
        let state = async |state: PodState| {
            pods.status(&pod, 3)
                .await
                .ok()
                .filter(|status| status.state == state)
        };
        wait_for("ready pod", async || state(PodState::Ready).await).await;
        let prompt = |stem: &str| PodPrompt {
            stem: stem.to_owned(),
            image_url: format!("https://images.example/{stem}.png"),
        };
        pods.generate(&pod, &[prompt("aa1"), prompt("0b-2c")], 3_693_682_031)
            .await
            .unwrap();
        wait_for("complete batch", async || state(PodState::Complete).await).await;
        let results = pods.results(&pod).await.unwrap();
        for stem in ["aa1", "0b-2c"] {
            assert!(
                matches!(results.of(stem), StemResult::Module(_)),
                "{}: {results:?}",
                cloud.kind()
            );
        }

        cloud.delete(&id).await.unwrap();
        cloud.delete(&id).await.unwrap();
        assert!(
            cloud
                .list()
                .await
                .unwrap()
                .iter()
                .all(|pod| pod.name != name),
            "{}",
            cloud.kind()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_answers_a_comparison_and_an_outage_is_no_answer() {
    let outside = Outside::start().await;
    let addresses = outside.world.addresses();
    let vlm = HttpVlm::new(
        outside.egress(),
        VlmSettings {
            base_url: url(&addresses.vlm),
            api_key: "any".into(),
            deadline: Duration::from_secs(20),
        },
    );
    let image = |name: &str| Part::Image(format!("https://images.example/{name}.png"));
    let text = |text: &str| Part::Text(text.to_owned());
    let call = VlmRequest {
        model: addresses.vlm_model.clone(),
        label: "s1_prompt_match".to_owned(),
        system: "Answer in JSON only.".to_owned(),
        parts: vec![
            text("Target:"),
            image("prompt"),
            text("First:"),
            image("first"),
            text("Second:"),
            image("second"),
            text("Which one is closer?"),
        ],
        max_tokens: 1024,
        schema: CompareAnswer::schema(),
        temperature: 0.0,
        seed: 107,
    };
    let answer = vlm.complete(&call).await.unwrap();
    read_answer::<CompareAnswer>(&answer).unwrap();

    outside.world.vlm().set_outage(true);
    let error = vlm.complete(&call).await.unwrap_err();
    assert!(
        matches!(
            error,
            VlmError::Unavailable { .. } | VlmError::Unreachable(_)
        ),
        "{error:?}"
    );
    assert_eq!(error.is_outage(), Some(true));
}
