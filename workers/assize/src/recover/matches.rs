//! Matches, audits, and the duels of those that are not published yet.

use schema::{
    Hotkey, LeftSide, Side,
    files::{AuditLeft, MatchReport},
    paths::ReportNames,
};
use workflow::{
    db::{records::Record, recovered::Recovered},
    engine::FlowDefinition as _,
    round::{
        flows::{Compare, CompareInput, DuelFlow, Match, MatchInput, MatchOutput},
        judging::Measurement,
        ledger::DuelVerdict,
    },
    rules::matches::Play,
};

use super::{
    plan::Plan,
    public_round::{PublicRound, PublicSeed},
};

/// Puts back the rows of both matrices, in their order, and single duels.
pub(super) fn plan(
    round: &PublicRound,
    seeded: &PublicSeed,
    plan: &mut Plan,
) -> anyhow::Result<()> {
    let prompts = seeded.prompts();
    let names = ReportNames::new(seeded.submissions.challengers());
    let mut published = Vec::new();
    for (left, right, margin) in round.matches.rows() {
        let path = names.duels_report(round.number, &Side::from(left), right);
        let (how, output) = measured(round, &path, margin, prompts.len());
        let input = MatchInput {
            round: round.number,
            left: Side::from(left),
            right: right.clone(),
            how,
            prompts: prompts.clone(),
            seed: seeded.proof.seed,
            pictures: String::new(),
            measurement: Measurement::default(),
            stop_at: Vec::new(),
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
        let path = names.audit_report(round.number, &report_side(&side), right, side.repeat());
        let (how, output) = measured(round, &path, margin, prompts.len());
        let input = CompareInput {
            round: round.number,
            left: left.to_owned(),
            right: right.clone(),
            how,
            prompts: prompts.clone(),
            seed: seeded.proof.seed,
            pictures: String::new(),
            measurement: Measurement::default(),
            stop_at: Vec::new(),
        };
        published.push(Compare::key(&input));
        let is_public = public(round, "audits", left, right);
        plan.jobs
            .push(Recovered::flow::<Compare>(&input, &output)?.with(is_public));
    }
    plan.matches = published.len();
    for (key, duels) in &round.ledger.duels {
        if !published.contains(key) {
            // The key of a duel holds the digests it was judged by: one whose sides show something else by now is not asked for.
            for DuelVerdict { input, output } in duels.values() {
                plan.jobs.push(Recovered::flow::<DuelFlow>(input, output)?);
                plan.duels += 1;
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
        shown_sha256: None,
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
        measurement: Measurement::default(),
    }
}
