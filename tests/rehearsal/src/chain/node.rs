//! The node's view of the chain: which block is meant, and what its storage holds.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use super::headers::{Hash, Header, Headers};
use super::ledger::Ledger;
use crate::clock::ChainClock;
use crate::faults::Faults;

/// Blocks whose storage is kept at hand. One client asks for a few blocks at a time.
const STORAGES_KEPT: usize = 16;

type Storage = Arc<BTreeMap<Vec<u8>, Vec<u8>>>;

#[derive(Debug)]
pub(crate) struct Node {
    pub clock: ChainClock,
    pub headers: Headers,
    pub ledger: Arc<Ledger>,
    pub faults: Faults,
    storages: Mutex<VecDeque<(u32, usize, Storage)>>,
}

impl Node {
    pub(crate) fn new(seed: u64, clock: ChainClock, ledger: Arc<Ledger>, faults: Faults) -> Self {
        let headers = Headers::new(seed, clock.first_block());
        Self {
            clock,
            headers,
            ledger,
            faults,
            storages: Mutex::default(),
        }
    }

    /// The number of the block with this hash; of the newest block without one.
    pub(super) fn block_of(&self, hash: Option<Hash>) -> Option<u32> {
        let newest = self.clock.current();
        hash.map_or(Some(newest), |hash| self.headers.number(&hash, newest))
    }

    /// The header of a block that has been produced.
    pub(super) fn header(&self, block: u32) -> Option<Header> {
        (block <= self.clock.current())
            .then(|| self.headers.header(block))
            .flatten()
    }

    /// The hash of a block that has been produced.
    pub(super) fn hash(&self, block: u32) -> Option<Hash> {
        (block <= self.clock.current())
            .then(|| self.headers.hash(block))
            .flatten()
    }

    /// The storage after `block`.
    pub(super) fn storage(&self, block: u32) -> Storage {
        let reveals = self.ledger.reveals().len();
        let mut storages = self.storages.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((.., storage)) = storages
            .iter()
            .find(|(at, of, _)| (*at, *of) == (block, reveals))
        {
            return storage.clone();
        }
        let storage = Arc::new(
            self.ledger
                .storage_at(block, self.clock.timestamp_ms(block)),
        );
        storages.truncate(STORAGES_KEPT - 1);
        storages.push_front((block, reveals, storage.clone()));
        storage
    }
}
