//! One node: a connection that is made when needed and dropped when it failed, and the reads made over it.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use parity_scale_codec::{Decode, Encode};
use schema::{BlockNumber, Hotkey};
use subxt::backend::LegacyBackend;
use subxt::client::{Blocks, OnlineClient, OnlineClientAtBlock};
use subxt::config::substrate::{AccountId32, H256, SubstrateConfig};
use subxt::dynamic;
use subxt::ext::scale_decode::DecodeAsType;
use subxt::rpcs::RpcClient;
use tokio::sync::Mutex;
use tokio::time::timeout;
use url::Url;

use super::{BlockHash, ChainHead, Coldkey, Revealed};

type Client = OnlineClient<SubstrateConfig>;
type AtBlock = OnlineClientAtBlock<SubstrateConfig>;

/// Storage entries read by one call.
const PAGE_ENTRIES: u32 = 256;

/// Hotkeys a subnet can have revealed something, at most. Every hotkey that ever did stays in the list.
const MAX_REVEALING_HOTKEYS: usize = 100_000;

/// Why one node did not answer as it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// No connection in time.
    #[error("no connection within {} s", .0.as_secs_f32())]
    ConnectTimeout(Duration),
    /// No answer in time.
    #[error("no answer within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    /// No connection.
    #[error("no connection: {0}")]
    Connect(Box<dyn std::error::Error + Send + Sync>),
    /// The block is beyond the newest final one.
    #[error("block {block} is not final, the newest is {head}")]
    NotFinal {
        /// The block asked for.
        block: BlockNumber,
        /// The newest final one.
        head: BlockNumber,
    },
    /// The node refused, or its answer cannot be understood.
    #[error("{0}")]
    Read(Box<dyn std::error::Error + Send + Sync>),
}

/// One node.
#[derive(Debug)]
pub struct Endpoint {
    pub url: Url,
    connect_timeout: Duration,
    call_timeout: Duration,
    client: Mutex<Option<Client>>,
}

/// What is asked for of a neuron; its other fields are skipped.
#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct NeuronLite {
    hotkey: AccountId32,
    coldkey: AccountId32,
}

/// What is asked for of a lock.
#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct Lock {
    locked_mass: u64,
}

impl Endpoint {
    pub fn new(url: Url, connect_timeout: Duration, call_timeout: Duration) -> Self {
        Self {
            url,
            connect_timeout,
            call_timeout,
            client: Mutex::default(),
        }
    }

    /// The node for people: without anything secret that its URL may carry.
    pub fn name(&self) -> String {
        let port = self
            .url
            .port()
            .map(|port| format!(":{port}"))
            .unwrap_or_default();
        format!(
            "{}://{}{port}",
            self.url.scheme(),
            self.url.host_str().unwrap_or_default()
        )
    }

    pub async fn head(&self) -> Result<ChainHead, EndpointError> {
        self.call(|client| async move {
            let at = client.at_current_block().await.map_err(read)?;
            Ok(ChainHead {
                block: BlockNumber(at.block_number()),
                hash: BlockHash(at.block_hash().0),
            })
        })
        .await
    }

    pub async fn block_hash(&self, block: BlockNumber) -> Result<BlockHash, EndpointError> {
        self.call(|client| async move {
            // A node also names blocks that may still be replaced, so the newest final one is asked for first.
            let head = BlockNumber(
                client
                    .at_current_block()
                    .await
                    .map_err(read)?
                    .block_number(),
            );
            if block > head {
                return Err(EndpointError::NotFinal { block, head });
            }
            let at = client.at_block(block.0).await.map_err(read)?;
            Ok(BlockHash(at.block_hash().0))
        })
        .await
    }

    pub async fn revealed_commitments(
        &self,
        netuid: u16,
        hash: BlockHash,
    ) -> Result<Revealed, EndpointError> {
        self.call(|client| async move {
            let at = at(&client, hash).await?;
            let address = dynamic::storage::<(u16, AccountId32), Vec<(Vec<u8>, u64)>>(
                "Commitments",
                "RevealedCommitments",
            );
            let mut entries = at.storage().iter(address, (netuid,)).await.map_err(read)?;
            let mut found = Vec::new();
            while let Some(entry) = entries.next().await {
                let entry = entry.map_err(read)?;
                let (_, account) = entry.key().and_then(|key| key.decode()).map_err(read)?;
                let revealed = entry.value().decode().map_err(read)?;
                found.push((
                    entry.key_bytes().to_vec(),
                    (Hotkey::new(account.to_string()), revealed),
                ));
                if found.len() > MAX_REVEALING_HOTKEYS {
                    return Err(read(format!(
                        "more than {MAX_REVEALING_HOTKEYS} hotkeys with commitments"
                    )));
                }
            }
            // Nodes promise no order of what they answer with.
            found.sort_by(|left, right| left.0.cmp(&right.0));
            Ok(found.into_iter().map(|(_, revealed)| revealed).collect())
        })
        .await
    }

    pub async fn neurons(
        &self,
        netuid: u16,
        hash: BlockHash,
    ) -> Result<IndexMap<Hotkey, Coldkey>, EndpointError> {
        self.call(|client| async move {
            let at = at(&client, hash).await?;
            let payload = dynamic::runtime_api_call::<_, Vec<NeuronLite>>(
                "NeuronInfoRuntimeApi",
                "get_neurons_lite",
                (netuid,),
            );
            let neurons = at.runtime_apis().call(payload).await.map_err(read)?;
            let owned = |neuron: NeuronLite| {
                (
                    Hotkey::new(neuron.hotkey.to_string()),
                    Coldkey(neuron.coldkey.to_string()),
                )
            };
            Ok(neurons.into_iter().map(owned).collect())
        })
        .await
    }

    pub async fn coldkey_lock(
        &self,
        coldkey: AccountId32,
        netuid: u16,
        hash: BlockHash,
    ) -> Result<u64, EndpointError> {
        const API: &str = "StakeInfoRuntimeApi";
        const METHOD: &str = "get_coldkey_lock";
        self.call(|client| async move {
            let at = at(&client, hash).await?;
            let listed = at
                .metadata_ref()
                .runtime_api_trait_by_name(API)
                .is_some_and(|api| api.method_by_name(METHOD).is_some());
            if listed {
                let payload =
                    dynamic::runtime_api_call::<_, Option<Lock>>(API, METHOD, (coldkey, netuid));
                let lock = at.runtime_apis().call(payload).await.map_err(read)?;
                return Ok(lock.map_or(0, |lock| lock.locked_mass));
            }
            let arguments = (coldkey.0, netuid).encode();
            let runtime = at.runtime_apis();
            let answer = runtime.call_raw("StakeInfoRuntimeApi_get_coldkey_lock", Some(&arguments));
            unlisted_lock(&answer.await.map_err(read)?)
        })
        .await
    }

    /// The stream of final blocks from now on.
    pub async fn blocks(&self) -> Result<Blocks<SubstrateConfig>, EndpointError> {
        self.call(|client| async move { client.stream_blocks().await.map_err(read) })
            .await
    }

    /// Forgets the connection, so that the next call makes a new one.
    pub async fn disconnect(&self) {
        *self.client.lock().await = None;
    }

    /// Runs `operation` with a connection, within the deadlines. A connection that failed is not used again, except after
    /// an answer that was understood.
    async fn call<T, F>(&self, operation: impl FnOnce(Client) -> F) -> Result<T, EndpointError>
    where
        F: Future<Output = Result<T, EndpointError>>,
    {
        let client = timeout(self.connect_timeout, self.connected())
            .await
            .unwrap_or(Err(EndpointError::ConnectTimeout(self.connect_timeout)))?;
        let result = timeout(self.call_timeout, operation(client))
            .await
            .unwrap_or(Err(EndpointError::Timeout(self.call_timeout)));
        if !matches!(result, Ok(_) | Err(EndpointError::NotFinal { .. })) {
            self.disconnect().await;
        }
        result
    }

    async fn connected(&self) -> Result<Client, EndpointError> {
        let mut held = self.client.lock().await;
        if let Some(client) = &*held {
            return Ok(client.clone());
        }
        let connect =
            |error: Box<dyn std::error::Error + Send + Sync>| EndpointError::Connect(error);
        // The operator chose the node; a rehearsal's is on loopback without TLS.
        let rpc = RpcClient::from_insecure_url(self.url.as_str())
            .await
            .map_err(|error| connect(Box::new(error)))?;
        let backend = LegacyBackend::builder()
            .storage_page_size(PAGE_ENTRIES)
            .build(rpc);
        let client =
            OnlineClient::from_backend_with_config(SubstrateConfig::new(), Arc::new(backend))
                .await
                .map_err(|error| connect(Box::new(error)))?;
        *held = Some(client.clone());
        Ok(client)
    }
}

async fn at(client: &Client, hash: BlockHash) -> Result<AtBlock, EndpointError> {
    client.at_block(H256(hash.0)).await.map_err(read)
}

/// Reads the lock of a runtime whose metadata does not describe the call: an option of a record that starts with the
/// locked amount.
fn unlisted_lock(mut answer: &[u8]) -> Result<u64, EndpointError> {
    Option::<u64>::decode(&mut answer)
        .map(Option::unwrap_or_default)
        .map_err(read)
}

fn read(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> EndpointError {
    EndpointError::Read(error.into())
}
