//! One revealed entry: from bytes to at most three texts.

use serde_json::Value;

use super::reason::{EntryProblem, Field, shown};

/// What one entry says. A field that is absent or empty is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// `owner/name` of the miner's repository.
    pub repo: Option<String>,
    /// The commit to build.
    pub commit: Option<String>,
    /// Where the miner's modules lie.
    pub cdn_url: Option<String>,
}

/// The text of a revealed payload: the bytes after the SCALE length prefix, as UTF-8 without what is not UTF-8.
///
/// The prefix is recognised by the two low bits of the first byte alone; the length it states is not checked.
///
/// # Source
///
/// collection-and-rounds, section 4.2.
pub fn decode_payload(payload: &[u8]) -> String {
    let prefix = match payload.first() {
        None => return String::new(),
        Some(first) => match first & 0b11 {
            0b00 => 1,
            0b01 => 2,
            _ => 4,
        },
    };
    payload
        .get(prefix..)
        .unwrap_or_default()
        .utf8_chunks()
        .map(|chunk| chunk.valid())
        .collect()
}

/// Reads the fields of an entry. Single quotes count as double ones, so that a printed Python dictionary is accepted; of
/// repeated keys the last counts; other keys are ignored.
///
/// # Errors
///
/// [`EntryProblem`] for a text that is no JSON object or a field that is no text. An empty value (`""`, `null`, `0`, `false`,
/// `[]`, `{}`) is the same as none.
///
/// # Source
///
/// collection-and-rounds, section 4.3, with the required deviation: what is wrong with one entry concerns that entry only.
pub fn parse_entry(text: &str) -> Result<Entry, EntryProblem> {
    let value: Value =
        serde_json::from_str(&text.replace('\'', "\"")).map_err(|error| EntryProblem::NotJson {
            text: shown(text),
            problem: error.to_string(),
        })?;
    let Value::Object(object) = value else {
        return Err(EntryProblem::NotAnObject { text: shown(text) });
    };
    let field = |field: Field| match object.get(field.as_str()) {
        None => Ok(None),
        Some(value) if is_empty(value) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(EntryProblem::NotText { field }),
    };
    Ok(Entry {
        repo: field(Field::Repo)?,
        commit: field(Field::Commit)?,
        cdn_url: field(Field::CdnUrl)?,
    })
}

/// Whether Python would count the value as false.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(truth) => !truth,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_length_prefix_is_dropped_by_its_two_low_bits() {
        let short = [&[14 << 2][..], b"fourteen bytes"].concat();
        assert_eq!(short[0], 0x38);
        assert_eq!(decode_payload(&short), "fourteen bytes");
        let long = [&[0x59, 0x02][..], "x".repeat(150).as_bytes()].concat();
        assert_eq!(decode_payload(&long), "x".repeat(150));
        assert_eq!(decode_payload(b"\x02\0\0\0abc"), "abc");
        assert_eq!(decode_payload(b"\x03\0\0\0abc"), "abc");
    }

    #[test]
    fn short_and_broken_payloads_decode_to_what_is_left_of_them() {
        assert_eq!(decode_payload(b""), "");
        assert_eq!(decode_payload(b"\x38"), "");
        assert_eq!(decode_payload(b"\x02ab"), "");
        assert_eq!(
            decode_payload(b"\x38a\xff\xfeb\xe2\x82c\xe2\x82\xac"),
            "abc€"
        );
    }

    /// In the reference, a text of 12 characters that starts with `x` was taken for hexadecimal and ended the collection.
    #[test]
    fn a_twelve_character_text_that_starts_with_x_is_text() {
        let payload = [&[12 << 2][..], b"x0123456789a"].concat();
        assert_eq!(payload[0], b'0');
        assert_eq!(decode_payload(&payload), "x0123456789a");
    }

    #[test]
    fn python_dictionaries_and_repeated_keys_are_read() {
        let entry = parse_entry("{'repo': 'a/b', 'repo': 'c/d', 'commit': '', 'more': 1}").unwrap();
        assert_eq!(
            entry,
            Entry {
                repo: Some("c/d".into()),
                ..Entry::default()
            }
        );
    }

    #[test]
    fn what_is_no_object_of_texts_is_a_problem_of_that_entry() {
        for text in ["1", "null", "true", "1.5", "\"repo\"", "[\"repo\"]"] {
            assert!(
                matches!(parse_entry(text), Err(EntryProblem::NotAnObject { .. })),
                "{text}"
            );
        }
        for text in ["", "NaN", "{", "{'a': 'it's'}", "{\"repo\": NaN}", "{} {}"] {
            assert!(
                matches!(parse_entry(text), Err(EntryProblem::NotJson { .. })),
                "{text}"
            );
        }
        for (text, field) in [
            (r#"{"cdn_url": 5}"#, Field::CdnUrl),
            (r#"{"repo": ["a/b"]}"#, Field::Repo),
            (r#"{"commit": {"a": 1}}"#, Field::Commit),
        ] {
            assert_eq!(
                parse_entry(text),
                Err(EntryProblem::NotText { field }),
                "{text}"
            );
        }
        assert_eq!(
            parse_entry(r#"{"repo": null, "commit": 0, "cdn_url": false}"#),
            Ok(Entry::default())
        );
    }

    proptest! {
        #[test]
        fn no_payload_makes_reading_panic(payload: Vec<u8>, text in ".*") {
            let _ = parse_entry(&decode_payload(&payload));
            let _ = parse_entry(&text);
        }

        #[test]
        fn a_prefixed_text_comes_back(text in ".{0,200}") {
            let length = text.len() as u16;
            let prefix = if length < 64 { vec![(length as u8) << 2] } else { ((length << 2) | 1).to_le_bytes().to_vec() };
            prop_assert_eq!(decode_payload(&[prefix, text.clone().into_bytes()].concat()), text);
        }
    }
}
