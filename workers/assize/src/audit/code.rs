//! The names of the findings. They are a contract: people filter by them.

use serde::{Serialize, Serializer};

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Something a reader should know; nothing is wrong.
    Note,
    /// An oddity: a person's hand, a replaced result, a gap. The results may still be right.
    Warning,
    /// A published result does not follow from what is published.
    Error,
}

impl Severity {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What is checked, as the table of confirmations names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// Every file is what its path says.
    Files,
    /// Reveal windows and deadlines.
    Schedule,
    /// Which prompts the round has.
    Prompts,
    /// Where the seed comes from.
    Seed,
    /// Who takes part, in which order.
    Submissions,
    /// Images against submissions.
    Builds,
    /// What was delivered for the prompts.
    Outputs,
    /// Scores and margins from duels.
    Reports,
    /// Matrix rows against reports.
    Matrices,
    /// Timeline and winner.
    Tournament,
    /// Audit requests and verdicts.
    Audits,
    /// Leader transitions and weights.
    Leader,
    /// Hash chains and checkpoints.
    Ledger,
    /// Commit signatures.
    Signatures,
    /// What later commits changed.
    History,
}

impl Area {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Schedule => "schedule",
            Self::Prompts => "prompts",
            Self::Seed => "seed",
            Self::Submissions => "submissions",
            Self::Builds => "builds",
            Self::Outputs => "outputs",
            Self::Reports => "reports",
            Self::Matrices => "matrices",
            Self::Tournament => "tournament",
            Self::Audits => "audits",
            Self::Leader => "leader",
            Self::Ledger => "ledger",
            Self::Signatures => "signatures",
            Self::History => "history",
        }
    }
}

macro_rules! codes {
    ($($(#[doc = $meaning:literal])+ $name:ident = $text:literal, $area:ident, $severity:ident;)*) => {
        /// What a finding is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[doc = $meaning])+ $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable name, `area.what`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What it belongs to.
            pub fn area(self) -> Area {
                match self { $(Self::$name => Area::$area,)* }
            }

            /// How much it usually weighs.
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }

            /// One sentence for people.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($meaning),+).trim_ascii(),)* }
            }
        }
    };
}

codes! {
    /// A file cannot be read as what its path says.
    FileUnreadable = "files.unreadable", Files, Error;
    /// A row of a file cannot be read; the others were.
    RowUnreadable = "files.row_unreadable", Files, Warning;
    /// A file that must be there is not.
    FileMissing = "files.missing", Files, Error;
    /// An object of the newest commit is not in this clone.
    ObjectMissing = "files.object_missing", Files, Warning;
    /// A file is not in the bytes a service would write: somebody formatted it by hand.
    FileForm = "files.form", Files, Note;
    /// A path is no file of a state repository.
    FileUnknown = "files.unknown", Files, Note;
    /// A row carries another hotkey inside than its key says.
    InnerHotkey = "files.inner_hotkey", Files, Warning;
    /// Values of the configuration that cannot work, or are left to a default.
    Config = "files.config", Files, Note;

    /// A reveal window or deadline is out of order.
    ScheduleWindow = "schedule.window", Schedule, Error;
    /// A reveal window does not begin where the one before it ended.
    ScheduleGap = "schedule.gap", Schedule, Error;
    /// The generation deadline is not the configured time after the last reveal.
    ScheduleDeadline = "schedule.deadline", Schedule, Error;

    /// A round has another number of prompts than configured.
    PromptsCount = "prompts.count", Prompts, Error;
    /// A prompt, or a prompt's stem, stands twice in a round.
    PromptsRepeated = "prompts.repeated", Prompts, Error;
    /// The carried-over prompts are not those the seed draws.
    PromptsCarryover = "prompts.carryover", Prompts, Error;
    /// The new prompts are not those the seed draws from the pool.
    PromptsDraw = "prompts.draw", Prompts, Error;
    /// The pool is not published, so the new prompts cannot be drawn again.
    PromptsPoolAbsent = "prompts.pool_absent", Prompts, Note;

    /// The published derivation does not give the seed.
    SeedProof = "seed.proof", Seed, Error;
    /// The seed comes without a derivation.
    SeedUnproven = "seed.unproven", Seed, Note;

    /// Submissions do not stand in the order of their reveals.
    SubmissionsOrder = "submissions.order", Submissions, Error;
    /// A reveal lies outside the round's window.
    SubmissionsWindow = "submissions.window", Submissions, Error;
    /// A submission carries the label of another round.
    SubmissionsLabel = "submissions.label", Submissions, Error;
    /// Miners revealed in the same block: the order of the file decides between them.
    SubmissionsTies = "submissions.ties", Submissions, Note;

    /// Builds and submissions do not belong together.
    BuildsSubmissions = "builds.submissions", Builds, Error;
    /// A tag is not that of its commit and round.
    BuildsTag = "builds.tag", Builds, Error;
    /// An image is not that of its hotkey and tag, or there is one without success.
    BuildsImage = "builds.image", Builds, Error;
    /// Different sources were built into images of one name, so that one took the place of the other.
    BuildsShared = "builds.shared", Builds, Warning;
    /// A build of a finished round was never decided.
    BuildsUndecided = "builds.undecided", Builds, Warning;

    /// A miner's file of outputs has other prompts than the round.
    OutputsPrompts = "outputs.prompts", Outputs, Error;
    /// The leader's baseline lacks outputs, so every match against it loses those duels for it.
    BaselineIncomplete = "outputs.baseline_incomplete", Outputs, Warning;
    /// An audited miner's regeneration lacks outputs.
    RegenerationIncomplete = "outputs.regeneration_incomplete", Outputs, Note;

    /// A score is not the number of duels won by the right side less those won by the left.
    ReportScore = "reports.score", Reports, Error;
    /// A margin is not the score over the number of duels.
    ReportMargin = "reports.margin", Reports, Error;
    /// A report has other prompts than the round, or in another order.
    ReportPrompts = "reports.prompts", Reports, Error;
    /// A report lies under a path that is not that of its sides.
    ReportSides = "reports.sides", Reports, Error;
    /// A duel without pictures on a side was not decided by that.
    ReportGate = "reports.gate", Reports, Error;
    /// A report names other files than its sides' outputs do.
    ReportInputs = "reports.inputs", Reports, Warning;
    /// Duels were not judged and count as 0.
    ReportSkipped = "reports.skipped", Reports, Warning;

    /// A row's margin is not that of its report.
    MatrixMargin = "matrices.margin", Matrices, Error;
    /// A row has no report, and it is no walkover.
    MatrixNoReport = "matrices.no_report", Matrices, Error;
    /// A report has no row.
    MatrixNoRow = "matrices.no_row", Matrices, Warning;
    /// A row names somebody who did not take part.
    MatrixStranger = "matrices.stranger", Matrices, Error;
    /// A margin that no match can have.
    MatrixRange = "matrices.range", Matrices, Error;
    /// A miner of a finished round never played the leader.
    MatrixIncomplete = "matrices.incomplete", Matrices, Error;
    /// Miners that were excluded before they played.
    MatrixExcluded = "matrices.excluded", Matrices, Note;
    /// Matches against the leader do not stand in the order of the reveals.
    MatrixOrder = "matrices.order", Matrices, Warning;
    /// Margins so near the threshold that judging again might change them.
    MatrixNear = "matrices.near", Matrices, Note;

    /// The winner is not the one that follows from the matrices and audits.
    WinnerDerived = "tournament.winner", Tournament, Error;
    /// The winner was written before the tournament was decided.
    WinnerUnverified = "tournament.unverified", Tournament, Error;
    /// The winner's image is not that of its build or leader entry.
    WinnerImage = "tournament.image", Tournament, Error;
    /// By which rules the round was checked.
    Rules = "tournament.rules", Tournament, Note;

    /// Somebody was audited who did not beat anybody by the files as they stand.
    AuditUnexplained = "audits.unexplained", Audits, Warning;
    /// A miner that dethroned a defender was never requested, or against another defender.
    AuditRequest = "audits.request", Audits, Error;
    /// The critical prompts of a request are not a sample that the seed draws.
    AuditSample = "audits.sample", Audits, Error;
    /// Requests were made with another win margin than the configuration says.
    AuditThreshold = "audits.threshold", Audits, Error;
    /// A verdict does not follow from what it was made of.
    AuditVerdict = "audits.verdict", Audits, Error;
    /// The numbers of a verdict or report are not those of the files; the outcome is the same.
    AuditNumbers = "audits.numbers", Audits, Warning;

    /// A leader entry is not the one the round's winner leads to, or is missing.
    LeaderEntry = "leader.entry", Leader, Error;
    /// A leader's weight does not follow from decay and floor.
    LeaderWeight = "leader.weight", Leader, Error;
    /// Leader entries are out of order, or belong to no round.
    LeaderList = "leader.list", Leader, Error;

    /// A ledger's checkpoint does not fit its lines.
    LedgerChain = "ledger.chain", Ledger, Error;
    /// A ledger file cannot be read.
    LedgerUnreadable = "ledger.unreadable", Ledger, Error;
    /// Published modules have no digest in the ledger, or more than one.
    LedgerArtifact = "ledger.artifact", Ledger, Warning;
    /// An image has more than one digest in the ledger, or is not the one of its build.
    LedgerImage = "ledger.image", Ledger, Warning;
    /// The registry did not tell the digests of images, so nobody can prove that what was audited is what was built.
    LedgerImageUnproven = "ledger.image_unproven", Ledger, Note;
    /// A published result is not the one that the ledger's lines tell.
    LedgerDecision = "ledger.decision", Ledger, Error;
    /// A result was measured again and the one before is not kept as the ledger says.
    LedgerSuperseded = "ledger.superseded", Ledger, Error;
    /// A finished round's ledger has no checkpoint.
    LedgerOpen = "ledger.open", Ledger, Warning;

    /// A commit's signature does not fit it.
    SignatureInvalid = "signatures.invalid", Signatures, Error;
    /// A commit is signed by a key that is not published.
    SignatureUnknown = "signatures.unknown_key", Signatures, Error;
    /// A commit claims to be Assize's and is not signed although a key is published.
    SignatureMissing = "signatures.missing", Signatures, Error;
    /// No commit can be checked, because no key is published.
    SignatureNone = "signatures.none", Signatures, Note;

    /// A result was replaced by a later commit.
    Replaced = "history.replaced", History, Warning;
    /// A published input or winner was changed after it was published.
    Rewritten = "history.rewritten", History, Warning;
    /// Files were taken out of the repository.
    Deleted = "history.deleted", History, Warning;
    /// The stage went backwards.
    StageRewound = "history.stage_rewound", History, Warning;
    /// A person changed files that services write.
    HandEdit = "history.hand_edit", History, Warning;
    /// People changed files that are theirs.
    PeopleEdit = "history.people_edit", History, Note;
    /// Commits with a service's wording have another author than the rest.
    OtherAuthor = "history.other_author", History, Note;
    /// There is no history to walk.
    HistoryAbsent = "history.absent", History, Note;
    /// Part of the history is not in this clone.
    HistoryIncomplete = "history.incomplete", History, Note;
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_has_a_name_of_its_own_that_begins_with_its_area() {
        let names: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(
                code.as_str()
                    .starts_with(&format!("{}.", code.area().as_str())),
                "{code}"
            );
            assert!(code.meaning().ends_with('.'), "{code}");
        }
    }
}
