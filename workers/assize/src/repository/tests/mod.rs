//! The mirror against real repositories.
#![allow(clippy::unwrap_used)]

mod committing;
mod conflicts;
mod crashes;
mod elsewhere;
mod http_server;
mod opening;
mod over_http;
mod over_https;
mod over_ssh;
mod publishing;
mod scale;
mod ssh_server;
