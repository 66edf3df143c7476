//! Placeholder.

pub mod clients;
pub mod egress;
pub mod repository;
