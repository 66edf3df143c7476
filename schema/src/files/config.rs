//! `config.json`: the rules of one competition, made by hand.

use chrono::{NaiveDate, NaiveTime};
use serde::{Deserialize, Serialize};

use super::macros::json_file;
use crate::RoundNumber;
use crate::format::datetime::{clock, date};
use crate::tolerant;

/// `config.json`: the rules of one competition. Hand-made, so its formatting is free; written in the ordinary layout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Short name, part of every image tag (`mesh`).
    pub name: String,
    /// What the competition is about.
    pub description: String,
    /// No round starts before this date (UTC).
    #[serde(with = "date")]
    pub first_evaluation_date: NaiveDate,
    /// Last date on which a round may start (UTC, inclusive).
    #[serde(with = "date")]
    pub last_competition_date: NaiveDate,
    /// When rounds start, UTC. Two-digit hours.
    #[serde(default = "eight_in_the_morning", with = "clock")]
    pub round_start_time: NaiveTime,
    /// How long miners may generate, minutes.
    #[serde(deserialize_with = "tolerant::integer")]
    pub generation_stage_minutes: u32,
    /// Least gap between finalizing a round and the start of the next, hours.
    #[serde(default = "one_hour")]
    pub finalization_buffer_hours: f64,
    /// By how much a challenger must win, as a fraction of the prompts.
    pub win_margin: f64,
    /// What one defence costs the leader's weight.
    pub weight_decay: f64,
    /// Where that decay stops.
    pub weight_floor: f64,
    /// Prompts a round.
    #[serde(deserialize_with = "tolerant::integer")]
    pub prompts_per_round: u32,
    /// How many of them come from the round before.
    #[serde(deserialize_with = "tolerant::integer")]
    pub carryover_prompts: u32,
    /// Days from one round's start to the next.
    #[serde(default = "one_day", deserialize_with = "tolerant::integer")]
    pub round_duration_days: u32,
    /// Full regenerations of an audited miner's outputs.
    #[serde(default = "three_repeats", deserialize_with = "tolerant::integer")]
    pub audit_repeats: u32,
}

impl Config {
    /// The label of a round in submissions and image tags: `mesh-6`.
    pub fn round_label(&self, round: RoundNumber) -> String {
        format!("{}-{round}", self.name)
    }

    /// What is wrong with the values, one sentence each; empty when nothing is. Reading does not check them, so that an
    /// old file always reads; whoever starts a round should.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |holds: bool, problem: String| {
            if !holds {
                problems.push(problem);
            }
        };
        check(
            is_tag_safe(&self.name),
            format!(
                "name `{}` cannot stand in an image tag; use lower-case letters, digits, `.`, `_` and `-`",
                self.name
            ),
        );
        check(
            self.first_evaluation_date <= self.last_competition_date,
            format!(
                "first_evaluation_date {} is after last_competition_date {}",
                self.first_evaluation_date, self.last_competition_date
            ),
        );
        check(
            self.generation_stage_minutes > 0,
            "generation_stage_minutes is 0; miners need time to generate".to_owned(),
        );
        check(
            self.finalization_buffer_hours >= 0.0,
            format!(
                "finalization_buffer_hours is {}; it cannot be negative",
                self.finalization_buffer_hours
            ),
        );
        for (key, value) in [
            ("win_margin", self.win_margin),
            ("weight_decay", self.weight_decay),
            ("weight_floor", self.weight_floor),
        ] {
            check(
                (0.0..=1.0).contains(&value),
                format!("{key} is {value}; it must be from 0 to 1"),
            );
        }
        check(
            self.prompts_per_round > 0,
            "prompts_per_round is 0; a round needs prompts".to_owned(),
        );
        check(
            self.carryover_prompts <= self.prompts_per_round,
            format!(
                "carryover_prompts is {}, more than prompts_per_round, {}",
                self.carryover_prompts, self.prompts_per_round
            ),
        );
        check(
            self.round_duration_days > 0,
            "round_duration_days is 0; a round lasts at least a day".to_owned(),
        );
        check(
            self.audit_repeats > 0,
            "audit_repeats is 0; no miner could ever be verified".to_owned(),
        );
        problems
    }
}

fn is_tag_safe(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte)
        })
}

fn eight_in_the_morning() -> NaiveTime {
    NaiveTime::from_hms_opt(8, 0, 0).unwrap_or(NaiveTime::MIN)
}

fn one_hour() -> f64 {
    1.0
}

fn one_day() -> u32 {
    1
}

fn three_repeats() -> u32 {
    3
}

json_file!(Config, Required);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StateFile;

    const LEAST: &str = r#"{"name": "mesh", "description": "d", "first_evaluation_date": "2026-02-02",
        "last_competition_date": "2027-01-26", "generation_stage_minutes": "120", "win_margin": 0, "weight_decay": 0.2,
        "weight_floor": 0.2, "prompts_per_round": 128.0, "carryover_prompts": 32, "comment": "by hand"}"#;

    #[test]
    fn missing_optional_keys_take_their_defaults() {
        let config = Config::parse("config.json", LEAST.as_bytes()).unwrap();
        assert_eq!(config.round_start_time, eight_in_the_morning());
        assert_eq!(config.finalization_buffer_hours, 1.0);
        assert_eq!((config.round_duration_days, config.audit_repeats), (1, 3));
        assert_eq!(
            (config.generation_stage_minutes, config.prompts_per_round),
            (120, 128)
        );
        assert_eq!(config.round_label(RoundNumber(6)), "mesh-6");
        assert_eq!(config.problems(), Vec::<String>::new());
    }

    #[test]
    fn a_one_digit_hour_is_refused_with_its_place() {
        let text = LEAST.replace(
            "\"comment\": \"by hand\"",
            "\"round_start_time\": \"8:00:00\"",
        );
        let error = Config::parse("config.json", text.as_bytes()).unwrap_err();
        assert_eq!(error.line, 3);
        assert!(error.to_string().contains("two-digit hours"), "{error}");
    }

    #[test]
    fn impossible_values_are_named() {
        let mut config = Config::parse("config.json", LEAST.as_bytes()).unwrap();
        config.name = "Mesh!".to_owned();
        config.carryover_prompts = 129;
        config.win_margin = f64::NAN;
        assert_eq!(config.problems().len(), 3, "{:?}", config.problems());
    }
}
