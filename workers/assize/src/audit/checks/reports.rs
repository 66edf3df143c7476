//! Scores and margins from duels, and duels from what was shown.
//!
//! Source: judge, section 3 and 5; "Invariants that hold in the real data" 5 of the state repository's specification.

use schema::files::report::score_and_margin;
use schema::files::{DuelWinner, Submissions};
use schema::paths::ReportNames;
use schema::{LeftSide, RoundNumber, Side, Stem};

use super::super::code::{Code, Severity};
use super::super::documents::{DuelSummary, Shown};
use super::super::model::{ReportFile, RoundFiles};
use super::super::outputs::Outputs;
use super::super::report::Record;

/// Checks every report of a round.
pub(in super::super) fn check(round: RoundNumber, files: &RoundFiles, record: &mut Record) {
    let mut prompts: Option<Vec<(Stem, &str)>> = files.prompts.as_ref().map(|prompts| {
        prompts
            .urls()
            .iter()
            .map(|url| (Stem::of_url(url), url.as_str()))
            .collect()
    });
    if let Some(prompts) = &mut prompts {
        prompts.sort_by(|one, other| one.0.cmp(&other.0));
    }
    let submissions = files.submissions.as_ref();
    let names = ReportNames::new(submissions.map_or_else(Vec::new, Submissions::challengers));
    for file in &files.reports {
        sums(round, file, record);
        sides(round, &names, file, record);
        if let Some(prompts) = &prompts {
            same_prompts(round, file, prompts, record);
        }
        gate(round, file, record);
        inputs(round, files, file, record);
    }
}

fn sums(round: RoundNumber, file: &ReportFile, record: &mut Record) {
    let report = &file.report;
    let (score, margin) = score_and_margin(report.duels.iter().map(|duel| duel.winner));
    record.expect(
        report.score == score,
        Code::ReportScore,
        Some(round),
        &file.path,
        || format!("the score is {}, the duels give {score}", report.score),
    );
    record.expect(
        report.margin == margin,
        Code::ReportMargin,
        Some(round),
        &file.path,
        || format!("the margin is {}, the duels give {margin}", report.margin),
    );
}

fn sides(round: RoundNumber, names: &ReportNames, file: &ReportFile, record: &mut Record) {
    let report = &file.report;
    let fits = names.of(&report.left) == file.left_in_path && report.right == file.right_in_path;
    record.expect(fits, Code::ReportSides, Some(round), &file.path, || {
        format!(
            "it is the report of {} against {}",
            report.left, report.right
        )
    });
}

fn same_prompts(
    round: RoundNumber,
    file: &ReportFile,
    prompts: &[(Stem, &str)],
    record: &mut Record,
) {
    let duels = &file.report.duels;
    let same = duels.len() == prompts.len()
        && duels
            .iter()
            .zip(prompts)
            .all(|(duel, (stem, url))| duel.name == *stem && duel.prompt == *url);
    record.expect(same, Code::ReportPrompts, Some(round), &file.path, || {
        let sorted = duels.windows(2).all(|pair| pair[0].name <= pair[1].name);
        let strange = duels
            .iter()
            .filter(|duel| !prompts.iter().any(|(stem, _)| *stem == duel.name))
            .count();
        format!(
            "{} duels for {} prompts, {strange} of them on no prompt of the round{}",
            duels.len(),
            prompts.len(),
            if sorted { "" } else { ", not sorted by name" }
        )
    });
}

/// Without a picture on a side there is nothing to judge.
fn gate(round: RoundNumber, file: &ReportFile, record: &mut Record) {
    let wrong: Vec<&DuelSummary> = file
        .report
        .duels
        .iter()
        .filter(|duel| {
            let expected = match (&duel.left.picture, &duel.right.picture) {
                (Some(_), Some(_)) => return false,
                (None, None) => DuelWinner::Draw,
                (None, Some(_)) => DuelWinner::Right,
                (Some(_), None) => DuelWinner::Left,
            };
            duel.winner != expected && duel.winner != DuelWinner::Skipped
        })
        .collect();
    record.expect(
        wrong.is_empty(),
        Code::ReportGate,
        Some(round),
        &file.path,
        || {
            format!(
                "{} duels lack a picture and were not decided by that, the first is {}",
                wrong.len(),
                wrong.first().map_or("", |duel| duel.name.as_str())
            )
        },
    );
}

/// The report names the outputs that the sides' own files name.
fn inputs(round: RoundNumber, files: &RoundFiles, file: &ReportFile, record: &mut Record) {
    let report = &file.report;
    let left = match (&report.left, file.repeat) {
        (LeftSide::Submitted, _) => files.submitted.get(&report.right),
        (LeftSide::Side(side), _) => files.outputs_of(side),
    };
    let right = match file.repeat {
        None => files.submitted.get(&report.right),
        Some(repeat) => files.generated.get(&(Side::from(&report.right), repeat)),
    };
    let differing = |outputs: Option<&Outputs>, shown: fn(&DuelSummary) -> &Shown| {
        outputs.map(|outputs| {
            report
                .duels
                .iter()
                .filter(|duel| !outputs.shows(&duel.name, shown(duel)))
                .count()
        })
    };
    let sides = [
        ("left", differing(left, |duel| &duel.left)),
        ("right", differing(right, |duel| &duel.right)),
    ];
    for (side, differing) in sides {
        let Some(differing) = differing else { continue };
        record.count(Code::ReportInputs.area(), Some(round), differing == 0);
        if differing > 0 {
            record.find_as(
                Code::ReportInputs,
                Severity::Warning,
                Some(round),
                file.path.clone(),
                None,
                format!(
                    "{differing} duels show other files on the {side} than its side's outputs name now: the outputs \
                     changed after the match, or the match was made of others"
                ),
            );
        }
    }
}
