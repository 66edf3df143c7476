//! The operator `in` where the head of a `for` surrounds a body of statements.
//!
//! The head of a `for (…; …; …)` may not hold a bare `in`, but the statements of a function in it may:
//! `for (let check = (key) => { if (key in table) found++; }; …; …)`. This parser carries the ban into the bodies of arrow
//! functions and into static blocks (oxc before 0.150, which needs a newer compiler than ours). So where it stops at such
//! an `in`, the source is parsed again with `<=` written there: as long, of the same precedence, and the same to every
//! rule. What stood in such a body is known only afterwards, from the tree; any other `in` remains the error it was.

use oxc_ast::AstKind;
use oxc_ast::ast::{ArrowFunctionBody, Program};
use oxc_ast_visit::Visit;
use oxc_span::{GetSpan, Span};

use super::parse::Found;

/// Most operators of one source that are written anew, each at the cost of a parse. Nobody writes more of them.
const MOST: usize = 32;

/// A source with some of its `in` written `<=`.
pub struct Rewritten {
    text: String,
    /// Where they are.
    operators: Vec<u32>,
    /// The error that each was.
    errors: Vec<Found>,
}

impl Rewritten {
    /// The source as it came.
    pub fn new(source: &str) -> Self {
        Self {
            text: source.to_owned(),
            operators: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// The source as it stands now.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Writes the operator that is the error anew. Gives the error back if it is none, or if there were too many.
    pub fn rewrite(&mut self, error: Found) -> Result<(), Found> {
        let rest = self.text.get(error.0 as usize..).unwrap_or_default();
        // The error is at the operator, or right behind what stands before it.
        let from_operator = rest.trim_start();
        let after = from_operator.strip_prefix("in");
        let is_operator = after.is_some_and(|after| !after.starts_with(is_part_of_a_name));
        if !is_operator || self.operators.len() == MOST {
            return Err(error);
        }
        let start = self.text.len() - from_operator.len();
        self.text.replace_range(start..start + "in".len(), "<=");
        self.operators.push(start as u32);
        self.errors.push(error);
        Ok(())
    }

    /// The first of them that stood where the language has no `in`.
    pub fn first_error(&self, program: &Program<'_>) -> Option<&Found> {
        let mut places = Places::default();
        if !self.operators.is_empty() {
            places.visit_program(program);
        }
        let mut wrong = self.operators.iter().zip(&self.errors);
        let (_, error) = wrong.find(|(operator, _)| !places.allow(**operator))?;
        Some(error)
    }
}

/// Whether a longer name goes on with the character. An escape goes on with one too.
fn is_part_of_a_name(character: char) -> bool {
    character.is_alphanumeric() || "_$\\\u{200c}\u{200d}".contains(character)
}

/// The heads of `for`, and the bodies of arrow functions and static blocks, of a tree.
#[derive(Default)]
struct Places {
    heads: Vec<Span>,
    bodies: Vec<Span>,
}

impl Places {
    /// Whether the place is in a head, and in a body inside of it.
    fn allow(&self, offset: u32) -> bool {
        let innermost = |spans: &[Span]| {
            let around = spans
                .iter()
                .filter(|span| span.start < offset && offset < span.end);
            around.map(|span| span.start).max()
        };
        let head = innermost(&self.heads);
        head.is_some() && innermost(&self.bodies) > head
    }
}

impl<'a> Visit<'a> for Places {
    fn enter_node(&mut self, kind: AstKind<'a>) {
        match kind {
            AstKind::ForStatement(statement) => {
                self.heads
                    .extend(statement.init.as_ref().map(GetSpan::span));
            }
            AstKind::ArrowFunctionExpression(arrow) => {
                if let ArrowFunctionBody::FunctionBody(body) = &arrow.body {
                    self.bodies.push(body.span);
                }
            }
            AstKind::StaticBlock(block) => self.bodies.push(block.span),
            _ => {}
        }
    }
}
