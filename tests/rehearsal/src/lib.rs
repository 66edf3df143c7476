//! A whole outside world on one machine, each part speaking its real wire protocol on loopback.
//!
//! Assize talks to a chain, miners' CDNs, GitHub, three GPU clouds and their pods, a vision model, an object store and a
//! git host. Here they are, small and honest: a client cannot tell the difference from the wire. Used by
//! `assize rehearse` and by the tests.

pub mod chain;
pub mod clock;
pub mod clouds;
pub mod discord;
pub mod faults;
mod files;
pub mod gateway;
pub mod git;
pub mod github;
mod http;
pub mod miners;
pub mod prompts;
pub mod s3;
pub mod scenes;
pub mod vlm;
pub mod world;

pub use s3::serve_s3;
pub use world::{Addresses, Start, World, WorldOptions};
