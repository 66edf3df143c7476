//! Flow `compare`: an audit, what a miner's image regenerated against what it submitted, or against whom it beat.

use async_trait::async_trait;
use schema::{Hotkey, LeftSide, RoundNumber, Side, files::AuditLeft};
use serde::{Deserialize, Serialize};

use crate::{
    db::shown::suffix,
    engine::{Effects, Flow, FlowDefinition, FlowError},
    round::{
        entry::Prompt,
        flows::{
            MatchOutput,
            matches::{Contest, Measured, judge},
        },
        judge::Pairing,
        judging::Measurement,
    },
    rules::matches::Play,
};

/// An audit duel over all prompts.
pub struct Compare;

/// Which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompareInput {
    /// Round.
    pub round: RoundNumber,
    /// Left side as in `audit_matrix.csv`: `submitted_{r}` or `{defender}_{r}`.
    pub left: String,
    /// The audited miner.
    pub right: Hotkey,
    /// By its duels, or without any because a side has nothing to show.
    pub how: Play,
    /// The round's prompts.
    pub prompts: Vec<Prompt>,
    /// The round's seed.
    pub seed: u32,
    /// Digest of what both sides show, when an earlier result was judged on something else; empty for the first judgement.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pictures: String,
    /// Which measurement of the audit.
    #[serde(default, skip_serializing_if = "Measurement::is_first")]
    pub measurement: Measurement,
    /// The thresholds at which the audit may stop early; none to judge every prompt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop_at: Vec<f64>,
}

#[async_trait]
impl FlowDefinition for Compare {
    const NAME: &'static str = "compare";
    const PRIORITY: i16 = 80;
    type Input = CompareInput;
    type Output = MatchOutput;

    fn key(input: &CompareInput) -> String {
        let CompareInput {
            round, left, right, ..
        } = input;
        format!(
            "round/{round}/compare/{left}/{right}{}{}",
            input.measurement.suffix(),
            suffix(&input.pictures)
        )
    }

    fn round(input: &CompareInput) -> Option<u32> {
        Some(input.round.0)
    }

    async fn run(flow: &Flow, input: CompareInput) -> Result<MatchOutput, FlowError> {
        let left = AuditLeft::parse(&input.left).ok_or_else(|| {
            FlowError::Other(format!("{} is not a left side of an audit", input.left))
        })?;
        let audited = Side::Miner(input.right.clone());
        let (left_entries, left_side) = match &left {
            AuditLeft::Submitted { .. } => ((audited.clone(), 0), LeftSide::Submitted),
            AuditLeft::Defender { defender, .. } => (
                (defender.clone(), u32::from(defender.is_leader())),
                LeftSide::Side(defender.clone()),
            ),
        };
        let contest = Contest {
            match_key: Self::key(&input),
            pairing: Pairing {
                round: input.round,
                matrix: Pairing::AUDITS.to_owned(),
                left: input.left.clone(),
                right: input.right.as_str().to_owned(),
            },
            left_entries,
            right_entries: (audited, left.repeat()),
            left: left_side,
            right: input.right,
            how: input.how,
            prompts: input.prompts,
            seed: input.seed,
            measurement: input.measurement,
            stop_at: input.stop_at,
        };
        judge(flow, contest).await
    }

    fn effects(input: &CompareInput, output: &MatchOutput) -> Effects {
        Measured {
            round: input.round,
            matrix: "audits",
            left: &input.left,
            right: &input.right,
            measurement: input.measurement,
            job_key: Self::key(input),
        }
        .record(output)
    }
}
