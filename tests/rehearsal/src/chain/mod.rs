//! A subtensor node on JSON-RPC over WebSocket, good enough for subxt, with the storage of one subnet.
//!
//! Blocks come from the [`ChainClock`](crate::clock::ChainClock); their headers and hashes follow from the seed and the
//! block number, so a restarted node is the same chain. Storage can be asked at every block since the first: a reveal is
//! there from its own block on, and not before. Extrinsics are refused.

mod headers;
mod keys;
mod ledger;
mod neuron;
mod node;
mod rpc;
mod runtime;
#[cfg(test)]
mod tests;

pub use ledger::{Account, Ledger, Neuron, NeuronRole, Reveal, payload_bytes};
pub(crate) use node::Node;
pub(crate) use rpc::serve_chain;

/// The subnet of the competition.
pub const NETUID: u16 = 17;
/// One alpha (or TAO) in rao.
pub const RAO_PER_ALPHA: u64 = 1_000_000_000;
/// The UID whose key owns the subnet, as validators have it configured.
pub const OWNER_UID: u16 = 199;
