//! Flow `match`: all prompts, a challenger against a defender.

use async_trait::async_trait;
use schema::{
    Hotkey, LeftSide, RoundNumber, Side,
    files::report::{Duel, DuelWinner, MatchReport},
};
use serde::{Deserialize, Serialize};

use crate::{
    db::{records::Record, shown::suffix},
    engine::{Effects, Flow, FlowDefinition, FlowError, OnFailure},
    round::{
        entry::Prompt,
        flows::duel::{DuelFlow, DuelInput, grid},
        judge::{Bound, Pairing},
        steps::{LoadMatch, LoadMatchInput},
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
    /// Digest of what both sides show, when an earlier result was judged on something else; empty for the first judgement.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pictures: String,
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
    /// Digest of what both sides showed; a walkover is bound to nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_sha256: Option<String>,
}

#[async_trait]
impl FlowDefinition for Match {
    const NAME: &'static str = "match";
    type Input = MatchInput;
    type Output = MatchOutput;

    fn key(input: &MatchInput) -> String {
        let first = match_key(input.round, &input.left, &input.right);
        first + &suffix(&input.pictures)
    }

    fn round(input: &MatchInput) -> Option<u32> {
        Some(input.round.0)
    }

    async fn run(flow: &Flow, input: MatchInput) -> Result<MatchOutput, FlowError> {
        let left_repeat = u32::from(input.left.is_leader());
        let sides = Sides {
            match_key: Self::key(&input),
            pairing: Pairing {
                round: input.round,
                matrix: Pairing::MATCHES.to_owned(),
                left: input.left.as_str().to_owned(),
                right: input.right.as_str().to_owned(),
            },
            priority: Self::PRIORITY,
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
            Self::key(input),
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
    pub(super) match_key: String,
    pub(super) pairing: Pairing,
    /// Of the calls to the model.
    pub(super) priority: i16,
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
            shown_sha256: None,
        });
    }
    let load = LoadMatchInput {
        round: sides.pairing.round,
        match_key: sides.match_key.clone(),
        pairing: sides.pairing.clone(),
        run: 0,
        judgement: 0,
        left: sides.left,
        right: sides.right,
        prompts,
        seed,
    };
    let loaded = flow.step::<LoadMatch>(load).await?;
    // What was judged before with the same binding is not judged again.
    let open = loaded.pairs.iter().filter(|pair| pair.judged.is_none());
    let duels = open.map(|pair| DuelInput {
        match_key: sides.match_key.clone(),
        pairing: sides.pairing.clone(),
        bound: pair.bound.clone(),
        priority: sides.priority,
    });
    let mut judged = flow
        .join_flows::<DuelFlow>(duels.collect::<Vec<_>>(), OnFailure::Fail)
        .await?
        .into_iter();
    let mut duels = Vec::with_capacity(loaded.pairs.len());
    for pair in loaded.pairs {
        let verdict = match pair.judged {
            Some(verdict) => verdict,
            None => judged
                .next()
                .ok_or_else(|| FlowError::Other("a duel has no verdict".to_owned()))??,
        };
        let Bound {
            prompt,
            left,
            right,
            ..
        } = pair.bound;
        duels.push(Duel {
            name: prompt.stem,
            prompt: prompt.url,
            left_png: grid(&left),
            left_js: left.js,
            right_png: grid(&right),
            right_js: right.js,
            winner: verdict.winner,
            detail: Some(verdict.detail),
        });
    }
    let winners: Vec<DuelWinner> = duels.iter().map(|duel| duel.winner).collect();
    let (score, margin) =
        complete_margin(&winners).map_err(|error| FlowError::Other(error.to_string()))?;
    let report = MatchReport::of_duels(left, right, duels);
    Ok(MatchOutput {
        score,
        margin,
        report: Some(report),
        shown_sha256: Some(loaded.shown_sha256),
    })
}

/// The row of a finished match. The tournament publishes report and matrix row together, in the order of play.
pub(super) fn record(
    round: RoundNumber,
    matrix: &'static str,
    left: &str,
    right: &Hotkey,
    job_key: String,
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
    let shown = output
        .shown_sha256
        .clone()
        .map(|shown_sha256| Record::MatchShown {
            round: round.0,
            matrix,
            left: left.to_owned(),
            right: right.as_str().to_owned(),
            shown_sha256,
            job_key,
            score: output.score as i32,
            margin: output.margin,
        });
    Effects {
        records: [record].into_iter().chain(shown).collect(),
        ..Effects::default()
    }
}
