//! The crate's behaviour from outside. One binary, so that the workspace links one.
#![allow(clippy::unwrap_used, missing_docs)]

mod static_rules;
