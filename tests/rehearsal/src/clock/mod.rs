//! The world's two clocks: the wall clock that can be told to skip, and the block clock of the chain.

mod chain;
mod world;

pub(crate) use chain::ChainStart;
pub use chain::{ChainClock, SECONDS_PER_BLOCK};
pub use world::WorldClock;
