//! Step `report_generation`: what a miner's regeneration has come to so far, in `generation_reports.json`. The last report
//! is the end of the flow itself.

use schema::{RoundNumber, files::GenerationReport, messages, paths};
use serde::{Deserialize, Serialize};

use crate::{
    db::records::Record,
    engine::{Effects, MirrorChange, Step},
    round::{flows, ledger::Decision, queues},
    rules::generation_report::RegenerationLimits,
};

/// Publishes a report.
pub struct ReportGeneration;

/// Which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReportGenerationInput {
    /// Round.
    pub round: RoundNumber,
    /// The report.
    pub report: GenerationReport,
    /// The limits in force.
    #[serde(default)]
    pub limits: RegenerationLimits,
}

impl Step for ReportGeneration {
    const NAME: &'static str = "report_generation";
    const QUEUE: &'static str = queues::STATE;
    const INLINE: bool = true;
    type Input = ReportGenerationInput;
    type Output = ();

    fn key(input: &ReportGenerationInput) -> String {
        let ReportGenerationInput { round, report, .. } = input;
        format!(
            "round/{round}/regeneration/{}/report/{}/{}",
            report.hotkey,
            report.repeats.len(),
            report.outcome.as_str()
        )
    }

    fn round(input: &ReportGenerationInput) -> Option<u32> {
        Some(input.round.0)
    }

    fn effects(input: &ReportGenerationInput, (): &()) -> Effects {
        publish(input.round, &input.report, &input.limits)
    }
}

/// A report's row, file entry and line in the ledger; the tournament is told.
pub(in crate::round) fn publish(
    round: RoundNumber,
    report: &GenerationReport,
    limits: &RegenerationLimits,
) -> Effects {
    let change = MirrorChange::MergeEntry {
        path: paths::generation_reports(round),
        key: report.hotkey.as_str().to_owned(),
        value: serde_json::to_value(report).unwrap_or_default(),
    };
    let decision = Decision::GenerationReport {
        report: report.clone(),
        limits: *limits,
    };
    let record = Record::Report {
        round: round.0,
        hotkey: report.hotkey.as_str().to_owned(),
        outcome: report.outcome.as_str().to_owned(),
        repeats: serde_json::to_value(&report.repeats).unwrap_or_default(),
        reason: report.reason.clone(),
    };
    Effects {
        records: vec![record],
        wakes: vec![flows::tournament_key(round)],
        ..Effects::default()
    }
    .publish(
        messages::generation_reports(round),
        vec![change, decision.append(round)],
    )
}
