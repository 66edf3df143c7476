//! The walk over the tree: names, imports, asynchrony, member access, literals (5.3 to 5.6, 5.10, 5.11).
//!
//! One pass in source order. A node's own rules run before its children's. What a name may be depends on the node
//! around it, so the walk keeps the path to the root.

use oxc_ast::AstKind;
use oxc_ast::ast::{
    ComputedMemberExpression, Expression, IdentifierReference, Program, PropertyKind,
    StaticMemberExpression,
};
use oxc_ast_visit::Visit;
use oxc_semantic::Semantic;
use oxc_span::{GetSpan as _, Span};

use super::Report;
use super::chains::Chain;
use super::literals::{LITERAL_BUDGET, Literals};
use super::namespace::{self, Names};
use crate::failure::Rule;
use crate::names;

/// Walks `program` and reports every broken rule, the literal budget last.
pub fn check(program: &Program<'_>, semantic: &Semantic<'_>, report: &mut Report<'_>) {
    let mut walk = Walk {
        names: Names::new(semantic),
        report,
        path: Vec::with_capacity(64),
        async_functions: 0,
        chains: Vec::new(),
        literals: Literals::default(),
    };
    walk.visit_program(program);
    let bytes = walk.literals.bytes();
    if bytes > LITERAL_BUDGET {
        report.whole(
            Rule::LiteralBudgetExceeded,
            format!("strings and numbers take {bytes} bytes, the limit is {LITERAL_BUDGET}"),
        );
    }
}

struct Walk<'a, 's, 'r, 't> {
    names: Names<'a, 's>,
    report: &'r mut Report<'t>,
    /// The nodes around the current one, the closest last.
    path: Vec<AstKind<'a>>,
    /// How many of them are async functions.
    async_functions: usize,
    /// The optional chains among them.
    chains: Vec<Chain>,
    literals: Literals,
}

impl<'a> Visit<'a> for Walk<'a, '_, '_, '_> {
    fn enter_node(&mut self, kind: AstKind<'a>) {
        if let AstKind::ChainExpression(chain) = kind {
            self.chains.push(Chain::new(chain));
        }
        self.node(kind);
        self.async_functions += usize::from(is_async_function(kind));
        self.path.push(kind);
    }

    fn leave_node(&mut self, kind: AstKind<'a>) {
        self.path.pop();
        self.async_functions -= usize::from(is_async_function(kind));
        if let AstKind::ChainExpression(_) = kind {
            self.chains.pop();
        }
    }
}

fn is_async_function(kind: AstKind<'_>) -> bool {
    match kind {
        AstKind::Function(function) => function.r#async,
        AstKind::ArrowFunctionExpression(function) => function.r#async,
        _ => false,
    }
}

impl<'a> Walk<'a, '_, '_, '_> {
    fn node(&mut self, kind: AstKind<'a>) {
        match kind {
            AstKind::IdentifierReference(identifier) => self.reference(identifier),
            AstKind::BindingIdentifier(identifier) => {
                if !self.inside_import_specifier() {
                    self.spelling(&identifier.name, identifier.span.start);
                }
            }
            AstKind::LabelIdentifier(label) => {
                self.spelling(&label.name, label.span.start);
            }
            AstKind::PrivateIdentifier(name) => {
                self.spelling(&name.name, name.span.start);
            }
            AstKind::IdentifierName(name) => {
                // A property name is examined only behind an optional access.
                let examined = match self.path.last() {
                    Some(AstKind::StaticMemberExpression(member)) => self.is_optional(member.span),
                    Some(AstKind::ImportAttribute(_)) => true,
                    _ => false,
                };
                if examined {
                    self.spelling(&name.name, name.span.start);
                }
            }

            AstKind::StaticMemberExpression(member) if !self.is_optional(member.span) => {
                self.static_member(member)
            }
            AstKind::ComputedMemberExpression(member) if !self.is_optional(member.span) => {
                self.computed_member(member)
            }

            AstKind::VariableDeclarator(declarator) => {
                if let Some(init) = &declarator.init
                    && self.names.is_bound_namespace(init)
                {
                    namespace::assigned_to_binding(
                        self.report,
                        &declarator.id,
                        declarator.span.start,
                    );
                }
            }
            AstKind::AssignmentExpression(assignment) => {
                if assignment.operator.is_assign()
                    && self.names.is_bound_namespace(&assignment.right)
                {
                    namespace::assigned_to_target(
                        self.report,
                        &assignment.left,
                        assignment.span.start,
                    );
                }
            }
            AstKind::SpreadElement(spread) => {
                if self.names.is_bound_namespace(&spread.argument) {
                    self.report.add(
                        Rule::ThreeAliasForbidden,
                        spread.span.start,
                        "spread of THREE",
                    );
                }
            }
            AstKind::CallExpression(call) if !self.is_optional(call.span) => {
                namespace::passed(
                    self.report,
                    &mut self.names,
                    &call.callee,
                    &call.arguments,
                    call.span.start,
                    false,
                );
            }
            AstKind::NewExpression(new) => {
                namespace::passed(
                    self.report,
                    &mut self.names,
                    &new.callee,
                    &new.arguments,
                    new.span.start,
                    true,
                );
            }

            AstKind::ImportDeclaration(import) => {
                self.report.add(
                    Rule::ForbiddenIdentifier,
                    import.span.start,
                    "import statement",
                );
            }
            AstKind::ImportExpression(import) => {
                self.report.add(
                    Rule::ForbiddenIdentifier,
                    import.span.start,
                    "dynamic import",
                );
            }
            AstKind::ImportMeta(meta) => {
                self.report
                    .add(Rule::ForbiddenIdentifier, meta.span.start, "import.meta");
            }

            AstKind::MethodDefinition(method) if method.value.r#async => {
                self.asynchronous(method.span.start)
            }
            AstKind::ObjectProperty(property)
                if property.method || property.kind != PropertyKind::Init =>
            {
                if let Expression::FunctionExpression(function) = &property.value
                    && function.r#async
                {
                    self.asynchronous(property.span.start);
                }
            }
            AstKind::Function(function) if function.r#async && !self.is_method() => {
                self.asynchronous(function.span.start);
            }
            AstKind::ArrowFunctionExpression(function) if function.r#async => {
                self.asynchronous(function.span.start)
            }
            AstKind::AwaitExpression(waiting) if self.async_functions == 0 => {
                self.report.add(
                    Rule::AsyncNotAllowed,
                    waiting.span.start,
                    "`await` at the top level",
                );
            }
            AstKind::ForOfStatement(statement) if statement.r#await => {
                self.report
                    .add(Rule::AsyncNotAllowed, statement.span.start, "`for await`");
            }

            AstKind::StringLiteral(literal)
                if !matches!(self.path.last(), Some(AstKind::Directive(_))) =>
            {
                self.literals.string(literal);
            }
            AstKind::TemplateElement(element) => self.literals.template(element),
            AstKind::NumericLiteral(literal) => self.literals.number(literal),
            AstKind::BigIntLiteral(literal) => self.literals.big_int(literal),
            _ => {}
        }
    }

    /// The first check of any examined identifier: by spelling alone. Tells whether it failed.
    fn spelling(&mut self, name: &str, offset: u32) -> bool {
        let forbidden = names::FORBIDDEN_NAMES.contains(&name);
        if forbidden {
            self.report.add(
                Rule::ForbiddenIdentifier,
                offset,
                format!("`{name}` is forbidden"),
            );
        }
        forbidden
    }

    fn reference(&mut self, identifier: &'a IdentifierReference<'a>) {
        if matches!(self.path.last(), Some(AstKind::ExportSpecifier(_))) {
            return;
        }
        let name = identifier.name.as_str();
        let offset = identifier.span.start;
        if self.spelling(name, offset) || !self.is_in_reference_position(identifier) {
            return;
        }
        let bound = self.names.is_bound(identifier);
        if name == "THREE" {
            if !bound {
                self.report.add(
                    Rule::ThreeAtTopLevel,
                    offset,
                    "THREE is used where no parameter of that name is visible",
                );
            } else if !self.is_in_followed_position(identifier) {
                self.report.add(
                    Rule::ThreeAliasForbidden,
                    offset,
                    "THREE may only be used as `THREE.Member`, destructured, or passed to a helper that calls it THREE",
                );
            }
        } else if !bound && !names::is_allowed_global(name) {
            self.report.add(
                Rule::IdentifierNotAllowed,
                offset,
                format!("`{name}` is not available to modules"),
            );
        }
    }

    /// Whether the identifier reads a value: not the target of an assignment or of a pattern.
    fn is_in_reference_position(&self, identifier: &IdentifierReference<'_>) -> bool {
        let span = identifier.span;
        match self.path.last() {
            Some(AstKind::AssignmentExpression(assignment)) => assignment.left.span() != span,
            Some(AstKind::ArrayAssignmentTarget(_) | AstKind::AssignmentTargetRest(_)) => false,
            Some(AstKind::AssignmentTargetPropertyIdentifier(property)) => {
                property.binding.span != span
            }
            Some(AstKind::AssignmentTargetPropertyProperty(property)) => {
                property.binding.span() != span
            }
            Some(AstKind::AssignmentTargetWithDefault(target)) => target.binding.span() != span,
            _ => true,
        }
    }

    /// Whether a bound `THREE` stands where another rule follows it (5.7).
    fn is_in_followed_position(&self, identifier: &IdentifierReference<'_>) -> bool {
        let span = identifier.span;
        match self.path.last() {
            Some(AstKind::StaticMemberExpression(member)) => !self.is_optional(member.span),
            Some(AstKind::ComputedMemberExpression(member)) => {
                member.object.span() == span && !self.is_optional(member.span)
            }
            Some(AstKind::PrivateFieldExpression(member)) => !self.is_optional(member.span),
            Some(AstKind::VariableDeclarator(declarator)) => declarator
                .init
                .as_ref()
                .is_some_and(|init| init.span() == span),
            Some(AstKind::AssignmentExpression(assignment)) => assignment.right.span() == span,
            Some(AstKind::CallExpression(call)) => {
                call.callee.span() != span && !self.is_optional(call.span)
            }
            Some(AstKind::NewExpression(new)) => new.callee.span() != span,
            Some(AstKind::SpreadElement(_)) => true,
            _ => false,
        }
    }

    fn static_member(&mut self, member: &StaticMemberExpression<'a>) {
        let offset = member.span.start;
        let property = member.property.name.as_str();
        if names::FORBIDDEN_PROPERTIES.contains(&property) {
            self.report.add(
                Rule::ForbiddenPropertyAccess,
                offset,
                format!("`.{property}` is forbidden"),
            );
        }
        match &member.object {
            Expression::Identifier(object) if object.name == "Math" && property == "random" => {
                self.report.add(
                    Rule::ForbiddenIdentifier,
                    offset,
                    "`Math.random` is forbidden: a module must build the same scene every time",
                );
            }
            Expression::Identifier(object)
                if object.name == "THREE" && self.names.is_bound(object) =>
            {
                namespace::member(self.report, property, offset);
            }
            Expression::StaticMemberExpression(inner) => {
                let is_math_utils = !self.is_optional(inner.span)
                    && inner.property.name == "MathUtils"
                    && matches!(&inner.object, Expression::Identifier(object) if object.name == "THREE");
                if is_math_utils && names::BLOCKED_MATH_UTILS.contains(&property) {
                    self.report.add(
                        Rule::ForbiddenThreeApi,
                        offset,
                        format!("`THREE.MathUtils.{property}` is forbidden"),
                    );
                }
            }
            _ => {}
        }
    }

    fn computed_member(&mut self, member: &ComputedMemberExpression<'a>) {
        if let Expression::Identifier(object) = &member.object
            && names::BRACKET_GATED.contains(&object.name.as_str())
        {
            self.report.add(
                Rule::ComputedPropertyAccess,
                member.span.start,
                format!("bracket access on `{}` is forbidden", object.name),
            );
        }
    }

    fn asynchronous(&mut self, offset: u32) {
        self.report.add(
            Rule::AsyncNotAllowed,
            offset,
            "async functions are not allowed",
        );
    }

    /// Whether the current function is the value of a method, whose own node reports it.
    fn is_method(&self) -> bool {
        match self.path.last() {
            Some(AstKind::MethodDefinition(_)) => true,
            Some(AstKind::ObjectProperty(property)) => {
                property.method || property.kind != PropertyKind::Init
            }
            _ => false,
        }
    }

    /// Whether the node of this span is a link of an optional chain, from its innermost `?.` outwards.
    fn is_optional(&self, span: Span) -> bool {
        self.chains.last().is_some_and(|chain| chain.holds(span))
    }

    fn inside_import_specifier(&self) -> bool {
        matches!(
            self.path.last(),
            Some(
                AstKind::ImportSpecifier(_)
                    | AstKind::ImportDefaultSpecifier(_)
                    | AstKind::ImportNamespaceSpecifier(_)
            )
        )
    }
}
