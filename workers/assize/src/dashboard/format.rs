//! How numbers, moments and names read on the pages. Templates pass every argument by reference.
#![allow(clippy::trivially_copy_pass_by_ref)]

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};

/// A moment as people read it next to a page: `12 s ago`, `in 3 min`.
pub(super) fn ago(at: &DateTime<Utc>, now: &DateTime<Utc>) -> String {
    let passed = *now - *at;
    if passed < TimeDelta::zero() {
        format!("in {}", span(-passed))
    } else {
        format!("{} ago", span(passed))
    }
}

/// A length of time in its largest unit, with a second one where one alone says too little.
pub(super) fn span(length: TimeDelta) -> String {
    let milliseconds = length.num_milliseconds();
    let seconds = length.num_seconds();
    match seconds {
        0 if milliseconds == 0 => "0 s".to_owned(),
        0 => format!("{milliseconds} ms"),
        1..=9 => format!("{:.1} s", milliseconds as f64 / 1000.0),
        10..=59 => format!("{seconds} s"),
        60..=599 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        600..=3599 => format!("{} min", seconds / 60),
        3600..=86399 => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86400, seconds / 3600 % 24),
    }
}

/// The time from one moment to a later one.
pub(super) fn between(from: &DateTime<Utc>, to: &DateTime<Utc>) -> String {
    span((*to - *from).max(TimeDelta::zero()))
}

/// Seconds that were measured, `0.84 s`; nothing when nothing was.
#[allow(clippy::ref_option, reason = "templates pass references")]
pub(super) fn lag(seconds: &Option<f64>) -> String {
    seconds.map_or_else(String::new, |seconds| format!("{seconds:.2}\u{202f}s"))
}

/// A moment in full, for tooltips.
pub(super) fn clock(at: &DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `1234567` as `1 234 567`, with spaces that do not break.
pub(super) fn count(number: &i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    if *number < 0 {
        format!("−{grouped}")
    } else {
        grouped
    }
}

/// Whether a number says nothing, and is written faintly.
pub(super) fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// A size in bytes as `812 B`, `34.1 kB` or `1.2 MB`.
pub(super) fn bytes(size: &i64) -> String {
    let size = *size as f64;
    if size < 1000.0 {
        format!("{size} B")
    } else if size < 1_000_000.0 {
        format!("{:.1} kB", size / 1e3)
    } else {
        format!("{:.1} MB", size / 1e6)
    }
}

/// A margin in percent with its sign: `+12.5 %`.
pub(super) fn margin(value: &f64) -> String {
    let percent = value * 100.0;
    let sign = if percent > 0.0 {
        "+"
    } else if percent < 0.0 {
        "−"
    } else {
        "±"
    };
    format!("{sign}{:.1} %", percent.abs())
}

/// Both ends of a long name: `5F3sa2…kutQ`. Short ones stay whole.
pub(super) fn short(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= 16 {
        return name.to_owned();
    }
    let head: String = letters.iter().take(6).collect();
    let tail: String = letters.iter().skip(letters.len() - 4).collect();
    format!("{head}…{tail}")
}

/// Whether the side of a match is a miner, rather than `leader`, `submitted_1` or `leader_1`.
pub(super) fn is_hotkey(side: &str) -> bool {
    side.len() > 16 && side.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A stored word as people read it: `miner_generation` as `miner generation`.
pub(super) fn words(word: &str) -> String {
    word.replace('_', " ")
}

/// The classes of a state's mark: its colour goes by its word.
pub(super) fn pill(word: &str) -> String {
    let class: String = word.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("pill {class}")
}

/// Addresses that miners give become links only when they are ordinary ones.
pub(super) fn is_web_address(address: &str) -> bool {
    address.starts_with("https://") || address.starts_with("http://")
}

/// The part of a whole in percent of a bar's width.
pub(super) fn percent(part: &i64, whole: &i64) -> f64 {
    if *whole <= 0 {
        return 0.0;
    }
    (*part as f64 / *whole as f64 * 1000.0).round() / 10.0
}

/// Where the bar of a margin begins, in percent of a scale from -1 to 1 whose middle is nobody's win.
pub(super) fn balance_start(margin: &f64) -> f64 {
    50.0 + 50.0 * margin.clamp(-1.0, 0.0)
}

/// How wide the bar of a margin is, on the same scale.
pub(super) fn balance_width(margin: &f64) -> f64 {
    50.0 * margin.abs().min(1.0)
}

/// JSON laid out for reading, cut where it gets too long for a page.
pub(super) fn json(value: &serde_json::Value) -> String {
    const MOST_BYTES: usize = 48 << 10;
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    if text.len() > MOST_BYTES {
        let end = text.floor_char_boundary(MOST_BYTES);
        let left_out = text.len() - end;
        text.truncate(end);
        let _ = write!(text, "\n… {left_out} bytes more");
    }
    text
}

/// `text` as one segment of a path or a value in a query.
pub(super) fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_in_their_largest_units() {
        let read = |milliseconds| span(TimeDelta::milliseconds(milliseconds));
        assert_eq!(read(0), "0 s");
        assert_eq!(read(340), "340 ms");
        assert_eq!(read(1_500), "1.5 s");
        assert_eq!(read(59_900), "59 s");
        assert_eq!(read(61_000), "1 min 01 s");
        assert_eq!(read(2_521_000), "42 min");
        assert_eq!(read(3_660_000), "1 h 01 min");
        assert_eq!(read(90_000_000), "1 d 1 h");
    }

    #[test]
    fn moments_before_and_after_now_are_told_apart() {
        let now = Utc::now();
        assert_eq!(ago(&(now - TimeDelta::seconds(12)), &now), "12 s ago");
        assert_eq!(ago(&(now + TimeDelta::seconds(12)), &now), "in 12 s");
    }

    #[test]
    fn numbers_are_grouped_and_signed() {
        assert_eq!(count(&1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(count(&-1000), "−1\u{202f}000");
        assert_eq!(margin(&0.125), "+12.5 %");
        assert_eq!(margin(&-0.05), "−5.0 %");
        assert_eq!(margin(&0.0), "±0.0 %");
    }

    #[test]
    fn long_names_keep_both_ends_whatever_letters_they_have() {
        assert_eq!(short("leader"), "leader");
        assert_eq!(
            short("5F3sa2TJAWMqDhXG6jhV4N8ko9SxwGy8TpaNS1repo5EYjQX"),
            "5F3sa2…YjQX"
        );
        assert_eq!(short("ééééééééééééééééé"), "éééééé…éééé");
    }

    #[test]
    fn long_json_is_cut_between_letters() {
        let long = serde_json::Value::String("é".repeat(40_000));
        assert!(json(&long).ends_with("bytes more"));
    }

    #[test]
    fn a_path_segment_survives_any_text() {
        assert_eq!(encode("a b/c?d&é"), "a%20b%2Fc%3Fd%26%C3%A9");
    }
}
