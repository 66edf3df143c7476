//! Results that later commits replaced, and what that changed.

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use git2::Repository;
use schema::files::{AnyReport, Config, Matrix, State, Winner};
use schema::paths::{StatePath, classify};
use schema::{RoundNumber, Side, Stage, StateFile, TolerantFile, paths};
use workflow::rules::tournament::derive;

use super::checks::tournament::observe;
use super::code::{Area, Code, Severity};
use super::documents::read_all;
use super::history::{CommitRecord, History, Version};
use super::model::Competition;
use super::report::Record;
use super::source::{Listing, Place, Source, read_blob};

/// Margins named in one message at most.
const NAMED: usize = 5;

/// Walks every file with more than one version.
pub(super) fn check(
    source: &Source,
    history: &History,
    competition: &Competition,
    record: &mut Record,
) {
    let Source::Git { repository, .. } = source else {
        return;
    };
    let mut walk = Walk {
        source,
        repository,
        history,
        competition,
        replaced: HashSet::new(),
        unreadable: Cell::new(0),
    };
    let mut paths: Vec<&String> = history.versions.keys().collect();
    // Matrices first: a report that was replaced together with its row says nothing new.
    paths.sort_by_key(|path| (!path.ends_with("_matrix.csv"), path.as_str()));
    let mut deleted: BTreeMap<(usize, Option<RoundNumber>), Vec<&str>> = BTreeMap::new();
    for path in paths {
        let Some(kind) = classify(path) else { continue };
        let versions = &history.versions[path];
        for (index, version) in versions.iter().enumerate() {
            if version.blob.is_none() && index > 0 {
                deleted
                    .entry((version.commit, super::checks::files::round_of(&kind)))
                    .or_default()
                    .push(path);
            }
        }
        match kind {
            StatePath::MatchesMatrix(round) => walk.matrix(path, round, versions, true, record),
            StatePath::AuditMatrix(round) => walk.matrix(path, round, versions, false, record),
            StatePath::DuelsReport { round, .. } | StatePath::AuditReport { round, .. } => {
                walk.report(path, round, versions, record);
            }
            StatePath::Winner(round) => walk.winner(path, round, versions, record),
            StatePath::State => walk.stages(versions, record),
            StatePath::Seed(round)
            | StatePath::RoundPrompts(round)
            | StatePath::Submissions(round)
            | StatePath::Schedule(round) => walk.input(path, round, versions, record),
            _ => {}
        }
    }
    if walk.unreadable.get() > 0 {
        record.find(
            Code::HistoryIncomplete,
            None,
            None,
            format!("{} older versions of files are not in this clone, so what they held is not compared", walk.unreadable.get()),
        );
    }
    for ((commit, round), paths) in deleted {
        let Some(commit) = history.commits.get(commit) else {
            continue;
        };
        let mut named: Vec<String> = paths
            .iter()
            .take(NAMED)
            .map(|path| (*path).to_owned())
            .collect();
        if paths.len() > NAMED {
            named.push(format!("and {} more", paths.len() - NAMED));
        }
        let message = format!("`{}` took out {}", commit.subject(), named.join(", "));
        let path = (paths.len() == 1).then(|| paths[0].to_owned());
        record.find_as(
            Code::Deleted,
            Severity::Warning,
            round,
            path,
            Some(commit.oid.to_string()),
            message,
        );
    }
}

struct Walk<'a> {
    source: &'a Source,
    repository: &'a Repository,
    history: &'a History,
    competition: &'a Competition,
    /// Pairs whose row was replaced: round, left side as in the report's name, right side.
    replaced: HashSet<(RoundNumber, String, String)>,
    /// Old versions that this clone lacks.
    unreadable: Cell<usize>,
}

impl Walk<'_> {
    fn commit(&self, version: &Version) -> Option<&CommitRecord> {
        self.history.commits.get(version.commit)
    }

    /// Rows that changed or came back with another margin.
    fn matrix(
        &mut self,
        path: &str,
        round: RoundNumber,
        versions: &[Version],
        is_matches: bool,
        record: &mut Record,
    ) {
        // The last margin of each pair, also of pairs that were taken out meanwhile.
        let mut known: BTreeMap<(String, String), f64> = BTreeMap::new();
        for version in versions {
            let Some(matrix) = version.blob.and_then(|blob| self.read_matrix(path, blob)) else {
                continue;
            };
            let mut replaced = Vec::new();
            for (left, right, margin) in matrix.rows() {
                let pair = (left.to_owned(), right.to_string());
                match known.insert(pair.clone(), margin) {
                    Some(before) if before.to_bits() != margin.to_bits() => {
                        replaced.push((pair, before, margin));
                    }
                    _ => record.count(Area::History, Some(round), true),
                }
            }
            if !replaced.is_empty() {
                // The report's name has the left side short, or whole where hotkeys begin alike.
                let pairs = replaced.iter().flat_map(|((left, right), _, _)| {
                    [short_left(left), left.clone()].map(|left| (round, left, right.clone()))
                });
                self.replaced.extend(pairs);
                self.replaced_rows(path, round, version, &replaced, is_matches, record);
            }
        }
    }

    fn replaced_rows(
        &self,
        path: &str,
        round: RoundNumber,
        version: &Version,
        replaced: &[((String, String), f64, f64)],
        is_matches: bool,
        record: &mut Record,
    ) {
        let Some(commit) = self.commit(version) else {
            return;
        };
        let config = self.config_of(round);
        let mut parts: Vec<String> = replaced
            .iter()
            .take(NAMED)
            .map(|((left, right), before, after)| {
                format!(
                    "{} against {} from {before} to {after}",
                    short(right),
                    short(left)
                )
            })
            .collect();
        if replaced.len() > NAMED {
            parts.push(format!("and {} more", replaced.len() - NAMED));
        }
        let mut message = format!("results were replaced: {}", parts.join(", "));
        if let (true, Some(config)) = (is_matches, config) {
            let wins = |margin: f64| margin >= config.win_margin;
            let crossed: Vec<String> = replaced
                .iter()
                .filter(|((left, _), before, after)| {
                    left == schema::LEADER && wins(*before) != wins(*after)
                })
                .map(|((_, right), _, after)| {
                    format!(
                        "{} {}",
                        short(right),
                        if wins(*after) {
                            "now qualifies"
                        } else {
                            "no longer qualifies"
                        }
                    )
                })
                .collect();
            if !crossed.is_empty() {
                let _ = write!(message, "; {}", crossed.join(", "));
            }
        }
        if let Some(change) = self.champion_change(round, commit) {
            let _ = write!(message, "; {change}");
        }
        // A result that is kept beside the new one was replaced in the open.
        let kept = commit
            .changes
            .iter()
            .any(|change| change.path.contains("/ledger/superseded/"));
        let severity = if kept {
            Severity::Note
        } else {
            Severity::Warning
        };
        record.count(Area::History, Some(round), kept);
        record.find_as(
            Code::Replaced,
            severity,
            Some(round),
            path.to_owned(),
            Some(commit.oid.to_string()),
            message,
        );
    }

    /// A report that was written again with another result. Those that only repeat a replaced row say nothing new.
    fn report(&self, path: &str, round: RoundNumber, versions: &[Version], record: &mut Record) {
        let folder = path.split('/').nth(2).unwrap_or_default();
        let name = path
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .trim_end_matches(".json");
        let left = name
            .strip_prefix("duels_")
            .or_else(|| name.strip_prefix("audit_"))
            .unwrap_or(name);
        let is_replaced = versions
            .iter()
            .filter(|version| version.blob.is_some())
            .count()
            > 1;
        if !is_replaced
            || self
                .replaced
                .contains(&(round, left.to_owned(), folder.to_owned()))
        {
            return;
        }
        let mut before: Option<f64> = None;
        for version in versions {
            let Some(margin) = version.blob.and_then(|blob| self.read_margin(path, blob)) else {
                continue;
            };
            if let (Some(before), Some(commit)) = (before, self.commit(version))
                && before.to_bits() != margin.to_bits()
            {
                record.find_as(
                    Code::Replaced,
                    Severity::Warning,
                    Some(round),
                    path.to_owned(),
                    Some(commit.oid.to_string()),
                    format!(
                        "the match was judged again: its margin went from {before} to {margin}"
                    ),
                );
            }
            before = Some(margin);
        }
    }

    fn winner(&self, path: &str, round: RoundNumber, versions: &[Version], record: &mut Record) {
        let mut before: Option<Winner> = None;
        for version in versions {
            let winner = version
                .blob
                .and_then(|blob| self.read(blob))
                .and_then(|bytes| Winner::parse(path, &bytes).ok());
            let Some(winner) = winner else { continue };
            if let (Some(before), Some(commit)) = (&before, self.commit(version))
                && *before != winner
            {
                record.find_as(
                    Code::Rewritten,
                    Severity::Warning,
                    Some(round),
                    path.to_owned(),
                    Some(commit.oid.to_string()),
                    format!(
                        "the winner was replaced: {} became {}",
                        before.winner_hotkey, winner.winner_hotkey
                    ),
                );
            }
            before = Some(winner);
        }
    }

    /// An input of a round is final once it is published.
    fn input(&self, path: &str, round: RoundNumber, versions: &[Version], record: &mut Record) {
        let mut present = versions.iter().filter(|version| version.blob.is_some());
        let mut last = present.next().and_then(|version| version.blob);
        for version in present {
            if version.blob == last {
                continue;
            }
            last = version.blob;
            let Some(commit) = self.commit(version) else {
                continue;
            };
            record.find_as(
                Code::Rewritten,
                Severity::Warning,
                Some(round),
                path.to_owned(),
                Some(commit.oid.to_string()),
                format!(
                    "`{}` changed the file after it was published",
                    commit.subject()
                ),
            );
        }
    }

    fn stages(&self, versions: &[Version], record: &mut Record) {
        let mut before: Option<State> = None;
        for version in versions {
            let state = version
                .blob
                .and_then(|blob| self.read(blob))
                .and_then(|bytes| State::parse(&paths::state(), &bytes).ok());
            let Some(state) = state else { continue };
            if state.stage == Stage::Paused {
                continue;
            }
            if let (Some(before), Some(commit)) = (&before, self.commit(version)) {
                let forward =
                    (before.current_round, before.stage) <= (state.current_round, state.stage);
                record.count(Area::History, Some(state.current_round), forward);
                if !forward {
                    record.find_as(
                        Code::StageRewound,
                        Severity::Warning,
                        Some(state.current_round),
                        paths::state(),
                        Some(commit.oid.to_string()),
                        format!(
                            "the competition went back from round {} {} to round {} {}",
                            before.current_round, before.stage, state.current_round, state.stage
                        ),
                    );
                }
            }
            before = Some(state);
        }
    }

    /// How the commit changed who leads the round by its files.
    fn champion_change(&self, round: RoundNumber, commit: &CommitRecord) -> Option<String> {
        let before = self.champion(round, commit.parent_tree?)?;
        let after = self.champion(round, commit.tree)?;
        (before != after)
            .then(|| format!("the round's winner by its files went from {before} to {after}"))
    }

    fn champion(&self, round: RoundNumber, tree: git2::Oid) -> Option<Side> {
        let config = self.config_of(round)?;
        let tree = self.repository.find_tree(tree).ok()?;
        let mut listing = Listing::default();
        let wanted = [
            paths::submissions(round),
            paths::matches_matrix(round),
            paths::audit_matrix(round),
            paths::require_audit(round),
            paths::generation_reports(round),
            paths::generation_audits(round),
            paths::source_audit(round),
        ];
        for path in wanted {
            if let Ok(entry) = tree.get_path(path.as_ref()) {
                listing.files.insert(path, Place::Blob(entry.id()));
            }
        }
        let files = read_all(self.source, &listing).ok()?;
        let mut then = Competition::of(files);
        let files = std::mem::take(then.round(round));
        Some(derive(&observe(&files, config)).champion())
    }

    fn config_of(&self, round: RoundNumber) -> Option<&Config> {
        let files = self.competition.rounds.get(&round);
        files
            .and_then(|files| self.competition.config_at_end(files))
            .or(self.competition.config.as_ref())
    }

    fn read(&self, blob: git2::Oid) -> Option<Vec<u8>> {
        let bytes = read_blob(self.repository, blob);
        if bytes.is_none() {
            self.unreadable.set(self.unreadable.get() + 1);
        }
        bytes
    }

    fn read_matrix(&self, path: &str, blob: git2::Oid) -> Option<Matrix> {
        let bytes = self.read(blob)?;
        Matrix::parse_tolerant(path, &bytes)
            .ok()
            .map(|read| read.file)
    }

    fn read_margin(&self, path: &str, blob: git2::Oid) -> Option<f64> {
        let bytes = self.read(blob)?;
        match AnyReport::parse(path, &bytes).ok()? {
            AnyReport::Current(report) => Some(report.margin),
            AnyReport::Mesh(report) => Some(report.margin),
        }
    }
}

/// The left side as report names have it: `leader`, ten characters of a hotkey, in the audit matrix with the repeat.
pub(super) fn short_left(left: &str) -> String {
    match left.rsplit_once('_') {
        Some((side, repeat)) => format!("{}_{repeat}", short(side)),
        None => short(left).to_owned(),
    }
}

fn short(hotkey: &str) -> &str {
    hotkey.get(..10).unwrap_or(hotkey)
}
