//! Stage `parse`: size, syntax, early errors. Any of them ends the run with exactly one failure.

use oxc_allocator::Allocator;
use oxc_ast::ast::Program;
use oxc_parser::{ParseOptions, Parser};
use oxc_semantic::{Semantic, SemanticBuilder};
use oxc_span::SourceType;

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
    let options = ParseOptions {
        // Parentheses are transparent to every rule.
        preserve_parens: false,
        ..ParseOptions::default()
    };
    let parsed = Parser::new(allocator, source, SourceType::mjs())
        .with_options(options)
        .parse();
    if let Some(failure) = first_error(source, &parsed.diagnostics) {
        return Err(failure);
    }
    if parsed.panicked {
        return Err(error(source, 0, "the source cannot be parsed"));
    }
    let unknown = parsed.irregular_whitespaces.iter().find(|space| {
        let text = source.get(space.start as usize..space.end as usize);
        text.is_some_and(|text| text.contains(NO_SPACES))
    });
    if let Some(space) = unknown {
        return Err(error(source, space.start, "Unexpected character"));
    }
    match shape::first_error(&parsed.program) {
        Some((offset, what)) => Err(error(source, offset, what)),
        None => Ok(parsed.program),
    }
}

/// What this parser takes for white space and the language does not.
const NO_SPACES: [char; 2] = ['\u{85}', '\u{200b}'];

/// Resolves names, and finds the early errors that need them: redeclarations, undeclared exports, labels and the like.
pub fn semantic<'a>(program: &'a Program<'a>) -> Result<Semantic<'a>, Failure> {
    let built = SemanticBuilder::new()
        .with_check_syntax_error(true)
        .with_build_nodes(true)
        .build(program);
    match first_error(program.source_text, &built.diagnostics) {
        Some(failure) => Err(failure),
        None => Ok(built.semantic),
    }
}

fn first_error(source: &str, diagnostics: &oxc_diagnostics::Diagnostics) -> Option<Failure> {
    let diagnostic = diagnostics
        .iter()
        .find(|diagnostic| diagnostic.severity == oxc_diagnostics::Severity::Error)?;
    let offset = diagnostic
        .labels
        .first()
        .map_or(0, |label| label.offset() as u32);
    Some(error(source, offset, &diagnostic.message))
}
