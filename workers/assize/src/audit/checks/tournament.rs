//! Timeline and winner, derived again.
//!
//! The older judge's fold is the newest one without audit duels: whoever its orchestrator rejected is out, and whoever
//! dethroned somebody must have passed both its orchestrator's and the source audit.
//!
//! Source: judge, section 7.4 (fold), 9 (winner), 15.3 (older judge).

use std::fmt::Write as _;

use schema::files::{
    AnyAuditRequests, AnyGenerationAudits, AnyGenerationReports, AuditLeft, Builds, Config,
    GenerationReport, GenerationReports, Leaders, MeshAuditOutcome, ReportOutcome,
};
use schema::{Hotkey, RoundNumber, Side, paths};
use workflow::round::judging::thresholds;
use workflow::rules::matches::near_interval;
use workflow::rules::tournament::{EntryState, Observation, Timeline, TimelineEntry, derive};
use workflow::rules::winner::winner_file;

use super::super::code::Code;
use super::super::model::{Competition, RoundFiles};
use super::super::replaced::short_left;
use super::super::report::{NearMargin, Record, RoundReport, Rules, TimelineRow};
use super::{skipped, threshold};

/// What the tournament of a round depends on, by its rules; none without submissions or matrix.
pub(in super::super) fn observe(files: &RoundFiles, config: &Config) -> Observation {
    let (reports, audit_repeats) = match files.rules() {
        Rules::Newest => match &files.generation_reports {
            Some(AnyGenerationReports::Current(reports)) => (reports.clone(), config.audit_repeats),
            _ => (GenerationReports::default(), config.audit_repeats),
        },
        Rules::Older | Rules::Between => (reports_of_older_audits(files), 0),
    };
    Observation {
        win_margin: config.win_margin,
        audit_repeats,
        challengers: files
            .submissions
            .as_ref()
            .map(|submissions| submissions.challengers().into_iter().cloned().collect())
            .unwrap_or_default(),
        matches: files.matches.clone().unwrap_or_default(),
        audits: files.audits.clone().unwrap_or_default(),
        reports,
        source_audits: files.source_audits.clone(),
        requests: match &files.requests {
            Some(AnyAuditRequests::Current(requests)) => requests.clone(),
            _ => schema::files::AuditRequests::default(),
        },
        ..Observation::default()
    }
}

fn reports_of_older_audits(files: &RoundFiles) -> GenerationReports {
    let Some(AnyGenerationAudits::Mesh(audits)) = &files.generation_audits else {
        return GenerationReports::default();
    };
    audits
        .iter()
        .filter(|(_, audit)| audit.outcome == MeshAuditOutcome::Rejected)
        .map(|(hotkey, audit)| {
            let report = GenerationReport {
                hotkey: hotkey.clone(),
                outcome: ReportOutcome::Rejected,
                repeats: Vec::new(),
                reason: audit.reason.clone(),
            };
            (hotkey.clone(), report)
        })
        .collect()
}

/// Derives a round and compares it with its `winner.json`.
pub(in super::super) fn check(
    competition: &Competition,
    round: RoundNumber,
    files: &RoundFiles,
    record: &mut Record,
) -> RoundReport {
    let rules = files.rules();
    let config = competition.config_at_end(files);
    let mut report = RoundReport {
        round,
        rules,
        miners: files
            .submissions
            .as_ref()
            .map_or(0, |submissions| submissions.len()),
        prompts: files
            .prompts
            .as_ref()
            .map_or(0, schema::files::Prompts::len),
        win_margin: config.map(|config| config.win_margin),
        requests_made_with: None,
        derived_winner: None,
        recorded_winner: files
            .winner
            .as_ref()
            .map(|winner| winner.winner_hotkey.clone()),
        timeline: Vec::new(),
        near: Vec::new(),
        later_runs: Vec::new(),
        set_aside: Vec::new(),
    };
    if files.submissions.is_none() && files.winner.is_none() {
        return report;
    }
    record.find(
        Code::Rules,
        Some(round),
        None,
        format!("the round was checked by {}", rules.as_str()),
    );
    let Some(config) = config else { return report };
    if rules == Rules::Between {
        return report;
    }

    let observation = observe(files, config);
    let timeline = derive(&observation);
    report.timeline = rows(&observation, &timeline);
    report.near = near_margins(files, &observation, &timeline, report.prompts);
    near_note(round, &report.near, config.win_margin, record);
    let undecided = undecided(files, &timeline);
    if undecided.is_empty() && (files.matches.is_some() || observation.challengers.is_empty()) {
        report.derived_winner = Some(timeline.champion());
    }
    let Some(recorded) = files.winner.as_ref().map(|winner| &winner.winner_hotkey) else {
        return report;
    };

    let path = paths::winner(round);
    let champion = timeline.champion();
    record.expect(champion == *recorded, Code::WinnerDerived, Some(round), &path, || {
        let mut message = format!("{recorded} is recorded as winner; by the files it is {champion}");
        match threshold::margins_that_give(&observation, recorded, report.prompts) {
            Some((low, high)) => {
                let _ = write!(
                    message,
                    "; the recorded winner follows for a win margin above {low} and up to {high}, not for {}",
                    config.win_margin
                );
            }
            None => message.push_str("; no win margin gives the recorded winner"),
        }
        message
    });
    record.expect(
        undecided.is_empty(),
        Code::WinnerUnverified,
        Some(round),
        &path,
        || {
            format!(
                "the winner was written while the tournament waited for {}",
                undecided.join(", ")
            )
        },
    );
    image(competition, round, files, record);
    report
}

/// What the tournament still waits for.
fn undecided(files: &RoundFiles, timeline: &Timeline) -> Vec<String> {
    let older_pass = |hotkey: &Hotkey| match &files.generation_audits {
        Some(AnyGenerationAudits::Mesh(audits)) => audits
            .get(hotkey)
            .is_some_and(|audit| audit.outcome == MeshAuditOutcome::Passed),
        _ => false,
    };
    timeline
        .entries
        .iter()
        .filter_map(|entry| match &entry.state {
            EntryState::Pending => Some(format!(
                "the match of {} against {}",
                entry.hotkey.short(),
                entry.defender.short()
            )),
            EntryState::Won {
                verified: false, ..
            } => Some(format!("the audits of {}", entry.hotkey.short())),
            EntryState::Won { verified: true, .. }
                if files.rules() == Rules::Older && !older_pass(&entry.hotkey) =>
            {
                Some(format!("the regeneration of {}", entry.hotkey.short()))
            }
            _ => None,
        })
        .collect()
}

fn rows(observation: &Observation, timeline: &Timeline) -> Vec<TimelineRow> {
    timeline
        .entries
        .iter()
        .map(|entry| TimelineRow {
            hotkey: entry.hotkey.clone(),
            qualification: observation.matches.get(&Side::Leader, &entry.hotkey),
            defender: entry.defender.clone(),
            margin: observation.matches.get(&entry.defender, &entry.hotkey),
            outcome: outcome(entry),
        })
        .collect()
}

fn outcome(entry: &TimelineEntry) -> String {
    match &entry.state {
        EntryState::Rejected { reason } => format!("rejected: {reason}"),
        EntryState::Pending => "pending".to_owned(),
        EntryState::Lost { .. } => "lost".to_owned(),
        EntryState::Won { verified: true, .. } => "won, verified".to_owned(),
        EntryState::Won {
            verified: false, ..
        } => "won, not verified".to_owned(),
    }
}

/// Margins that decide something, and that judging again might carry over the threshold.
fn near_margins(
    files: &RoundFiles,
    observation: &Observation,
    timeline: &Timeline,
    prompts: usize,
) -> Vec<NearMargin> {
    let decides = |left: &str, right: &Hotkey| {
        Side::from(left).is_leader()
            || timeline
                .entry(right)
                .is_some_and(|entry| entry.defender.as_str() == left && !entry.is_rejected())
    };
    let band = skipped::rules(files).near_band_prompts;
    let near = |(left, right, margin): (&str, &Hotkey, f64), audit: Option<&AuditLeft>| {
        let thresholds = thresholds(observation.win_margin, audit);
        let interval = near_interval(margin, &thresholds, prompts as u32, band)?;
        Some(NearMargin {
            left: left.to_owned(),
            right: right.clone(),
            margin,
            low: interval.low,
            high: interval.high,
        })
    };
    let matches = observation
        .matches
        .rows()
        .filter(|(left, right, _)| {
            decides(left, right) && files.report(left, right, None).is_some()
        })
        .filter_map(|row| near(row, None));
    let audits = observation.audits.rows().filter_map(|row| {
        let (left, right, _) = row;
        let audit = AuditLeft::parse(left)?;
        let side = left.rsplit_once('_')?.0;
        files.report(side, right, Some(audit.repeat()))?;
        near(row, Some(&audit))
    });
    matches.chain(audits).collect()
}

fn near_note(round: RoundNumber, near: &[NearMargin], win_margin: f64, record: &mut Record) {
    let (audits, matches): (Vec<_>, Vec<_>) = near
        .iter()
        .partition(|row| AuditLeft::parse(&row.left).is_some());
    let tables = [
        (paths::matches_matrix(round), matches),
        (paths::audit_matrix(round), audits),
    ];
    for (path, near) in tables {
        let list: Vec<String> = near
            .iter()
            .map(|row| {
                let (right, left) = (row.right.short(), short_left(&row.left));
                format!("{right} against {left} ({})", row.margin)
            })
            .collect();
        let lie = match list.len() {
            0 => continue,
            1 => "1 margin lies".to_owned(),
            several => format!("{several} margins lie"),
        };
        record.find(
            Code::MatrixNear,
            Some(round),
            path,
            format!(
                "{lie} so near a threshold (±{win_margin}) that judging again might decide otherwise: {}",
                list.join(", ")
            ),
        );
    }
}

/// The winner's repository, commit and image are those of its build or leader entry.
fn image(competition: &Competition, round: RoundNumber, files: &RoundFiles, record: &mut Record) {
    let Some(winner) = &files.winner else { return };
    let leaders = leaders_before(competition, files);
    let empty = Builds::default();
    let expected = winner_file(
        &winner.winner_hotkey,
        files.builds.as_ref().unwrap_or(&empty),
        &leaders,
    );
    let path = paths::winner(round);
    record.expect(
        expected.as_ref() == Ok(winner),
        Code::WinnerImage,
        Some(round),
        &path,
        || match expected {
            Ok(expected) => format!(
                "it names {} at {} with {}; the files give {} at {} with {}",
                winner.repo,
                winner.commit,
                winner.docker_image,
                expected.repo,
                expected.commit,
                expected.docker_image
            ),
            Err(error) => error.to_string(),
        },
    );
}

/// The leaders when the round was decided: entries that its finalization added become effective later.
pub(in super::super) fn leaders_before(competition: &Competition, files: &RoundFiles) -> Leaders {
    let Some(leaders) = &competition.leaders else {
        return Leaders::default();
    };
    let Some(schedule) = &files.schedule else {
        return leaders.clone();
    };
    let effective =
        |entry: &&schema::files::LeaderEntry| entry.effective_block <= schedule.latest_reveal_block;
    Leaders(leaders.0.iter().filter(effective).cloned().collect())
}
