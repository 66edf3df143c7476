//! What people are told of regenerations: how they went, and pods that had to be given back.
//!
//! Source: generation, section 11 (Discord embeds).

use schema::{
    RoundNumber, Side,
    files::{GenerationReport, ReportOutcome},
};
use serde::{Deserialize, Serialize};

use super::{BLUE, GREEN, NoticeText, RED, code_block};
use crate::rules::percent::share;

/// What a side's image has generated, over all repeats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Generated {
    /// Prompts with an output.
    pub generated: u32,
    /// Prompts that failed.
    pub failed: u32,
    /// Prompts it was to generate.
    pub total: u32,
    /// Seconds of all batches.
    pub seconds: f64,
    /// Pods that took another's place.
    pub replacements: u32,
}

/// Subject of a miner's report.
pub fn report_subject(side: &Side) -> String {
    format!("generation_report/{side}")
}

/// A miner's report; none while repeats remain.
pub fn generation_report(report: &GenerationReport) -> Option<NoticeText> {
    let hotkey = report.hotkey.short();
    let (color, said) = match report.outcome {
        ReportOutcome::Pending => return None,
        ReportOutcome::Completed => {
            let repeats = report.repeats.iter().map(|repeat| {
                let time = repeat
                    .generation_time
                    .map_or_else(|| "not timed".to_owned(), seconds);
                format!(
                    "#{}: {} ok, {} failed, {time}",
                    repeat.repeat_index, repeat.generated_prompts, repeat.failed_prompts
                )
            });
            (GREEN, repeats.collect::<Vec<_>>().join("\n"))
        }
        ReportOutcome::Rejected => (RED, report.reason.clone()),
    };
    Some(NoticeText::new(
        "Generation Report".to_owned(),
        color,
        format!("`{hotkey}`: {}\n{}", report.outcome, code_block(&said)),
    ))
}

/// Subject of a side's regeneration.
pub fn generation_subject(side: &Side) -> String {
    format!("generation/{side}")
}

/// A regeneration is over.
pub fn generation(round: RoundNumber, side: &Side, generated: &Generated) -> NoticeText {
    let done = generated.generated;
    NoticeText {
        title: format!("Round {round} Generation — `{}`", side.short()),
        color: BLUE,
        description: None,
        fields: Vec::new(),
    }
    .with_field(
        "Generated",
        format!(
            "{done}/{} ({})",
            generated.total,
            share(done.into(), generated.total.into())
        ),
        true,
    )
    .with_field("Fails", generated.failed.to_string(), true)
    .with_field("Total time", seconds(generated.seconds), true)
    .with_field("Replacements", generated.replacements.to_string(), true)
}

/// Subject of a pod.
pub fn pod_subject(pod: &str) -> String {
    format!("pod/{pod}")
}

/// A pod did not become ready.
pub fn pod_not_deployed(side: &Side, pod: &str, reason: &str) -> NoticeText {
    pod_trouble("Pod Deploy Failed", side, pod, reason)
}

/// A pod is given back in the middle of its work; none when that is the miner's wish or the batch's length.
///
/// `reason`: `termination_reason` of `pod_stats.json`.
pub fn pod_given_up(side: &Side, pod: &str, repeat: u32, reason: &str) -> Option<NoticeText> {
    let title = match reason {
        "submission_failed" => "Batch Submission Failed",
        "download_failed" => "Batch Download Failed",
        "unreachable" => "Pod Unreachable",
        _ => return None,
    };
    let during = format!("repeat {repeat}; its batch starts anew on another pod, if one is left");
    Some(pod_trouble(title, side, pod, &during))
}

fn pod_trouble(title: &str, side: &Side, pod: &str, what: &str) -> NoticeText {
    NoticeText::new(
        title.to_owned(),
        RED,
        format!("`{}` on pod `{pod}`: {what}", side.short()),
    )
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.1}s")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use schema::{Hotkey, files::RepeatReport};

    use super::*;

    fn report(outcome: ReportOutcome, reason: &str) -> GenerationReport {
        let repeat = |repeat_index, generation_time| RepeatReport {
            repeat_index,
            generated_prompts: 126,
            failed_prompts: 2,
            generation_time,
        };
        GenerationReport {
            hotkey: Hotkey::new("5GgpGaDxzT9999"),
            outcome,
            repeats: vec![repeat(1, Some(3601.26)), repeat(2, None)],
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn a_report_is_told_when_it_is_final() {
        let completed = generation_report(&report(ReportOutcome::Completed, "")).unwrap();
        assert_eq!(
            (completed.title.as_str(), completed.color),
            ("Generation Report", 0x002E_CC71)
        );
        assert_eq!(
            completed.description.unwrap(),
            "`5GgpGaDxzT`: completed\n```\n#1: 126 ok, 2 failed, 3601.3s\n#2: 126 ok, 2 failed, not timed\n```"
        );
        let reason = "Failed to deploy a docker image";
        let rejected = generation_report(&report(ReportOutcome::Rejected, reason)).unwrap();
        assert_eq!(rejected.color, 0x00E7_4C3C);
        assert_eq!(
            rejected.description.unwrap(),
            "`5GgpGaDxzT`: rejected\n```\nFailed to deploy a docker image\n```"
        );
        assert!(generation_report(&report(ReportOutcome::Pending, "")).is_none());
    }

    #[test]
    fn a_regeneration_is_told_with_what_it_came_to() {
        let came_to = Generated {
            generated: 380,
            failed: 4,
            total: 384,
            seconds: 10_000.04,
            replacements: 1,
        };
        let told = generation(RoundNumber(6), &Side::Leader, &came_to);
        assert_eq!(told.title, "Round 6 Generation — `leader`");
        let values: Vec<&str> = told.fields.iter().map(|field| &*field.value).collect();
        assert_eq!(values, ["380/384 (98%)", "4", "10000.0s", "1"]);
    }

    #[test]
    fn a_pod_that_fails_is_told_and_one_that_was_to_be_replaced_is_not() {
        let told = |reason| pod_given_up(&Side::Leader, "miner-06-leader-0", 2, reason);
        for (reason, title) in [
            ("submission_failed", "Batch Submission Failed"),
            ("download_failed", "Batch Download Failed"),
            ("unreachable", "Pod Unreachable"),
        ] {
            let told = told(reason).unwrap();
            assert_eq!((told.title.as_str(), told.color), (title, 0x00E7_4C3C));
            assert!(told.description.unwrap().contains("miner-06-leader-0"));
        }
        for reason in ["requested", "batch_time_limit"] {
            assert!(told(reason).is_none(), "{reason}");
        }
    }
}
