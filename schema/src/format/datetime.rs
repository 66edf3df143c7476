//! Dates and times as the state files have them: UTC, ISO 8601.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Timelike, Utc};

/// `2026-02-08T08:00:00Z`; with exactly six digits of a second's fraction when that is not zero.
pub fn write_datetime(moment: &DateTime<Utc>) -> String {
    let seconds = moment.format("%Y-%m-%dT%H:%M:%S");
    match moment.timestamp_subsec_micros() % MICROSECONDS_PER_SECOND {
        0 => format!("{seconds}Z"),
        microseconds => format!("{seconds}.{microseconds:06}Z"),
    }
}

const MICROSECONDS_PER_SECOND: u32 = 1_000_000;

/// Reads ISO 8601 with or without a zone; without one, UTC is meant. Digits beyond the microsecond are dropped.
pub fn parse_datetime(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let date = parse_date(text.get(..10)?)?;
    let rest = text.get(10..)?;
    if rest.is_empty() {
        return Some(Utc.from_utc_datetime(&date.and_time(NaiveTime::MIN)));
    }
    let rest = rest.strip_prefix(['T', 't', ' ', '_'])?;
    let (clock, offset_seconds) = split_zone(rest)?;
    let local = NaiveDateTime::new(date, parse_clock(clock)?);
    let zone = FixedOffset::east_opt(offset_seconds)?;
    let moment = zone
        .from_local_datetime(&local)
        .single()?
        .with_timezone(&Utc);
    in_written_range(moment)
}

/// The moment that many seconds after 1970, as hand-made files may give it.
pub fn from_unix_seconds(seconds: f64) -> Option<DateTime<Utc>> {
    let microseconds = (seconds * f64::from(MICROSECONDS_PER_SECOND)).round();
    if !microseconds.is_finite() || microseconds.abs() > 1e18 {
        return None;
    }
    DateTime::from_timestamp_micros(microseconds as i64).and_then(in_written_range)
}

/// Only years of four digits can be written and read again.
fn in_written_range(moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
    use chrono::Datelike as _;
    (1..=9999).contains(&moment.year()).then_some(moment)
}

/// `2026-02-02`.
pub fn parse_date(text: &str) -> Option<NaiveDate> {
    let [year, month, day] = fixed_fields(text, b'-', [4, 2, 2])?;
    if year == 0 {
        return None;
    }
    NaiveDate::from_ymd_opt(year.try_into().ok()?, month, day)
}

/// `08:00:00`; a fraction only when it is not zero.
pub fn write_clock(clock: &NaiveTime) -> String {
    match clock.nanosecond() / 1000 % MICROSECONDS_PER_SECOND {
        0 => clock.format("%H:%M:%S").to_string(),
        microseconds => format!("{}.{microseconds:06}", clock.format("%H:%M:%S")),
    }
}

/// `08:00:00`, `08:00` or `08:00:00.5`: hours, minutes and seconds have two digits, always. `8:00:00` once stopped
/// production.
pub fn parse_clock(text: &str) -> Option<NaiveTime> {
    let (clock, fraction) = match text.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (text, None),
    };
    if clock.len() == 5 && fraction.is_none() {
        let [hour, minute] = fixed_fields(clock, b':', [2, 2])?;
        return NaiveTime::from_hms_opt(hour, minute, 0);
    }
    let [hour, minute, second] = fixed_fields(clock, b':', [2, 2, 2])?;
    let microsecond = fraction.map_or(Some(0), microseconds)?;
    // A second above 59 would be a leap second, which the writer cannot express.
    if second > 59 {
        return None;
    }
    NaiveTime::from_hms_micro_opt(hour, minute, second, microsecond)
}

/// The digits of a fraction as microseconds.
fn microseconds(digits: &str) -> Option<u32> {
    let all_digits =
        !digits.is_empty() && digits.len() <= 9 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits {
        return None;
    }
    let padded = format!("{digits:0<6}");
    padded.get(..6)?.parse().ok()
}

/// Splits `08:00:00+01:00` into the clock and the seconds east of UTC.
fn split_zone(text: &str) -> Option<(&str, i32)> {
    if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(sign_at) = text.rfind(['+', '-']) else {
        return Some((text, 0));
    };
    let zone = text.get(sign_at + 1..)?;
    let [hours, minutes] = match zone.len() {
        2 => [fixed_fields(zone, b':', [2])?[0], 0],
        4 => [
            fixed_fields(zone.get(..2)?, b':', [2])?[0],
            fixed_fields(zone.get(2..)?, b':', [2])?[0],
        ],
        _ => fixed_fields(zone, b':', [2, 2])?,
    };
    if minutes > 59 {
        return None;
    }
    let east = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    let sign = if text.get(sign_at..=sign_at)? == "-" {
        -1
    } else {
        1
    };
    Some((text.get(..sign_at)?, sign * east))
}

/// Numbers of fixed widths between separators, digits only.
fn fixed_fields<const N: usize>(text: &str, separator: u8, widths: [usize; N]) -> Option<[u32; N]> {
    let mut numbers = [0; N];
    let mut parts = text.split(char::from(separator));
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// Serde for `next_stage_eta`.
pub(crate) mod optional_datetime {
    use chrono::{DateTime, Utc};
    use serde::de::{Error, Unexpected};
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Seconds(f64),
        Text(String),
        Null(()),
    }

    #[expect(clippy::ref_option, reason = "serde's `with` passes a reference")]
    pub(crate) fn serialize<S: Serializer>(
        moment: &Option<DateTime<Utc>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match moment {
            Some(moment) => serializer.serialize_str(&super::write_datetime(moment)),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<DateTime<Utc>>, D::Error> {
        const EXPECTED: &str = "an ISO 8601 date and time, Unix seconds or null";
        let written = Written::deserialize(deserializer)
            .map_err(|_| D::Error::custom(format!("expected {EXPECTED}")))?;
        match written {
            Written::Null(()) => Ok(None),
            Written::Seconds(seconds) => super::from_unix_seconds(seconds)
                .map(Some)
                .ok_or_else(|| D::Error::invalid_value(Unexpected::Float(seconds), &EXPECTED)),
            Written::Text(text) => super::parse_datetime(&text)
                .map(Some)
                .ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&text), &EXPECTED)),
        }
    }
}

/// Serde for `round_start_time`.
pub(crate) mod clock {
    use chrono::NaiveTime;
    use serde::de::{Error, Unexpected};
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde's `with` passes a reference"
    )]
    pub(crate) fn serialize<S: Serializer>(
        clock: &NaiveTime,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::write_clock(clock))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<NaiveTime, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::parse_clock(&text).ok_or_else(|| {
            D::Error::invalid_value(
                Unexpected::Str(&text),
                &"a UTC time with two-digit hours, `08:00:00` or `08:00`",
            )
        })
    }
}

/// Serde for dates.
pub(crate) mod date {
    use chrono::NaiveDate;
    use serde::de::{Error, Unexpected};
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde's `with` passes a reference"
    )]
    pub(crate) fn serialize<S: Serializer>(
        date: &NaiveDate,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&date.format("%Y-%m-%d").to_string())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<NaiveDate, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::parse_date(&text)
            .ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&text), &"a date, `2026-02-02`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str) -> Option<String> {
        parse_datetime(text).map(|moment| write_datetime(&moment))
    }

    #[test]
    fn datetimes_print_with_z_and_no_or_six_digits_of_fraction() {
        for text in [
            "2026-02-08T08:00:00Z",
            "2026-02-02T10:09:30.219818Z",
            "2026-02-20T10:13:57.000001Z",
        ] {
            assert_eq!(rewritten(text).as_deref(), Some(text));
        }
        assert_eq!(
            rewritten("2026-02-08T08:00:00.5Z").as_deref(),
            Some("2026-02-08T08:00:00.500000Z")
        );
        assert_eq!(
            rewritten("2026-02-08T08:00:00.000000Z").as_deref(),
            Some("2026-02-08T08:00:00Z")
        );
    }

    #[test]
    fn datetimes_may_lack_a_zone_or_have_another_one() {
        for text in [
            "2026-02-08T08:00:00",
            "2026-02-08 08:00:00",
            "2026-02-08T08:00",
            "2026-02-08T08:00Z",
            "2026-02-08T09:00:00+01:00",
            "2026-02-08T09:00:00+0100",
            "2026-02-08T09:00:00+01",
            "2026-02-07T23:30:00-08:30",
        ] {
            assert_eq!(
                rewritten(text).as_deref(),
                Some("2026-02-08T08:00:00Z"),
                "{text}"
            );
        }
        assert_eq!(
            rewritten("2026-02-08").as_deref(),
            Some("2026-02-08T00:00:00Z")
        );
    }

    #[test]
    fn texts_that_are_no_datetime_are_refused() {
        for text in [
            "",
            "soon",
            "2026-2-8T08:00:00Z",
            "2026-02-30T08:00:00Z",
            "2026-02-08T8:00:00Z",
            "2026-02-08T24:00:00Z",
            "2026-02-08T08:00:60Z",
            "2026-02-08T08:00:00.Z",
            "2026-02-08T08:00:00+99:00",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "2026-02-08X08:00:00",
            "2026-02-0é",
        ] {
            assert_eq!(rewritten(text), None, "{text}");
        }
    }

    #[test]
    fn unix_seconds_are_a_moment() {
        let moment = from_unix_seconds(1770537600.5).unwrap();
        assert_eq!(write_datetime(&moment), "2026-02-08T08:00:00.500000Z");
        assert_eq!(from_unix_seconds(1e300), None);
        assert_eq!(from_unix_seconds(1e13), None);
    }

    #[test]
    fn start_times_need_two_digit_hours() {
        assert_eq!(parse_clock("08:00:00"), NaiveTime::from_hms_opt(8, 0, 0));
        assert_eq!(parse_clock("08:00"), NaiveTime::from_hms_opt(8, 0, 0));
        assert_eq!(parse_clock("8:00:00"), None);
        assert_eq!(parse_clock("08"), None);
        assert_eq!(
            write_clock(&NaiveTime::from_hms_opt(8, 0, 0).unwrap()),
            "08:00:00"
        );
    }
}
