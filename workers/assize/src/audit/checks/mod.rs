//! The checks, one file an area. Each takes the files as read and adds what it found to the record.

pub(super) mod audits;
pub(super) mod builds;
pub(super) mod decisions;
pub(super) mod duel_verdicts;
pub(super) mod files;
pub(super) mod later;
pub(super) mod leader;
pub(super) mod ledger;
pub(super) mod matrices;
pub(super) mod older_audits;
pub(super) mod outputs;
pub(super) mod prompts;
pub(super) mod reports;
pub(super) mod schedule;
pub(super) mod seed;
pub(super) mod skipped;
pub(super) mod submissions;
pub(super) mod threshold;
pub(super) mod tournament;
