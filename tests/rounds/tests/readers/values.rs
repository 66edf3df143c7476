//! How the readers coerce single values.

use serde_json::Value;

/// `3`, `3.0` and `"3"` are integers; `1.5` raises.
pub fn integer(value: &Value) -> i64 {
    let whole = |number: f64| (number.fract() == 0.0).then_some(number as i64);
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
    .unwrap_or_else(|| panic!("no integer: {value}"))
}

/// Floats accept integers.
pub fn real(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("no number: {value}"))
}

/// A required text.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// A text or null; a missing key is null.
pub fn text_or_null(value: &Value) -> Option<&str> {
    (!value.is_null()).then(|| text(value))
}

/// One of some lower-case words.
pub fn word<'v>(value: &'v Value, words: &[&str]) -> &'v str {
    let found = text(value);
    assert!(
        words.contains(&found),
        "expected one of {words:?}, found {found}"
    );
    found
}

/// 40 hexadecimal digits.
pub fn commit(value: &Value) -> &str {
    let found = text(value);
    assert!(
        found.len() == 40 && found.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "no commit: {found}"
    );
    found
}
