//! Flow `match`: all prompts, a challenger against a defender.

use async_trait::async_trait;
use schema::{
    Hotkey, LeftSide, RoundNumber, Side,
    files::report::{Duel, DuelWinner, MatchReport},
    views,
};
use serde::{Deserialize, Serialize};

use crate::{
    db::records::Record,
    engine::{Effects, Flow, FlowDefinition, FlowError, OnFailure},
    round::{
        entry::Prompt,
        steps::{DuelInput, DuelSide, DuelStep, LoadMatch, LoadMatchInput, PairedEntry},
    },
    rules::matches::{Play, complete_margin},
};

/// A match of the tournament.
pub struct Match;

/// Who, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MatchInput {
    /// Round.
    pub round: RoundNumber,
    /// Defender.
    pub left: Side,
    /// Challenger.
    pub right: Hotkey,
    /// By its duels, or without any because a side delivered nothing.
    pub how: Play,
    /// The round's prompts.
    pub prompts: Vec<Prompt>,
    /// The round's seed.
    pub seed: u32,
}

/// The measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MatchOutput {
    /// Right wins minus left wins.
    pub score: i64,
    /// Score by number of prompts.
    pub margin: f64,
    /// What is published; a walkover has no report.
    pub report: Option<MatchReport>,
}

#[async_trait]
impl FlowDefinition for Match {
    const NAME: &'static str = "match";
    type Input = MatchInput;
    type Output = MatchOutput;

    fn key(input: &MatchInput) -> String {
        match_key(input.round, &input.left, &input.right)
    }

    fn round(input: &MatchInput) -> Option<u32> {
        Some(input.round.0)
    }

    async fn run(flow: &Flow, input: MatchInput) -> Result<MatchOutput, FlowError> {
        let left_repeat = u32::from(input.left.is_leader());
        let sides = Sides {
            round: input.round,
            match_key: Self::key(&input),
            left: (input.left.clone(), left_repeat),
            right: (Side::Miner(input.right.clone()), 0),
        };
        judge(
            flow,
            sides,
            input.left.into(),
            input.right,
            input.how,
            input.prompts,
            input.seed,
        )
        .await
    }

    fn effects(input: &MatchInput, output: &MatchOutput) -> Effects {
        record(
            input.round,
            "matches",
            input.left.as_str(),
            &input.right,
            output,
        )
    }
}

/// The key of a tournament match.
pub(super) fn match_key(round: RoundNumber, left: &Side, right: &Hotkey) -> String {
    format!("round/{round}/match/{left}/{right}")
}

/// Whose entries a match is about.
pub(super) struct Sides {
    pub(super) round: RoundNumber,
    pub(super) match_key: String,
    pub(super) left: (Side, u32),
    pub(super) right: (Side, u32),
}

/// Judges every prompt at once and adds up.
pub(super) async fn judge(
    flow: &Flow,
    sides: Sides,
    left: LeftSide,
    right: Hotkey,
    how: Play,
    prompts: Vec<Prompt>,
    seed: u32,
) -> Result<MatchOutput, FlowError> {
    if let Play::Walkover { margin } = how {
        return Ok(MatchOutput {
            score: margin as i64 * prompts.len() as i64,
            margin,
            report: None,
        });
    }
    let Sides {
        round,
        match_key,
        left: left_entries,
        right: right_entries,
    } = sides;
    let load = LoadMatchInput {
        round,
        match_key: match_key.clone(),
        left: left_entries,
        right: right_entries,
        prompts,
    };
    let pairs = flow.step::<LoadMatch>(load).await?;
    let duels = pairs.iter().map(|pair| DuelInput {
        round,
        match_key: match_key.clone(),
        prompt: pair.prompt.clone(),
        left: pair.left.clone(),
        right: pair.right.clone(),
        seed,
    });
    let verdicts = flow
        .join_steps::<DuelStep>(duels.collect::<Vec<_>>(), OnFailure::Fail)
        .await?;
    let verdicts = verdicts.into_iter().collect::<Result<Vec<_>, _>>()?;
    let winners: Vec<DuelWinner> = verdicts.iter().map(|verdict| verdict.winner).collect();
    let (score, margin) =
        complete_margin(&winners).map_err(|error| FlowError::Other(error.to_string()))?;
    let duels = pairs.into_iter().zip(verdicts).map(|(pair, verdict)| {
        let PairedEntry {
            prompt,
            left,
            right,
        } = pair;
        Duel {
            name: prompt.stem,
            prompt: prompt.url,
            left_png: grid(&left),
            left_js: left.js,
            right_png: grid(&right),
            right_js: right.js,
            winner: verdict.winner,
            detail: Some(verdict.detail),
        }
    });
    let report = MatchReport::of_duels(left, right, duels.collect());
    Ok(MatchOutput {
        score,
        margin,
        report: Some(report),
    })
}

fn grid(side: &DuelSide) -> Option<String> {
    side.views.as_deref().map(views::grid_url)
}

/// The row of a finished match. The tournament publishes report and matrix row together, in the order of play.
pub(super) fn record(
    round: RoundNumber,
    matrix: &'static str,
    left: &str,
    right: &Hotkey,
    output: &MatchOutput,
) -> Effects {
    let record = Record::Match {
        round: round.0,
        matrix,
        left: left.to_owned(),
        right: right.as_str().to_owned(),
        score: output.score as i32,
        margin: output.margin,
        duels: output
            .report
            .as_ref()
            .map_or(0, |report| report.duels.len() as i32),
    };
    Effects {
        records: vec![record],
        ..Effects::default()
    }
}
