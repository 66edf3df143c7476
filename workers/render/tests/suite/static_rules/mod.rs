//! Static verdicts, as the tables of the render specification give them (§4 to §7, 5.13).

mod callees;
mod exports;
mod literals;
mod members;
mod names;
mod namespace;
mod parse;

use render::analyse;

/// The rule codes of a source, in order.
fn rules(source: &str) -> Vec<&'static str> {
    analyse(source)
        .iter()
        .map(|failure| failure.rule.as_str())
        .collect()
}

/// The rule codes of statements inside a generate function whose parameter is `THREE`.
fn inside(body: &str) -> Vec<&'static str> {
    rules(&format!(
        "export default function generate(THREE) {{ {body}\n}}"
    ))
}

#[track_caller]
fn inside_all(expected: &[&str], bodies: &[&str]) {
    for body in bodies {
        assert_eq!(inside(body), expected, "in generate: {body}");
    }
}

#[track_caller]
fn module_all(expected: &[&str], sources: &[&str]) {
    for source in sources {
        assert_eq!(rules(source), expected, "module: {source}");
    }
}

const ALIAS: &[&str] = &["THREE_ALIAS_FORBIDDEN"];
const TOP_LEVEL: &[&str] = &["THREE_AT_TOP_LEVEL"];
const FORBIDDEN: &[&str] = &["FORBIDDEN_IDENTIFIER"];
const NOT_ALLOWED: &[&str] = &["IDENTIFIER_NOT_ALLOWED"];
const FORBIDDEN_API: &[&str] = &["FORBIDDEN_THREE_API"];
const UNKNOWN_API: &[&str] = &["UNKNOWN_THREE_API"];
const COMPUTED: &[&str] = &["COMPUTED_PROPERTY_ACCESS"];
const ASYNC: &[&str] = &["ASYNC_NOT_ALLOWED"];
const PASSES: &[&str] = &[];
