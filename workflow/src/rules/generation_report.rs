//! How a miner's regeneration is reported, and when it disqualifies.
//!
//! A regeneration never passes a miner: it is within the limits or it is not, and the judge compares the outputs.
//!
//! Counted are the prompts that were asked of the miner's code. A prompt it was never asked (its image could not be fetched
//! by us) must be left out by the caller; it is not the miner's failure (weakness W15).
//!
//! Source: generation, section 6.2 (`generation_reports.json`).

use std::collections::BTreeSet;

use schema::files::{GenerationReport, Generations, RepeatReport, ReportOutcome};
use schema::{Hotkey, Stem};

/// What a regeneration may cost.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RegenerationLimits {
    /// `TOTAL_GENERATION_TIME_LIMIT`: seconds of all batches of one repeat.
    pub total_time_s: f64,
    /// `MAX_MISMATCHED_PROMPTS`: how many prompts of one repeat may fail.
    pub failed_prompts: u32,
}

impl Default for RegenerationLimits {
    /// 7200 s and 12 prompts.
    fn default() -> Self {
        Self {
            total_time_s: 7200.0,
            failed_prompts: 12,
        }
    }
}

/// The miner's image was not built.
pub const BUILD_FAILED: &str = "Failed to build a docker image";

/// No pod with the miner's image became ready.
pub const DEPLOY_FAILED: &str = "Failed to deploy a docker image";

/// One full repeat: of the prompts `asked` for, those without a row or with a failure reason failed.
///
/// `total_time_s`: seconds of all batches; a total of 0 is written as none.
pub fn repeat_report(
    repeat_index: u32,
    asked: &BTreeSet<Stem>,
    rows: &Generations,
    total_time_s: f64,
) -> RepeatReport {
    let failed = |stem: &&Stem| {
        rows.get(stem.as_str())
            .is_none_or(|row| row.failure_reason.is_some())
    };
    let failed_prompts = asked.iter().filter(failed).count() as u32;
    RepeatReport {
        repeat_index,
        generated_prompts: asked.len() as u32 - failed_prompts,
        failed_prompts,
        generation_time: (total_time_s > 0.0).then_some(total_time_s),
    }
}

/// The report on the repeats that are finished; `more_to_come` while others are not.
///
/// A repeat beyond the limits rejects at once, whether or not others follow. For a run that ended early because its pods
/// were used up, pass every repeat: what is missing has failed.
pub fn report(
    hotkey: &Hotkey,
    repeats: Vec<RepeatReport>,
    more_to_come: bool,
    limits: &RegenerationLimits,
) -> GenerationReport {
    let reasons: Vec<String> = repeats
        .iter()
        .flat_map(|repeat| excesses(repeat, limits))
        .collect();
    let outcome = match (reasons.is_empty(), more_to_come) {
        (false, _) => ReportOutcome::Rejected,
        (true, true) => ReportOutcome::Pending,
        (true, false) => ReportOutcome::Completed,
    };
    GenerationReport {
        hotkey: hotkey.clone(),
        outcome,
        repeats,
        reason: reasons.join("; "),
    }
}

/// The report of a miner whose image was never run, for `reason`: [`BUILD_FAILED`] or [`DEPLOY_FAILED`].
pub fn rejected_report(hotkey: &Hotkey, reason: &str) -> GenerationReport {
    GenerationReport {
        hotkey: hotkey.clone(),
        outcome: ReportOutcome::Rejected,
        repeats: Vec::new(),
        reason: reason.to_owned(),
    }
}

/// In which ways a repeat is beyond the limits: time first, then failures.
pub fn excesses(repeat: &RepeatReport, limits: &RegenerationLimits) -> Vec<String> {
    let index = repeat.repeat_index;
    let time = repeat
        .generation_time
        .filter(|time| *time > limits.total_time_s)
        .map(|time| {
            format!(
                "Repeat {index}: time ({time:.1}s) exceeds limit ({:.1}s)",
                limits.total_time_s
            )
        });
    let failures = (repeat.failed_prompts > limits.failed_prompts).then(|| {
        format!(
            "Repeat {index}: {} failed prompts exceed tolerance ({})",
            repeat.failed_prompts, limits.failed_prompts
        )
    });
    time.into_iter().chain(failures).collect()
}

#[cfg(test)]
mod tests {
    use schema::files::Generation;

    use super::*;

    fn stems(count: usize) -> BTreeSet<Stem> {
        (0..count).map(|i| Stem::new(format!("stem{i}"))).collect()
    }

    /// Rows of the first `generated` stems, then `failed` stems with a reason.
    fn rows(generated: usize, failed: usize) -> Generations {
        let row = |i: usize| Generation {
            js: (i < generated).then(|| "url".to_owned()),
            failure_reason: (i >= generated).then(|| "missing from batch results".to_owned()),
            ..Generation::default()
        };
        (0..generated + failed)
            .map(|i| (Stem::new(format!("stem{i}")), row(i)))
            .collect()
    }

    fn repeat(index: u32, failed: u32, time: f64) -> RepeatReport {
        RepeatReport {
            repeat_index: index,
            generated_prompts: 100,
            failed_prompts: failed,
            generation_time: (time > 0.0).then_some(time),
        }
    }

    fn reported(repeats: Vec<RepeatReport>, more_to_come: bool) -> (ReportOutcome, String) {
        let report = report(
            &Hotkey::new("5Miner"),
            repeats,
            more_to_come,
            &RegenerationLimits::default(),
        );
        (report.outcome, report.reason)
    }

    #[test]
    fn missing_rows_and_rows_with_a_reason_failed_and_unasked_rows_do_not_count() {
        let report = repeat_report(2, &stems(20), &rows(12, 3), 61.25);
        assert_eq!(
            (
                report.repeat_index,
                report.generated_prompts,
                report.failed_prompts
            ),
            (2, 12, 8)
        );
        assert_eq!(report.generation_time, Some(61.25));
        let fewer_asked = repeat_report(1, &stems(5), &rows(12, 3), 0.0);
        assert_eq!(
            (fewer_asked.generated_prompts, fewer_asked.failed_prompts),
            (5, 0)
        );
        assert_eq!(fewer_asked.generation_time, None);
    }

    #[test]
    fn a_module_that_we_failed_to_store_is_not_the_miners_failure() {
        let stem = Stem::new("stem0");
        let unstored: Generations = [(stem.clone(), Generation::default())]
            .into_iter()
            .collect();
        assert_eq!(
            repeat_report(1, &BTreeSet::from([stem]), &unstored, 1.0).failed_prompts,
            0
        );
    }

    #[test]
    fn clean_repeats_are_pending_until_the_last_is_there() {
        let clean = || vec![repeat(1, 12, 7200.0), repeat(2, 0, 0.0)];
        assert_eq!(
            reported(clean(), true),
            (ReportOutcome::Pending, String::new())
        );
        assert_eq!(
            reported(clean(), false),
            (ReportOutcome::Completed, String::new())
        );
        assert_eq!(
            reported(vec![], false),
            (ReportOutcome::Completed, String::new())
        );
    }

    #[test]
    fn a_repeat_beyond_a_limit_rejects_at_once_and_names_itself() {
        let reason = "Repeat 2: 13 failed prompts exceed tolerance (12)".to_owned();
        assert_eq!(
            reported(vec![repeat(1, 0, 1.0), repeat(2, 13, 1.0)], true),
            (ReportOutcome::Rejected, reason)
        );
        let reason = "Repeat 1: time (7200.1s) exceeds limit (7200.0s)".to_owned();
        assert_eq!(
            reported(vec![repeat(1, 0, 7200.12)], false),
            (ReportOutcome::Rejected, reason)
        );
    }

    #[test]
    fn several_reasons_are_joined_in_repeat_order_time_first() {
        let (_, reason) = reported(
            vec![
                repeat(1, 20, 9000.06),
                repeat(2, 0, 5.0),
                repeat(3, 13, 0.0),
            ],
            false,
        );
        assert_eq!(
            reason,
            "Repeat 1: time (9000.1s) exceeds limit (7200.0s); Repeat 1: 20 failed prompts exceed tolerance (12); \
             Repeat 3: 13 failed prompts exceed tolerance (12)"
        );
    }

    #[test]
    fn a_miner_whose_image_never_ran_is_rejected_without_repeats() {
        let report = rejected_report(&Hotkey::new("5Miner"), BUILD_FAILED);
        assert_eq!(
            (report.outcome, report.repeats.len()),
            (ReportOutcome::Rejected, 0)
        );
        assert_eq!(report.reason, "Failed to build a docker image");
    }
}
