//! Stage `parse`: size, syntax, early errors. Any of them ends the run with exactly one failure.

use oxc_allocator::Allocator;
use oxc_ast::AstKind;
use oxc_ast::ast::Program;
use oxc_ast_visit::Visit;
use oxc_parser::{ParseOptions, Parser};
use oxc_semantic::{Semantic, SemanticBuilder};
use oxc_span::{GetSpan as _, SourceType};

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
    let mut shape = Shape::default();
    shape.visit_program(&parsed.program);
    if let Some(offset) = shape.too_deep_at {
        return Err(error(
            source,
            offset,
            "Maximum call stack size exceeded: nested too deep",
        ));
    }
    match shape.proposal {
        Some((offset, what)) => Err(error(
            source,
            offset,
            &format!("{what} is not part of the language"),
        )),
        None => Ok(parsed.program),
    }
}

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

/// Deepest tree that is looked into. The reference's parser and walk overflow their stack between one and three
/// thousand levels, depending on the construct; and some early errors take time quadratic in the depth.
const MAX_TREE_DEPTH: usize = 4_000;

/// How deep a tree is, and whether it holds syntax that this parser knows and the language does not have yet.
#[derive(Default)]
struct Shape {
    depth: usize,
    too_deep_at: Option<u32>,
    proposal: Option<(u32, &'static str)>,
}

impl<'a> Visit<'a> for Shape {
    fn enter_node(&mut self, kind: AstKind<'a>) {
        self.depth += 1;
        if self.depth > MAX_TREE_DEPTH && self.too_deep_at.is_none() {
            self.too_deep_at = Some(kind.span().start);
        }
        let what = match kind {
            AstKind::Decorator(_) => "a decorator",
            AstKind::AccessorProperty(_) => "an accessor field",
            AstKind::ImportDeclaration(import) if import.phase.is_some() => {
                "an import with a phase"
            }
            AstKind::ImportExpression(import) if import.phase.is_some() => "an import with a phase",
            _ => return,
        };
        let offset = kind.span().start;
        if self.proposal.is_none_or(|(first, _)| offset < first) {
            self.proposal = Some((offset, what));
        }
    }

    fn leave_node(&mut self, _: AstKind<'a>) {
        self.depth -= 1;
    }
}
