//! The mirror against real repositories.
#![allow(clippy::unwrap_used)]

mod committing;
mod conflicts;
mod crashes;
mod http_server;
mod opening;
mod over_http;
mod publishing;
mod scale;
