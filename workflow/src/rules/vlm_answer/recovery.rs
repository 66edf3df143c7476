//! Reading an answer out of whatever text the model sent.
//!
//! Source: judge, section 4.3.

use serde_json::{Value, json};

use super::Answer;

/// The text holds no answer of the asked shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the model's answer is not the JSON it was asked for: {problem}; it starts with {start:?}")]
pub struct UnreadableAnswer {
    /// What was wrong with the text as it came.
    pub problem: String,
    /// The first characters of the text.
    pub start: String,
}

/// Reads an answer out of the model's text, by these steps, the first success wins:
///
/// 1. the text as it is;
/// 2. for the trimmed text, the content of the first Markdown fence, and everything from the first `{` to the last `}`:
///    as it is, then with its integers rounded (halves to even), then also without commas before `}` or `]`.
///
/// Zero characters are replaced first. No database keeps them, so a model that has one painted on it, or spoken of, would hold
/// up the round.
///
/// # Errors
///
/// [`UnreadableAnswer`] if no step gives a valid answer.
pub fn read_answer<A: Answer>(text: &str) -> Result<A, UnreadableAnswer> {
    let text = &text.replace(r"\u0000", r"\ufffd");
    let problem = match parse::<A>(text) {
        Ok(answer) => return Ok(answer),
        Err(problem) => problem,
    };
    let mut tried: Vec<&str> = Vec::with_capacity(3);
    for candidate in [Some(text.trim()), first_fence(text), braces(text)]
        .into_iter()
        .flatten()
    {
        if tried.contains(&candidate) {
            continue;
        }
        tried.push(candidate);
        let answer = parse::<A>(candidate)
            .ok()
            .or_else(|| parse_rounded::<A>(candidate))
            .or_else(|| parse_rounded::<A>(&without_trailing_commas(candidate)));
        if let Some(answer) = answer {
            return Ok(answer);
        }
    }
    Err(UnreadableAnswer {
        problem,
        start: text.chars().take(80).collect(),
    })
}

fn parse<A: Answer>(text: &str) -> Result<A, String> {
    let answer: A = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if answer.is_valid() {
        Ok(answer)
    } else {
        Err("a list in it has the wrong length".to_owned())
    }
}

/// As [`parse`], with the top-level integers rounded first.
fn parse_rounded<A: Answer>(text: &str) -> Option<A> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    let object = value.as_object_mut()?;
    for name in A::INTEGERS {
        if let Some(number) = object.get(*name).and_then(as_number) {
            object.insert((*name).to_owned(), json!(number.round_ties_even()));
        }
    }
    serde_json::from_value(value).ok().filter(A::is_valid)
}

/// A finite number, also from a text or a truth value.
fn as_number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        Value::Bool(truth) => f64::from(u8::from(*truth)),
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// The content of the first Markdown code fence, without a `json` tag.
fn first_fence(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("```")?;
    let (content, _) = after.split_once("```")?;
    let tagged = content
        .strip_prefix("json")
        .or_else(|| content.strip_prefix("JSON"));
    Some(tagged.unwrap_or(content).trim())
}

/// Everything from the first `{` to the last `}`.
fn braces(text: &str) -> Option<&str> {
    text.get(text.find('{')?..=text.rfind('}')?)
}

/// The text without commas whose next non-blank character is `}` or `]`.
fn without_trailing_commas(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    // Blanks after a comma wait until the character after them says whether the comma stays.
    let mut waiting = String::new();
    for c in text.chars() {
        if !waiting.is_empty() && c.is_whitespace() {
            waiting.push(c);
            continue;
        }
        if !matches!(c, '}' | ']') {
            kept.push_str(&waiting);
        }
        waiting.clear();
        if c == ',' {
            waiting.push(c);
        } else {
            kept.push(c);
        }
    }
    kept.push_str(&waiting);
    kept
}
