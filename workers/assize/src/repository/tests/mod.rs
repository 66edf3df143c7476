//! The mirror against real repositories.
#![allow(clippy::unwrap_used)]

mod committing;
mod conflicts;
mod crashes;
mod opening;
mod publishing;
mod scale;
