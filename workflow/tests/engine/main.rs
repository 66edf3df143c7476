//! The engine's guarantees on a real Postgres, a module each. `workflow/README.md` lists them.
#![allow(clippy::unwrap_used, missing_docs)]

mod proxy;
mod support;

mod crashes;
mod fairness;
mod fencing;
mod joins;
mod leases;
mod limits;
mod model;
mod operators;
mod outages;
mod properties;
mod readme;
mod recovered;
mod retention;
mod retries;
mod sharing;
mod versions;
mod waits;
mod wakeups;
