//! The winners of a report against the verdicts that the ledger tells of its duels.
//!
//! A match that was measured more than once has a file of verdicts for each time. The report is that of the last measurement
//! that counts, so files of runs beside it, of earlier judgements and of pictures that were drawn anew since say nothing of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use schema::files::DuelWinner;
use schema::{Hotkey, RoundNumber, Stem};
use workflow::round::ledger::{Decision, DuelVerdict};

use super::super::code::Code;
use super::super::model::{ReportFile, RoundFiles};
use super::super::report::Record;
use super::decisions::lines;

/// The verdicts of one measurement of a match.
struct Measured {
    /// Name in the ledger folder.
    file: String,
    judgement: u32,
    run: u32,
    /// What an earlier result on other pictures was replaced for.
    pictures: Option<String>,
    winners: HashMap<Stem, DuelWinner>,
}

/// A match: `match` or `compare`, left side, right side.
type Match = (String, String, Hotkey);

/// Compares the reports of a round with the ledger's verdicts.
pub(in super::super) fn check(round: RoundNumber, files: &RoundFiles, record: &mut Record) {
    let stale: HashSet<String> = lines::<Decision>(files, "decisions.jsonl")
        .into_iter()
        .filter_map(|line| match line {
            Decision::ResultSuperseded { shown_sha256, .. } => Some(shown_sha256),
            _ => None,
        })
        .collect();
    for (of, mut measured) in by_match(round, files) {
        let Some(report) = report_of(files, &of) else {
            continue;
        };
        measured.retain(|one| one.run == 0);
        let judgement = measured.iter().map(|one| one.judgement).max();
        measured.retain(|one| Some(one.judgement) == judgement);
        let drawn_anew = measured.iter().any(|one| one.pictures.is_some());
        measured.retain(|one| match &one.pictures {
            Some(pictures) => !stale.iter().any(|shown| shown.starts_with(pictures)),
            None => !drawn_anew,
        });
        for one in measured {
            compare(round, report, &one, record);
        }
    }
}

fn compare(round: RoundNumber, report: &ReportFile, measured: &Measured, record: &mut Record) {
    let told = &measured.winners;
    let other = report.report.duels.iter().find(|duel| {
        told.get(&duel.name)
            .is_some_and(|winner| *winner != duel.winner)
    });
    record.expect(
        other.is_none(),
        Code::LedgerDecision,
        Some(round),
        &report.path,
        || {
            let stem = other.map_or("", |duel| duel.name.as_str());
            let file = &measured.file;
            format!("the duel of {stem} has another winner than in rounds/{round}/ledger/{file}")
        },
    );
}

fn by_match(round: RoundNumber, files: &RoundFiles) -> BTreeMap<Match, Vec<Measured>> {
    let mut matches: BTreeMap<Match, Vec<Measured>> = BTreeMap::new();
    let names = files.ledger.keys();
    for name in names.filter(|name| name.starts_with("duels/")) {
        let mut winners = HashMap::new();
        let mut key = None;
        for DuelVerdict { input, output } in lines(files, name) {
            key = Some(input.match_key);
            winners.insert(input.bound.prompt.stem, output.winner);
        }
        let Some((of, mut measured)) = key.and_then(|key| parse(round, &key)) else {
            continue;
        };
        measured.file.clone_from(name);
        measured.winners = winners;
        matches.entry(of).or_default().push(measured);
    }
    matches
}

/// Reads the key of a match: `round/0/match/{left}/{right}` or `round/0/compare/{left}_{r}/{right}`, with what tells the
/// measurement behind it.
fn parse(round: RoundNumber, key: &str) -> Option<(Match, Measured)> {
    let mut words = key.strip_prefix(&format!("round/{round}/"))?.split('/');
    let of = (
        words.next()?.to_owned(),
        words.next()?.to_owned(),
        Hotkey::new(words.next()?),
    );
    let mut measured = Measured {
        file: String::new(),
        judgement: 0,
        run: 0,
        pictures: None,
        winners: HashMap::new(),
    };
    while let Some(word) = words.next() {
        let value = words.next()?;
        match word {
            "judgement" => measured.judgement = value.parse().ok()?,
            "run" => measured.run = value.parse().ok()?,
            "pictures" => measured.pictures = Some(value.to_owned()),
            _ => return None,
        }
    }
    Some((of, measured))
}

fn report_of<'a>(files: &'a RoundFiles, (kind, left, right): &Match) -> Option<&'a ReportFile> {
    match kind.as_str() {
        "match" => files.report(left, right, None),
        "compare" => {
            let (left, repeat) = left.rsplit_once('_')?;
            files.report(left, right, repeat.parse().ok())
        }
        _ => None,
    }
}
