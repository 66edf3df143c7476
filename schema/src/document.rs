//! Any file of the repository, of today's or an older form, by its path alone.

use crate::error::{FileError, Problem};
use crate::files::{
    AnyAuditRequests, AnyGenerationAudits, AnyGenerationReports, AnyGenerations, AnyPodStats,
    AnyReport, Builds, Config, Leaders, Matrix, Prompts, Schedule, Seed, SourceAudits, State,
    Submissions, VerificationAudits, Winner,
};
use crate::paths::{StatePath, classify};
use crate::state_file::StateFile;

/// A file of the repository, read. What is written back is what was read, byte for byte, for every file a service wrote.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// `config.json`.
    Config(Config),
    /// `state.json`.
    State(State),
    /// `leader.json`.
    Leaders(Leaders),
    /// `prompts.txt`, the pool or a round's list.
    Prompts(Prompts),
    /// `schedule.json`.
    Schedule(Schedule),
    /// `seed.json`.
    Seed(Seed),
    /// `submissions.json`.
    Submissions(Submissions),
    /// `builds.json`.
    Builds(Builds),
    /// `require_audit.json`.
    AuditRequests(AnyAuditRequests),
    /// `generation_reports.json`.
    GenerationReports(AnyGenerationReports),
    /// `generation_audits.json`.
    GenerationAudits(AnyGenerationAudits),
    /// `verification_audits.json`.
    VerificationAudits(VerificationAudits),
    /// `source_audit.json`.
    SourceAudits(SourceAudits),
    /// `matches_matrix.csv` or `audit_matrix.csv`.
    Matrix(Matrix),
    /// `winner.json`.
    Winner(Winner),
    /// `submitted.json`, `generated.json` or `generated_{r}.json`.
    Generations(AnyGenerations),
    /// `pod_stats.json`.
    PodStats(AnyPodStats),
    /// `duels_{left10}.json` or `audit_{left10}_{r}.json`.
    Report(Box<AnyReport>),
    /// A ledger file or a hand-made file that is no state: its bytes.
    Opaque(Vec<u8>),
}

impl Document {
    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// [`Problem::UnknownPath`] when the path is no file of the repository, otherwise as [`StateFile::parse`].
    pub fn parse(path: &str, bytes: &[u8]) -> Result<Self, FileError> {
        let kind =
            classify(path).ok_or_else(|| FileError::whole_file(path, Problem::UnknownPath))?;
        Ok(match kind {
            StatePath::Config => Self::Config(Config::parse(path, bytes)?),
            StatePath::State => Self::State(State::parse(path, bytes)?),
            StatePath::Leader => Self::Leaders(Leaders::parse(path, bytes)?),
            StatePath::PromptPool | StatePath::RoundPrompts(_) => {
                Self::Prompts(Prompts::parse(path, bytes)?)
            }
            StatePath::Schedule(_) => Self::Schedule(Schedule::parse(path, bytes)?),
            StatePath::Seed(_) => Self::Seed(Seed::parse(path, bytes)?),
            StatePath::Submissions(_) => Self::Submissions(Submissions::parse(path, bytes)?),
            StatePath::Builds(_) => Self::Builds(Builds::parse(path, bytes)?),
            StatePath::RequireAudit(_) => {
                Self::AuditRequests(AnyAuditRequests::parse(path, bytes)?)
            }
            StatePath::GenerationReports(_) => {
                Self::GenerationReports(AnyGenerationReports::parse(path, bytes)?)
            }
            StatePath::GenerationAudits(_) => {
                Self::GenerationAudits(AnyGenerationAudits::parse(path, bytes)?)
            }
            StatePath::VerificationAudits(_) => {
                Self::VerificationAudits(VerificationAudits::parse(path, bytes)?)
            }
            StatePath::SourceAudit(_) => Self::SourceAudits(SourceAudits::parse(path, bytes)?),
            StatePath::MatchesMatrix(_) | StatePath::AuditMatrix(_) => {
                Self::Matrix(Matrix::parse(path, bytes)?)
            }
            StatePath::Winner(_) => Self::Winner(Winner::parse(path, bytes)?),
            StatePath::Submitted { .. }
            | StatePath::Generated { .. }
            | StatePath::GeneratedOnce { .. } => {
                Self::Generations(AnyGenerations::parse(path, bytes)?)
            }
            StatePath::PodStats { .. } => Self::PodStats(AnyPodStats::parse(path, bytes)?),
            StatePath::DuelsReport { .. } | StatePath::AuditReport { .. } => {
                Self::Report(Box::new(AnyReport::parse(path, bytes)?))
            }
            StatePath::Ledger { .. } | StatePath::HandMade(_) => Self::Opaque(bytes.to_vec()),
        })
    }

    /// The exact bytes to commit.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Config(file) => file.to_bytes(),
            Self::State(file) => file.to_bytes(),
            Self::Leaders(file) => file.to_bytes(),
            Self::Prompts(file) => file.to_bytes(),
            Self::Schedule(file) => file.to_bytes(),
            Self::Seed(file) => file.to_bytes(),
            Self::Submissions(file) => file.to_bytes(),
            Self::Builds(file) => file.to_bytes(),
            Self::AuditRequests(file) => file.to_bytes(),
            Self::GenerationReports(file) => file.to_bytes(),
            Self::GenerationAudits(file) => file.to_bytes(),
            Self::VerificationAudits(file) => file.to_bytes(),
            Self::SourceAudits(file) => file.to_bytes(),
            Self::Matrix(file) => file.to_bytes(),
            Self::Winner(file) => file.to_bytes(),
            Self::Generations(file) => file.to_bytes(),
            Self::PodStats(file) => file.to_bytes(),
            Self::Report(file) => file.to_bytes(),
            Self::Opaque(bytes) => bytes.clone(),
        }
    }
}
