//! Step `report_generation`: a miner's regeneration report in `generation_reports.json`.

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
}

impl Step for ReportGeneration {
    const NAME: &'static str = "report_generation";
    const QUEUE: &'static str = queues::STATE;
    const INLINE: bool = true;
    type Input = ReportGenerationInput;
    type Output = ();

    fn key(input: &ReportGenerationInput) -> String {
        let ReportGenerationInput { round, report } = input;
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
        let report = &input.report;
        let change = MirrorChange::MergeEntry {
            path: paths::generation_reports(input.round),
            key: report.hotkey.as_str().to_owned(),
            value: serde_json::to_value(report).unwrap_or_default(),
        };
        let decision = Decision::GenerationReport {
            report: report.clone(),
            limits: RegenerationLimits::default(),
        };
        let record = Record::Report {
            round: input.round.0,
            hotkey: report.hotkey.as_str().to_owned(),
            outcome: report.outcome.as_str().to_owned(),
            repeats: serde_json::to_value(&report.repeats).unwrap_or_default(),
            reason: report.reason.clone(),
        };
        Effects {
            records: vec![record],
            wakes: vec![flows::tournament_key(input.round)],
            ..Effects::default()
        }
        .publish(
            messages::generation_reports(input.round),
            vec![change, decision.append(input.round)],
        )
    }
}
