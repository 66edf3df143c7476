//! `assize audit`: every decision of a competition, derived again from what is published.
//!
//! Works offline on any clone of a state repository (bare, shallow, or with objects missing) or on a plain folder with its
//! files, also on repositories that Assize never wrote. What the files say is compared with what follows from them; the
//! history is walked too, because a result can be replaced. See [`Code`] for everything that is looked for.
//!
//! Three kinds of outcome: a check holds (it is counted), it does not (an error), or there is something a reader should
//! know (a warning when a person's hand or a gap is behind it, a note when nothing is wrong).

mod args;
mod checks;
mod code;
mod commits;
mod documents;
mod history;
mod html;
mod model;
mod outputs;
mod replaced;
mod report;
mod shape;
mod source;
mod text;

#[cfg(test)]
pub(crate) mod tests;

use std::path::PathBuf;

use git2::Oid;
use schema::files::{Config, Prompts};
use schema::{RoundNumber, StateFile, paths};

pub use args::{AuditArgs, run};
pub use code::{Area, Code, Severity};
pub use html::to_html;
pub use report::{
    AuditReport, Confirmation, Finding, LaterRun, NearMargin, RoundReport, Rules, SetAside,
    SourceFacts, TimelineRow,
};
pub use text::to_text;

use crate::repository::SIGNERS_PATH;
use documents::Content;
pub(crate) use history::History;
pub(crate) use source::{Place, Source, read_blob};

use history::CommitRecord;
use model::Competition;
use report::Record;

/// Reads a file as the audit does, strictly or row by row, for whoever only wants to know that it can be read.
pub(crate) fn read_any(path: &str, bytes: &[u8]) {
    drop(documents::read_file(path, Some(bytes.to_vec())));
}

/// What to audit.
#[derive(Debug, Clone, Default)]
pub struct AuditOptions {
    /// A clone, bare or not, or a folder with the files of one.
    pub repository: PathBuf,
    /// Only what belongs to this round, and to the whole repository.
    pub round: Option<RoundNumber>,
    /// The commit to check; `HEAD` by default.
    pub revision: Option<String>,
    /// An `allowed_signers` file with the keys that may sign, instead of the one in the repository.
    pub signers: Option<PathBuf>,
}

/// Why nothing can be audited.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The source cannot be read at all.
    #[error("cannot audit {path}: {what}")]
    CannotRead {
        /// The path that was given.
        path: String,
        /// What is wrong with it.
        what: String,
    },
}

/// Audits a repository. Blocks; reads with as many threads as there are processors.
///
/// # Errors
///
/// [`AuditError`] when there is nothing that can be read. Single files and objects that cannot be read are findings.
pub fn audit(options: &AuditOptions) -> Result<AuditReport, AuditError> {
    let source = Source::open(&options.repository, options.revision.as_deref())?;
    let listing = source.files()?;
    let files = documents::read_all(&source, &listing)?;
    let history = match &source {
        Source::Git { repository, tip } => History::walk(repository, *tip)?,
        Source::Folder(_) => History::default(),
    };
    let mut record = Record::default();
    let missing = files
        .iter()
        .filter(|file| file.kind.is_some() && matches!(file.content, Content::Missing))
        .count();
    let missing_objects = missing + listing.missing_folders.len() + history.missing_trees;
    for folder in &listing.missing_folders {
        record.find(
            Code::ObjectMissing,
            None,
            folder.clone(),
            "this clone lacks the folder",
        );
    }
    let keys = published_keys(options, &source, &listing)?;

    checks::files::check(&files, &mut record);
    let count = files.len();
    let mut competition = Competition::of(files);
    if let Source::Git { repository, .. } = &source {
        recall_inputs(repository, &history, &mut competition);
    }
    let rounds = check_rounds(&competition, &keys, &mut record);
    checks::files::check_presence(&competition, &mut record);
    checks::leader::check(&competition, &mut record);
    check_history(&source, &history, &competition, &keys, &mut record);

    let commit_of = |path: &str| {
        history
            .last_commit_of(path)
            .map(|commit| commit.oid.to_string())
    };
    let (findings, confirmations) = record.into_parts(commit_of, options.round);
    let wanted = |report: &RoundReport| options.round.is_none_or(|round| report.round == round);
    Ok(AuditReport {
        source: SourceFacts {
            path: options.repository.display().to_string(),
            commit: match &source {
                Source::Git { tip, .. } => Some(tip.to_string()),
                Source::Folder(_) => None,
            },
            commits: history.commits.len(),
            files: count,
            missing_objects,
        },
        rounds: rounds.into_iter().filter(wanted).collect(),
        confirmations,
        findings,
    })
}

fn check_rounds(
    competition: &Competition,
    keys: &[String],
    record: &mut Record,
) -> Vec<RoundReport> {
    let mut reports = Vec::new();
    for (round, files) in &competition.rounds {
        let round = *round;
        checks::schedule::check(competition, round, files, record);
        checks::seed::check(competition, round, files, record);
        checks::prompts::check(competition, round, files, record);
        checks::submissions::check(competition, round, files, record);
        checks::builds::check(round, files, record);
        checks::outputs::check(round, files, record);
        checks::reports::check(round, files, record);
        checks::skipped::check(competition, round, files, record);
        checks::matrices::check(round, files, record);
        let mut report = checks::tournament::check(competition, round, files, record);
        checks::audits::check(competition, round, files, record);
        report.requests_made_with = checks::older_audits::check(competition, round, files, record);
        checks::ledger::check(competition, round, files, keys, record);
        checks::decisions::check(round, files, record);
        checks::duel_verdicts::check(round, files, record);
        checks::later::add(round, files, &mut report);
        reports.push(report);
    }
    reports
}

fn check_history(
    source: &Source,
    history: &History,
    competition: &Competition,
    keys: &[String],
    record: &mut Record,
) {
    let Source::Git { repository, .. } = source else {
        record.find(
            Code::HistoryAbsent,
            None,
            None,
            "a plain folder has no history: hand edits, replaced results and signatures cannot be seen",
        );
        return;
    };
    if history.truncated || history.missing_trees > 0 {
        record.find(
            Code::HistoryIncomplete,
            None,
            None,
            format!(
                "this clone does not hold the whole history: {} commits were walked, {} folders of them are missing",
                history.commits.len(),
                history.missing_trees
            ),
        );
    }
    commits::check(repository, history, keys, record);
    replaced::check(source, history, competition, record);
}

/// Finds the configuration and the pool that were in force when each round was collected and decided.
fn recall_inputs(repository: &git2::Repository, history: &History, competition: &mut Competition) {
    let (config, pool) = (competition.config.clone(), competition.pool.clone());
    for (round, files) in &mut competition.rounds {
        let started = [
            paths::submissions(*round),
            paths::prompts(*round),
            paths::seed(*round),
        ]
        .iter()
        .find_map(|path| history.first_commit_of(path));
        if let Some(commit) = started {
            files.config_at_start =
                config_in(repository, commit).filter(|then| Some(then) != config.as_ref());
            files.pool_at_start =
                pool_in(repository, commit).filter(|then| Some(then) != pool.as_ref());
        }
        if let Some(commit) = history.last_commit_of(&paths::schedule(*round)) {
            files.config_at_schedule =
                config_in(repository, commit).filter(|then| Some(then) != config.as_ref());
        }
        if let Some(commit) = history.last_commit_of(&paths::winner(*round)) {
            files.config_at_end =
                config_in(repository, commit).filter(|then| Some(then) != config.as_ref());
        }
    }
}

fn config_in(repository: &git2::Repository, commit: &CommitRecord) -> Option<Config> {
    let path = paths::config();
    Config::parse(&path, &file_in(repository, commit.tree, &path)?).ok()
}

fn pool_in(repository: &git2::Repository, commit: &CommitRecord) -> Option<Vec<String>> {
    let path = paths::prompt_pool();
    Prompts::parse(&path, &file_in(repository, commit.tree, &path)?)
        .ok()
        .map(|prompts| prompts.0)
}

fn file_in(repository: &git2::Repository, tree: Oid, path: &str) -> Option<Vec<u8>> {
    let tree = repository.find_tree(tree).ok()?;
    let entry = tree.get_path(path.as_ref()).ok()?;
    read_blob(repository, entry.id())
}

/// The keys that may sign: those of the given file, else those the repository publishes.
fn published_keys(
    options: &AuditOptions,
    source: &Source,
    listing: &source::Listing,
) -> Result<Vec<String>, AuditError> {
    if let Some(path) = &options.signers {
        let bytes = std::fs::read(path).map_err(|error| AuditError::CannotRead {
            path: path.display().to_string(),
            what: error.to_string(),
        })?;
        return Ok(commits::published_keys(&bytes));
    }
    let Some(place) = listing.files.get(SIGNERS_PATH) else {
        return Ok(Vec::new());
    };
    Ok(source
        .reader()?
        .read(place)
        .map(|bytes| commits::published_keys(&bytes))
        .unwrap_or_default())
}
