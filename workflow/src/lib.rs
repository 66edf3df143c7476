//! The workflow engine of Assize, the round of the competition as flows, and its rules as pure functions.
//!
//! Compiles without an HTTP client, a browser, a chain library or git: whatever leaves the process and is not Postgres is a
//! step's handler, and handlers live in `workers/assize`.

#[cfg(feature = "bench")]
pub mod bench;
#[allow(
    clippy::missing_errors_doc,
    reason = "query functions fail as the database says"
)]
pub mod db;
pub mod embedded;
pub mod engine;
pub mod round;
pub mod rules;
#[cfg(feature = "testing")]
pub mod testing;
