//! What this parser accepts and the reference's does not: proposals, leftovers of TypeScript, and a few early errors.
//!
//! One walk before anything else is looked at. It also finds trees that nest deeper than anybody should follow.

use oxc_ast::AstKind;
use oxc_ast::ast::{
    AssignmentTarget, AssignmentTargetMaybeDefault, AssignmentTargetWithDefault, ForStatementLeft,
    IdentifierReference, MethodDefinition, MethodDefinitionType, Program, PropertyDefinition,
    PropertyDefinitionType, SimpleAssignmentTarget, WithClauseKeyword,
};
use oxc_ast_visit::Visit;
use oxc_ast_visit::walk::walk_simple_assignment_target;
use oxc_span::{GetSpan as _, Span};

/// Deepest tree that is looked into. The reference's parser and walk overflow their stack between one and three
/// thousand levels, depending on the construct; and some early errors take time quadratic in the depth.
const MAX_TREE_DEPTH: usize = 4_000;

/// The first thing that is wrong with a tree: where, and what.
pub fn first_error(program: &Program<'_>) -> Option<(u32, &'static str)> {
    let mut shape = Shape {
        source: program.source_text,
        depth: 0,
        too_deep_at: None,
        found: None,
        targets: Vec::new(),
    };
    shape.visit_program(program);
    let too_deep = shape
        .too_deep_at
        .map(|offset| (offset, "Maximum call stack size exceeded: nested too deep"));
    too_deep.or(shape.found)
}

struct Shape<'a> {
    source: &'a str,
    depth: usize,
    too_deep_at: Option<u32>,
    found: Option<(u32, &'static str)>,
    /// What a `break` or `continue` may name, around the current node, and the functions it may not leave.
    targets: Vec<Target<'a>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Target<'a> {
    Loop,
    Switch,
    Label(&'a str),
    Function,
}

impl<'a> Visit<'a> for Shape<'a> {
    fn enter_node(&mut self, kind: AstKind<'a>) {
        self.depth += 1;
        if self.depth > MAX_TREE_DEPTH && self.too_deep_at.is_none() {
            self.too_deep_at = Some(kind.span().start);
        }
        if let Some(what) = self.wrong(kind) {
            self.report(kind.span().start, what);
        }
        self.targets.extend(target(kind));
    }

    fn leave_node(&mut self, kind: AstKind<'a>) {
        self.depth -= 1;
        if target(kind).is_some() {
            self.targets.pop();
        }
    }

    fn visit_simple_assignment_target(&mut self, target: &SimpleAssignmentTarget<'a>) {
        if let SimpleAssignmentTarget::AssignmentTargetIdentifier(name) = target
            && is_reserved(name)
        {
            self.report(name.span.start, RESERVED);
        }
        walk_simple_assignment_target(self, target);
    }
}

/// What a node is to the jumps inside it.
fn target(kind: AstKind<'_>) -> Option<Target<'_>> {
    match kind {
        AstKind::ForStatement(_)
        | AstKind::ForInStatement(_)
        | AstKind::ForOfStatement(_)
        | AstKind::WhileStatement(_)
        | AstKind::DoWhileStatement(_) => Some(Target::Loop),
        AstKind::SwitchStatement(_) => Some(Target::Switch),
        AstKind::LabeledStatement(statement) => Some(Target::Label(&statement.label.name)),
        AstKind::Function(_) | AstKind::ArrowFunctionExpression(_) | AstKind::StaticBlock(_) => {
            Some(Target::Function)
        }
        _ => None,
    }
}

/// Whether nothing may be assigned to a name.
fn is_reserved(name: &IdentifierReference<'_>) -> bool {
    matches!(name.name.as_str(), "arguments" | "eval")
}

impl<'a> Shape<'a> {
    /// Notes what is wrong at `offset`, if nothing before it is.
    fn report(&mut self, offset: u32, what: &'static str) {
        if self.found.is_none_or(|(first, _)| offset < first) {
            self.found = Some((offset, what));
        }
    }

    fn wrong(&self, kind: AstKind<'a>) -> Option<&'static str> {
        let is_wrong = |wrong: bool, what| wrong.then_some(what);
        match kind {
            AstKind::Decorator(_) => Some("a decorator is not part of the language"),
            AstKind::AccessorProperty(_) => Some("an accessor field is not part of the language"),
            AstKind::ImportDeclaration(import) => is_wrong(
                import.phase.is_some(),
                "an import with a phase is not part of the language",
            ),
            AstKind::ImportExpression(import) => is_wrong(
                import.phase.is_some(),
                "an import with a phase is not part of the language",
            ),
            AstKind::WithClause(clause) => is_wrong(
                clause.keyword == WithClauseKeyword::Assert,
                "an import assertion is not part of the language",
            ),

            AstKind::Class(class) => is_wrong(class.r#abstract || class.declare, TYPESCRIPT),
            AstKind::PropertyDefinition(field) => is_wrong(is_typed_field(field), TYPESCRIPT),
            AstKind::MethodDefinition(method) => is_wrong(is_typed_method(method), TYPESCRIPT),
            AstKind::TSInterfaceDeclaration(_) | AstKind::TSIndexSignature(_) => Some(TYPESCRIPT),

            AstKind::BreakStatement(jump) => {
                let name = jump.label.as_ref().map(|label| label.name.as_str());
                let is_meant = |target| match name {
                    Some(name) => target == Target::Label(name),
                    None => matches!(target, Target::Loop | Target::Switch),
                };
                is_wrong(!self.can_reach(is_meant), JUMP)
            }
            AstKind::ContinueStatement(jump) => {
                let name = jump.label.as_ref().map(|label| label.name.as_str());
                let is_meant = |target| match name {
                    Some(name) => target == Target::Label(name),
                    None => target == Target::Loop,
                };
                is_wrong(!self.can_reach(is_meant), JUMP)
            }

            AstKind::ArrayAssignmentTarget(target) => {
                let elements = target.elements.iter().flatten();
                is_wrong(
                    elements.into_iter().any(|one| self.has_parentheses(one)),
                    PARENTHESES,
                )
            }
            AstKind::AssignmentTargetPropertyIdentifier(property) => {
                is_wrong(is_reserved(&property.binding), RESERVED)
            }
            AstKind::AssignmentTargetPropertyProperty(property) => {
                is_wrong(self.has_parentheses(&property.binding), PARENTHESES)
            }
            AstKind::AssignmentTargetWithDefault(target) => {
                let AssignmentTargetWithDefault { binding, .. } = target;
                let is_pattern = is_pattern(binding) && self.parentheses_before(binding.span()) > 0;
                is_wrong(is_pattern, PARENTHESES)
            }
            AstKind::ForInStatement(statement) => {
                is_wrong(self.has_parenthesised_head(&statement.left), PARENTHESES)
            }
            AstKind::ForOfStatement(statement) => {
                is_wrong(self.has_parenthesised_head(&statement.left), PARENTHESES)
            }
            AstKind::ArrowFunctionExpression(arrow) => {
                let first = arrow.params.items.first()?.pattern.span();
                let before = self
                    .source
                    .get(arrow.span.start as usize..first.start as usize)?;
                is_wrong(
                    before.matches('(').count() > 1 && !before.contains('/'),
                    PARENTHESES,
                )
            }
            _ => None,
        }
    }

    /// Whether a jump finds what it means before it would leave its function.
    fn can_reach(&self, is_meant: impl Fn(Target<'a>) -> bool) -> bool {
        let mut around = self.targets.iter().rev();
        let stop = around.find(|target| **target == Target::Function || is_meant(**target));
        stop.is_none_or(|target| *target != Target::Function)
    }

    /// Whether a pattern inside a pattern, or a target with a default, stands in parentheses.
    fn has_parentheses(&self, target: &AssignmentTargetMaybeDefault<'_>) -> bool {
        let can_have = match target {
            AssignmentTargetMaybeDefault::AssignmentTargetWithDefault(target) => {
                return self.parentheses_before(target.span) > 0
                    && !self.is_parenthesised_target(target);
            }
            other => other
                .as_assignment_target()
                .is_none_or(|target| !is_pattern(target)),
        };
        !can_have && self.parentheses_before(target.span()) > 0
    }

    /// Whether the parentheses before a target with a default are the target's own: `[(a) = 1] = …`.
    fn is_parenthesised_target(&self, target: &AssignmentTargetWithDefault<'_>) -> bool {
        let between = self
            .source
            .get(target.binding.span().end as usize..target.init.span().start as usize);
        between.is_some_and(|text| text.trim_start().starts_with(')'))
    }

    fn has_parenthesised_head(&self, left: &ForStatementLeft<'_>) -> bool {
        left.as_assignment_target()
            .is_some_and(|target| is_pattern(target) && self.parentheses_before(target.span()) > 1)
    }

    /// How many parentheses open right before a node.
    fn parentheses_before(&self, span: Span) -> usize {
        let before = self.source.get(..span.start as usize).unwrap_or_default();
        let opening = before.bytes().rev();
        opening
            .filter(|byte| !byte.is_ascii_whitespace())
            .take_while(|byte| *byte == b'(')
            .count()
    }
}

const TYPESCRIPT: &str = "TypeScript is not part of the language";
const JUMP: &str = "a jump to a place outside of its function";
const PARENTHESES: &str = "a pattern in parentheses";
const RESERVED: &str = "an assignment to `arguments` or `eval`";

fn is_pattern(target: &AssignmentTarget<'_>) -> bool {
    matches!(
        target,
        AssignmentTarget::ArrayAssignmentTarget(_) | AssignmentTarget::ObjectAssignmentTarget(_)
    )
}

fn is_typed_field(field: &PropertyDefinition<'_>) -> bool {
    field.declare
        || field.r#override
        || field.readonly
        || field.optional
        || field.definite
        || field.accessibility.is_some()
        || field.r#type != PropertyDefinitionType::PropertyDefinition
}

fn is_typed_method(method: &MethodDefinition<'_>) -> bool {
    method.r#override
        || method.optional
        || method.accessibility.is_some()
        || method.r#type != MethodDefinitionType::MethodDefinition
}
