//! Clients: every service outside this process, one folder each.
//!
//! A folder holds the narrow trait the steps need with its types and its error (`mod.rs`), the real implementation, and
//! a fake for tests. Real ones are given addresses and credentials, never read them from anywhere, and assume hostile
//! peers: every call has a total deadline, every body a limit counted while it streams, every answer is parsed without
//! trust.
//!
//! Errors tell whose fault it was. What a miner did wrong is a value that ends a step ([`cdn::FetchError::TheirFault`],
//! [`render_service::RenderServiceError::Rejected`], [`pod::PodError`]); everything else is ours, and is tried again.

pub mod cdn;
pub mod chain;
pub mod clouds;
pub mod discord;
pub mod embedder;
pub mod github;
pub mod object_store;
pub mod pod;
pub mod prompt_images;
pub mod registry;
pub mod render_service;
pub mod script;
pub mod vlm;
pub mod wire;

pub mod png;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod world_tests;
