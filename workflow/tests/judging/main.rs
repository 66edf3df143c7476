//! The tournament of a round on a real Postgres: the real reconciler, rows and outbox; matches, audits and regenerations end
//! when and as the test says.
#![allow(clippy::unwrap_used, missing_docs)]

mod curtailment;
mod noise;
mod notices;
mod support;
mod work;
