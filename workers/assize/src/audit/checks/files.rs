//! Every file is what its path says, and what must be there is there.

use schema::paths::StatePath;
use schema::{RoundNumber, paths};

use super::super::code::{Area, Code};
use super::super::documents::{Content, ReadFile};
use super::super::model::{Competition, RoundFiles};
use super::super::report::Record;
use crate::repository::SIGNERS_PATH;

/// Checks each file by itself.
pub(in super::super) fn check(files: &[ReadFile], record: &mut Record) {
    for file in files {
        let path = file.path.clone();
        let round = file.kind.as_ref().and_then(round_of);
        let Some(kind) = &file.kind else {
            if path != SIGNERS_PATH {
                record.find(
                    Code::FileUnknown,
                    None,
                    path,
                    "this path is no file of a state repository",
                );
            }
            continue;
        };
        if let StatePath::Ledger { .. } | StatePath::HandMade(_) = kind {
            continue;
        }
        match &file.content {
            Content::Missing => {
                record.find(
                    Code::ObjectMissing,
                    round,
                    path,
                    "this clone lacks the file, so nothing that needs it was checked",
                );
                continue;
            }
            Content::Unreadable(error) => {
                record.count(Area::Files, round, false);
                record.find(Code::FileUnreadable, round, path, error.to_string());
                continue;
            }
            Content::Document(_) | Content::Report(_) | Content::Outputs(_) => {
                record.count(Area::Files, round, file.row_problems.is_empty());
            }
        }
        for problem in &file.row_problems {
            record.find(
                Code::RowUnreadable,
                round,
                path.clone(),
                format!("{problem}; the row was left out"),
            );
        }
        if !file.is_canonical && file.row_problems.is_empty() {
            let message = match kind {
                StatePath::Config | StatePath::PromptPool => {
                    "the file is formatted by hand, as it may be"
                }
                _ => {
                    "the bytes are not those a service writes: the file was made or edited by hand"
                }
            };
            record.find(Code::FileForm, round, path, message);
        }
    }
}

/// Checks that what a competition and each round need is there, and that rows carry the hotkey of their key.
pub(in super::super) fn check_presence(competition: &Competition, record: &mut Record) {
    let required = [
        (competition.config.is_some(), paths::config()),
        (competition.state.is_some(), paths::state()),
        (competition.leaders.is_some(), paths::leader()),
    ];
    for (present, path) in required {
        record.expect(present, Code::FileMissing, None, &path, || {
            "a state repository needs this file".to_owned()
        });
    }
    if let Some(config) = &competition.config {
        for problem in config.problems() {
            record.find(Code::Config, None, paths::config(), problem);
        }
    }
    for (round, files) in &competition.rounds {
        check_round(*round, files, record);
        inner_hotkeys(*round, files, record);
    }
}

fn check_round(round: RoundNumber, files: &RoundFiles, record: &mut Record) {
    let collected = files.submissions.is_some();
    let decided = files.winner.is_some();
    let has_miners = files
        .submissions
        .as_ref()
        .is_some_and(|submissions| !submissions.is_empty());
    let mut needed = vec![(
        files.schedule.is_some(),
        paths::schedule(round),
        "every round has a reveal window",
    )];
    if collected {
        let why = "it is published together with the submissions";
        needed.push((files.seed.is_some(), paths::seed(round), why));
        needed.push((files.prompts.is_some(), paths::prompts(round), why));
    }
    if decided && has_miners {
        needed.push((
            files.matches.is_some(),
            paths::matches_matrix(round),
            "the winner follows from it",
        ));
        needed.push((
            files.builds.is_some(),
            paths::builds(round),
            "the winner's image comes from it",
        ));
    }
    for (present, path, why) in needed {
        record.expect(present, Code::FileMissing, Some(round), &path, || {
            format!("the file is missing: {why}")
        });
    }
}

fn inner_hotkeys(round: RoundNumber, files: &RoundFiles, record: &mut Record) {
    use schema::files::{AnyGenerationAudits, AnyGenerationReports};
    let mut found: Vec<(String, String, String)> = Vec::new();
    match &files.generation_audits {
        Some(AnyGenerationAudits::Current(audits)) => {
            let path = paths::generation_audits(round);
            found.extend(
                audits
                    .mismatched_hotkeys()
                    .map(|(key, inner)| (path.clone(), key.to_string(), inner.to_string())),
            );
        }
        Some(AnyGenerationAudits::Mesh(audits)) => {
            let path = paths::generation_audits(round);
            found.extend(
                audits
                    .mismatched_hotkeys()
                    .map(|(key, inner)| (path.clone(), key.to_string(), inner.to_string())),
            );
        }
        None => {}
    }
    if let Some(AnyGenerationReports::Current(reports)) = &files.generation_reports {
        let path = paths::generation_reports(round);
        found.extend(
            reports
                .mismatched_hotkeys()
                .map(|(key, inner)| (path.clone(), key.to_string(), inner.to_string())),
        );
    }
    for (path, key, inner) in found {
        record.find(
            Code::InnerHotkey,
            Some(round),
            path,
            format!("the entry of {key} names {inner} inside; the key counts, the entry was made by hand"),
        );
    }
}

/// The round a path belongs to.
pub(in super::super) fn round_of(kind: &StatePath) -> Option<RoundNumber> {
    match kind {
        StatePath::Schedule(round)
        | StatePath::Seed(round)
        | StatePath::RoundPrompts(round)
        | StatePath::Submissions(round)
        | StatePath::Builds(round)
        | StatePath::RequireAudit(round)
        | StatePath::GenerationReports(round)
        | StatePath::GenerationAudits(round)
        | StatePath::VerificationAudits(round)
        | StatePath::SourceAudit(round)
        | StatePath::MatchesMatrix(round)
        | StatePath::AuditMatrix(round)
        | StatePath::Winner(round)
        | StatePath::Submitted { round, .. }
        | StatePath::Generated { round, .. }
        | StatePath::GeneratedOnce { round, .. }
        | StatePath::PodStats { round, .. }
        | StatePath::DuelsReport { round, .. }
        | StatePath::AuditReport { round, .. }
        | StatePath::Ledger { round, .. } => Some(*round),
        _ => None,
    }
}
