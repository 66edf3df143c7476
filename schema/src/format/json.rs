//! JSON in the layout of the published files, and errors that say where reading stopped.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use crate::error::{FileError, Problem};
use crate::format::float;

/// Two spaces a level, one item a line, `{}` and `[]` inline, non-ASCII literal, no newline at the end, NaN and
/// infinities as `null`.
pub fn pretty<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut serializer =
        Serializer::with_formatter(&mut bytes, PublishedFormatter(PrettyFormatter::new()));
    value
        .serialize(&mut serializer)
        .expect("state files have string keys and write into memory");
    bytes
}

/// `serde_json`'s layout with our own floats.
struct PublishedFormatter(PrettyFormatter<'static>);

impl Formatter for PublishedFormatter {
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, number: f64) -> io::Result<()> {
        writer.write_all(float::published_json(number).as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

/// As [`pretty`], with every character outside the printable ASCII ones as `\uXXXX`, as `submissions.json` has it.
pub fn pretty_ascii<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let text = String::from_utf8(pretty(value)).expect("serde_json writes UTF-8");
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        // Outside strings JSON is printable ASCII and line breaks, so whatever else stands here stands in a string.
        if character.is_ascii() && character != '\u{7f}' {
            escaped.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped.into_bytes()
}

/// Reads a JSON file. When an object holds a key twice, its last value counts, as for the readers in the field.
///
/// # Errors
///
/// [`FileError`] with the place where reading stopped, and what was expected there.
pub fn parse<T: DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<T, FileError> {
    let error = match serde_json::from_slice(bytes) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    if error.is_data() && error.to_string().starts_with("duplicate field") {
        let value: Value =
            serde_json::from_slice(bytes).map_err(|error| file_error(path, bytes, &error))?;
        return T::deserialize(value).map_err(|error| file_error(path, bytes, &error));
    }
    Err(file_error(path, bytes, &error))
}

/// Reads a JSON file that must be one object. Without this check a bare array with the right values in the right order
/// would pass for it.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_object<T: DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<T, FileError> {
    let first = bytes.iter().position(|byte| !byte.is_ascii_whitespace());
    if first.and_then(|at| bytes.get(at)) == Some(&b'[') {
        let before = bytes.get(..first.unwrap_or(0)).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n').count();
        let problem = Problem::Json("expected an object, found an array".to_owned());
        return Err(FileError {
            path: path.to_owned(),
            line,
            column: 0,
            problem,
        });
    }
    parse(path, bytes)
}

/// The message of `error` without its position, which [`FileError`] holds apart.
pub(crate) fn expectation(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let suffix = format!(" at line {} column {}", error.line(), error.column());
    message.strip_suffix(&suffix).unwrap_or(&message).to_owned()
}

fn file_error(path: &str, bytes: &[u8], error: &serde_json::Error) -> FileError {
    let problem = if std::str::from_utf8(bytes).is_err() {
        Problem::NotUtf8
    } else if bytes.is_empty() {
        Problem::Json("expected JSON, found an empty file".to_owned())
    } else {
        Problem::Json(expectation(error))
    };
    FileError {
        path: path.to_owned(),
        line: error.line(),
        column: error.column(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[test]
    fn floats_in_json_have_the_published_form() {
        for (number, text) in [
            (1.0, "1.0"),
            (-1.0, "-1.0"),
            (0.0, "0.0"),
            (0.2, "0.2"),
            (0.6000000000000001, "0.6000000000000001"),
            (4.76837158203125e-6, "4.76837158203125e-6"),
            (1e-5, "0.00001"),
            (1e-7, "1e-7"),
            (0.00001811981201171875, "0.00001811981201171875"),
            (0.00004279613494873047, "0.00004279613494873047"),
            (1e15, "1000000000000000.0"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (1e16, "1e16"),
            (1.2345678901234568e17, "1.2345678901234568e17"),
            (-0.0, "-0.0"),
            (10.0, "10.0"),
            (120000.0, "120000.0"),
            (0.07982254028320312, "0.07982254028320312"),
            (123456789.125, "123456789.125"),
            (0.000009999, "9.999e-6"),
            (1e22, "1e22"),
            (5e-324, "5e-324"),
            (f64::NAN, "null"),
            (f64::INFINITY, "null"),
        ] {
            assert_eq!(String::from_utf8(pretty(&number)).unwrap(), text);
        }
    }

    #[test]
    fn layout_is_two_spaces_with_empty_collections_inline_and_no_final_newline() {
        let value = json!({"a": [1, {}], "b": [], "ü\u{1}/\n": null});
        let text = "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": [],\n  \"ü\\u0001/\\n\": null\n}";
        assert_eq!(String::from_utf8(pretty(&value)).unwrap(), text);
    }

    #[test]
    fn ascii_layout_escapes_every_other_character_as_utf16_units() {
        let text = String::from_utf8(pretty_ascii(&json!(["é → 😀 \u{7f} \""]))).unwrap();
        assert_eq!(
            text,
            "[\n  \"\\u00e9 \\u2192 \\ud83d\\ude00 \\u007f \\\"\"\n]"
        );
    }

    #[derive(Debug, Deserialize)]
    struct One {
        one: u8,
    }

    #[test]
    fn the_last_of_two_equal_keys_counts() {
        assert_eq!(
            parse::<One>("x.json", br#"{"one": 1, "one": 2}"#)
                .unwrap()
                .one,
            2
        );
    }

    #[test]
    fn an_error_names_path_line_column_and_what_was_expected() {
        let error = parse::<One>("rounds/0/one.json", b"{\n  \"one\": \"x\"\n}").unwrap_err();
        assert_eq!(
            error.to_string(),
            "rounds/0/one.json:2:12: invalid type: string \"x\", expected u8"
        );
        assert_eq!((error.line, error.column), (2, 12));
        let error = parse::<One>("one.json", b"").unwrap_err();
        assert!(error.to_string().contains("empty file"), "{error}");
        let error = parse::<One>("one.json", b"{\"one\": \xff}").unwrap_err();
        assert_eq!(error.problem, Problem::NotUtf8);
    }
}
