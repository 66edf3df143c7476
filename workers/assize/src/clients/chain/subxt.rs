//! The chain over JSON-RPC and WebSocket, from several nodes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use indexmap::IndexMap;
use schema::{BlockNumber, Hotkey};
use subxt::client::Blocks;
use subxt::config::substrate::{AccountId32, SubstrateConfig};
use tokio::time::timeout;
use url::Url;

use super::endpoint::{Endpoint, EndpointError};
use super::{BlockHash, Chain, ChainError, ChainHead, Coldkey, Revealed};

/// Pause after every node failed to give a stream of blocks; doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Which nodes are asked, and for how long.
#[derive(Debug, Clone)]
pub struct ChainSettings {
    /// WebSocket URLs of nodes, the preferred one first.
    pub endpoints: Vec<Url>,
    /// Deadline of a connection. 15 s.
    pub connect_timeout: Duration,
    /// Deadline of a read, all its pages. `SUBTENSOR_TIMEOUT`, 120 s.
    pub call_timeout: Duration,
    /// A stream of blocks that is silent for this long is taken for dead. Final blocks come every 12 s, in bursts. 90 s.
    pub silence_timeout: Duration,
}

impl ChainSettings {
    /// The usual deadlines, for these nodes.
    pub fn new(endpoints: Vec<Url>) -> Self {
        Self {
            endpoints,
            connect_timeout: Duration::from_secs(15),
            call_timeout: Duration::from_mins(2),
            silence_timeout: Duration::from_secs(90),
        }
    }
}

/// The chain by its nodes. A read goes to the node that answered last; when that fails, to each of the others.
#[derive(Debug, Clone)]
pub struct SubxtChain {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    endpoints: Vec<Endpoint>,
    preferred: AtomicUsize,
    silence_timeout: Duration,
}

impl SubxtChain {
    /// A client of the nodes. Connects when first used.
    pub fn new(settings: ChainSettings) -> Self {
        let ChainSettings {
            endpoints,
            connect_timeout,
            call_timeout,
            silence_timeout,
        } = settings;
        let endpoint = |url| Endpoint::new(url, connect_timeout, call_timeout);
        let endpoints = endpoints.into_iter().map(endpoint).collect();
        Self {
            inner: Arc::new(Inner {
                endpoints,
                preferred: AtomicUsize::new(0),
                silence_timeout,
            }),
        }
    }
}

impl Inner {
    /// Asks one node after the other until one answers.
    async fn ask<T>(
        &self,
        operation: &'static str,
        call: impl for<'a> Fn(&'a Endpoint) -> BoxFuture<'a, Result<T, EndpointError>>,
    ) -> Result<T, ChainError> {
        let count = self.endpoints.len();
        let first = self.preferred.load(Ordering::Relaxed);
        let mut failures = Vec::new();
        for index in (0..count).map(|step| (first + step) % count) {
            let Some(endpoint) = self.endpoints.get(index) else {
                continue;
            };
            match call(endpoint).await {
                Ok(answer) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(error) => {
                    tracing::warn!(chain.endpoint = endpoint.name(), %error, "a chain node could not {operation}");
                    failures.push((endpoint.name(), error));
                }
            }
        }
        if failures.is_empty() {
            Err(ChainError::NoEndpoints)
        } else {
            Err(summary(operation, failures))
        }
    }

    /// Drops the connection of the preferred node and prefers the next one.
    async fn leave_node(&self) {
        let index = self.preferred.load(Ordering::Relaxed);
        if let Some(endpoint) = self.endpoints.get(index) {
            endpoint.disconnect().await;
        }
        self.preferred
            .store((index + 1) % self.endpoints.len().max(1), Ordering::Relaxed);
    }
}

/// That a block is not final yet is no failure of the nodes: as soon as one of them says so, that is the answer.
fn summary(operation: &'static str, failures: Vec<(String, EndpointError)>) -> ChainError {
    let not_final = failures.iter().find_map(|(_, error)| match error {
        EndpointError::NotFinal { block, .. } => Some(*block),
        _ => None,
    });
    match not_final {
        Some(block) => ChainError::NotFinal { block },
        None => ChainError::Failed {
            operation,
            failures,
        },
    }
}

#[async_trait]
impl Chain for SubxtChain {
    async fn head(&self) -> Result<ChainHead, ChainError> {
        self.inner
            .ask("name its newest block", |node| node.head().boxed())
            .await
    }

    async fn block_hash(&self, number: BlockNumber) -> Result<BlockHash, ChainError> {
        self.inner
            .ask("name a block's hash", |node| {
                node.block_hash(number).boxed()
            })
            .await
    }

    async fn revealed_commitments(
        &self,
        netuid: u16,
        at: BlockHash,
    ) -> Result<Revealed, ChainError> {
        let operation = "list revealed commitments";
        self.inner
            .ask(operation, |node| {
                node.revealed_commitments(netuid, at).boxed()
            })
            .await
    }

    async fn neurons(
        &self,
        netuid: u16,
        at: BlockHash,
    ) -> Result<IndexMap<Hotkey, Coldkey>, ChainError> {
        self.inner
            .ask("list neurons", |node| node.neurons(netuid, at).boxed())
            .await
    }

    async fn coldkey_lock(
        &self,
        coldkey: &Coldkey,
        netuid: u16,
        at: BlockHash,
    ) -> Result<u64, ChainError> {
        let bad = |_| ChainError::BadAccount {
            account: coldkey.0.clone(),
        };
        let account: AccountId32 = coldkey.0.parse().map_err(bad)?;
        self.inner
            .ask("read a lock", |node| {
                node.coldkey_lock(account, netuid, at).boxed()
            })
            .await
    }

    fn heads(&self) -> BoxStream<'static, BlockNumber> {
        let following = Following {
            chain: Arc::clone(&self.inner),
            blocks: None,
            last: None,
            pause: FIRST_PAUSE,
        };
        stream::unfold(following, |mut following| async {
            let next = following.next().await;
            Some((next, following))
        })
        .boxed()
    }
}

/// A stream of blocks that is made again whenever it ends.
struct Following {
    chain: Arc<Inner>,
    blocks: Option<Blocks<SubstrateConfig>>,
    last: Option<u64>,
    pause: Duration,
}

impl Following {
    async fn next(&mut self) -> BlockNumber {
        loop {
            let Some(blocks) = &mut self.blocks else {
                self.subscribe().await;
                continue;
            };
            match timeout(self.chain.silence_timeout, blocks.next()).await {
                Ok(Some(Ok(block))) => {
                    self.pause = FIRST_PAUSE;
                    if self.last.is_none_or(|last| block.number() > last) {
                        self.last = Some(block.number());
                        return BlockNumber(block.number());
                    }
                }
                lost => {
                    tracing::warn!(
                        chain.silent = lost.is_err(),
                        "the stream of blocks is lost and made again"
                    );
                    self.blocks = None;
                    self.chain.leave_node().await;
                }
            }
        }
    }

    /// Makes a stream, or waits a little longer than the last time.
    async fn subscribe(&mut self) {
        let subscribed = self
            .chain
            .ask("stream blocks", |node| node.blocks().boxed())
            .await;
        if let Ok(blocks) = subscribed {
            self.blocks = Some(blocks);
        } else {
            tokio::time::sleep(self.pause).await;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
    }
}
