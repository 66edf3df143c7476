//! Stage `parse`: size, syntax, early errors. Any of them ends the run with exactly one failure.

use oxc_allocator::Allocator;
use oxc_ast::ast::Program;
use oxc_diagnostics::{Diagnostics, OxcDiagnostic, Severity};
use oxc_parser::{ParseOptions, Parser, ParserReturn};
use oxc_semantic::{Semantic, SemanticBuilder};
use oxc_span::SourceType;

use super::alarms::Alarms;
use super::in_operator::Rewritten;
use super::shape;
use crate::failure::{Failure, Rule, Stage};

/// Largest source in bytes of UTF-8.
pub const MAX_SOURCE_BYTES: usize = 1_048_576;

/// `FILE_SIZE_EXCEEDED`, if a source of so many bytes is too large.
pub fn too_large(bytes: usize) -> Option<Failure> {
    (bytes > MAX_SOURCE_BYTES).then(|| {
        Failure::new(
            Stage::Parse,
            Rule::FileSizeExceeded,
            format!("the source has {bytes} bytes, the limit is {MAX_SOURCE_BYTES}"),
        )
    })
}

/// A syntax error.
pub fn error(source: &str, offset: u32, message: &str) -> Failure {
    let (line, column) = super::Lines::new(source).position(offset);
    Failure::new(
        Stage::Parse,
        Rule::ParseError,
        format!("{message} ({line}:{column})"),
    )
}

/// Parses an ES module without any extension of the language.
///
/// Regular expressions are not looked into, as in the reference: a bad one fails when the engine loads the module.
pub fn program<'a>(allocator: &'a Allocator, source: &'a str) -> Result<Program<'a>, Failure> {
    let mut rewritten = Rewritten::new(source);
    let mut text = source;
    let program = loop {
        let parsed = parse(allocator, text);
        let Some(found) = syntax_error(&parsed) else {
            break parsed.program;
        };
        if let Err((offset, message)) = rewritten.rewrite(found) {
            return Err(error(source, offset, &message));
        }
        text = allocator.alloc_str(rewritten.text());
    };
    if let Some((offset, message)) = rewritten.first_error(&program) {
        return Err(error(source, *offset, message));
    }
    match shape::first_error(&program) {
        Some((offset, what)) => Err(error(source, offset, what)),
        None => Ok(program),
    }
}

/// A syntax error: the byte it is at, and what it is.
pub type Found = (u32, String);

fn parse<'a>(allocator: &'a Allocator, source: &'a str) -> ParserReturn<'a> {
    let options = ParseOptions {
        // Parentheses are transparent to every rule.
        preserve_parens: false,
        ..ParseOptions::default()
    };
    Parser::new(allocator, source, SourceType::mjs())
        .with_options(options)
        .parse()
}

/// The first thing the parser stumbled over.
fn syntax_error(parsed: &ParserReturn<'_>) -> Option<Found> {
    if let Some(error) = errors(&parsed.diagnostics).next() {
        return Some(found(error));
    }
    if parsed.panicked {
        return Some((0, "the source cannot be parsed".to_owned()));
    }
    let source = parsed.program.source_text;
    let unknown = parsed.irregular_whitespaces.iter().find(|space| {
        let text = source.get(space.start as usize..space.end as usize);
        text.is_some_and(|text| text.contains(NO_SPACES))
    });
    unknown.map(|space| (space.start, "Unexpected character".to_owned()))
}

/// What this parser takes for white space and the language does not.
const NO_SPACES: [char; 2] = ['\u{85}', '\u{200b}'];

/// Resolves names, and finds the early errors that need them: redeclarations, undeclared exports, labels and the like.
pub fn semantic<'a>(program: &'a Program<'a>) -> Result<Semantic<'a>, Failure> {
    let built = SemanticBuilder::new()
        .with_check_syntax_error(true)
        .with_build_nodes(true)
        .build(program);
    let mut errors = errors(&built.diagnostics).peekable();
    if errors.peek().is_none() {
        return Ok(built.semantic);
    }
    let alarms = Alarms::new(&built.semantic);
    match errors.find(|error| !alarms.is_false(error)).map(found) {
        Some((offset, message)) => Err(error(program.source_text, offset, &message)),
        None => Ok(built.semantic),
    }
}

fn errors(diagnostics: &Diagnostics) -> impl Iterator<Item = &OxcDiagnostic> {
    diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
}

fn found(diagnostic: &OxcDiagnostic) -> Found {
    let label = diagnostic.labels.first();
    let offset = label.map_or(0, |label| label.offset() as u32);
    (offset, diagnostic.message.to_string())
}
