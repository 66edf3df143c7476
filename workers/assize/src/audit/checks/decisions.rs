//! What the ledger tells of decisions against what is published: the last line about a thing is the one that counts.

use std::collections::HashMap;

use schema::files::AnyGenerationAudits;
use schema::{Hotkey, RoundNumber, Side, paths};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use workflow::round::ledger::Decision;

use super::super::code::Code;
use super::super::model::RoundFiles;
use super::super::report::Record;

/// Compares a round's ledger with its files. Lines that cannot be read are found elsewhere.
pub(in super::super) fn check(round: RoundNumber, files: &RoundFiles, record: &mut Record) {
    let mut last = Last::default();
    for line in lines::<Decision>(files, "decisions.jsonl") {
        last.take(line);
    }
    margins(round, files, &last, record);
    verdicts(round, files, &last, record);
    winner(round, files, &last, record);
    superseded(round, files, &last, record);
}

/// The last line about each thing.
#[derive(Default)]
struct Last {
    /// By matrix, left and right.
    margins: HashMap<(String, String, Hotkey), f64>,
    verdicts: HashMap<Hotkey, (schema::files::Verdict, String)>,
    winner: Option<Side>,
    /// Name in the ledger folder and digest.
    superseded: Vec<(String, String)>,
}

impl Last {
    fn take(&mut self, line: Decision) {
        match line {
            Decision::Match {
                matrix,
                left,
                right,
                margin,
                ..
            } => {
                self.margins.insert((matrix, left, right), margin);
            }
            Decision::Verdict {
                hotkey,
                verdict,
                reason,
                ..
            } => {
                self.verdicts.insert(hotkey, (verdict, reason));
            }
            Decision::VerdictWithdrawn { hotkey, .. } => {
                self.verdicts.remove(&hotkey);
            }
            Decision::Winner { winner, .. } => self.winner = Some(winner),
            Decision::Superseded {
                kept_as, sha256, ..
            } => self.superseded.push((kept_as, sha256)),
            _ => {}
        }
    }
}

/// The lines of a ledger file that can be read as `L`.
pub(super) fn lines<L: DeserializeOwned>(files: &RoundFiles, name: &str) -> Vec<L> {
    let bytes = files.ledger.get(name).map(Vec::as_slice);
    bytes
        .unwrap_or_default()
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect()
}

fn margins(round: RoundNumber, files: &RoundFiles, last: &Last, record: &mut Record) {
    let tables = [
        ("matches", &files.matches, paths::matches_matrix(round)),
        ("audits", &files.audits, paths::audit_matrix(round)),
    ];
    for (matrix, table, path) in tables {
        for (left, right, margin) in table.iter().flat_map(schema::files::Matrix::rows) {
            let key = (matrix.to_owned(), left.to_owned(), right.clone());
            if let Some(told) = last.margins.get(&key) {
                record.expect(
                    *told == margin,
                    Code::LedgerDecision,
                    Some(round),
                    &path,
                    || format!("{left} against {right} has {margin}; the ledger tells {told}"),
                );
            }
        }
    }
}

fn verdicts(round: RoundNumber, files: &RoundFiles, last: &Last, record: &mut Record) {
    let Some(AnyGenerationAudits::Current(audits)) = &files.generation_audits else {
        return;
    };
    for (hotkey, audit) in audits {
        if let Some((verdict, reason)) = last.verdicts.get(hotkey) {
            record.expect(
                *verdict == audit.verdict && *reason == audit.reason,
                Code::LedgerDecision,
                Some(round),
                &paths::generation_audits(round),
                || {
                    format!(
                        "{hotkey}: {} ({}); the ledger tells {verdict} ({reason})",
                        audit.verdict, audit.reason
                    )
                },
            );
        }
    }
}

fn winner(round: RoundNumber, files: &RoundFiles, last: &Last, record: &mut Record) {
    if let (Some(published), Some(told)) = (&files.winner, &last.winner) {
        record.expect(
            published.winner_hotkey == *told,
            Code::LedgerDecision,
            Some(round),
            &paths::winner(round),
            || {
                format!(
                    "the winner is {}; the ledger tells {told}",
                    published.winner_hotkey
                )
            },
        );
    }
}

fn superseded(round: RoundNumber, files: &RoundFiles, last: &Last, record: &mut Record) {
    for (name, sha256) in &last.superseded {
        let kept = files
            .ledger
            .get(name)
            .map(|bytes| hex::encode(Sha256::digest(bytes)));
        record.expect(
            kept.as_ref() == Some(sha256),
            Code::LedgerSuperseded,
            Some(round),
            &format!("rounds/{round}/ledger/{name}"),
            || match kept {
                Some(_) => "it is not the result that was replaced".to_owned(),
                None => "the result that was replaced is not kept".to_owned(),
            },
        );
    }
}
