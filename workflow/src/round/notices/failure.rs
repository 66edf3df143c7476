//! What people are told when something of ours failed and stands still.

use chrono::{DateTime, Utc};
use schema::RoundNumber;

use super::{NoticeText, RED, code_block};
use crate::{
    engine::{FlowDefinition as _, Reconciler as _, Step as _},
    round::{
        flows::{Build, Builds, Compare, DuelFlow, Match, Regeneration, Round, Tournament},
        queues,
        steps::{
            Ask, CompareEmbeddings, Declare, DeployPod, Finalize, FixRules, LoadMatch, MeasureGray,
            OpenRound, OrderPod, Regenerate, ReleasePods, RenewPods, ReportGeneration, StartBuilds,
            VerifyBuild,
        },
    },
};

/// Longest part of an error that is repeated, in characters. The whole chain stands on the dashboard.
const ERROR_CHARACTERS: usize = 600;

/// Jobs of one kind whose failures ran out.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct FailedWork {
    /// Round, unless it belongs to none.
    pub round: Option<i32>,
    /// Step or flow name.
    pub name: String,
    /// Key of the match whose duels wait for the jobs, if they are calls of the model.
    pub match_key: Option<String>,
    /// Parked jobs; duels with a parked call, if there is a match.
    pub failed: i64,
    /// Duels of the match so far.
    pub total: i64,
    /// The error of one of them.
    pub error: Option<String>,
    /// When the last one ran out of tries.
    pub failed_at: DateTime<Utc>,
}

/// A resource that is out of service.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Outage {
    /// Its queue.
    pub queue: String,
    /// A sentence.
    pub because: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

impl FailedWork {
    /// What a notice about it is about.
    pub fn subject(&self) -> String {
        match &self.match_key {
            Some(match_key) => format!("failed/{}/{match_key}", self.name),
            None => format!("failed/{}", self.name),
        }
    }
}

impl Outage {
    /// What a notice about it is about.
    pub fn subject(&self) -> String {
        format!("outage/{}", self.queue)
    }
}

/// Work that an operator has to look at. Nothing is lost by it, and no miner loses by it.
pub fn failed_work(failed: &FailedWork) -> NoticeText {
    let name = failed.name.replace('_', " ");
    let what = match (&failed.match_key, failed.round) {
        (Some(match_key), _) => format!(
            "{} / {} duels of `{match_key}` wait for answers of the model.",
            failed.failed, failed.total
        ),
        (None, Some(round)) => format!(
            "{} × {name} of round {}",
            failed.failed,
            RoundNumber(round as u32)
        ),
        (None, None) => format!("{} × {name}", failed.failed),
    };
    let error = failed.error.as_deref().unwrap_or("no error was kept");
    let error: String = error.chars().take(ERROR_CHARACTERS).collect();
    NoticeText::new(
        title(&failed.name).to_owned(),
        RED,
        format!(
            "{what}\n{}\nNothing is lost: `assize job list --name {1}`, then `assize job retry --name {1}`.",
            code_block(&error),
            failed.name
        ),
    )
}

/// A resource is out of service.
pub fn outage(outage: &Outage) -> NoticeText {
    let (title, what) = if outage.queue == queues::VLM {
        ("Judge LLM Errors", "The vision-language model")
    } else {
        ("Out Of Service", outage.queue.as_str())
    };
    NoticeText::new(
        title.to_owned(),
        RED,
        format!(
            "{what} is out of service since <t:{}:f>. What needs it waits, goes on by itself, and loses nothing.\n{}",
            outage.since.timestamp(),
            code_block(&outage.because)
        ),
    )
}

/// The headline under which the reference's operators know errors of this part.
fn title(name: &str) -> &'static str {
    const JUDGE: &[&str] = &[
        Tournament::NAME,
        Match::NAME,
        Compare::NAME,
        DuelFlow::NAME,
        LoadMatch::NAME,
        CompareEmbeddings::NAME,
        MeasureGray::NAME,
        Declare::NAME,
    ];
    const ROUND_MANAGER: &[&str] = &[Round::NAME, OpenRound::NAME, FixRules::NAME, Finalize::NAME];
    const GENERATION: &[&str] = &[
        Builds::NAME,
        Build::NAME,
        StartBuilds::NAME,
        VerifyBuild::NAME,
        Regeneration::NAME,
        OrderPod::NAME,
        DeployPod::NAME,
        Regenerate::NAME,
        RenewPods::NAME,
        ReleasePods::NAME,
        ReportGeneration::NAME,
    ];
    match name {
        Ask::NAME => "Judge LLM Errors",
        _ if JUDGE.contains(&name) => "Judge Service Error",
        _ if ROUND_MANAGER.contains(&name) => "Round Manager Error",
        _ if GENERATION.contains(&name) => "Generation Orchestrator Error",
        _ => "Submission Collector Error",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn failed(name: &str, match_key: Option<&str>) -> FailedWork {
        FailedWork {
            round: Some(3),
            name: name.to_owned(),
            match_key: match_key.map(str::to_owned),
            failed: 2,
            total: 128,
            error: Some("the answer has no `penalty_1`".to_owned()),
            failed_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn calls_that_ran_out_of_tries_are_told_by_match_as_failed_of_total() {
        let told = failed_work(&failed("ask", Some("round/3/match/leader/5A")));
        assert_eq!(
            (told.title.as_str(), told.color),
            ("Judge LLM Errors", 0x00E7_4C3C)
        );
        let text = told.description.unwrap();
        assert!(
            text.starts_with("2 / 128 duels of `round/3/match/leader/5A` wait"),
            "{text}"
        );
        assert!(
            text.contains("```\nthe answer has no 'penalty_1'\n```"),
            "{text}"
        );
    }

    #[test]
    fn every_part_has_the_headline_its_operators_know() {
        for (name, title) in [
            ("tournament", "Judge Service Error"),
            ("declare", "Judge Service Error"),
            ("finalize", "Round Manager Error"),
            ("regenerate", "Generation Orchestrator Error"),
            ("download", "Submission Collector Error"),
        ] {
            assert_eq!(failed_work(&failed(name, None)).title, title);
        }
    }

    #[test]
    fn a_long_error_is_cut() {
        let mut long = failed("finalize", None);
        long.error = Some("x".repeat(9000));
        assert!(failed_work(&long).description.unwrap().len() < 1000);
    }

    #[test]
    fn an_outage_of_the_model_says_that_nothing_is_lost() {
        let told = outage(&Outage {
            queue: queues::VLM.to_owned(),
            because: "the model cannot be reached".to_owned(),
            since: DateTime::UNIX_EPOCH,
        });
        assert_eq!(told.title, "Judge LLM Errors");
        assert!(told.description.unwrap().contains("loses nothing"));
    }
}
