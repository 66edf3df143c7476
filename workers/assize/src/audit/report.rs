//! What an audit says.

use std::collections::BTreeMap;

use schema::{Hotkey, RoundNumber, Side};
use serde::Serialize;

use super::code::{Area, Code, Severity};

/// The outcome of an audit.
#[derive(Debug, Clone, Serialize)]
pub struct AuditReport {
    /// What was read.
    pub source: SourceFacts,
    /// Every round there is, ascending.
    pub rounds: Vec<RoundReport>,
    /// How many facts held and how many did not, by round and area.
    pub confirmations: Vec<Confirmation>,
    /// What does not hold or should be known, worst first, then by round.
    pub findings: Vec<Finding>,
}

impl AuditReport {
    /// Whether every check holds: there are notes at most.
    pub fn holds(&self) -> bool {
        self.findings
            .iter()
            .all(|finding| finding.severity == Severity::Note)
    }

    /// How many findings there are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    }
}

/// What was read.
#[derive(Debug, Clone, Serialize)]
pub struct SourceFacts {
    /// The path that was given.
    pub path: String,
    /// The commit whose files were checked; none for a plain folder.
    pub commit: Option<String>,
    /// Commits walked.
    pub commits: usize,
    /// Files read.
    pub files: usize,
    /// Objects this clone lacks.
    pub missing_objects: usize,
}

/// One fact that does not hold or should be known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub code: Code,
    /// How much it weighs.
    pub severity: Severity,
    /// The round, when it belongs to one.
    pub round: Option<RoundNumber>,
    /// The file, when it belongs to one.
    pub path: Option<String>,
    /// The commit it comes from: the one that made the change, or the last one that changed the file.
    pub commit: Option<String>,
    /// For people.
    pub message: String,
}

/// How many facts of one area of one round were checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Confirmation {
    /// The round; none for the whole repository.
    pub round: Option<RoundNumber>,
    /// What was checked.
    pub area: Area,
    /// Facts that hold.
    pub held: usize,
    /// Facts that do not.
    pub failed: usize,
}

/// One round, as derived from the files.
#[derive(Debug, Clone, Serialize)]
pub struct RoundReport {
    /// Which.
    pub round: RoundNumber,
    /// By which rules it was derived.
    pub rules: Rules,
    /// Miners that took part.
    pub miners: usize,
    /// Prompts of the round.
    pub prompts: usize,
    /// The threshold in force.
    pub win_margin: Option<f64>,
    /// The win margins with which the audit requests of an older round were made, above the first and up to the second.
    pub requests_made_with: Option<(f64, f64)>,
    /// The winner that follows; none when the round is not decided or cannot be derived.
    pub derived_winner: Option<Side>,
    /// The winner in `winner.json`.
    pub recorded_winner: Option<Side>,
    /// Qualified miners in order of reveal.
    pub timeline: Vec<TimelineRow>,
    /// Margins so near the threshold that judging again might change what follows.
    pub near: Vec<NearMargin>,
    /// Runs beside those that count, in the order of the ledger. They decided nothing.
    pub later_runs: Vec<LaterRun>,
    /// Results that others took the place of, in the order of the ledger.
    pub set_aside: Vec<SetAside>,
}

/// The rules a round was made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rules {
    /// Audits by duels against regenerations.
    Newest,
    /// Audits by distances between pictures, with critical prompts.
    Older,
    /// A revision between the two, of which no rules are published: timeline and winner are not derived.
    Between,
}

impl Rules {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Newest => "the newest rules",
            Self::Older => "the older judge's rules",
            Self::Between => "rules of a revision that cannot be derived",
        }
    }
}

/// One qualified miner.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimelineRow {
    /// Who.
    pub hotkey: Hotkey,
    /// Margin against the leader.
    pub qualification: Option<f64>,
    /// Who held the title at its turn.
    pub defender: Side,
    /// Margin against the defender.
    pub margin: Option<f64>,
    /// `won, verified`, `won, not verified`, `lost`, `pending` or `rejected: …`.
    pub outcome: String,
}

/// A margin with the range in which judging again would find it, 95 times of 100.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NearMargin {
    /// Defender.
    pub left: String,
    /// Challenger.
    pub right: Hotkey,
    /// As published.
    pub margin: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A match that was measured again beside the run that counts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LaterRun {
    /// `matches` or `audits`.
    pub matrix: String,
    /// Left side as in the matrix.
    pub left: String,
    /// Right side.
    pub right: Hotkey,
    /// Which judgement of the match, from 0.
    pub judgement: u32,
    /// Which run of it, from 1.
    pub run: u32,
    /// What it measured.
    pub margin: f64,
    /// The margin that counts; none while it is not published.
    pub counted: Option<f64>,
    /// Whether the match would have been decided otherwise by this run.
    pub decides_otherwise: bool,
}

/// A result that another one took the place of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SetAside {
    /// Match or file.
    pub what: String,
    /// Its margin; none for what is no match, and when the ledger does not hold it.
    pub margin: Option<f64>,
    /// The margin that counts now.
    pub now: Option<f64>,
    /// Why.
    pub because: String,
    /// Where it is kept, in the ledger folder; none when only its margin is.
    pub kept_as: Option<String>,
}

/// Collects findings and confirmations.
#[derive(Debug, Default)]
pub(super) struct Record {
    findings: Vec<Finding>,
    counts: BTreeMap<(Option<RoundNumber>, Area), (usize, usize)>,
}

impl Record {
    /// Adds a finding with its usual severity.
    pub(super) fn find(
        &mut self,
        code: Code,
        round: Option<RoundNumber>,
        path: impl Into<Option<String>>,
        message: impl Into<String>,
    ) {
        self.find_as(code, code.severity(), round, path, None, message);
    }

    /// Adds a finding with another severity or a commit of its own.
    pub(super) fn find_as(
        &mut self,
        code: Code,
        severity: Severity,
        round: Option<RoundNumber>,
        path: impl Into<Option<String>>,
        commit: Option<String>,
        message: impl Into<String>,
    ) {
        let (path, message) = (path.into(), message.into());
        self.findings.push(Finding {
            code,
            severity,
            round,
            path,
            commit,
            message,
        });
    }

    /// Counts a fact; when it does not hold, adds the finding.
    pub(super) fn expect(
        &mut self,
        holds: bool,
        code: Code,
        round: Option<RoundNumber>,
        path: &str,
        message: impl FnOnce() -> String,
    ) {
        self.count(code.area(), round, holds);
        if !holds {
            self.find(code, round, path.to_owned(), message());
        }
    }

    /// Counts a fact without a finding of its own.
    pub(super) fn count(&mut self, area: Area, round: Option<RoundNumber>, holds: bool) {
        let (held, failed) = self.counts.entry((round, area)).or_default();
        if holds {
            *held += 1;
        } else {
            *failed += 1;
        }
    }

    /// The findings so far, worst first, and the counts. `commit_of` names the commit of a path.
    pub(super) fn into_parts(
        self,
        commit_of: impl Fn(&str) -> Option<String>,
        only: Option<RoundNumber>,
    ) -> (Vec<Finding>, Vec<Confirmation>) {
        let wanted =
            |round: Option<RoundNumber>| only.is_none() || round.is_none() || round == only;
        let mut findings: Vec<Finding> = self
            .findings
            .into_iter()
            .filter(|finding| wanted(finding.round))
            .collect();
        for finding in &mut findings {
            if finding.commit.is_none() {
                finding.commit = finding.path.as_deref().and_then(&commit_of);
            }
        }
        findings.sort_by(|one, other| {
            (other.severity, one.round, one.code, &one.path).cmp(&(
                one.severity,
                other.round,
                other.code,
                &other.path,
            ))
        });
        let confirmations = self
            .counts
            .into_iter()
            .filter(|((round, _), _)| wanted(*round))
            .map(|((round, area), (held, failed))| Confirmation {
                round,
                area,
                held,
                failed,
            })
            .collect();
        (findings, confirmations)
    }
}
