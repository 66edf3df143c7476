//! Requests and verdicts of the older judge: critical prompts sampled from the seed, verdicts by distances.
//!
//! The critical prompts give away the win margin a request was made with: how many there are, and whether there are any.
//! So a margin other than the configured one is found even when it changed no winner.
//!
//! Source: judge, section 15.3 (critical prompts) and 15.4 (verdict by distance).

use std::collections::HashSet;

use schema::files::{
    AnyAuditRequests, AnyGenerationAudits, DuelWinner, MeshAuditOutcome, MeshGenerationAudit,
    OlderAuditRequest, OlderAuditRequests,
};
use schema::{Hotkey, RoundNumber, Side, Stem, paths};
use workflow::rules::random::MersenneTwister;

use super::super::code::{Code, Severity};
use super::super::model::{Competition, ReportFile, RoundFiles};
use super::super::outputs::Outputs;
use super::super::report::{Record, Rules};

/// `MAX_MISMATCHED_MARGIN`: a margin this much above the win margin needs no critical prompts.
const SAFE_MARGIN: f64 = 0.05;
/// Distance from which two pictures count as different.
const MAX_DISTANCE: f64 = 0.1;
/// `GENERATION_TIMEOUT`, seconds: longer counts as a mismatch.
const GENERATION_TIMEOUT_S: f64 = 180.0;
/// `GENERATION_MEDIAN_LIMIT`, seconds.
const MEDIAN_LIMIT_S: f64 = 90.0;
/// Samples left out at each end of the median's list, when there are more than twice as many.
const TRIMMED: usize = 6;
/// Non-critical mismatches that are tolerated.
const TOLERATED: usize = 6;
/// Critical mismatches that are tolerated.
const TOLERATED_CRITICAL: usize = 1;
/// A typed number may be rounded.
const TIME_TOLERANCE_S: f64 = 1e-6;

/// Checks a round of the older judge. Returns the win margins with which its requests were made, above the first and up to
/// the second.
pub(in super::super) fn check(
    competition: &Competition,
    round: RoundNumber,
    files: &RoundFiles,
    record: &mut Record,
) -> Option<(f64, f64)> {
    if files.rules() != Rules::Older {
        return None;
    }
    let Some(AnyAuditRequests::Older(requests)) = &files.requests else {
        return None;
    };
    let win_margin = competition
        .config_at_end(files)
        .map(|config| config.win_margin);
    let made_with = made_with(round, files, requests, win_margin, record);
    if let Some(AnyGenerationAudits::Mesh(audits)) = &files.generation_audits {
        for (hotkey, audit) in audits {
            let request = requests.0.iter().find(|request| request.hotkey == *hotkey);
            verdict(round, files, hotkey, audit, request, record);
        }
    }
    made_with
}

/// What the requests tell about the win margin they were made with.
fn made_with(
    round: RoundNumber,
    files: &RoundFiles,
    requests: &OlderAuditRequests,
    win_margin: Option<f64>,
    record: &mut Record,
) -> Option<(f64, f64)> {
    let path = paths::require_audit(round);
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    let mut told = false;
    for request in &requests.0 {
        let hotkey = &request.hotkey;
        let qualification = files
            .matches
            .as_ref()
            .and_then(|matrix| matrix.get(&Side::Leader, hotkey));
        let qualified = qualification
            .is_some_and(|margin| win_margin.is_none_or(|win_margin| margin >= win_margin));
        if !qualified {
            record.find(
                Code::AuditUnexplained,
                Some(round),
                path.clone(),
                match qualification {
                    Some(margin) => format!(
                        "{hotkey} was requested, but its margin against the leader is {margin}: the request came from \
                         results that were thrown away and judged again"
                    ),
                    None => format!("{hotkey} was requested, but never played the leader"),
                },
            );
            continue;
        }
        let critical = request.critical_prompts.as_deref().unwrap_or_default();
        let bounds = match critical.len() {
            0 => bounds_without_critical_prompts(files, hotkey),
            _ => bounds_of_sample(files, hotkey, critical),
        };
        record.expect(bounds.is_some(), Code::AuditSample, Some(round), &path, || {
            format!(
                "the {} critical prompts of {hotkey} are drawn from no match of this miner by the round's seed",
                critical.len()
            )
        });
        if let Some((above, up_to)) = bounds {
            told = true;
            low = low.max(above);
            high = high.min(up_to);
        }
    }
    if !told {
        return None;
    }
    if let Some(win_margin) = win_margin {
        let fits = low < win_margin && win_margin <= high;
        record.expect(fits, Code::AuditThreshold, Some(round), &path, || {
            if low < high {
                format!("the requests were made with a win margin above {low} and up to {high}; config.json says {win_margin}")
            } else {
                format!("no single win margin explains all requests; config.json says {win_margin}")
            }
        });
    }
    (low < high).then_some((low, high))
}

/// No critical prompts: the margin was at least `SAFE_MARGIN` above the win margin.
fn bounds_without_critical_prompts(files: &RoundFiles, hotkey: &Hotkey) -> Option<(f64, f64)> {
    let margins = files
        .matches
        .as_ref()?
        .rows()
        .filter(|(_, right, _)| *right == hotkey)
        .map(|(_, _, margin)| margin);
    let best = margins.max_by(f64::total_cmp)?;
    (best > SAFE_MARGIN).then_some((0.0, best - SAFE_MARGIN))
}

/// Critical prompts: all that the miner won in one of its matches, or as many drawn by the seed as the win margin takes.
fn bounds_of_sample(files: &RoundFiles, hotkey: &Hotkey, critical: &[Stem]) -> Option<(f64, f64)> {
    let seed = files.seed?.seed;
    let prompts = files.prompts.as_ref()?.len();
    let drawn_from = |file: &&ReportFile| {
        let won = won_by_right(file);
        let count = critical.len();
        won.len() == count && won == critical
            || won.len() > count
                && MersenneTwister::new(u64::from(seed))
                    .sample(&won, count)
                    .is_ok_and(|drawn| drawn == critical)
    };
    let source = files
        .reports
        .iter()
        .filter(|file| file.repeat.is_none() && file.report.right == *hotkey)
        .find(drawn_from)?;
    let share = |count: usize| count as f64 / prompts.max(1) as f64;
    let count = critical.len();
    // As many as the next whole number up from prompts × win margin, at least one.
    let low = if count == 1 { 0.0 } else { share(count - 1) };
    let high = if won_by_right(source).len() > count {
        share(count)
    } else {
        1.0
    };
    // And the margin was not so high that none were needed.
    let needed = (source.report.margin - SAFE_MARGIN).max(0.0);
    Some((low.max(needed), high))
}

/// Prompts the right side won, in the order of the report.
fn won_by_right(file: &ReportFile) -> Vec<Stem> {
    let duels = file.report.duels.iter();
    duels
        .filter(|duel| duel.winner == DuelWinner::Right)
        .map(|duel| duel.name.clone())
        .collect()
}

/// What a regeneration comes to, counted again.
#[derive(Debug, PartialEq)]
struct Counted {
    checked: usize,
    mismatches: usize,
    critical: usize,
    median_s: Option<f64>,
}

impl Counted {
    fn outcome(&self) -> MeshAuditOutcome {
        let too_slow = self.median_s.is_some_and(|median| median > MEDIAN_LIMIT_S);
        if too_slow || self.mismatches > TOLERATED || self.critical > TOLERATED_CRITICAL {
            MeshAuditOutcome::Rejected
        } else {
            MeshAuditOutcome::Passed
        }
    }
}

fn verdict(
    round: RoundNumber,
    files: &RoundFiles,
    hotkey: &Hotkey,
    audit: &MeshGenerationAudit,
    request: Option<&OlderAuditRequest>,
    record: &mut Record,
) {
    if audit.outcome == MeshAuditOutcome::Pending {
        return;
    }
    let path = paths::generation_audits(round);
    let (Some(submitted), Some(generated)) = (
        files.submitted.get(hotkey),
        files.generated.get(&(Side::from(hotkey), 1)),
    ) else {
        // Nothing was generated: the verdict can only come from the build or the pod.
        let explained = audit.outcome == MeshAuditOutcome::Rejected;
        record.expect(explained, Code::AuditVerdict, Some(round), &path, || {
            format!("{hotkey} passed without any published regeneration")
        });
        return;
    };
    let critical: HashSet<&Stem> = request
        .and_then(|request| request.critical_prompts.as_ref())
        .into_iter()
        .flatten()
        .collect();
    let counted = count(submitted, generated, &critical);
    let outcome = counted.outcome();
    record.expect(outcome == audit.outcome, Code::AuditVerdict, Some(round), &path, || {
        format!(
            "the verdict on {hotkey} is {:?}; {} mismatches, {} critical ones and a median of {:.2} s give {outcome:?}",
            audit.outcome,
            counted.mismatches,
            counted.critical,
            counted.median_s.unwrap_or(0.0)
        )
    });
    let same_time = match (audit.generation_time, counted.median_s) {
        (Some(written), Some(median)) => (written - median).abs() <= TIME_TOLERANCE_S,
        (None, None) => true,
        _ => false,
    };
    let same = audit.checked_prompts as usize == counted.checked
        && audit.failed_prompts as usize == counted.mismatches
        && audit.failed_critical as usize == counted.critical
        && same_time;
    record.count(Code::AuditNumbers.area(), Some(round), same);
    if !same {
        record.find_as(
            Code::AuditNumbers,
            Severity::Warning,
            Some(round),
            path,
            None,
            format!(
                "the verdict on {hotkey} says {} checked, {} failed, {} critical, {:.2} s; the files give {}, {}, {}, \
                 {:.2} s: it was typed by hand or made of other files (the outcome is the same)",
                audit.checked_prompts,
                audit.failed_prompts,
                audit.failed_critical,
                audit.generation_time.unwrap_or(0.0),
                counted.checked,
                counted.mismatches,
                counted.critical,
                counted.median_s.unwrap_or(0.0)
            ),
        );
    }
}

/// Counts over the prompts for which the miner had submitted something.
fn count(submitted: &Outputs, generated: &Outputs, critical: &HashSet<&Stem>) -> Counted {
    let checked: Vec<&Stem> = submitted
        .rows
        .iter()
        .filter(|(_, row)| row.shown.model.is_some())
        .map(|(stem, _)| stem)
        .collect();
    let is_mismatch = |stem: &&&Stem| {
        generated.rows.get(**stem).is_none_or(|row| {
            row.shown.model.is_none()
                || row.shown.picture.is_none()
                || row.generation_time_s > GENERATION_TIMEOUT_S
                || row.distance > MAX_DISTANCE
        })
    };
    let mismatches: Vec<&&Stem> = checked.iter().filter(is_mismatch).collect();
    let critical_mismatches = mismatches
        .iter()
        .filter(|stem| critical.contains(***stem))
        .count();
    let times = generated
        .rows
        .values()
        .map(|row| row.generation_time_s)
        .filter(|time| *time > 0.0)
        .collect();
    Counted {
        checked: checked.len(),
        mismatches: mismatches.len() - critical_mismatches,
        critical: critical_mismatches,
        median_s: trimmed_median(times),
    }
}

fn trimmed_median(mut times: Vec<f64>) -> Option<f64> {
    times.sort_by(f64::total_cmp);
    let kept = if times.len() > 2 * TRIMMED {
        times.get(TRIMMED..times.len() - TRIMMED)?
    } else {
        &times
    };
    let middle = kept.len() / 2;
    match kept.len() {
        0 => None,
        length if length % 2 == 1 => kept.get(middle).copied(),
        _ => Some((kept.get(middle - 1)? + kept.get(middle)?) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_leaves_out_six_samples_at_each_end_of_more_than_twelve() {
        let times = |count: usize| (1..=count).map(|time| time as f64).collect::<Vec<_>>();
        assert_eq!(trimmed_median(times(13)), Some(7.0));
        assert_eq!(trimmed_median(times(12)), Some(6.5));
        let mut skewed = times(12);
        skewed.push(1000.0);
        assert_eq!(trimmed_median(skewed), Some(7.0));
        assert_eq!(trimmed_median(Vec::new()), None);
    }

    #[test]
    fn a_regeneration_is_rejected_by_any_of_three_limits() {
        let counted = |mismatches, critical, median| Counted {
            checked: 128,
            mismatches,
            critical,
            median_s: Some(median),
        };
        assert_eq!(counted(6, 1, 90.0).outcome(), MeshAuditOutcome::Passed);
        assert_eq!(counted(7, 0, 10.0).outcome(), MeshAuditOutcome::Rejected);
        assert_eq!(counted(0, 2, 10.0).outcome(), MeshAuditOutcome::Rejected);
        assert_eq!(counted(0, 0, 90.1).outcome(), MeshAuditOutcome::Rejected);
    }
}
