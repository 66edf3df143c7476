//! What a path of the repository means.

use std::fmt;

use crate::{Hotkey, RoundNumber, Side};

/// A path of the repository, taken apart. [`fmt::Display`] gives the path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatePath {
    /// `config.json`.
    Config,
    /// `state.json`.
    State,
    /// `leader.json`.
    Leader,
    /// `prompts.txt`: the global pool.
    PromptPool,
    /// `rounds/{n}/schedule.json`.
    Schedule(RoundNumber),
    /// `rounds/{n}/seed.json`.
    Seed(RoundNumber),
    /// `rounds/{n}/prompts.txt`.
    RoundPrompts(RoundNumber),
    /// `rounds/{n}/submissions.json`.
    Submissions(RoundNumber),
    /// `rounds/{n}/builds.json`.
    Builds(RoundNumber),
    /// `rounds/{n}/require_audit.json`.
    RequireAudit(RoundNumber),
    /// `rounds/{n}/generation_reports.json`.
    GenerationReports(RoundNumber),
    /// `rounds/{n}/generation_audits.json`.
    GenerationAudits(RoundNumber),
    /// `rounds/{n}/verification_audits.json`: the verdicts of the revision before repeats.
    VerificationAudits(RoundNumber),
    /// `rounds/{n}/source_audit.json`.
    SourceAudit(RoundNumber),
    /// `rounds/{n}/matches_matrix.csv`.
    MatchesMatrix(RoundNumber),
    /// `rounds/{n}/audit_matrix.csv`.
    AuditMatrix(RoundNumber),
    /// `rounds/{n}/winner.json`.
    Winner(RoundNumber),
    /// `rounds/{n}/{hotkey}/submitted.json`.
    Submitted {
        /// The round.
        round: RoundNumber,
        /// The miner.
        hotkey: Hotkey,
    },
    /// `rounds/{n}/{side}/generated_{r}.json`.
    Generated {
        /// The round.
        round: RoundNumber,
        /// Whose code.
        side: Side,
        /// Which repeat, from 1.
        repeat: u32,
    },
    /// `rounds/{n}/{side}/generated.json`: the form before repeats.
    GeneratedOnce {
        /// The round.
        round: RoundNumber,
        /// Whose code.
        side: Side,
    },
    /// `rounds/{n}/{side}/pod_stats.json`.
    PodStats {
        /// The round.
        round: RoundNumber,
        /// Whose code.
        side: Side,
    },
    /// `rounds/{n}/{right}/duels_{left}.json`.
    DuelsReport {
        /// The round.
        round: RoundNumber,
        /// `leader` or the first 10 characters of a hotkey.
        left: String,
        /// The challenger.
        right: Hotkey,
    },
    /// `rounds/{n}/{right}/audit_{left}_{r}.json`.
    AuditReport {
        /// The round.
        round: RoundNumber,
        /// `submitted`, `leader` or the first 10 characters of a hotkey.
        left: String,
        /// The audited miner.
        right: Hotkey,
        /// Which repeat, from 1.
        repeat: u32,
    },
    /// `rounds/{n}/ledger/…`.
    Ledger {
        /// The round.
        round: RoundNumber,
        /// Which file.
        file: LedgerFile,
    },
    /// The image build and the documentation, kept by hand; no state.
    HandMade(HandMadeFile),
}

/// A file of a round's ledger.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LedgerFile {
    /// `artifacts.jsonl`: every module, picture and image with its digest.
    Artifacts,
    /// `decisions.jsonl`: every verdict with what it was made from.
    Decisions,
    /// `duels/{name}.jsonl`: the duels of one match as they end, under a plain file name.
    Duels(String),
    /// `operators.jsonl`: every operator action and accepted hand edit.
    Operators,
    /// `seed.json`: where the seed comes from.
    Seed,
    /// `checkpoint.json`: the signed end of the hash chain.
    Checkpoint,
    /// `superseded/{name}`: a result that was measured again, under a plain file name.
    Superseded(String),
}

/// A file that is no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HandMadeFile {
    /// `README.md`.
    Readme,
    /// `docker-bake.hcl`.
    DockerBake,
    /// `.github/workflows/build-and-push.yml`.
    BuildWorkflow,
    /// `.assize/allowed_signers`: whose signatures count, for `git verify-commit`.
    AllowedSigners,
}

impl HandMadeFile {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Readme,
        Self::DockerBake,
        Self::BuildWorkflow,
        Self::AllowedSigners,
    ];

    /// Its path.
    pub fn path(self) -> &'static str {
        match self {
            Self::Readme => "README.md",
            Self::DockerBake => "docker-bake.hcl",
            Self::BuildWorkflow => ".github/workflows/build-and-push.yml",
            Self::AllowedSigners => ".assize/allowed_signers",
        }
    }
}

impl StatePath {
    /// The round the file belongs to; none for global files.
    pub fn round(&self) -> Option<RoundNumber> {
        match self {
            Self::Config | Self::State | Self::Leader | Self::PromptPool | Self::HandMade(_) => {
                None
            }
            Self::Schedule(round)
            | Self::Seed(round)
            | Self::RoundPrompts(round)
            | Self::Submissions(round)
            | Self::Builds(round)
            | Self::RequireAudit(round)
            | Self::GenerationReports(round)
            | Self::GenerationAudits(round)
            | Self::VerificationAudits(round)
            | Self::SourceAudit(round)
            | Self::MatchesMatrix(round)
            | Self::AuditMatrix(round)
            | Self::Winner(round)
            | Self::Submitted { round, .. }
            | Self::Generated { round, .. }
            | Self::GeneratedOnce { round, .. }
            | Self::PodStats { round, .. }
            | Self::DuelsReport { round, .. }
            | Self::AuditReport { round, .. }
            | Self::Ledger { round, .. } => Some(*round),
        }
    }

    /// Whether people write the file, so that git-sync reads it back instead of overwriting it.
    pub fn is_made_by_people(&self) -> bool {
        matches!(
            self,
            Self::Config | Self::PromptPool | Self::SourceAudit(_) | Self::HandMade(_)
        )
    }
}

impl fmt::Display for StatePath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config => out.write_str("config.json"),
            Self::State => out.write_str("state.json"),
            Self::Leader => out.write_str("leader.json"),
            Self::PromptPool => out.write_str("prompts.txt"),
            Self::Schedule(round) => write!(out, "rounds/{round}/schedule.json"),
            Self::Seed(round) => write!(out, "rounds/{round}/seed.json"),
            Self::RoundPrompts(round) => write!(out, "rounds/{round}/prompts.txt"),
            Self::Submissions(round) => write!(out, "rounds/{round}/submissions.json"),
            Self::Builds(round) => write!(out, "rounds/{round}/builds.json"),
            Self::RequireAudit(round) => write!(out, "rounds/{round}/require_audit.json"),
            Self::GenerationReports(round) => write!(out, "rounds/{round}/generation_reports.json"),
            Self::GenerationAudits(round) => write!(out, "rounds/{round}/generation_audits.json"),
            Self::VerificationAudits(round) => {
                write!(out, "rounds/{round}/verification_audits.json")
            }
            Self::SourceAudit(round) => write!(out, "rounds/{round}/source_audit.json"),
            Self::MatchesMatrix(round) => write!(out, "rounds/{round}/matches_matrix.csv"),
            Self::AuditMatrix(round) => write!(out, "rounds/{round}/audit_matrix.csv"),
            Self::Winner(round) => write!(out, "rounds/{round}/winner.json"),
            Self::Submitted { round, hotkey } => {
                write!(out, "rounds/{round}/{hotkey}/submitted.json")
            }
            Self::Generated {
                round,
                side,
                repeat,
            } => write!(out, "rounds/{round}/{side}/generated_{repeat}.json"),
            Self::GeneratedOnce { round, side } => {
                write!(out, "rounds/{round}/{side}/generated.json")
            }
            Self::PodStats { round, side } => write!(out, "rounds/{round}/{side}/pod_stats.json"),
            Self::DuelsReport { round, left, right } => {
                write!(out, "rounds/{round}/{right}/duels_{left}.json")
            }
            Self::AuditReport {
                round,
                left,
                right,
                repeat,
            } => {
                write!(out, "rounds/{round}/{right}/audit_{left}_{repeat}.json")
            }
            Self::Ledger { round, file } => write!(out, "rounds/{round}/ledger/{file}"),
            Self::HandMade(file) => out.write_str(file.path()),
        }
    }
}

impl fmt::Display for LedgerFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Artifacts => out.write_str("artifacts.jsonl"),
            Self::Decisions => out.write_str("decisions.jsonl"),
            Self::Duels(name) => write!(out, "duels/{name}.jsonl"),
            Self::Operators => out.write_str("operators.jsonl"),
            Self::Seed => out.write_str("seed.json"),
            Self::Checkpoint => out.write_str("checkpoint.json"),
            Self::Superseded(name) => write!(out, "superseded/{name}"),
        }
    }
}
