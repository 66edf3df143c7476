//! The files of the repository, sorted by round and meaning.

use std::collections::BTreeMap;

use schema::files::{
    AnyAuditRequests, AnyGenerationAudits, AnyGenerationReports, Builds, Config, Leaders, Matrix,
    Prompts, Schedule, Seed, SourceAudits, State, Submissions, Winner,
};
use schema::paths::StatePath;
use schema::{Document, Hotkey, RoundNumber, Side};

use super::documents::{Content, ReadFile, ReportSummary};
use super::outputs::Outputs;
use super::report::Rules;

/// All that could be read.
#[derive(Default)]
pub(super) struct Competition {
    pub(super) config: Option<Config>,
    pub(super) state: Option<State>,
    pub(super) leaders: Option<Leaders>,
    pub(super) pool: Option<Vec<String>>,
    pub(super) rounds: BTreeMap<RoundNumber, RoundFiles>,
}

/// The files of one round.
#[derive(Default)]
pub(super) struct RoundFiles {
    pub(super) schedule: Option<Schedule>,
    pub(super) seed: Option<Seed>,
    pub(super) prompts: Option<Prompts>,
    pub(super) submissions: Option<Submissions>,
    pub(super) builds: Option<Builds>,
    pub(super) requests: Option<AnyAuditRequests>,
    pub(super) generation_reports: Option<AnyGenerationReports>,
    pub(super) generation_audits: Option<AnyGenerationAudits>,
    pub(super) has_verification_audits: bool,
    pub(super) source_audits: SourceAudits,
    pub(super) matches: Option<Matrix>,
    pub(super) audits: Option<Matrix>,
    pub(super) winner: Option<Winner>,
    pub(super) submitted: BTreeMap<Hotkey, Outputs>,
    /// By side and repeat; the form before repeats counts as repeat 1.
    pub(super) generated: BTreeMap<(Side, u32), Outputs>,
    /// Matches and audit duels with their paths.
    pub(super) reports: Vec<ReportFile>,
    pub(super) ledger: BTreeMap<String, Vec<u8>>,
    /// The configuration when the round was collected, where it differs from today's.
    pub(super) config_at_start: Option<Config>,
    /// The configuration when the schedule was written, where it differs from today's.
    pub(super) config_at_schedule: Option<Config>,
    /// The configuration when the winner was written, where it differs from today's.
    pub(super) config_at_end: Option<Config>,
    /// The pool when the round was collected, where it differs from today's.
    pub(super) pool_at_start: Option<Vec<String>>,
    /// Whether outputs are meshes, as in the first competition.
    has_meshes: bool,
}

/// A report and where it lies.
pub(super) struct ReportFile {
    pub(super) path: String,
    /// None for a match, the repeat for an audit duel.
    pub(super) repeat: Option<u32>,
    /// The left side's short name in the path.
    pub(super) left_in_path: String,
    /// The folder.
    pub(super) right_in_path: Hotkey,
    pub(super) report: ReportSummary,
}

impl Competition {
    /// Sorts files that were read.
    pub(super) fn of(files: Vec<ReadFile>) -> Self {
        let mut competition = Self::default();
        for file in files {
            let Some(kind) = file.kind else { continue };
            competition.place(file.path, kind, file.content);
        }
        competition
    }

    fn place(&mut self, path: String, kind: StatePath, content: Content) {
        let document = match content {
            Content::Document(document) => document,
            Content::Report(report) => return self.place_report(path, kind, report),
            Content::Outputs(outputs) => return self.place_outputs(kind, outputs),
            Content::Unreadable(_) | Content::Missing => return,
        };
        match (kind, document) {
            (_, Document::Config(file)) => self.config = Some(file),
            (_, Document::State(file)) => self.state = Some(file),
            (_, Document::Leaders(file)) => self.leaders = Some(file),
            (StatePath::PromptPool, Document::Prompts(file)) => self.pool = Some(file.0),
            (StatePath::RoundPrompts(round), Document::Prompts(file)) => {
                self.round(round).prompts = Some(file);
            }
            (StatePath::Schedule(round), Document::Schedule(file)) => {
                self.round(round).schedule = Some(file);
            }
            (StatePath::Seed(round), Document::Seed(file)) => self.round(round).seed = Some(file),
            (StatePath::Submissions(round), Document::Submissions(file)) => {
                self.round(round).submissions = Some(file);
            }
            (StatePath::Builds(round), Document::Builds(file)) => {
                self.round(round).builds = Some(file);
            }
            (StatePath::RequireAudit(round), Document::AuditRequests(file)) => {
                self.round(round).requests = Some(file);
            }
            (StatePath::GenerationReports(round), Document::GenerationReports(file)) => {
                self.round(round).generation_reports = Some(file);
            }
            (StatePath::GenerationAudits(round), Document::GenerationAudits(file)) => {
                self.round(round).generation_audits = Some(file);
            }
            (StatePath::VerificationAudits(round), _) => {
                self.round(round).has_verification_audits = true;
            }
            (StatePath::SourceAudit(round), Document::SourceAudits(file)) => {
                self.round(round).source_audits = file;
            }
            (StatePath::MatchesMatrix(round), Document::Matrix(file)) => {
                self.round(round).matches = Some(file);
            }
            (StatePath::AuditMatrix(round), Document::Matrix(file)) => {
                self.round(round).audits = Some(file);
            }
            (StatePath::Winner(round), Document::Winner(file)) => {
                self.round(round).winner = Some(file);
            }
            (StatePath::Ledger { round, file }, Document::Opaque(bytes)) => {
                self.round(round).ledger.insert(file.to_string(), bytes);
            }
            _ => {}
        }
    }

    fn place_outputs(&mut self, kind: StatePath, outputs: Outputs) {
        match kind {
            StatePath::Submitted { round, hotkey } => {
                let files = self.round(round);
                files.has_meshes |= outputs.are_meshes;
                files.submitted.insert(hotkey, outputs);
            }
            StatePath::Generated {
                round,
                side,
                repeat,
            } => {
                self.round(round).generated.insert((side, repeat), outputs);
            }
            StatePath::GeneratedOnce { round, side } => {
                let files = self.round(round);
                files.has_meshes |= outputs.are_meshes;
                // A file with a repeat in its name is newer.
                files.generated.entry((side, 1)).or_insert(outputs);
            }
            _ => {}
        }
    }

    fn place_report(&mut self, path: String, kind: StatePath, report: ReportSummary) {
        let (round, left, right, repeat) = match kind {
            StatePath::DuelsReport { round, left, right } => (round, left, right, None),
            StatePath::AuditReport {
                round,
                left,
                right,
                repeat,
            } => (round, left, right, Some(repeat)),
            _ => return,
        };
        let file = ReportFile {
            path,
            repeat,
            left_in_path: left,
            right_in_path: right,
            report,
        };
        self.round(round).reports.push(file);
    }

    pub(super) fn round(&mut self, round: RoundNumber) -> &mut RoundFiles {
        self.rounds.entry(round).or_default()
    }

    /// The configuration when the round was collected.
    pub(super) fn config_at_start<'a>(&'a self, files: &'a RoundFiles) -> Option<&'a Config> {
        files.config_at_start.as_ref().or(self.config.as_ref())
    }

    /// The configurations a schedule may be by: that of the commit that wrote it, at the end of the round before, and that
    /// of the round's start, since a competition may be set up in several commits.
    pub(super) fn configs_of_schedule<'a>(
        &'a self,
        files: &'a RoundFiles,
    ) -> impl Iterator<Item = &'a Config> {
        let then = files.config_at_schedule.as_ref().or(self.config.as_ref());
        then.into_iter().chain(self.config_at_start(files))
    }

    /// The configuration when the round was decided.
    pub(super) fn config_at_end<'a>(&'a self, files: &'a RoundFiles) -> Option<&'a Config> {
        files.config_at_end.as_ref().or(self.config.as_ref())
    }
}

impl RoundFiles {
    /// By which rules the round was made, told by the forms of its files.
    pub(super) fn rules(&self) -> Rules {
        let older_requests = match &self.requests {
            Some(AnyAuditRequests::Older(requests)) => Some(
                requests
                    .0
                    .iter()
                    .any(|request| request.critical_prompts.is_some()),
            ),
            _ => None,
        };
        if self.has_meshes
            || older_requests == Some(true)
            || matches!(self.generation_audits, Some(AnyGenerationAudits::Mesh(_)))
        {
            Rules::Older
        } else if self.has_verification_audits
            || older_requests == Some(false)
            || matches!(
                self.generation_reports,
                Some(AnyGenerationReports::SingleRepeat(_))
            )
        {
            Rules::Between
        } else {
            Rules::Newest
        }
    }

    /// The report of a match, or of an audit duel of a repeat.
    pub(super) fn report(
        &self,
        left: &str,
        right: &Hotkey,
        repeat: Option<u32>,
    ) -> Option<&ReportFile> {
        self.reports.iter().find(|file| {
            file.repeat == repeat
                && file.report.left.as_str() == left
                && file.report.right == *right
        })
    }

    /// What a side of a tournament match shows.
    pub(super) fn outputs_of(&self, side: &Side) -> Option<&Outputs> {
        match side {
            Side::Leader => self.generated.get(&(Side::Leader, 1)),
            Side::Miner(hotkey) => self.submitted.get(hotkey),
        }
    }
}
