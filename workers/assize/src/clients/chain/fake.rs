//! A chain in memory, whose blocks come when a test says so.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use indexmap::IndexMap;
use schema::{BlockNumber, Hotkey};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::{BlockHash, Chain, ChainError, ChainHead, Coldkey, Revealed};
use crate::clients::script::{Script, lock};

/// A chain with one state for all blocks. Fails when told to.
#[derive(Debug)]
pub struct FakeChain {
    /// Failures to give to the next reads, and the reads by name.
    pub script: Script<&'static str, ChainError>,
    head: watch::Sender<u64>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    revealed: Revealed,
    neurons: IndexMap<Hotkey, Coldkey>,
    locks: BTreeMap<Coldkey, u64>,
}

impl FakeChain {
    /// A chain whose newest block is `head`.
    pub fn at(head: BlockNumber) -> Self {
        Self {
            script: Script::default(),
            head: watch::Sender::new(head.0),
            state: Mutex::default(),
        }
    }

    /// Makes `head` the newest block.
    pub fn advance_to(&self, head: BlockNumber) {
        self.head.send_replace(head.0);
    }

    /// Registers `hotkey` for `coldkey` and gives it what it revealed, after those given before.
    pub fn register(&self, hotkey: Hotkey, coldkey: Coldkey, revealed: Vec<(Vec<u8>, u64)>) {
        let mut state = lock(&self.state);
        state.neurons.insert(hotkey.clone(), coldkey);
        state.revealed.push((hotkey, revealed));
    }

    /// Locks `rao` for `coldkey`.
    pub fn lock_rao(&self, coldkey: Coldkey, rao: u64) {
        lock(&self.state).locks.insert(coldkey, rao);
    }

    /// The hash of a block: a hash of its number.
    pub fn hash_of(block: BlockNumber) -> BlockHash {
        BlockHash(Sha256::digest(block.0.to_le_bytes()).into())
    }

    fn read<T>(
        &self,
        name: &'static str,
        answer: impl FnOnce(&State) -> T,
    ) -> Result<T, ChainError> {
        match self.script.ask(name) {
            Some(error) => Err(error),
            None => Ok(answer(&lock(&self.state))),
        }
    }
}

#[async_trait]
impl Chain for FakeChain {
    async fn head(&self) -> Result<ChainHead, ChainError> {
        let block = BlockNumber(*self.head.borrow());
        self.read("head", |_| ChainHead {
            block,
            hash: Self::hash_of(block),
        })
    }

    async fn block_hash(&self, number: BlockNumber) -> Result<BlockHash, ChainError> {
        if number.0 > *self.head.borrow() {
            return Err(ChainError::NotFinal { block: number });
        }
        self.read("block_hash", |_| Self::hash_of(number))
    }

    async fn revealed_commitments(
        &self,
        _netuid: u16,
        _at: BlockHash,
    ) -> Result<Revealed, ChainError> {
        self.read("revealed_commitments", |state| state.revealed.clone())
    }

    async fn neurons(
        &self,
        _netuid: u16,
        _at: BlockHash,
    ) -> Result<IndexMap<Hotkey, Coldkey>, ChainError> {
        self.read("neurons", |state| state.neurons.clone())
    }

    async fn coldkey_lock(
        &self,
        coldkey: &Coldkey,
        _netuid: u16,
        _at: BlockHash,
    ) -> Result<u64, ChainError> {
        self.read("coldkey_lock", |state| {
            state.locks.get(coldkey).copied().unwrap_or_default()
        })
    }

    fn heads(&self) -> BoxStream<'static, BlockNumber> {
        let heads = self.head.subscribe();
        futures::stream::unfold((heads, true), |(mut heads, first)| async move {
            if !first {
                heads.changed().await.ok()?;
            }
            let head = BlockNumber(*heads.borrow_and_update());
            Some((head, (heads, false)))
        })
        .boxed()
    }
}
