//! Duels without a verdict: left out by the round's rules once they could not change a decision, or for no such reason.
//!
//! Source: judge, section 3, weakness W14 (early stop).

use schema::files::{AuditLeft, Config, DuelWinner};
use schema::{RoundNumber, paths};
use workflow::round::judging::{Judging, thresholds};
use workflow::round::ledger::Decision;
use workflow::rules::curtailment::{MatchProgress, can_stop};

use super::super::code::{Code, Severity};
use super::super::documents::DuelSummary;
use super::super::model::{Competition, ReportFile, RoundFiles};
use super::super::report::Record;
use super::decisions::lines;

/// Checks every report of a round.
pub(in super::super) fn check(
    competition: &Competition,
    round: RoundNumber,
    files: &RoundFiles,
    record: &mut Record,
) {
    let rules = rules(files);
    let config = competition.config_at_end(files);
    let mut stopped_early = 0;
    for file in &files.reports {
        let duels = &file.report.duels;
        let (left_out, skipped): (Vec<&DuelSummary>, Vec<_>) = duels
            .iter()
            .filter(|duel| duel.winner == DuelWinner::Skipped)
            .partition(|duel| duel.is_curtailed);
        if !skipped.is_empty() {
            record.find(
                Code::ReportSkipped,
                Some(round),
                file.path.clone(),
                format!(
                    "{} of {} duels were not judged and count as 0",
                    skipped.len(),
                    duels.len()
                ),
            );
        }
        if left_out.is_empty() {
            continue;
        }
        match wrongly_left_out(file, &rules, config, left_out.len()) {
            None => {
                record.count(Code::ReportSkipped.area(), Some(round), true);
                stopped_early += 1;
            }
            Some((severity, why)) => record.find_as(
                Code::ReportSkipped,
                severity,
                Some(round),
                file.path.clone(),
                None,
                format!(
                    "{} of {} duels were left out {why}",
                    left_out.len(),
                    duels.len()
                ),
            ),
        }
    }
    if stopped_early > 0 {
        record.find_as(
            Code::ReportSkipped,
            Severity::Note,
            Some(round),
            paths::matches_matrix(round),
            None,
            format!(
                "{stopped_early} matches stopped, by the round's rules, when the duels that remained could not change a \
                 decision; their margins count these as 0"
            ),
        );
    }
}

/// The rules of measurement that the round's ledger tells.
pub(super) fn rules(files: &RoundFiles) -> Judging {
    let mut told = lines::<Decision>(files, "decisions.jsonl")
        .into_iter()
        .filter_map(|line| match line {
            Decision::JudgingRules { rules } => Some(rules),
            _ => None,
        });
    told.next_back().unwrap_or_default()
}

fn wrongly_left_out(
    file: &ReportFile,
    rules: &Judging,
    config: Option<&Config>,
    left_out: usize,
) -> Option<(Severity, String)> {
    if !rules.curtail {
        let why = "though no rule of the round lets a match stop early";
        return Some((Severity::Warning, why.to_owned()));
    }
    let win_margin = config?.win_margin;
    let report = &file.report;
    let audit_left = file
        .repeat
        .and_then(|repeat| AuditLeft::parse(&format!("{}_{repeat}", report.left)));
    let prompts = report.duels.len();
    let progress = MatchProgress {
        score: report.score,
        judged: u32::try_from(prompts.saturating_sub(left_out)).unwrap_or(u32::MAX),
        prompts: u32::try_from(prompts).unwrap_or(u32::MAX),
    };
    let decided = can_stop(progress, &thresholds(win_margin, audit_left.as_ref()));
    (!decided).then(|| {
        let why = format!("that could still have carried the margin across {win_margin}");
        (Severity::Error, why)
    })
}
