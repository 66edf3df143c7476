//! Finds the JSON in what a model wrote (judge §4.3).

use serde_json::{Map, Value};

/// The first reading of `text` that `accept` takes.
///
/// Tried in order, each as it is and then repaired (top-level integer fields rounded, commas before a closing bracket
/// dropped): the whole text, the content of the first Markdown fence, everything from the first `{` to the last `}`.
///
/// - `integer_fields`: names of top-level fields that must be integers; a fraction there is rounded half to even.
/// - `accept`: reads the object, `None` when it does not fit. Should read integers by [`lax_integer`].
pub fn recover<T>(
    text: &str,
    integer_fields: &[&str],
    accept: impl Fn(&Map<String, Value>) -> Option<T>,
) -> Option<T> {
    let read = |text: &str| match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    };
    let rounded = |text: &str| read(text).and_then(|object| accept(&round(object, integer_fields)));
    candidates(text).into_iter().find_map(|candidate| {
        read(candidate)
            .and_then(|object| accept(&object))
            .or_else(|| rounded(candidate))
            .or_else(|| rounded(&without_trailing_commas(candidate)))
    })
}

/// `value` as an integer, as leniently as the reference reads one: an integer, an integral fraction, a numeric string or
/// a boolean.
pub fn lax_integer(value: &Value) -> Option<i64> {
    match value {
        Value::Bool(truth) => Some(i64::from(*truth)),
        Value::String(text) => {
            let text = text.trim();
            text.parse()
                .ok()
                .or_else(|| text.parse().ok().and_then(integral))
        }
        Value::Number(number) => number
            .as_i64()
            .or_else(|| number.as_f64().and_then(integral)),
        _ => None,
    }
}

/// `number` as an integer if it has no fraction and fits.
fn integral(number: f64) -> Option<i64> {
    const LIMIT: f64 = 9_007_199_254_740_992.0; // 2^53: above it a fraction could not be seen
    (number.fract() == 0.0 && number.abs() <= LIMIT).then_some(number as i64)
}

fn candidates(text: &str) -> Vec<&str> {
    let trimmed = text.trim();
    let mut candidates = vec![trimmed];
    for candidate in [fenced(trimmed), braced(trimmed)].into_iter().flatten() {
        if !candidates.contains(&candidate) {
            candidates.push(candidate);
        }
    }
    candidates
}

/// The content of the first Markdown code fence, without a `json` tag.
fn fenced(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("```")?;
    let (inside, _) = after.split_once("```")?;
    let inside = inside
        .strip_prefix("json")
        .or_else(|| inside.strip_prefix("JSON"))
        .unwrap_or(inside);
    Some(inside.trim())
}

fn braced(text: &str) -> Option<&str> {
    let start = text.find('{')?;
    let end = text.rfind('}')?;
    text.get(start..=end)
}

fn round(mut object: Map<String, Value>, fields: &[&str]) -> Map<String, Value> {
    for field in fields {
        if let Some(value) = object.get_mut(*field) {
            let number = match value {
                Value::Number(number) => number.as_f64(),
                Value::String(text) => text.trim().parse().ok(),
                _ => None,
            };
            if let Some(whole) = number.map(f64::round_ties_even).and_then(integral) {
                *value = Value::from(whole);
            }
        }
    }
    object
}

/// `text` without the commas that directly precede `}` or `]`, outside strings.
fn without_trailing_commas(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut in_string = false;
    let mut escaped = false;
    for (index, character) in text.char_indices() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = character == '\\' && !escaped;
        } else if character == '"' {
            in_string = true;
        } else if character == ',' && text[index + 1..].trim_start().starts_with(['}', ']']) {
            continue;
        }
        kept.push(character);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn penalty(text: &str) -> Option<i64> {
        recover(text, &["penalty_1"], |object| {
            lax_integer(object.get("penalty_1")?)
        })
    }

    #[test]
    fn plain_fenced_and_wrapped_answers_are_read() {
        for text in [
            r#"{"penalty_1": 3, "extra": []}"#,
            "```json\n{\"penalty_1\": 3}\n```",
            "Sure!\n```\n{\"penalty_1\": 3}\n``` Done.",
            r#"My answer is {"penalty_1": 3}. Good luck"#,
            r#"{"penalty_1": 3,}"#,
            r#"{"penalty_1": 3, "checks": [1, 2, ] , }"#,
            r#"{"penalty_1": "3"}"#,
            r#"{"penalty_1": 3.0}"#,
            r#"{"penalty_1": 3.4}"#,
            r#"{"penalty_1": "2.6"}"#,
        ] {
            assert_eq!(penalty(text), Some(3), "{text}");
        }
        assert_eq!(
            penalty(r#"{"penalty_1": 2.5}"#),
            Some(2),
            "half goes to even"
        );
        assert_eq!(penalty(r#"{"penalty_1": true}"#), Some(1));
    }

    #[test]
    fn commas_inside_strings_stay() {
        let text = r#"{"issues": "a,} \" b,]", "penalty_1": 1,}"#;
        let issues = recover(text, &[], |object| {
            Some(object.get("issues")?.as_str()?.to_owned())
        });
        assert_eq!(issues.as_deref(), Some("a,} \" b,]"));
    }

    #[test]
    fn answers_without_the_field_are_not_read() {
        for text in [
            "",
            "no",
            "[3]",
            "3",
            "{",
            "}{",
            "``````",
            r#"{"penalty_2": 3}"#,
            r#"{"penalty_1": null}"#,
            r#"{"penalty_1": 1e300}"#,
        ] {
            assert_eq!(penalty(text), None, "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_and_not_followed() {
        let deep = "{\"a\":".repeat(100_000);
        assert_eq!(penalty(&deep), None);
        assert_eq!(penalty(&",".repeat(20_000)), None);
    }
}
