//! The public state repository: a bare git repository on disk, its first commits, and its smart HTTP front.
//!
//! Clients push to it by path or over HTTP; the world reads it, and its people (the auditor) commit to it like anyone.

mod http;
mod import;
mod remote;

pub(crate) use http::router;
pub use remote::Remote;
pub(crate) use remote::{Author, RefMove, head_of};
