//! Leader transitions, decay and floor.
//!
//! Source: collection-and-rounds, section 7.3; "Invariants that hold in the real data" 2 of the state repository's
//! specification.

use schema::files::{Config, LeaderEntry, Leaders, Schedule, Winner};
use schema::{RoundNumber, Stage, paths};
use workflow::rules::leader::leader_transition;

use super::super::code::Code;
use super::super::model::Competition;
use super::super::report::Record;
use super::tournament::leaders_before;

/// Weights of the first competition were not rounded: `0.6000000000000001` for 0.6.
const WEIGHT_TOLERANCE: f64 = 1e-9;

/// Checks the list of leaders and the entry of each finished round.
pub(in super::super) fn check(competition: &Competition, record: &mut Record) {
    let Some(leaders) = &competition.leaders else {
        return;
    };
    let path = paths::leader();
    let problems = leaders.problems();
    record.expect(problems.is_empty(), Code::LeaderList, None, &path, || {
        problems.join("; ")
    });

    let mut explained = vec![false; leaders.0.len()];
    // The first entry is made by hand before the competition starts.
    if let Some(first) = explained.first_mut() {
        *first = true;
    }
    for (round, files) in &competition.rounds {
        let next = competition
            .rounds
            .get(&round.next())
            .and_then(|files| files.schedule.as_ref());
        let (Some(winner), Some(next), Some(config)) =
            (&files.winner, next, competition.config_at_end(files))
        else {
            continue;
        };
        let before = leaders_before(competition, files);
        entry(
            *round,
            &before,
            leaders,
            winner,
            next,
            config,
            &mut explained,
            record,
        );
    }
    let finished = competition
        .state
        .as_ref()
        .is_some_and(|state| state.stage == Stage::Finished);
    let strangers = explained
        .iter()
        .enumerate()
        .filter(|(_, explained)| !**explained)
        .map(|(index, _)| index);
    for index in strangers {
        // A competition that is over appends the entry of a round that will not come.
        if finished && index + 1 == leaders.0.len() {
            continue;
        }
        record.expect(false, Code::LeaderList, None, &path, || {
            let block = leaders
                .0
                .get(index)
                .map_or(0, |entry| entry.effective_block.0);
            format!("entry {index}, effective at block {block}, follows from no round's winner")
        });
    }
}

#[allow(clippy::too_many_arguments)]
fn entry(
    round: RoundNumber,
    before: &Leaders,
    leaders: &Leaders,
    winner: &Winner,
    next: &Schedule,
    config: &Config,
    explained: &mut [bool],
    record: &mut Record,
) {
    let path = paths::leader();
    let block = next.latest_reveal_block;
    let found = leaders
        .0
        .iter()
        .position(|entry| entry.effective_block == block);
    if let Some(explained) = found.and_then(|index| explained.get_mut(index)) {
        *explained = true;
    }
    let found: Option<&LeaderEntry> = found.and_then(|index| leaders.0.get(index));
    let expected = match leader_transition(
        before,
        winner,
        block,
        config.weight_decay,
        config.weight_floor,
    ) {
        Ok(transition) => transition.entry().cloned(),
        Err(error) => {
            record.expect(false, Code::LeaderEntry, Some(round), &path, || {
                error.to_string()
            });
            return;
        }
    };
    match (&expected, found) {
        (None, None) => record.count(Code::LeaderEntry.area(), Some(round), true),
        (Some(expected), Some(found)) => {
            let same_code = (
                &expected.hotkey,
                &expected.repo,
                &expected.commit,
                &expected.docker,
            ) == (&found.hotkey, &found.repo, &found.commit, &found.docker);
            record.expect(same_code, Code::LeaderEntry, Some(round), &path, || {
                format!(
                    "the entry effective at block {block} is {}, the winner leads to {}",
                    found.hotkey, expected.hotkey
                )
            });
            let same_weight = (expected.weight - found.weight).abs() < WEIGHT_TOLERANCE;
            record.expect(same_weight, Code::LeaderWeight, Some(round), &path, || {
                format!(
                    "the weight from block {block} is {}, decay and floor give {}",
                    found.weight, expected.weight
                )
            });
        }
        (Some(expected), None) => {
            record.expect(false, Code::LeaderEntry, Some(round), &path, || {
                format!(
                    "the winner leads to an entry for {} at block {block}, and there is none",
                    expected.hotkey
                )
            });
        }
        (None, Some(found)) => record.expect(false, Code::LeaderEntry, Some(round), &path, || {
            format!(
                "{} got an entry at block {block}, although a defence at the floor changes nothing",
                found.hotkey
            )
        }),
    }
}
