//! Runs beside the one that counts, and results that others took the place of, as the ledger tells them. Nothing is judged
//! here: the rows stand in the report for people, who want to see what else was measured.

use schema::files::AuditLeft;
use schema::{Hotkey, RoundNumber};
use serde::Deserialize;
use workflow::round::judging::{Measurement, thresholds};
use workflow::rules::matches::wins;

use super::super::documents::ReportSummary;
use super::super::model::RoundFiles;
use super::super::report::{LaterRun, RoundReport, SetAside};
use super::decisions::lines;

/// The lines of `decisions.jsonl` that tell of such results.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line {
    MeasuredAgain {
        matrix: String,
        left: String,
        right: Hotkey,
        measurement: Measurement,
        margin: f64,
    },
    JudgedAnew {
        matrix: String,
        left: String,
        right: Hotkey,
        margin: f64,
        operator: String,
        reason: String,
        kept_as: String,
    },
    ResultSuperseded {
        matrix: String,
        left: String,
        right: Hotkey,
        margin: f64,
        because: String,
    },
    Superseded {
        path: String,
        kept_as: String,
        step: String,
    },
}

/// Adds the rows of a round to its report.
pub(in super::super) fn add(round: RoundNumber, files: &RoundFiles, report: &mut RoundReport) {
    for line in lines::<Line>(files, "decisions.jsonl") {
        match line {
            Line::MeasuredAgain {
                matrix,
                left,
                right,
                measurement,
                margin,
            } => {
                let counted = counted(files, &matrix, &left, &right);
                let win_margin = report.win_margin;
                report.later_runs.push(LaterRun {
                    decides_otherwise: counted.zip(win_margin).is_some_and(
                        |(counted, threshold)| {
                            otherwise(&matrix, &left, counted, margin, threshold)
                        },
                    ),
                    counted,
                    matrix,
                    left,
                    right,
                    judgement: measurement.judgement,
                    run: measurement.run,
                    margin,
                });
            }
            Line::JudgedAnew {
                matrix,
                left,
                right,
                margin,
                operator,
                reason,
                kept_as,
            } => report.set_aside.push(SetAside {
                now: counted(files, &matrix, &left, &right),
                what: format!("{matrix}: {left} against {right}"),
                margin: Some(margin),
                because: format!("judged anew by {operator}: {reason}"),
                kept_as: Some(kept_as),
            }),
            Line::ResultSuperseded {
                matrix,
                left,
                right,
                margin,
                because,
            } => report.set_aside.push(SetAside {
                now: counted(files, &matrix, &left, &right),
                what: format!("{matrix}: {left} against {right}"),
                margin: Some(margin),
                because,
                kept_as: None,
            }),
            Line::Superseded {
                path,
                kept_as,
                step,
            } => {
                let kept = files.ledger.get(&kept_as);
                report.set_aside.push(SetAside {
                    margin: kept
                        .and_then(|bytes| ReportSummary::read(&path, bytes).ok())
                        .map(|kept| kept.margin),
                    now: files
                        .reports
                        .iter()
                        .find(|file| file.path == path)
                        .map(|file| file.report.margin),
                    what: path
                        .strip_prefix(&format!("rounds/{round}/"))
                        .unwrap_or(&path)
                        .to_owned(),
                    because: format!("written again by {step}"),
                    kept_as: Some(kept_as),
                });
            }
        }
    }
}

/// The margin that counts.
fn counted(files: &RoundFiles, matrix: &str, left: &str, right: &Hotkey) -> Option<f64> {
    let rows = match matrix {
        "audits" => &files.audits,
        _ => &files.matches,
    };
    rows.as_ref()?.get(&left, right)
}

/// Whether two margins of one match fall on different sides of its threshold.
fn otherwise(matrix: &str, left: &str, one: f64, other: f64, win_margin: f64) -> bool {
    let audit_left = (matrix == "audits")
        .then(|| AuditLeft::parse(left))
        .flatten();
    thresholds(win_margin, audit_left.as_ref())
        .iter()
        .any(|threshold| wins(one, *threshold) != wins(other, *threshold))
}
