//! Every query of the dashboard. All of them only read; what operators change goes through `workflow::db::operator`.
//!
//! Statements with optional filters are planned for the values at hand (`persistent(false)`): a plan made for any value
//! could not use the engine's partial indexes.

pub(crate) mod fleet;
pub(super) mod matches;
pub(super) mod repository;
pub(crate) mod rounds;
pub(crate) mod steps;
