//! One module a file of the repository: its type, and what can be asked of it.
//!
//! Files of earlier revisions have types of their own (`Mesh…` for the mesh competition, `SingleRepeat…` for the
//! revision before repeats), because reading them as the current form would silently lose what they say.

pub mod builds;
pub mod config;
pub mod generation_audits;
pub mod generation_reports;
pub mod generations;
pub mod leader;
mod macros;
pub mod matrix;
pub mod pod_stats;
pub mod prompts;
pub mod report;
pub mod require_audit;
pub mod schedule;
pub mod seed;
pub mod source_audit;
pub mod state;
pub mod submissions;
pub mod verbatim;
pub mod verification_audits;
pub mod winner;

pub use builds::{Build, BuildStatus, Builds};
pub use config::Config;
pub use generation_audits::{
    AnyGenerationAudits, GenerationAudit, GenerationAudits, MeshAuditOutcome, MeshGenerationAudit,
    MeshGenerationAudits, Verdict,
};
pub use generation_reports::{
    AnyGenerationReports, GenerationReport, GenerationReports, RepeatReport, ReportOutcome,
    SingleRepeatReport, SingleRepeatReports,
};
pub use generations::{AnyGenerations, Generation, Generations, MeshGeneration, MeshGenerations};
pub use leader::{LeaderEntry, Leaders};
pub use matrix::{AuditLeft, Matrix};
pub use pod_stats::{AnyPodStats, MeshPodStats, MeshPods, PodStats, Pods, TerminationReason};
pub use prompts::Prompts;
pub use report::{AnyReport, Duel, DuelDetail, DuelWinner, MatchReport, MeshDuel, MeshReport};
pub use require_audit::{
    AnyAuditRequests, AuditRequest, AuditRequests, OlderAuditRequest, OlderAuditRequests,
};
pub use schedule::Schedule;
pub use seed::Seed;
pub use source_audit::{SourceAudit, SourceAudits};
pub use state::State;
pub use submissions::{Submission, Submissions};
pub use verbatim::Verbatim;
pub use verification_audits::{VerificationAudit, VerificationAudits};
pub use winner::Winner;
