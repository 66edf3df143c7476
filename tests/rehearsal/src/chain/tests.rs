//! The node as subxt sees it.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use subxt::ext::scale_value::{At, Value};
use subxt::utils::{AccountId32, H256};
use subxt::{OnlineClient, SubstrateConfig};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::clock::{ChainClock, WorldClock};
use crate::faults::{Fault, Faults, Lasting, Service};
use crate::http::Door;

struct Chain {
    _folder: TempDir,
    url: String,
    clock: ChainClock,
    faults: Faults,
    stop: CancellationToken,
    neurons: Vec<Neuron>,
}

impl Chain {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let start = crate::clock::ChainStart {
            first_block: 7_454_900,
            block: 7_454_960,
            now_ms: 1_770_000_000_000,
        };
        let clock = ChainClock::open(folder.path().join("chain.json"), start, 0.0).unwrap();
        let neurons: Vec<Neuron> = (0..200)
            .map(|uid| Neuron {
                uid,
                hotkey: Account::derived(7, &format!("hotkey {uid}")),
                coldkey: Account::derived(7, &format!("coldkey {}", uid / 2)),
                role: NeuronRole::Miner,
            })
            .collect();
        let locks = [(neurons[0].coldkey, 200.0), (neurons[2].coldkey, 99.5)];
        let ledger = Ledger::open(
            folder.path().join("reveals.json"),
            neurons[199],
            neurons.clone(),
            locks,
        )
        .unwrap();
        let reveals = neurons.iter().take(150).map(|neuron| Reveal {
            round: 0,
            hotkey: neuron.hotkey.to_string(),
            block: 7_454_950 + u32::from(neuron.uid),
            payload: hex::encode(payload_bytes(&format!(
                "{{\"repo\":\"miner/{}\"}}",
                neuron.uid
            ))),
        });
        ledger.add_reveals(reveals.collect()).unwrap();
        let faults = Faults::new(WorldClock::in_memory());
        let node = Arc::new(Node::new(
            7,
            clock.clone(),
            Arc::new(ledger),
            faults.clone(),
        ));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let door = Door {
            service: Service::Chain,
            faults: faults.clone(),
            stop: stop.clone(),
        };
        tokio::spawn(serve_chain(listener, door, node));
        Self {
            _folder: folder,
            url,
            clock,
            faults,
            stop,
            neurons,
        }
    }

    async fn client(&self) -> OnlineClient<SubstrateConfig> {
        OnlineClient::from_insecure_url(&self.url).await.unwrap()
    }
}

async fn reveals_at(
    api: &OnlineClient<SubstrateConfig>,
    hash: H256,
) -> Vec<(AccountId32, Vec<(Vec<u8>, u64)>)> {
    let at = api.at_block(hash).await.unwrap();
    let address = subxt::dynamic::storage::<(u16, AccountId32), Vec<(Vec<u8>, u64)>>(
        "Commitments",
        "RevealedCommitments",
    );
    let entry = at.storage().entry(address).unwrap();
    let mut found = Vec::new();
    let mut entries = entry.iter((NETUID,)).await.unwrap();
    while let Some(entry) = entries.next().await {
        let entry = entry.unwrap();
        let (_, account) = entry.key().unwrap().decode().unwrap();
        found.push((account, entry.value().decode().unwrap()));
    }
    found
}

#[tokio::test]
async fn reveals_are_read_at_a_block_hash_and_those_of_later_blocks_are_not_there() {
    let chain = Chain::start().await;
    let api = chain.client().await;
    let current = api.at_current_block().await.unwrap();
    assert_eq!(current.block_number(), 7_454_960);
    let early = reveals_at(&api, current.block_hash()).await;
    assert_eq!(
        early.len(),
        11,
        "blocks 7454950 to 7454960 hold one reveal each"
    );

    chain.clock.advance_to(7_455_200).unwrap();
    let late = api.at_current_block().await.unwrap();
    assert_eq!(reveals_at(&api, late.block_hash()).await.len(), 150);
    let again = reveals_at(&api, current.block_hash()).await;
    assert_eq!(again.len(), 11);
    let (account, reveals) = again
        .iter()
        .find(|(account, _)| account.0 == chain.neurons[3].hotkey.0)
        .unwrap();
    assert_eq!(account.to_string(), chain.neurons[3].hotkey.to_string());
    assert_eq!(
        *reveals,
        [(payload_bytes("{\"repo\":\"miner/3\"}"), 7_454_953)]
    );
    chain.stop.cancel();
}

#[tokio::test]
async fn neurons_locks_and_storage_decode_by_the_nodes_own_metadata() {
    let chain = Chain::start().await;
    let api = chain.client().await;
    let at = api.at_current_block().await.unwrap();

    let payload = subxt::dynamic::runtime_api_call::<_, Value>(
        "NeuronInfoRuntimeApi",
        "get_neurons_lite",
        (NETUID,),
    );
    let neurons = at.runtime_apis().call(payload).await.unwrap();
    let second = neurons.at(1).unwrap();
    assert_eq!(second.at("uid").unwrap().as_u128(), Some(1));
    assert!(neurons.at(199).is_some() && neurons.at(200).is_none());

    let lock = async |neuron: &Neuron| {
        let arguments = (AccountId32(neuron.coldkey.0), NETUID);
        let payload = subxt::dynamic::runtime_api_call::<_, Option<LockState>>(
            "StakeInfoRuntimeApi",
            "get_coldkey_lock",
            arguments,
        );
        at.runtime_apis()
            .call(payload)
            .await
            .unwrap()
            .map(|lock| lock.locked_mass)
    };
    assert_eq!(lock(&chain.neurons[0]).await, Some(200 * RAO_PER_ALPHA));
    assert_eq!(lock(&chain.neurons[2]).await, Some(99_500_000_000));
    assert_eq!(lock(&chain.neurons[4]).await, None);

    let uids = subxt::dynamic::storage::<(u16, AccountId32), u16>("SubtensorModule", "Uids");
    let uid = at
        .storage()
        .fetch(uids, (NETUID, AccountId32(chain.neurons[42].hotkey.0)))
        .await
        .unwrap();
    assert_eq!(uid.decode().unwrap(), 42);
    let keys = subxt::dynamic::storage::<(u16, u16), AccountId32>("SubtensorModule", "Keys");
    let key = at.storage().fetch(keys, (NETUID, 42)).await.unwrap();
    assert_eq!(key.decode().unwrap().0, chain.neurons[42].hotkey.0);
    let owner =
        subxt::dynamic::storage::<(u16,), AccountId32>("SubtensorModule", "SubnetOwnerHotkey");
    assert_eq!(
        at.storage()
            .fetch(owner, (NETUID,))
            .await
            .unwrap()
            .decode()
            .unwrap()
            .0,
        chain.neurons[199].hotkey.0
    );
    let now = subxt::dynamic::storage::<(), u64>("Timestamp", "Now");
    assert_eq!(
        at.storage().fetch(now, ()).await.unwrap().decode().unwrap(),
        1_770_000_000_000
    );
    chain.stop.cancel();
}

#[derive(subxt::ext::scale_decode::DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct LockState {
    locked_mass: u64,
}

#[tokio::test]
async fn every_finalized_block_is_streamed_also_those_that_come_at_once() {
    let chain = Chain::start().await;
    let api = chain.client().await;
    let mut blocks = api.stream_blocks().await.unwrap();
    let first = tokio::time::timeout(Duration::from_secs(10), blocks.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(first.number(), 7_454_960);
    chain.clock.advance_to(7_454_970).unwrap();
    let mut seen = Vec::new();
    while seen.last() != Some(&7_454_970) {
        let block = tokio::time::timeout(Duration::from_secs(10), blocks.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        let number = block.number();
        assert_eq!(
            api.at_block(number as u32).await.unwrap().block_hash(),
            block.hash()
        );
        seen.push(number);
    }
    let distinct: std::collections::BTreeSet<_> = seen
        .iter()
        .copied()
        .filter(|number| *number > 7_454_960)
        .collect();
    assert_eq!(distinct, (7_454_961..=7_454_970).collect());
    chain.stop.cancel();
}

#[tokio::test]
async fn faults_of_the_chain_reach_its_methods_and_its_connections() {
    let chain = Chain::start().await;
    let api = chain.client().await;
    chain.faults.inject_on(
        Service::Chain,
        "chain_getFinalizedHead",
        Fault::Status(500),
        Lasting::Times(1),
    );
    assert!(api.at_current_block().await.is_err());
    assert!(api.at_current_block().await.is_ok());

    let outage = chain
        .faults
        .inject(Service::Chain, Fault::Outage, Lasting::UntilCleared);
    assert!(api.at_current_block().await.is_err());
    assert!(
        OnlineClient::<SubstrateConfig>::from_insecure_url(&chain.url)
            .await
            .is_err()
    );
    chain.faults.clear(outage);
    assert_eq!(
        chain
            .client()
            .await
            .at_current_block()
            .await
            .unwrap()
            .block_number(),
        7_454_960
    );
    chain.stop.cancel();
}
