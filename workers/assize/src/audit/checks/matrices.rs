//! Matrix rows against reports, participants and order of play.
//!
//! Source: judge, section 3 (walkovers) and 6; "Invariants that hold in the real data" 6 of the state repository's
//! specification.

use schema::files::{
    AnyGenerationAudits, AnyGenerationReports, AuditLeft, Matrix, MeshAuditOutcome, ReportOutcome,
    Verdict,
};
use schema::{Hotkey, RoundNumber, Side, paths};
use workflow::rules::matches::{Outputs as Readiness, Play, play};

use super::super::code::Code;
use super::super::model::RoundFiles;
use super::super::outputs::Outputs;
use super::super::report::{Record, Rules};

/// What the older judge gave for a walkover. It went by empty files; a file without a single model was judged.
const OLDER_WALKOVER: f64 = 100.0;

/// Checks both matrices of a round.
pub(in super::super) fn check(round: RoundNumber, files: &RoundFiles, record: &mut Record) {
    if let Some(matrix) = &files.matches {
        matches(round, files, matrix, record);
        order(round, files, matrix, record);
        completeness(round, files, matrix, record);
    }
    if let Some(matrix) = &files.audits {
        audit_duels(round, files, matrix, record);
    }
    reports_without_rows(round, files, record);
}

fn matches(round: RoundNumber, files: &RoundFiles, matrix: &Matrix, record: &mut Record) {
    let path = paths::matches_matrix(round);
    for (left, right, margin) in matrix.rows() {
        let side = Side::from(left);
        participants(round, files, &path, side.hotkey(), right, record);
        range(round, files, &path, left, right, margin, record);
        row(
            round,
            files,
            &path,
            left,
            right,
            margin,
            None,
            &|| walkover(files, &side, right),
            record,
        );
    }
}

fn audit_duels(round: RoundNumber, files: &RoundFiles, matrix: &Matrix, record: &mut Record) {
    let path = paths::audit_matrix(round);
    for (left, right, margin) in matrix.rows() {
        let Some(parsed) = AuditLeft::parse(left) else {
            record.expect(false, Code::MatrixStranger, Some(round), &path, || {
                format!("`{left}` is neither a submission nor a defender with a repeat")
            });
            continue;
        };
        let (name, defender) = match &parsed {
            AuditLeft::Submitted { .. } => (schema::ids::SUBMITTED.to_owned(), None),
            AuditLeft::Defender { defender, .. } => (defender.to_string(), defender.hotkey()),
        };
        participants(round, files, &path, defender, right, record);
        range(round, files, &path, left, right, margin, record);
        let repeat = parsed.repeat();
        let walkover = || audit_walkover(files, &parsed, right);
        row(
            round,
            files,
            &path,
            &name,
            right,
            margin,
            Some(repeat),
            &walkover,
            record,
        );
    }
}

fn participants(
    round: RoundNumber,
    files: &RoundFiles,
    path: &str,
    left: Option<&Hotkey>,
    right: &Hotkey,
    record: &mut Record,
) {
    let Some(submissions) = &files.submissions else {
        return;
    };
    for hotkey in left.into_iter().chain([right]) {
        record.expect(
            submissions.contains_key(hotkey),
            Code::MatrixStranger,
            Some(round),
            path,
            || format!("{hotkey} did not take part in the round"),
        );
    }
}

fn range(
    round: RoundNumber,
    files: &RoundFiles,
    path: &str,
    left: &str,
    right: &Hotkey,
    margin: f64,
    record: &mut Record,
) {
    let fits = (-1.0..=1.0).contains(&margin)
        || files.rules() == Rules::Older && margin.abs() == OLDER_WALKOVER;
    record.expect(fits, Code::MatrixRange, Some(round), path, || {
        format!("the margin of {left} and {right} is {margin}; no match can have it")
    });
}

#[allow(clippy::too_many_arguments)]
fn row(
    round: RoundNumber,
    files: &RoundFiles,
    path: &str,
    left: &str,
    right: &Hotkey,
    margin: f64,
    repeat: Option<u32>,
    walkover: &dyn Fn() -> Option<f64>,
    record: &mut Record,
) {
    if let Some(report) = files.report(left, right, repeat) {
        let of_report = report.report.margin;
        record.expect(
            margin == of_report,
            Code::MatrixMargin,
            Some(round),
            path,
            || {
                format!(
                    "the margin of {left} and {right} is {margin}, their report says {of_report}"
                )
            },
        );
        return;
    }
    let expected = walkover();
    let is_walkover = expected == Some(margin);
    record.expect(is_walkover, Code::MatrixNoReport, Some(round), path, || match expected {
        Some(expected) => format!("{left} and {right} have the margin {margin} without a report; a walkover gives {expected}"),
        None => format!("{left} and {right} have the margin {margin} without a report, and both sides delivered"),
    });
}

/// What a match is worth without duels, or `None` when it has to be judged.
fn walkover(files: &RoundFiles, left: &Side, right: &Hotkey) -> Option<f64> {
    walkover_between(files, files.outputs_of(left), files.submitted.get(right))
}

fn audit_walkover(files: &RoundFiles, left: &AuditLeft, right: &Hotkey) -> Option<f64> {
    let left_outputs = match left {
        AuditLeft::Submitted { .. } => files.submitted.get(right),
        AuditLeft::Defender { defender, .. } => files.outputs_of(defender),
    };
    walkover_between(
        files,
        left_outputs,
        files.generated.get(&(Side::from(right), left.repeat())),
    )
}

fn walkover_between(
    files: &RoundFiles,
    left: Option<&Outputs>,
    right: Option<&Outputs>,
) -> Option<f64> {
    let is_older = files.rules() == Rules::Older;
    let ready = |outputs: Option<&Outputs>| {
        let usable = |outputs: &Outputs| {
            if is_older {
                !outputs.rows.is_empty()
            } else {
                outputs.any_delivered()
            }
        };
        Readiness::complete(outputs.is_some_and(usable))
    };
    match play(ready(left), ready(right)) {
        Some(Play::Walkover { margin }) if is_older => Some(margin * OLDER_WALKOVER),
        Some(Play::Walkover { margin }) => Some(margin),
        Some(Play::Judge) | None => None,
    }
}

/// The matches against the leader are the first of each miner, in the order of the reveals.
fn order(round: RoundNumber, files: &RoundFiles, matrix: &Matrix, record: &mut Record) {
    let Some(submissions) = &files.submissions else {
        return;
    };
    let challengers = submissions.challengers();
    let places: Vec<usize> = matrix
        .rows()
        .filter(|(left, _, _)| Side::from(*left).is_leader())
        .filter_map(|(_, right, _)| challengers.iter().position(|hotkey| *hotkey == right))
        .collect();
    let path = paths::matches_matrix(round);
    record.expect(places.is_sorted(), Code::MatrixOrder, Some(round), &path, || {
        "matches against the leader do not stand in the order of the reveals: rows were taken out and played again, or \
         moved by hand"
            .to_owned()
    });
}

fn completeness(round: RoundNumber, files: &RoundFiles, matrix: &Matrix, record: &mut Record) {
    let (Some(submissions), true) = (&files.submissions, files.winner.is_some()) else {
        return;
    };
    let path = paths::matches_matrix(round);
    let mut excluded = Vec::new();
    for hotkey in submissions.challengers() {
        if matrix.contains(&Side::Leader, hotkey) {
            record.count(Code::MatrixIncomplete.area(), Some(round), true);
            continue;
        }
        match exclusion(files, hotkey) {
            Some(reason) => excluded.push(format!("{} ({reason})", hotkey.short())),
            None => record.expect(false, Code::MatrixIncomplete, Some(round), &path, || {
                format!("{hotkey} took part, was not excluded, and never played the leader")
            }),
        }
    }
    if !excluded.is_empty() {
        record.find(
            Code::MatrixExcluded,
            Some(round),
            path,
            format!(
                "{} miners were excluded before they played: {}",
                excluded.len(),
                excluded.join(", ")
            ),
        );
    }
}

/// Why a miner did not have to play, if so.
fn exclusion(files: &RoundFiles, hotkey: &Hotkey) -> Option<String> {
    if let Some(audit) = files
        .source_audits
        .of(hotkey)
        .filter(|audit| audit.verdict == Verdict::Failed)
    {
        return Some(format!("source audit: {}", audit.reason));
    }
    let rejected = match (&files.generation_reports, &files.generation_audits) {
        (Some(AnyGenerationReports::Current(reports)), _) => reports
            .get(hotkey)
            .is_some_and(|report| report.outcome == ReportOutcome::Rejected),
        (_, Some(AnyGenerationAudits::Mesh(audits))) => audits
            .get(hotkey)
            .is_some_and(|audit| audit.outcome == MeshAuditOutcome::Rejected),
        _ => false,
    };
    rejected.then(|| "regeneration rejected".to_owned())
}

fn reports_without_rows(round: RoundNumber, files: &RoundFiles, record: &mut Record) {
    for file in &files.reports {
        let report = &file.report;
        let has_row = match file.repeat {
            None => files
                .matches
                .as_ref()
                .is_some_and(|matrix| matrix.contains(&report.left.as_str(), &report.right)),
            Some(repeat) => files.audits.as_ref().is_some_and(|matrix| {
                matrix.contains(&format!("{}_{repeat}", report.left).as_str(), &report.right)
            }),
        };
        record.count(Code::MatrixNoRow.area(), Some(round), has_row);
        if !has_row {
            record.find(
                Code::MatrixNoRow,
                Some(round),
                file.path.clone(),
                format!(
                    "{} against {} was judged ({}), but the matrix has no such row",
                    report.left, report.right, report.margin
                ),
            );
        }
    }
}
