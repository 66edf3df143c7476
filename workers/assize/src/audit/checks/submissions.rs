//! Who takes part, in which order.
//!
//! Source: "Schemas" 7.7 and "Invariants that hold in the real data" 3 of the state repository's specification.

use std::collections::HashMap;

use schema::{RoundNumber, paths};

use super::super::code::Code;
use super::super::model::{Competition, RoundFiles};
use super::super::report::Record;

/// Checks order, window and labels of a round's submissions.
pub(in super::super) fn check(
    competition: &Competition,
    round: RoundNumber,
    files: &RoundFiles,
    record: &mut Record,
) {
    let Some(submissions) = &files.submissions else {
        return;
    };
    let path = paths::submissions(round);

    let blocks: Vec<u64> = submissions
        .values()
        .map(|submission| submission.revealed_at_block.0)
        .collect();
    let descents: Vec<usize> = blocks
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| pair[0] > pair[1])
        .map(|(index, _)| index)
        .collect();
    record.expect(
        descents.is_empty(),
        Code::SubmissionsOrder,
        Some(round),
        &path,
        || {
            let first = descents
                .first()
                .and_then(|index| submissions.get_index(index + 1));
            let who = first.map_or_else(String::new, |(hotkey, _)| hotkey.to_string());
            format!(
                "{} submissions stand after one that was revealed later, the first is {who}",
                descents.len()
            )
        },
    );

    for (hotkey, submission) in submissions {
        if let Some(schedule) = &files.schedule {
            let block = submission.revealed_at_block;
            record.expect(
                schedule.accepts_reveal_at(block),
                Code::SubmissionsWindow,
                Some(round),
                &path,
                || format!("{hotkey} revealed at block {block}, outside the round's window"),
            );
        }
        if let Some(config) = competition.config_at_start(files) {
            let label = config.round_label(round);
            record.expect(
                submission.round == label,
                Code::SubmissionsLabel,
                Some(round),
                &path,
                || {
                    format!(
                        "{hotkey} carries the label `{}`, not `{label}`",
                        submission.round
                    )
                },
            );
        }
    }

    let mut sharing: HashMap<u64, usize> = HashMap::new();
    for block in blocks {
        *sharing.entry(block).or_default() += 1;
    }
    let tied: usize = sharing.values().filter(|count| **count > 1).sum();
    if tied > 0 {
        record.find(
            Code::SubmissionsTies,
            Some(round),
            path,
            format!("{tied} miners revealed in the same block as another; between them the order of this file decides"),
        );
    }
}
