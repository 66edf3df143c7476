//! Placeholder.

pub mod repository;
