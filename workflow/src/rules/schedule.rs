//! When the next round starts, and at which blocks.
//!
//! Blocks are fixed here once and never corrected for drift; only the announced start time carries wall time.
//!
//! Source: collection-and-rounds, section 7.1 (next start), 7.2 (schedule), 7.4 (worked examples), 3.1 (announced times).

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use schema::BlockNumber;
use schema::files::{Config, Schedule};

/// Seconds a block is taken to last, everywhere.
pub const SECONDS_PER_BLOCK: u64 = 12;

const MICROSECONDS_PER_BLOCK: i64 = SECONDS_PER_BLOCK as i64 * 1_000_000;
const MICROSECONDS_PER_DAY: i64 = 86_400_000_000;
const MICROSECONDS_PER_HOUR: f64 = 3_600_000_000.0;

/// Why there is no next schedule.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// `finalization_buffer_hours` is no usable number.
    #[error("finalization_buffer_hours is {0}; correct it in config.json")]
    Buffer(f64),
    /// A date or block is beyond what can be written.
    #[error(
        "the next round would start outside the calendar; check the dates in config.json and the block of the last round"
    )]
    OutOfRange,
}

/// The next round's start, and its blocks unless the competition is over.
#[derive(Debug, Clone, PartialEq)]
pub struct NextRound {
    /// When it starts: `next_stage_eta` while it is open.
    pub start: DateTime<Utc>,
    /// The block expected at that time: `latest_reveal_block`, and the block from which a new leader entry counts.
    pub start_block: BlockNumber,
    /// `rounds/{n+1}/schedule.json`; none when the start is after `last_competition_date`.
    pub schedule: Option<Schedule>,
}

/// The round after the one being finalized.
///
/// - `now`, `head`: wall time and the chain's block at that time.
/// - `previous`: the finalized round's schedule, if it has one.
/// - `scheduled_start`: when the finalized round was announced to start, if that is still known. Without it the start is
///   estimated from blocks, which near midnight can be a day off (weakness W16).
///
/// # Errors
///
/// [`ScheduleError`] if `config.json` or the blocks lead outside the calendar.
pub fn next_round(
    config: &Config,
    now: DateTime<Utc>,
    head: BlockNumber,
    previous: Option<&Schedule>,
    scheduled_start: Option<DateTime<Utc>>,
) -> Result<NextRound, ScheduleError> {
    let earliest_date = match (scheduled_start, previous) {
        (Some(start), _) => after_one_round(config, start.date_naive())?,
        (None, Some(previous)) => {
            let opened = time_of_block(now, head, previous.latest_reveal_block)
                .ok_or(ScheduleError::OutOfRange)?;
            after_one_round(config, opened.date_naive())?
        }
        (None, None) => now.date_naive(),
    };

    let mut start = at_start_time(config, earliest_date);
    let missing = buffer(config)?
        - start
            .signed_duration_since(now)
            .num_microseconds()
            .ok_or(ScheduleError::OutOfRange)?;
    if missing > 0 {
        // A missed slot moves by whole days, not by whole rounds.
        let days = (missing + MICROSECONDS_PER_DAY - 1) / MICROSECONDS_PER_DAY;
        start = start
            .checked_add_days(Days::new(days as u64))
            .ok_or(ScheduleError::OutOfRange)?;
    }
    start = start.max(at_start_time(config, config.first_evaluation_date));

    let wait = start
        .signed_duration_since(now)
        .num_microseconds()
        .ok_or(ScheduleError::OutOfRange)?;
    let start_block =
        shifted(head, wait / MICROSECONDS_PER_BLOCK).ok_or(ScheduleError::OutOfRange)?;
    let schedule = if start.date_naive() > config.last_competition_date {
        None
    } else {
        Some(schedule_from(config, start_block, previous)?)
    };
    Ok(NextRound {
        start,
        start_block,
        schedule,
    })
}

/// When the chain will reach `target`, counted from `head` at `now`. In the past if it already has.
/// None beyond the calendar.
pub fn time_of_block(
    now: DateTime<Utc>,
    head: BlockNumber,
    target: BlockNumber,
) -> Option<DateTime<Utc>> {
    let blocks = i128::from(target.0) - i128::from(head.0);
    let microseconds = i64::try_from(blocks * i128::from(MICROSECONDS_PER_BLOCK)).ok()?;
    now.checked_add_signed(TimeDelta::microseconds(microseconds))
}

fn schedule_from(
    config: &Config,
    start_block: BlockNumber,
    previous: Option<&Schedule>,
) -> Result<Schedule, ScheduleError> {
    let generation_blocks = u64::from(config.generation_stage_minutes) * 60 / SECONDS_PER_BLOCK;
    let earliest = match previous {
        // Windows touch: what is revealed while a round is judged counts for the next one.
        Some(previous) => previous.latest_reveal_block.0.checked_add(1),
        None => Some(0),
    };
    let deadline = start_block.0.checked_add(generation_blocks);
    Ok(Schedule {
        earliest_reveal_block: earliest.map(BlockNumber).ok_or(ScheduleError::OutOfRange)?,
        latest_reveal_block: start_block,
        generation_deadline_block: deadline.map(BlockNumber).ok_or(ScheduleError::OutOfRange)?,
    })
}

fn after_one_round(config: &Config, started: NaiveDate) -> Result<NaiveDate, ScheduleError> {
    started
        .checked_add_days(Days::new(u64::from(config.round_duration_days)))
        .ok_or(ScheduleError::OutOfRange)
}

fn at_start_time(config: &Config, date: NaiveDate) -> DateTime<Utc> {
    date.and_time(config.round_start_time).and_utc()
}

/// `finalization_buffer_hours` in microseconds.
fn buffer(config: &Config) -> Result<i64, ScheduleError> {
    let microseconds = (config.finalization_buffer_hours * MICROSECONDS_PER_HOUR).round();
    // Ten thousand years: anything more is a mistake, and would not fit.
    if microseconds.abs() < 3.2e17 {
        Ok(microseconds as i64)
    } else {
        Err(ScheduleError::Buffer(config.finalization_buffer_hours))
    }
}

fn shifted(block: BlockNumber, by: i64) -> Option<BlockNumber> {
    block.0.checked_add_signed(by).map(BlockNumber)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use schema::StateFile;

    use super::*;

    const REAL_CONFIG: &[u8] =
        include_bytes!("../../../schema/tests/fixtures/competition-0/config.json");

    fn config() -> Config {
        Config::parse("config.json", REAL_CONFIG).unwrap()
    }

    fn time(text: &str) -> DateTime<Utc> {
        format!("2026-{text}Z").parse().unwrap()
    }

    fn schedule(earliest: u64, latest: u64, deadline: u64) -> Schedule {
        Schedule {
            earliest_reveal_block: BlockNumber(earliest),
            latest_reveal_block: BlockNumber(latest),
            generation_deadline_block: BlockNumber(deadline),
        }
    }

    fn from(config: &Config, now: &str, head: u64, previous_latest: Option<u64>) -> NextRound {
        let previous = previous_latest.map(|latest| schedule(0, latest, latest + 600));
        next_round(
            config,
            time(now),
            BlockNumber(head),
            previous.as_ref(),
            None,
        )
        .unwrap()
    }

    /// The six real transitions and the three synthetic ones of the specification.
    #[test]
    fn the_worked_examples_come_out_exactly() {
        let examples = [
            (
                "02-03T09:27:58",
                7462130,
                Some(7454966),
                "02-05T08:00:00",
                13960,
                (7454967, 7476090, 7476690),
            ),
            (
                "02-05T19:03:25",
                7479398,
                Some(7476090),
                "02-08T08:00:00",
                18282,
                (7476091, 7497680, 7498280),
            ),
            (
                "02-14T05:55:06",
                7540186,
                Some(7519264),
                "02-14T08:00:00",
                624,
                (7519265, 7540810, 7541410),
            ),
            (
                "02-16T12:28:42",
                7556552,
                Some(7540810),
                "02-17T08:00:00",
                5856,
                (7540811, 7562408, 7563008),
            ),
            (
                "02-17T11:30:18",
                7563460,
                Some(7562408),
                "02-20T08:00:00",
                20548,
                (7562409, 7584008, 7584608),
            ),
            (
                "02-21T05:41:43",
                7590446,
                Some(7584008),
                "02-23T08:00:00",
                15091,
                (7584009, 7605537, 7606137),
            ),
            (
                "02-23T07:30:00",
                7605000,
                Some(7584008),
                "02-24T08:00:00",
                7350,
                (7584009, 7612350, 7612950),
            ),
            (
                "02-23T07:00:00",
                7605000,
                Some(7584008),
                "02-23T08:00:00",
                300,
                (7584009, 7605300, 7605900),
            ),
            (
                "02-21T05:41:43",
                7590446,
                None,
                "02-21T08:00:00",
                691,
                (0, 7591137, 7591737),
            ),
        ];
        for (now, head, previous, start, blocks, (earliest, latest, deadline)) in examples {
            let next = from(&config(), now, head, previous);
            assert_eq!(next.start, time(start), "{now}");
            assert_eq!(next.start_block, BlockNumber(head + blocks), "{now}");
            assert_eq!(
                next.schedule,
                Some(schedule(earliest, latest, deadline)),
                "{now}"
            );
        }
    }

    #[test]
    fn the_published_schedules_touch_and_are_600_blocks_long() {
        let bytes =
            include_bytes!("../../../schema/tests/fixtures/competition-0/rounds/1/schedule.json");
        let published = Schedule::parse("rounds/1/schedule.json", bytes).unwrap();
        assert_eq!(
            from(&config(), "02-03T09:27:58", 7462130, Some(7454966)).schedule,
            Some(published)
        );
    }

    #[test]
    fn after_the_last_date_there_is_a_start_but_no_schedule() {
        let over = Config {
            last_competition_date: NaiveDate::from_ymd_opt(2026, 1, 26).unwrap(),
            ..config()
        };
        let next = from(&over, "02-03T09:26:18", 7462122, Some(7454966));
        assert_eq!(next.schedule, None);
        assert_eq!(next.start_block, BlockNumber(7476090));
        let on_the_day = Config {
            last_competition_date: NaiveDate::from_ymd_opt(2026, 2, 5).unwrap(),
            ..config()
        };
        assert!(
            from(&on_the_day, "02-03T09:26:18", 7462122, Some(7454966))
                .schedule
                .is_some()
        );
    }

    /// Clock at 2026-01-01 08:00, block 7200, one-day rounds.
    #[test]
    fn one_day_rounds_follow_each_other_and_a_long_buffer_moves_a_day() {
        let daily = Config {
            first_evaluation_date: NaiveDate::from_ymd_opt(2025, 1, 1).unwrap(),
            round_duration_days: 1,
            ..config()
        };
        let next = from(&daily, "01-01T08:00:00", 7200, Some(7200));
        assert_eq!(
            next.schedule,
            Some(schedule(7201, 7200 + 24 * 300, 7200 + 26 * 300))
        );
        let buffered = Config {
            finalization_buffer_hours: 25.0,
            ..daily
        };
        assert_eq!(
            from(&buffered, "01-01T08:00:00", 7200, Some(7200)).start,
            time("01-03T08:00:00")
        );
    }

    #[test]
    fn no_round_starts_before_the_first_evaluation_date() {
        let later = Config {
            first_evaluation_date: NaiveDate::from_ymd_opt(2026, 3, 1).unwrap(),
            ..config()
        };
        assert_eq!(
            from(&later, "02-03T09:27:58", 7462130, Some(7454966)).start,
            time("03-01T08:00:00")
        );
    }

    #[test]
    fn a_known_start_is_used_instead_of_the_estimate_from_blocks() {
        let midnight = Config {
            round_start_time: chrono::NaiveTime::from_hms_opt(0, 5, 0).unwrap(),
            ..config()
        };
        let previous = schedule(0, 7000, 7600);
        // Blocks were faster than 12 s: the estimate falls on the evening before.
        let (now, head) = (time("02-06T12:00:00"), BlockNumber(7000 + 3 * 3625));
        let estimated = next_round(&midnight, now, head, Some(&previous), None).unwrap();
        let known = next_round(
            &midnight,
            now,
            head,
            Some(&previous),
            Some(time("02-05T00:05:00")),
        )
        .unwrap();
        assert_eq!(
            (estimated.start, known.start),
            (time("02-07T00:05:00"), time("02-08T00:05:00"))
        );
    }

    #[test]
    fn the_announced_end_of_generation_counts_blocks_from_the_head() {
        let eta = |now: &str, head, deadline| {
            time_of_block(time(now), BlockNumber(head), BlockNumber(deadline))
        };
        assert_eq!(
            eta("02-20T08:13:57.435919", 7584008, 7584608),
            Some(time("02-20T10:13:57.435919"))
        );
        assert_eq!(
            eta("02-14T08:01:36.529184", 7540818, 7541410),
            Some(time("02-14T10:00:00.529184"))
        );
        assert_eq!(
            eta("02-14T08:00:00", 110, 100),
            Some(time("02-14T07:58:00"))
        );
        assert_eq!(eta("02-14T08:00:00", 0, u64::MAX), None);
    }

    #[test]
    fn impossible_buffers_and_blocks_are_errors() {
        for hours in [f64::NAN, f64::INFINITY, 1e12] {
            let wrong = Config {
                finalization_buffer_hours: hours,
                ..config()
            };
            let next = next_round(&wrong, time("02-03T09:27:58"), BlockNumber(1), None, None);
            assert!(matches!(next, Err(ScheduleError::Buffer(_))), "{hours}");
        }
        let far = schedule(0, u64::MAX, u64::MAX);
        let next = next_round(
            &config(),
            time("02-03T09:27:58"),
            BlockNumber(1),
            Some(&far),
            None,
        );
        assert_eq!(next, Err(ScheduleError::OutOfRange));
    }

    proptest! {
        #[test]
        fn the_next_start_is_at_the_start_time_after_the_buffer_and_contiguous(
            seconds in 0_i64..400_000_000, head in 1_000_000_u64..9_000_000, ago in 0_u64..100_000, days in 1_u32..10,
            buffer in 0.0..100.0_f64,
        ) {
            let config = Config { round_duration_days: days, finalization_buffer_hours: buffer, ..config() };
            let now = time("01-01T00:00:00") + TimeDelta::seconds(seconds);
            let previous = schedule(0, head - ago, head);
            let next = next_round(&config, now, BlockNumber(head), Some(&previous), None).unwrap();
            prop_assert_eq!(next.start.time(), config.round_start_time);
            prop_assert!((next.start - now).num_microseconds().unwrap() >= super::buffer(&config).unwrap());
            prop_assert!(next.start.date_naive() >= config.first_evaluation_date);
            prop_assert_eq!(next.schedule.is_some(), next.start.date_naive() <= config.last_competition_date);
            if let Some(schedule) = next.schedule {
                prop_assert_eq!(schedule.earliest_reveal_block.0, head - ago + 1);
                prop_assert_eq!(schedule.generation_deadline_block.0 - schedule.latest_reveal_block.0, 600);
            }
        }
    }
}
