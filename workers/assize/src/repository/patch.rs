//! Patches of file contents: bytes in, bytes out. Everything a patch does not name stays as it was.

use std::collections::BTreeSet;

use schema::format::float::python_repr;
use schema::format::json::{pretty, pretty_ascii};
use schema::paths::{StatePath, classify};
use serde_json::{Map, Value};

/// The header line of a matrix file.
const MATRIX_HEADER: &str = "left,right,margin";

/// The file in the repository is not what the patch expects, usually because somebody edited it by hand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotPatchable(pub(super) String);

/// Sets (`Some`) or removes (`None`) a key of a JSON map. An absent or blank file is an empty map.
pub(super) fn set_entry(
    path: &str,
    current: Option<&[u8]>,
    key: &str,
    value: Option<Value>,
) -> Result<Vec<u8>, NotPatchable> {
    let mut map = match read_json(current)? {
        None => Map::new(),
        Some(Value::Object(map)) => map,
        Some(_) => return Err(NotPatchable("expected one JSON map".to_owned())),
    };
    let unchanged = match &value {
        Some(value) => map.get(key) == Some(value),
        None => !map.contains_key(key),
    };
    if let (true, Some(current)) = (unchanged, current) {
        return Ok(current.to_vec());
    }
    match value {
        Some(value) => {
            map.insert(key.to_owned(), value);
        }
        None => {
            map.shift_remove(key);
        }
    }
    Ok(write_json(path, &Value::Object(map)))
}

/// Sets an item of a JSON array, told apart by its field `identity`.
pub(super) fn set_item(
    path: &str,
    current: Option<&[u8]>,
    identity: &str,
    value: &Value,
) -> Result<Vec<u8>, NotPatchable> {
    let mut items = match read_json(current)? {
        None => Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(NotPatchable("expected one JSON array".to_owned())),
    };
    let name = identity_of(value, identity).ok_or_else(|| {
        NotPatchable(format!(
            "expected the new item to have the text field `{identity}`"
        ))
    })?;
    match items
        .iter_mut()
        .rfind(|item| identity_of(item, identity).as_ref() == Some(&name))
    {
        Some(item) if item == value => return Ok(current.unwrap_or_default().to_vec()),
        Some(item) => *item = value.clone(),
        None => items.push(value.clone()),
    }
    Ok(write_json(path, &Value::Array(items)))
}

/// Sets (`Some`) or removes (`None`) the row of a pair in a matrix.
pub(super) fn set_row(
    current: Option<&[u8]>,
    left: &str,
    right: &str,
    margin: Option<f64>,
) -> Result<Vec<u8>, NotPatchable> {
    let text = read_text(current)?;
    let mut lines: Vec<String> = text.trim().lines().map(str::to_owned).collect();
    if lines.is_empty() {
        lines.push(MATRIX_HEADER.to_owned());
    }
    let is_pair = |line: &String| {
        let mut fields = line.split(',');
        fields.next() == Some(left) && fields.next() == Some(right) && fields.next().is_some()
    };
    // The first line is the header for every reader, whatever stands there. Of a repeated pair the last row counts.
    let row = lines
        .iter()
        .skip(1)
        .rposition(is_pair)
        .map(|index| index + 1);
    match (row, margin) {
        (Some(index), Some(margin)) => {
            lines[index] = format!("{left},{right},{}", python_repr(margin));
        }
        (None, Some(margin)) => lines.push(format!("{left},{right},{}", python_repr(margin))),
        (Some(_), None) => {
            let header = lines.remove(0);
            lines.retain(|line| !is_pair(line));
            lines.insert(0, header);
        }
        (None, None) => return Ok(current.unwrap_or_default().to_vec()),
    }
    Ok(lines.join("\n").into_bytes())
}

/// Adds a line unless the file has it. Files of lines end with a line end.
pub(super) fn append_line(current: Option<&[u8]>, line: &str) -> Result<Vec<u8>, NotPatchable> {
    if line.contains(['\n', '\r']) {
        return Err(NotPatchable(
            "expected the new line to be one line".to_owned(),
        ));
    }
    let text = read_text(current)?;
    if text.lines().any(|present| present == line) {
        return Ok(current.unwrap_or_default().to_vec());
    }
    let mut text = text.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(line);
    text.push('\n');
    Ok(text.into_bytes())
}

/// Names of the rows that differ between two versions of a file, or `None` when they cannot be compared row by row.
pub(super) fn rows_changed(
    path: &str,
    before: Option<&[u8]>,
    after: Option<&[u8]>,
) -> Option<BTreeSet<String>> {
    let after = after?;
    let extension = extension(path);
    if extension == "csv" {
        let before = matrix_rows(before.unwrap_or_default())?;
        let after = matrix_rows(after)?;
        return Some(differing(&before, &after));
    }
    if extension == "json" {
        let before = json_rows(before)?;
        let after = json_rows(Some(after))?;
        return Some(differing(&before, &after));
    }
    None
}

/// `base` with the rows named in `rows` as they are in `source`: set, or taken out where `source` has none. `None` when the
/// files cannot be taken apart into rows.
pub(super) fn with_rows_of(
    path: &str,
    base: Option<&[u8]>,
    source: Option<&[u8]>,
    rows: &BTreeSet<String>,
) -> Option<Vec<u8>> {
    if extension(path) == "csv" {
        return with_lines_of(base.unwrap_or(MATRIX_HEADER.as_bytes()), source?, rows);
    }
    let source = read_json(source).ok()??;
    // An absent file is an empty one of the same kind.
    let base = read_json(base).ok()?.unwrap_or_else(|| match &source {
        Value::Array(_) => Value::Array(Vec::new()),
        _ => Value::Object(Map::new()),
    });
    match (base, source) {
        (Value::Object(mut map), Value::Object(source)) => {
            map.retain(|name, _| !rows.contains(name) || source.contains_key(name));
            for (name, value) in source {
                if rows.contains(&name) {
                    map.insert(name, value);
                }
            }
            Some(write_json(path, &Value::Object(map)))
        }
        (Value::Array(mut items), Value::Array(source)) => {
            let named =
                |item: &Value| identity_of(item, "hotkey").filter(|name| rows.contains(name));
            let in_source = |name: &String| {
                source
                    .iter()
                    .any(|item| identity_of(item, "hotkey").as_ref() == Some(name))
            };
            items.retain(|item| named(item).is_none_or(|name| in_source(&name)));
            for item in &source {
                let Some(name) = named(item) else { continue };
                match items
                    .iter_mut()
                    .rfind(|known| identity_of(known, "hotkey").as_ref() == Some(&name))
                {
                    Some(known) => *known = item.clone(),
                    None => items.push(item.clone()),
                }
            }
            Some(write_json(path, &Value::Array(items)))
        }
        _ => None,
    }
}

fn with_lines_of(base: &[u8], source: &[u8], rows: &BTreeSet<String>) -> Option<Vec<u8>> {
    let (base, source) = (
        std::str::from_utf8(base).ok()?,
        std::str::from_utf8(source).ok()?,
    );
    let name = |line: &str| {
        let mut fields = line.split(',');
        Some(pair_name(fields.next()?, fields.next()?)).filter(|name| rows.contains(name))
    };
    let find = |wanted: &String| {
        source
            .trim()
            .lines()
            .skip(1)
            .filter(|line| name(line).as_ref() == Some(wanted))
            .last()
    };
    let mut lines: Vec<&str> = Vec::new();
    let mut placed = BTreeSet::new();
    for (index, line) in base.trim().lines().enumerate() {
        match name(line).filter(|_| index > 0) {
            None => lines.push(line),
            Some(wanted) => {
                lines.extend(find(&wanted).filter(|_| !placed.contains(&wanted)));
                placed.insert(wanted);
            }
        }
    }
    for line in source.trim().lines().skip(1) {
        if let Some(wanted) = name(line)
            && placed.insert(wanted.clone())
        {
            lines.extend(find(&wanted));
        }
    }
    Some(lines.join("\n").into_bytes())
}

/// What follows the last dot of a path.
pub(super) fn extension(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// The text of an item's identifying field.
pub(super) fn identity_of(item: &Value, identity: &str) -> Option<String> {
    item.get(identity)
        .and_then(Value::as_str)
        .map(str::to_owned)
}

/// The name of a matrix row.
pub(super) fn pair_name(left: &str, right: &str) -> String {
    format!("{left},{right}")
}

type Rows = Vec<(String, Value)>;

fn differing(before: &Rows, after: &Rows) -> BTreeSet<String> {
    // Later rows of the same name win, as for every reader.
    let last = |rows: &Rows, name: &str| {
        rows.iter()
            .rfind(|row| row.0 == name)
            .map(|row| row.1.clone())
    };
    before
        .iter()
        .chain(after)
        .map(|row| &row.0)
        .filter(|name| last(before, name) != last(after, name))
        .cloned()
        .collect()
}

fn json_rows(bytes: Option<&[u8]>) -> Option<Rows> {
    match read_json(bytes).ok()? {
        None => Some(Vec::new()),
        Some(Value::Object(map)) => Some(map.into_iter().collect()),
        Some(Value::Array(items)) => items
            .into_iter()
            .map(|item| identity_of(&item, "hotkey").map(|name| (name, item)))
            .collect(),
        Some(_) => None,
    }
}

fn matrix_rows(bytes: &[u8]) -> Option<Rows> {
    let text = std::str::from_utf8(bytes).ok()?;
    let rows = text.trim().lines().skip(1).filter_map(|line| {
        let mut fields = line.split(',');
        let (left, right, margin) = (fields.next()?, fields.next()?, fields.next()?);
        Some((pair_name(left, right), Value::from(margin)))
    });
    Some(rows.collect())
}

fn read_text(current: Option<&[u8]>) -> Result<&str, NotPatchable> {
    std::str::from_utf8(current.unwrap_or_default())
        .map_err(|_| NotPatchable("expected UTF-8 text".to_owned()))
}

fn read_json(current: Option<&[u8]>) -> Result<Option<Value>, NotPatchable> {
    let text = read_text(current)?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    serde_json::from_str(text)
        .map(Some)
        .map_err(|error| NotPatchable(format!("expected JSON ({error})")))
}

/// Only `submissions.json` escapes what is not ASCII.
fn write_json(path: &str, value: &Value) -> Vec<u8> {
    match classify(path) {
        Some(StatePath::Submissions(_)) => pretty_ascii(value),
        _ => pretty(value),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn text(bytes: Result<Vec<u8>, NotPatchable>) -> String {
        String::from_utf8(bytes.unwrap()).unwrap()
    }

    #[test]
    fn a_known_key_keeps_its_position_and_a_new_one_comes_last() {
        let file = b"{\n  \"b\": 1,\n  \"a\": 2\n}";
        let changed = text(set_entry(
            "builds.json",
            Some(file),
            "b",
            Some(json!({"status": "success", "image": null})),
        ));
        assert_eq!(
            changed,
            "{\n  \"b\": {\n    \"status\": \"success\",\n    \"image\": null\n  },\n  \"a\": 2\n}"
        );
        let grown = text(set_entry("builds.json", Some(file), "0", Some(json!(1e-5))));
        assert_eq!(grown, "{\n  \"b\": 1,\n  \"a\": 2,\n  \"0\": 0.00001\n}");
    }

    #[test]
    fn setting_what_is_already_there_leaves_every_byte_even_in_a_hand_formatted_file() {
        let file = b"{\"a\": {\"x\":1},  \"b\": 2}\n";
        assert_eq!(
            set_entry("x.json", Some(file), "a", Some(json!({"x": 1}))).unwrap(),
            file
        );
        assert_eq!(
            set_entry("x.json", Some(file), "missing", None).unwrap(),
            file
        );
    }

    #[test]
    fn a_removed_key_leaves_the_order_of_the_others() {
        let file = br#"{"c": 1, "a": 2, "b": 3}"#;
        assert_eq!(
            text(set_entry("x.json", Some(file), "a", None)),
            "{\n  \"c\": 1,\n  \"b\": 3\n}"
        );
    }

    #[test]
    fn an_absent_or_blank_file_is_an_empty_map() {
        assert_eq!(
            text(set_entry("x.json", None, "a", Some(json!([])))),
            "{\n  \"a\": []\n}"
        );
        assert_eq!(
            text(set_entry("x.json", Some(b" \n"), "a", Some(json!({})))),
            "{\n  \"a\": {}\n}"
        );
    }

    #[test]
    fn submissions_escape_what_is_not_ascii_and_other_files_do_not() {
        let value = json!("é𝄞");
        assert_eq!(
            text(set_entry(
                "rounds/0/submissions.json",
                None,
                "a",
                Some(value.clone())
            )),
            "{\n  \"a\": \"\\u00e9\\ud834\\udd1e\"\n}"
        );
        assert_eq!(
            text(set_entry("rounds/0/builds.json", None, "a", Some(value))),
            "{\n  \"a\": \"é𝄞\"\n}"
        );
    }

    #[test]
    fn a_list_item_is_replaced_in_place_by_its_identity() {
        let file = br#"[{"hotkey":"a","latest_defender":"leader"},{"hotkey":"b","latest_defender":"leader"}]"#;
        let changed = text(set_item(
            "x.json",
            Some(file),
            "hotkey",
            &json!({"hotkey": "a", "latest_defender": "b"}),
        ));
        let items: Vec<Value> = serde_json::from_str(&changed).unwrap();
        assert_eq!(items[0]["latest_defender"], "b");
        assert_eq!(items[1]["hotkey"], "b");
    }

    #[test]
    fn a_matrix_row_keeps_its_place_and_other_rows_keep_their_bytes() {
        let file = b"left,right,margin\nleader,a,0.5\nleader,b,1e-05\n";
        assert_eq!(
            text(set_row(Some(file), "leader", "a", Some(-1.0))),
            "left,right,margin\nleader,a,-1.0\nleader,b,1e-05"
        );
        assert_eq!(
            text(set_row(None, "leader", "a", Some(0.0))),
            "left,right,margin\nleader,a,0.0"
        );
        assert_eq!(
            text(set_row(Some(file), "leader", "a", None)),
            "left,right,margin\nleader,b,1e-05"
        );
    }

    #[test]
    fn a_line_is_added_once() {
        let once = append_line(None, "{\"a\":1}").unwrap();
        assert_eq!(once, b"{\"a\":1}\n");
        assert_eq!(append_line(Some(&once), "{\"a\":1}").unwrap(), once);
        assert_eq!(append_line(Some(b"x"), "y").unwrap(), b"x\ny\n");
        assert!(append_line(None, "a\nb").is_err());
    }

    #[test]
    fn a_file_that_is_not_what_the_patch_expects_is_not_touched() {
        assert!(set_entry("x.json", Some(b"[1]"), "a", None).is_err());
        assert!(set_entry("x.json", Some(b"{ broken"), "a", Some(json!(1))).is_err());
        assert!(set_item("x.json", Some(b"{}"), "hotkey", &json!({"hotkey": "a"})).is_err());
        assert!(set_row(Some(&[0xff]), "a", "b", Some(0.0)).is_err());
    }

    #[test]
    fn the_rows_two_versions_differ_in_are_named() {
        let names = |path, before: &str, after: &str| {
            rows_changed(path, Some(before.as_bytes()), Some(after.as_bytes()))
                .map(|names| names.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(
            names("b.json", r#"{"a":1,"b":2,"c":3}"#, r#"{"c":3,"b":4}"#),
            Some(vec!["a".into(), "b".into()])
        );
        assert_eq!(
            names(
                "m.csv",
                "h\nleader,a,0.5\nleader,b,0.1",
                "h\nleader,a,0.5\nleader,b,0.2"
            ),
            Some(vec!["leader,b".into()])
        );
        assert_eq!(names("b.json", "{}", "{ broken"), None);
        assert_eq!(names("p.txt", "a", "b"), None);
    }
}
