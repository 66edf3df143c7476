//! Reveal windows and deadlines.
//!
//! Source: "Invariants that hold in the real data" 1; collection-and-rounds, section 7.2.

use schema::{RoundNumber, paths};
use workflow::rules::schedule::SECONDS_PER_BLOCK;

use super::super::code::Code;
use super::super::model::{Competition, RoundFiles};
use super::super::report::Record;

/// Checks a round's window against itself, the configuration and the round before.
pub(in super::super) fn check(
    competition: &Competition,
    round: RoundNumber,
    files: &RoundFiles,
    record: &mut Record,
) {
    let Some(schedule) = &files.schedule else {
        return;
    };
    let path = paths::schedule(round);
    let (earliest, latest, deadline) = (
        schedule.earliest_reveal_block.0,
        schedule.latest_reveal_block.0,
        schedule.generation_deadline_block.0,
    );
    record.expect(
        earliest <= latest && latest <= deadline,
        Code::ScheduleWindow,
        Some(round),
        &path,
        || format!("blocks {earliest}, {latest}, {deadline} do not ascend"),
    );
    let found = deadline.saturating_sub(latest);
    let minutes = competition
        .configs_of_schedule(files)
        .map(|config| config.generation_stage_minutes);
    let minutes: Vec<u32> = minutes.collect();
    if let Some(said) = minutes.first() {
        let blocks = |minutes: &u32| u64::from(*minutes) * 60 / SECONDS_PER_BLOCK;
        let fits = minutes.iter().any(|minutes| blocks(minutes) == found);
        record.expect(fits, Code::ScheduleDeadline, Some(round), &path, || {
            format!(
                "the deadline is {found} blocks after the last reveal; {said} minutes are {} blocks",
                blocks(said)
            )
        });
    }
    let previous = round
        .previous()
        .and_then(|previous| competition.rounds.get(&previous)?.schedule.as_ref());
    if let Some(previous) = previous {
        let expected = previous.latest_reveal_block.0.saturating_add(1);
        record.expect(earliest == expected, Code::ScheduleGap, Some(round), &path, || {
            format!("the window begins at block {earliest}; the one before ended so that it begins at {expected}")
        });
    }
}
