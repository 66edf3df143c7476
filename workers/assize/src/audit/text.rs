//! The audit as text for a terminal.

use std::fmt::Write as _;

use workflow::rules::percent::signed_percent;

use super::code::Severity;
use super::report::{AuditReport, Confirmation, Finding, RoundReport};

/// Characters of a commit id that people need.
const SHORT_COMMIT: usize = 10;

/// Everything an operator or auditor wants to read, findings last.
pub fn to_text(report: &AuditReport) -> String {
    let mut text = String::new();
    let source = &report.source;
    let _ = write!(text, "Audit of {}", source.path);
    if let Some(commit) = &source.commit {
        let _ = write!(text, " at {}, {} commits", short(commit), source.commits);
    }
    let _ = writeln!(text, ", {} files", source.files);
    if source.missing_objects > 0 {
        let _ = writeln!(
            text,
            "{} objects are not in this clone; what needs them was not checked.",
            source.missing_objects
        );
    }
    for round in &report.rounds {
        text.push('\n');
        add_round(&mut text, report, round);
    }
    let overall: Vec<&Confirmation> = report
        .confirmations
        .iter()
        .filter(|row| row.round.is_none())
        .collect();
    if !overall.is_empty() {
        let _ = writeln!(text, "\nThe whole repository\n  {}", counts(&overall));
    }
    let _ = writeln!(
        text,
        "\n{} errors, {} warnings, {} notes",
        report.count(Severity::Error),
        report.count(Severity::Warning),
        report.count(Severity::Note)
    );
    for finding in &report.findings {
        add_finding(&mut text, finding);
    }
    text
}

fn add_round(text: &mut String, report: &AuditReport, round: &RoundReport) {
    let _ = write!(
        text,
        "Round {}: {} miners, {} prompts",
        round.round, round.miners, round.prompts
    );
    if let Some(win_margin) = round.win_margin {
        let _ = write!(text, ", win margin {win_margin}");
    }
    text.push('\n');
    if let Some((low, high)) = round.requests_made_with {
        let _ = writeln!(
            text,
            "  audit requests were made with a win margin above {low} and up to {high}"
        );
    }
    for (index, row) in round.timeline.iter().enumerate() {
        let margin = row
            .margin
            .map_or_else(|| "not played".to_owned(), signed_percent);
        let _ = writeln!(
            text,
            "  {:>3}  {}  {margin:>8} against {:<10}  {}",
            index + 1,
            row.hotkey.short(),
            row.defender.short(),
            row.outcome
        );
    }
    for row in &round.later_runs {
        let _ = writeln!(
            text,
            "  measured again: {}, {} against {}, run {}: {}{}",
            row.matrix,
            row.right.short(),
            row.left,
            row.run,
            signed_percent(row.margin),
            if row.decides_otherwise {
                ", would decide otherwise"
            } else {
                ""
            }
        );
    }
    for row in &round.set_aside {
        let _ = writeln!(text, "  replaced: {}, {}", row.what, row.because);
    }
    match (&round.derived_winner, &round.recorded_winner) {
        (Some(derived), Some(recorded)) if derived == recorded => {
            let _ = writeln!(text, "  winner: {recorded}, as the files give");
        }
        (Some(derived), Some(recorded)) => {
            let _ = writeln!(
                text,
                "  winner: {recorded} is recorded, the files give {derived}"
            );
        }
        (None, Some(recorded)) => {
            let _ = writeln!(
                text,
                "  winner: {recorded} is recorded, the files do not decide"
            );
        }
        (Some(derived), None) => {
            let _ = writeln!(
                text,
                "  winner: none is recorded; as the files stand it is {derived}"
            );
        }
        (None, None) => {}
    }
    let rows: Vec<&Confirmation> = report
        .confirmations
        .iter()
        .filter(|row| row.round == Some(round.round))
        .collect();
    if !rows.is_empty() {
        let _ = writeln!(text, "  {}", counts(&rows));
    }
}

fn counts(rows: &[&Confirmation]) -> String {
    let parts = rows.iter().map(|row| {
        let (area, held, all) = (row.area.as_str(), row.held, row.held + row.failed);
        if row.failed == 0 {
            format!("{area} {held}")
        } else {
            format!("{area} {held} of {all}")
        }
    });
    format!("held: {}", parts.collect::<Vec<_>>().join(", "))
}

fn add_finding(text: &mut String, finding: &Finding) {
    let _ = write!(text, "\n{} {}", finding.severity.as_str(), finding.code);
    if let Some(round) = finding.round {
        let _ = write!(text, ", round {round}");
    }
    if let Some(path) = &finding.path {
        let _ = write!(text, ", {path}");
    }
    if let Some(commit) = &finding.commit {
        let _ = write!(text, ", commit {}", short(commit));
    }
    let _ = writeln!(text, "\n  {}", finding.message);
}

/// The first digits of a commit id.
pub(super) fn short(commit: &str) -> &str {
    commit.get(..SHORT_COMMIT).unwrap_or(commit)
}
