//! Where each file of the repository lives, and what a path means.
//!
//! One function a file, so that no path is spelled anywhere else; [`classify`] is their inverse.

mod classify;
mod report_names;
mod state_path;

pub use classify::classify;
pub use report_names::ReportNames;
pub use state_path::{HandMadeFile, LedgerFile, StatePath};

use crate::{Hotkey, LeftSide, RoundNumber, Side};

/// `config.json`.
pub fn config() -> String {
    StatePath::Config.to_string()
}

/// `state.json`.
pub fn state() -> String {
    StatePath::State.to_string()
}

/// `leader.json`.
pub fn leader() -> String {
    StatePath::Leader.to_string()
}

/// `prompts.txt`: the global pool.
pub fn prompt_pool() -> String {
    StatePath::PromptPool.to_string()
}

macro_rules! round_paths {
    ($($(#[$doc:meta])* $function:ident => $kind:ident;)*) => {$(
        $(#[$doc])*
        pub fn $function(round: RoundNumber) -> String {
            StatePath::$kind(round).to_string()
        }
    )*};
}

round_paths! {
    /// `rounds/{n}/schedule.json`.
    schedule => Schedule;
    /// `rounds/{n}/seed.json`.
    seed => Seed;
    /// `rounds/{n}/prompts.txt`.
    prompts => RoundPrompts;
    /// `rounds/{n}/submissions.json`.
    submissions => Submissions;
    /// `rounds/{n}/builds.json`.
    builds => Builds;
    /// `rounds/{n}/require_audit.json`.
    require_audit => RequireAudit;
    /// `rounds/{n}/generation_reports.json`.
    generation_reports => GenerationReports;
    /// `rounds/{n}/generation_audits.json`.
    generation_audits => GenerationAudits;
    /// `rounds/{n}/source_audit.json`.
    source_audit => SourceAudit;
    /// `rounds/{n}/matches_matrix.csv`.
    matches_matrix => MatchesMatrix;
    /// `rounds/{n}/audit_matrix.csv`.
    audit_matrix => AuditMatrix;
    /// `rounds/{n}/winner.json`.
    winner => Winner;
}

/// `rounds/{n}/{hotkey}/submitted.json`.
pub fn submitted(round: RoundNumber, hotkey: &Hotkey) -> String {
    StatePath::Submitted {
        round,
        hotkey: hotkey.clone(),
    }
    .to_string()
}

/// `rounds/{n}/{hotkey or leader}/generated_{r}.json`; repeats count from 1.
pub fn generated(round: RoundNumber, side: &Side, repeat: u32) -> String {
    StatePath::Generated {
        round,
        side: side.clone(),
        repeat,
    }
    .to_string()
}

/// `rounds/{n}/{hotkey or leader}/pod_stats.json`.
pub fn pod_stats(round: RoundNumber, side: &Side) -> String {
    StatePath::PodStats {
        round,
        side: side.clone(),
    }
    .to_string()
}

/// `rounds/{n}/{right}/duels_{left10}.json`.
pub fn duels_report(round: RoundNumber, left: &Side, right: &Hotkey) -> String {
    StatePath::DuelsReport {
        round,
        left: left.short().to_owned(),
        right: right.clone(),
    }
    .to_string()
}

/// `rounds/{n}/{right}/audit_{left10}_{r}.json`; repeats count from 1.
pub fn audit_report(round: RoundNumber, left: &LeftSide, right: &Hotkey, repeat: u32) -> String {
    StatePath::AuditReport {
        round,
        left: left.short().to_owned(),
        right: right.clone(),
        repeat,
    }
    .to_string()
}

/// `rounds/{n}/ledger/…`: what auditors need and the readers in the field ignore.
pub fn ledger(round: RoundNumber, file: &LedgerFile) -> String {
    StatePath::Ledger {
        round,
        file: file.clone(),
    }
    .to_string()
}
