//! Requests, regeneration reports and verdicts of the newest rules.
//!
//! Source: judge, section 8; generation, section 6.2.

use std::collections::BTreeSet;

use schema::files::{
    AnyAuditRequests, AnyGenerationAudits, AnyGenerationReports, Config, GenerationReports,
    RepeatReport, Verdict,
};
use schema::{Hotkey, RoundNumber, Side, Stem, paths};
use workflow::rules::tournament::{EntryState, Timeline, derive};

use super::super::code::{Code, Severity};
use super::super::model::{Competition, RoundFiles};
use super::super::report::{Record, Rules};
use super::tournament::observe;

/// Checks a round of the newest rules; others have their own checks.
pub(in super::super) fn check(
    competition: &Competition,
    round: RoundNumber,
    files: &RoundFiles,
    record: &mut Record,
) {
    if files.rules() != Rules::Newest || files.matches.is_none() {
        return;
    }
    let Some(config) = competition.config_at_end(files) else {
        return;
    };
    let timeline = derive(&observe(files, config));
    requests(round, files, &timeline, record);
    if let Some(AnyGenerationReports::Current(reports)) = &files.generation_reports {
        regeneration_reports(round, files, reports, record);
    }
    verdicts(round, files, config, &timeline, record);
}

fn requests(round: RoundNumber, files: &RoundFiles, timeline: &Timeline, record: &mut Record) {
    let path = paths::require_audit(round);
    let requests = match &files.requests {
        Some(AnyAuditRequests::Current(requests)) => requests.clone(),
        _ => schema::files::AuditRequests::default(),
    };
    if files.winner.is_some() {
        for entry in timeline.leaders() {
            let found = requests
                .get(&entry.hotkey)
                .map(|request| &request.latest_defender);
            record.expect(
                found == Some(&entry.defender),
                Code::AuditRequest,
                Some(round),
                &path,
                || match found {
                    Some(found) => format!(
                        "{} beat {}, but its audit was against {found}",
                        entry.hotkey, entry.defender
                    ),
                    None => format!(
                        "{} beat {} and was never audited",
                        entry.hotkey, entry.defender
                    ),
                },
            );
        }
    }
    for hotkey in requests.keys() {
        if timeline.entry(hotkey).is_none() {
            record.find(
                Code::AuditUnexplained,
                Some(round),
                path.clone(),
                format!("{hotkey} was requested, but by the matrix as it stands it did not beat the leader"),
            );
        }
    }
}

fn regeneration_reports(
    round: RoundNumber,
    files: &RoundFiles,
    reports: &GenerationReports,
    record: &mut Record,
) {
    let path = paths::generation_reports(round);
    for (hotkey, report) in reports {
        let asked: BTreeSet<Stem> = match files.submitted.get(hotkey) {
            Some(outputs) => outputs
                .rows
                .iter()
                .filter(|(_, row)| row.shown.model.is_some())
                .map(|(stem, _)| stem.clone())
                .collect(),
            None => BTreeSet::new(),
        };
        for repeat in &report.repeats {
            let counted = counted(files, hotkey, repeat, &asked);
            let Some((generated, failed)) = counted else {
                continue;
            };
            let same = (repeat.generated_prompts, repeat.failed_prompts) == (generated, failed);
            record.count(Code::AuditNumbers.area(), Some(round), same);
            if !same {
                record.find(
                    Code::AuditNumbers,
                    Some(round),
                    path.clone(),
                    format!(
                        "repeat {} of {hotkey} says {} generated and {} failed; its file has {generated} and {failed}",
                        repeat.repeat_index, repeat.generated_prompts, repeat.failed_prompts
                    ),
                );
            }
        }
    }
}

/// Generated and failed prompts of one repeat, counted in its file; `None` without one.
fn counted(
    files: &RoundFiles,
    hotkey: &Hotkey,
    repeat: &RepeatReport,
    asked: &BTreeSet<Stem>,
) -> Option<(u32, u32)> {
    let outputs = files
        .generated
        .get(&(Side::from(hotkey), repeat.repeat_index))?;
    let is_failed = |stem: &&Stem| {
        outputs
            .rows
            .get(*stem)
            .is_none_or(|row| row.failure_reason.is_some())
    };
    let failed = asked.iter().filter(is_failed).count() as u32;
    Some((asked.len() as u32 - failed, failed))
}

/// Published verdicts against those that follow from the timeline.
fn verdicts(
    round: RoundNumber,
    files: &RoundFiles,
    config: &Config,
    timeline: &Timeline,
    record: &mut Record,
) {
    let Some(AnyGenerationAudits::Current(verdicts)) = &files.generation_audits else {
        return;
    };
    let path = paths::generation_audits(round);
    for (hotkey, audit) in verdicts {
        let state = timeline.entry(hotkey).map(|entry| &entry.state);
        let problem = match (audit.verdict, state) {
            (Verdict::Failed, Some(EntryState::Rejected { reason })) => {
                (audit.reason != *reason).then(|| (Severity::Warning, format!("the reason `{}` is now `{reason}`", audit.reason)))
            }
            // A miner that lost needs no verdict; one that it got before stays.
            (
                Verdict::Passed,
                Some(EntryState::Won { verified: true, .. } | EntryState::Lost { .. }),
            ) => None,
            (Verdict::Passed, Some(EntryState::Rejected { reason })) => {
                Some((Severity::Error, format!("it passed, but by the files it is rejected: {reason}")))
            }
            (Verdict::Failed, Some(EntryState::Won { .. } | EntryState::Lost { .. } | EntryState::Pending)) => Some((
                Severity::Warning,
                "it failed, but the timeline as it stands does not reject it: the verdict was made against a defender \
                 that fell later"
                    .to_owned(),
            )),
            (Verdict::Passed, Some(_)) => {
                Some((Severity::Error, format!("it passed, but not every audit of {} repeats did", config.audit_repeats)))
            }
            (_, None) => Some((Severity::Warning, "it has a verdict, but it did not beat the leader".to_owned())),
        };
        record.count(Code::AuditVerdict.area(), Some(round), problem.is_none());
        if let Some((severity, message)) = problem {
            let message = format!("the verdict on {hotkey}: {message}");
            record.find_as(
                Code::AuditVerdict,
                severity,
                Some(round),
                path.clone(),
                None,
                message,
            );
        }
    }
}
