//! Flow `match`: all prompts, a challenger against a defender.

use async_trait::async_trait;
use schema::{
    Hotkey, LeftSide, RoundNumber, Side,
    files::report::{Duel, DuelDetail, DuelWinner, MatchReport},
};
use serde::{Deserialize, Serialize};

use crate::{
    db::{records::Record, shown::suffix},
    engine::{Effects, Flow, FlowDefinition, FlowError, OnFailure},
    round::{
        entry::Prompt,
        flows::duel::{DuelFlow, DuelInput, grid},
        judge::{Bound, DuelOutput, Pairing},
        judging::Measurement,
        steps::{LoadMatch, LoadMatchInput, PairedEntry},
    },
    rules::{
        curtailment::{MatchProgress, fewest_until_stop},
        matches::{Play, complete_margin},
    },
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
    /// Which measurement of the match.
    #[serde(default, skip_serializing_if = "Measurement::is_first")]
    pub measurement: Measurement,
    /// The thresholds at which the match may stop early; none to judge every prompt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop_at: Vec<f64>,
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
        let MatchInput {
            round, left, right, ..
        } = input;
        format!(
            "round/{round}/match/{left}/{right}{}{}",
            input.measurement.suffix(),
            suffix(&input.pictures)
        )
    }

    fn round(input: &MatchInput) -> Option<u32> {
        Some(input.round.0)
    }

    async fn run(flow: &Flow, input: MatchInput) -> Result<MatchOutput, FlowError> {
        let contest = Contest {
            match_key: Self::key(&input),
            pairing: Pairing {
                round: input.round,
                matrix: Pairing::MATCHES.to_owned(),
                left: input.left.as_str().to_owned(),
                right: input.right.as_str().to_owned(),
            },
            left_entries: (input.left.clone(), u32::from(input.left.is_leader())),
            right_entries: (Side::Miner(input.right.clone()), 0),
            left: input.left.into(),
            right: input.right,
            how: input.how,
            prompts: input.prompts,
            seed: input.seed,
            measurement: input.measurement,
            stop_at: input.stop_at,
        };
        judge(flow, contest).await
    }

    fn effects(input: &MatchInput, output: &MatchOutput) -> Effects {
        Measured {
            round: input.round,
            matrix: "matches",
            left: input.left.as_str(),
            right: &input.right,
            measurement: input.measurement,
            job_key: Self::key(input),
        }
        .record(output)
    }
}

/// A match or an audit that is to be judged.
pub(super) struct Contest {
    /// Key of the flow; those of its duels begin with it.
    pub(super) match_key: String,
    pub(super) pairing: Pairing,
    /// Whose entries left shows, and of which repeat.
    pub(super) left_entries: (Side, u32),
    pub(super) right_entries: (Side, u32),
    /// The sides as the report names them.
    pub(super) left: LeftSide,
    pub(super) right: Hotkey,
    pub(super) how: Play,
    pub(super) prompts: Vec<Prompt>,
    pub(super) seed: u32,
    pub(super) measurement: Measurement,
    pub(super) stop_at: Vec<f64>,
}

/// Judges every prompt, or as many as decide, and adds up.
pub(super) async fn judge(flow: &Flow, contest: Contest) -> Result<MatchOutput, FlowError> {
    if let Play::Walkover { margin } = contest.how {
        return Ok(MatchOutput {
            score: margin as i64 * contest.prompts.len() as i64,
            margin,
            report: None,
            shown_sha256: None,
        });
    }
    let load = LoadMatchInput {
        round: contest.pairing.round,
        match_key: contest.match_key.clone(),
        pairing: contest.pairing.clone(),
        run: contest.measurement.run,
        judgement: contest.measurement.judgement,
        left: contest.left_entries,
        right: contest.right_entries,
        prompts: contest.prompts,
        seed: contest.seed,
    };
    let loaded = flow.step::<LoadMatch>(load).await?;
    let judging = DuelJudge {
        flow,
        match_key: &contest.match_key,
        pairing: &contest.pairing,
    };
    let verdicts = if contest.stop_at.is_empty() {
        judging.all(&loaded.pairs).await?
    } else {
        judging
            .until_decided(&loaded.pairs, &contest.stop_at)
            .await?
    };
    let winners: Vec<DuelWinner> = verdicts.iter().map(|verdict| verdict.winner).collect();
    complete_margin(&winners).map_err(|error| FlowError::Other(error.to_string()))?;

    let verdicts = verdicts
        .into_iter()
        .map(Some)
        .chain(std::iter::repeat(None));
    let duels = loaded
        .pairs
        .into_iter()
        .zip(verdicts)
        .map(reported)
        .collect();
    let report = MatchReport::of_duels(contest.left, contest.right, duels);
    Ok(MatchOutput {
        score: report.score,
        margin: report.margin,
        report: Some(report),
        shown_sha256: Some(loaded.shown_sha256),
    })
}

/// The judge of one match.
struct DuelJudge<'a> {
    flow: &'a Flow,
    match_key: &'a str,
    pairing: &'a Pairing,
}

impl DuelJudge<'_> {
    /// Judges all of these prompts at once. What was judged before with the same binding is not judged again.
    async fn all(&self, pairs: &[PairedEntry]) -> Result<Vec<DuelOutput>, FlowError> {
        let open = pairs.iter().filter(|pair| pair.judged.is_none());
        let duels = open.map(|pair| DuelInput {
            match_key: self.match_key.to_owned(),
            pairing: self.pairing.clone(),
            bound: pair.bound.clone(),
            priority: self.flow.priority(),
        });
        let mut judged = self
            .flow
            .join_flows::<DuelFlow>(duels.collect::<Vec<_>>(), OnFailure::Fail)
            .await?
            .into_iter();
        let verdicts = pairs.iter().map(|pair| match &pair.judged {
            Some(verdict) => Ok(verdict.clone()),
            None => judged
                .next()
                .ok_or_else(|| FlowError::Other("a duel has no verdict".to_owned()))?,
        });
        verdicts.collect()
    }

    /// Judges in the order of the prompts until the rest cannot change a decision. Each wave has as many duels as must at
    /// least be judged before the match can stop, so that none is judged in vain.
    async fn until_decided(
        &self,
        pairs: &[PairedEntry],
        stop_at: &[f64],
    ) -> Result<Vec<DuelOutput>, FlowError> {
        let mut progress = MatchProgress {
            score: 0,
            judged: 0,
            prompts: pairs.len() as u32,
        };
        let mut verdicts = Vec::with_capacity(pairs.len());
        loop {
            let wave = fewest_until_stop(progress, stop_at) as usize;
            if wave == 0 {
                return Ok(verdicts);
            }
            let next = pairs.iter().skip(verdicts.len()).take(wave);
            for verdict in self.all(&next.cloned().collect::<Vec<_>>()).await? {
                progress.score += verdict.winner.points();
                progress.judged += 1;
                verdicts.push(verdict);
            }
        }
    }
}

/// A duel as it is published. One without a verdict was not needed.
fn reported((pair, verdict): (PairedEntry, Option<DuelOutput>)) -> Duel {
    let Bound {
        prompt,
        left,
        right,
        ..
    } = pair.bound;
    let (winner, detail) = match verdict {
        Some(verdict) => (verdict.winner, verdict.detail),
        None => (
            DuelWinner::Skipped,
            DuelDetail::MissingViews {
                reason: DuelDetail::CURTAILED.to_owned(),
            },
        ),
    };
    Duel {
        name: prompt.stem,
        prompt: prompt.url,
        left_png: grid(&left),
        left_js: left.js,
        right_png: grid(&right),
        right_js: right.js,
        winner,
        detail: Some(detail),
    }
}

/// What a finished match or audit measured.
pub(super) struct Measured<'a> {
    pub(super) round: RoundNumber,
    /// `matches` or `audits`.
    pub(super) matrix: &'static str,
    /// Left side as in the matrix.
    pub(super) left: &'a str,
    pub(super) right: &'a Hotkey,
    pub(super) measurement: Measurement,
    pub(super) job_key: String,
}

impl Measured<'_> {
    /// The row of the measurement. The tournament publishes report and matrix row together, in the order of play. The first
    /// run is bound to what both sides showed; runs beside it bind nothing.
    pub(super) fn record(self, output: &MatchOutput) -> Effects {
        let judged = |duel: &&Duel| duel.winner != DuelWinner::Skipped;
        let record = Record::Match {
            round: self.round.0,
            matrix: self.matrix,
            left: self.left.to_owned(),
            right: self.right.as_str().to_owned(),
            score: output.score as i32,
            margin: output.margin,
            duels: output.report.as_ref().map_or(0, |report| {
                report.duels.iter().filter(judged).count() as i32
            }),
            measurement: self.measurement,
            job_key: self.job_key.clone(),
        };
        let shown = output
            .shown_sha256
            .clone()
            .filter(|_| self.measurement.run == 0)
            .map(|shown_sha256| Record::MatchShown {
                round: self.round.0,
                matrix: self.matrix,
                left: self.left.to_owned(),
                right: self.right.as_str().to_owned(),
                shown_sha256,
                job_key: self.job_key,
                score: output.score as i32,
                margin: output.margin,
            });
        Effects {
            records: [record].into_iter().chain(shown).collect(),
            ..Effects::default()
        }
    }
}
