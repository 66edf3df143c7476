//! The chain: who revealed what, who is registered, and who locked how much.

mod endpoint;
mod fake;
mod subxt;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use futures::stream::BoxStream;
use indexmap::IndexMap;
use schema::{BlockNumber, Hotkey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::subxt::{ChainSettings, SubxtChain};
pub use endpoint::EndpointError;
pub use fake::FakeChain;

/// What each hotkey revealed: the plain bytes and the block, oldest first as the chain keeps them.
pub type Revealed = Vec<(Hotkey, Vec<(Vec<u8>, u64)>)>;

/// Reads the chain. Every read names the block it is made at, so that reading twice gives the same (collection and
/// rounds, W11), and no read takes longer than its deadline.
#[async_trait]
pub trait Chain: Send + Sync {
    /// The newest final block.
    ///
    /// # Errors
    ///
    /// [`ChainError`]
    async fn head(&self) -> Result<ChainHead, ChainError>;

    /// The hash of block `number`.
    ///
    /// # Errors
    ///
    /// [`ChainError::NotFinal`] if the chain has not come that far, else another [`ChainError`].
    async fn block_hash(&self, number: BlockNumber) -> Result<BlockHash, ChainError>;

    /// All revealed commitments of a subnet, in the order of their storage keys, which breaks ties between miners
    /// (collection and rounds §4.1, §4.6).
    ///
    /// # Errors
    ///
    /// [`ChainError`], also when the nodes have already dropped the state of that block.
    async fn revealed_commitments(
        &self,
        netuid: u16,
        at: BlockHash,
    ) -> Result<Revealed, ChainError>;

    /// The coldkey of every hotkey registered in a subnet, in the order of their ids there.
    ///
    /// # Errors
    ///
    /// [`ChainError`]
    async fn neurons(
        &self,
        netuid: u16,
        at: BlockHash,
    ) -> Result<IndexMap<Hotkey, Coldkey>, ChainError>;

    /// What `coldkey` locked in a subnet, in rao; 0 without a lock. 10⁹ rao are one alpha.
    ///
    /// # Errors
    ///
    /// [`ChainError`]
    async fn coldkey_lock(
        &self,
        coldkey: &Coldkey,
        netuid: u16,
        at: BlockHash,
    ) -> Result<u64, ChainError>;

    /// The numbers of final blocks as they come, strictly growing; some may be left out. Never ends: a lost connection is
    /// made again, to another node if there is one.
    fn heads(&self) -> BoxStream<'static, BlockNumber>;
}

/// The newest final block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainHead {
    /// Its number.
    pub block: BlockNumber,
    /// Its hash.
    pub hash: BlockHash,
}

/// The hash of a block, written as `0x` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockHash(pub [u8; 32]);

/// The account that owns hotkeys: its full SS58 address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Coldkey(pub String);

/// Why the chain could not be read. Always ours, always worth another try.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// No node is configured.
    #[error("no chain node is configured; set SUBTENSOR_NETWORK")]
    NoEndpoints,

    /// The block is not final yet.
    #[error("block {block} is not final yet")]
    NotFinal {
        /// The block asked for.
        block: BlockNumber,
    },

    /// An account that is no SS58 address.
    #[error("{account} is no SS58 address")]
    BadAccount {
        /// The text.
        account: String,
    },

    /// No node answered as it should.
    #[error("no chain node could {operation}: {}", list(failures))]
    Failed {
        /// What was asked.
        operation: &'static str,
        /// Each node that was asked, with what it did.
        failures: Vec<(String, EndpointError)>,
    },
}

fn list(failures: &[(String, EndpointError)]) -> String {
    let each: Vec<String> = failures
        .iter()
        .map(|(endpoint, error)| format!("{endpoint}: {error}"))
        .collect();
    each.join("; ")
}

impl fmt::Display for BlockHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "0x{}", hex::encode(self.0))
    }
}

impl fmt::Debug for BlockHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A text that is no block hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no block hash: expected 0x and 64 hexadecimal digits")]
pub struct BadBlockHash(String);

impl FromStr for BlockHash {
    type Err = BadBlockHash;

    fn from_str(text: &str) -> Result<Self, BadBlockHash> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let mut hash = [0; 32];
        match hex::decode_to_slice(digits, &mut hash) {
            Ok(()) => Ok(Self(hash)),
            Err(_) => Err(BadBlockHash(text.to_owned())),
        }
    }
}

impl Serialize for BlockHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BlockHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Coldkey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}
