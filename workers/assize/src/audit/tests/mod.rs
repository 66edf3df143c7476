//! Audits of the published fixture and of a small competition that is made to be tampered with.
#![allow(clippy::unwrap_used)]

mod damage;
mod every_code;
mod fixture;
mod history;
mod scale;
mod tampering;
mod told;
pub(crate) mod world;
