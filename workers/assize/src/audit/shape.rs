//! The texts of services' commits, and which files each may change.
//!
//! Source: "Commit messages" of the state repository's specification.

use schema::paths::{StatePath, classify};

/// What a line of a service's message says it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    State,
    Collection,
    StageOnly,
    Submitted,
    Generated,
    Builds,
    GenerationReports,
    PodStats,
    MatchReport,
    AuditReport,
    Matrix,
    AuditMatrix,
    AuditRequests,
    GenerationAudits,
    SourceAudits,
    Winner,
}

impl Shape {
    /// The published texts, those of the first competition included.
    pub(super) fn of(line: &str) -> Option<Self> {
        let starts = |text: &str| line.starts_with(text);
        let shape = match line {
            _ if starts("Update state (") => Self::State,
            _ if starts("Seed, prompts and submissions for round ") => Self::Collection,
            _ if starts("Update submitted.json for round ")
                || starts("Update submitted for round ") =>
            {
                Self::Submitted
            }
            _ if starts("Update generated") && line.contains(" for round ") => Self::Generated,
            _ if starts("Update build statuses for round ") => Self::Builds,
            _ if starts("Update generation reports for round ") => Self::GenerationReports,
            _ if starts("Update generation audits for round ")
                || starts("Update verification audits for round ") =>
            {
                Self::GenerationAudits
            }
            _ if starts("Update pod stats for round ") => Self::PodStats,
            _ if starts("Match report: ") => Self::MatchReport,
            _ if starts("Audit report: ") => Self::AuditReport,
            _ if starts("Update matches matrix for round ") => Self::Matrix,
            _ if starts("Update audit matrix for round ") => Self::AuditMatrix,
            _ if starts("Update audit requests for round ") => Self::AuditRequests,
            _ if starts("Update source audits for round ") => Self::SourceAudits,
            _ if starts("Round ") => {
                let (number, rest) = line.strip_prefix("Round ")?.split_once([':', ' '])?;
                number.parse::<u32>().ok()?;
                let rest = rest.trim();
                if rest.starts_with("winner:") {
                    Self::Winner
                } else if rest.parse::<schema::Stage>().is_ok() {
                    Self::StageOnly
                } else {
                    return None;
                }
            }
            _ => return None,
        };
        Some(shape)
    }

    /// Whether a commit with this text may change the file.
    pub(super) fn allows(self, path: &str) -> bool {
        let Some(kind) = classify(path) else {
            return false;
        };
        match self {
            Self::State => matches!(
                kind,
                StatePath::State | StatePath::Schedule(_) | StatePath::Leader
            ),
            Self::Collection => matches!(
                kind,
                StatePath::State
                    | StatePath::Seed(_)
                    | StatePath::RoundPrompts(_)
                    | StatePath::Submissions(_)
            ),
            Self::StageOnly => matches!(kind, StatePath::State),
            Self::Submitted => matches!(kind, StatePath::Submitted { .. }),
            Self::Generated => matches!(
                kind,
                StatePath::Generated { .. } | StatePath::GeneratedOnce { .. }
            ),
            Self::Builds => matches!(kind, StatePath::Builds(_)),
            Self::GenerationReports => matches!(kind, StatePath::GenerationReports(_)),
            Self::PodStats => matches!(kind, StatePath::PodStats { .. }),
            Self::MatchReport => matches!(kind, StatePath::DuelsReport { .. }),
            Self::AuditReport => matches!(kind, StatePath::AuditReport { .. }),
            Self::Matrix => matches!(kind, StatePath::MatchesMatrix(_)),
            Self::AuditMatrix => matches!(kind, StatePath::AuditMatrix(_)),
            Self::AuditRequests => matches!(kind, StatePath::RequireAudit(_)),
            Self::GenerationAudits => {
                matches!(
                    kind,
                    StatePath::GenerationAudits(_) | StatePath::VerificationAudits(_)
                )
            }
            Self::SourceAudits => matches!(kind, StatePath::SourceAudit(_)),
            Self::Winner => matches!(kind, StatePath::Winner(_)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_texts_are_a_services_and_others_are_not() {
        for line in [
            "Update state (open), schedule, leader for round 1",
            "Seed, prompts and submissions for round 0",
            "Round 0: downloading",
            "Round 0 winner: 5GgpGaDxzT",
            "Update submitted for round 0, miner 5GgpGaDxzT",
            "Update generated_2.json for round 0, miner leader",
            "Update generated for round 0, miner leader",
            "Match report: leader vs 5GgpGaDxzT",
        ] {
            assert!(Shape::of(line).is_some(), "{line}");
        }
        for line in [
            "Fix winner",
            "Round 0: oops",
            "Round zero: duels",
            "Update state",
            "rewind",
        ] {
            assert_eq!(Shape::of(line), None, "{line}");
        }
    }

    #[test]
    fn a_text_allows_only_the_files_it_names() {
        assert!(Shape::Winner.allows("rounds/3/winner.json"));
        assert!(!Shape::Winner.allows("rounds/3/matches_matrix.csv"));
        assert!(!Shape::StageOnly.allows("leader.json"));
    }
}
