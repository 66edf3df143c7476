//! Matches, audits, and the duels of those that are not published yet.

use schema::{
    Hotkey, LeftSide, Side,
    files::{AuditLeft, MatchReport},
    paths,
};
use workflow::{
    db::{records::Record, recovered::Recovered},
    engine::FlowDefinition as _,
    round::{
        flows::{Compare, CompareInput, Match, MatchInput, MatchOutput},
        ledger::DuelVerdict,
        steps::DuelStep,
    },
    rules::matches::Play,
};

use super::{
    entries::ShownEntries,
    plan::Plan,
    public_round::{PublicRound, PublicSeed},
};

/// Puts back the rows of both matrices, in their order, and single duels.
pub(super) fn plan(
    round: &PublicRound,
    seeded: &PublicSeed,
    shown: &ShownEntries,
    plan: &mut Plan,
) -> anyhow::Result<()> {
    let prompts = seeded.prompts();
    let mut published = Vec::new();
    for (left, right, margin) in round.matches.rows() {
        let path = paths::duels_report(round.number, &Side::from(left), right);
        let (how, output) = measured(round, &path, margin, prompts.len());
        let input = MatchInput {
            round: round.number,
            left: Side::from(left),
            right: right.clone(),
            how,
            prompts: prompts.clone(),
            seed: seeded.proof.seed,
        };
        published.push(Match::key(&input));
        let is_public = public(round, "matches", left, right);
        plan.jobs
            .push(Recovered::flow::<Match>(&input, &output)?.with(is_public));
    }
    for (left, right, margin) in round.audits.rows() {
        let Some(side) = AuditLeft::parse(left) else {
            continue;
        };
        let path = paths::audit_report(round.number, &report_side(&side), right, side.repeat());
        let (how, output) = measured(round, &path, margin, prompts.len());
        let input = CompareInput {
            round: round.number,
            left: left.to_owned(),
            right: right.clone(),
            how,
            prompts: prompts.clone(),
            seed: seeded.proof.seed,
        };
        published.push(Compare::key(&input));
        let is_public = public(round, "audits", left, right);
        plan.jobs
            .push(Recovered::flow::<Compare>(&input, &output)?.with(is_public));
    }
    plan.matches = published.len();
    for (key, duels) in &round.ledger.duels {
        if !published.contains(key) {
            for duel in duels.values() {
                single(round, shown, duel, plan)?;
            }
        }
    }
    Ok(())
}

/// A row's measurement: by its report, or without one.
fn measured(round: &PublicRound, path: &str, margin: f64, prompts: usize) -> (Play, MatchOutput) {
    let report: Option<&MatchReport> = round.match_reports.get(path);
    let how = report.map_or(Play::Walkover { margin }, |_| Play::Judge);
    let output = MatchOutput {
        score: report.map_or(margin as i64 * prompts as i64, |report| report.score),
        margin,
        report: report.cloned(),
    };
    (how, output)
}

fn report_side(left: &AuditLeft) -> LeftSide {
    match left {
        AuditLeft::Submitted { .. } => LeftSide::Submitted,
        AuditLeft::Defender { defender, .. } => LeftSide::Side(defender.clone()),
    }
}

fn public(round: &PublicRound, matrix: &'static str, left: &str, right: &Hotkey) -> Record {
    Record::MatchPublished {
        round: round.number.0,
        matrix,
        left: left.to_owned(),
        right: right.as_str().to_owned(),
    }
}

/// One duel of a match that goes on, if both sides still show what it was judged by.
fn single(
    round: &PublicRound,
    shown: &ShownEntries,
    duel: &DuelVerdict,
    plan: &mut Plan,
) -> anyhow::Result<()> {
    let DuelVerdict { input, output } = duel;
    let Some((left, right)) = sides(round, &input.match_key) else {
        return Ok(());
    };
    let shows = |(side, repeat): (Side, u32)| shown.get(&(side, repeat, input.prompt.stem.clone()));
    if shows(left) == Some(&input.left) && shows(right) == Some(&input.right) {
        plan.jobs.push(Recovered::step::<DuelStep>(input, output)?);
        plan.duels += 1;
    }
    Ok(())
}

/// Whose entries a match is about, by side and repeat: `round/0/match/{left}/{right}`, `round/0/compare/{left}/{right}`.
fn sides(round: &PublicRound, match_key: &str) -> Option<((Side, u32), (Side, u32))> {
    let key = match_key.strip_prefix(&format!("round/{}/", round.number))?;
    let mut words = key.split('/');
    let (kind, left, right) = (words.next()?, words.next()?, words.next()?);
    let challenger = Side::Miner(Hotkey::new(right));
    let shown_by = |side: Side| {
        let repeat = u32::from(side.is_leader());
        (side, repeat)
    };
    match kind {
        "match" => Some((shown_by(Side::from(left)), (challenger, 0))),
        "compare" => {
            let left = AuditLeft::parse(left)?;
            let regenerated = (challenger.clone(), left.repeat());
            match left {
                AuditLeft::Submitted { .. } => Some(((challenger, 0), regenerated)),
                AuditLeft::Defender { defender, .. } => Some((shown_by(defender), regenerated)),
            }
        }
        _ => None,
    }
}
