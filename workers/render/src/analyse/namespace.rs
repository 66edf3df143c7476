//! Where the namespace may go (5.7 to 5.9), and which of its members may be used (7.1, 7.2).

use std::collections::{HashMap, HashSet};

use oxc_ast::AstKind;
use oxc_ast::ast::{
    Argument, AssignmentTarget, AssignmentTargetMaybeDefault, AssignmentTargetProperty,
    BindingPattern, Class, ClassElement, ClassType, Expression, FormalParameters,
    IdentifierReference, MethodDefinitionKind, ObjectAssignmentTarget, ObjectPattern, PropertyKey,
};
use oxc_semantic::Semantic;

use super::Report;
use crate::failure::Rule;
use crate::names;

/// What names mean.
pub struct Names<'a, 's> {
    semantic: &'s Semantic<'a>,
    /// Constructors of classes already asked for, by the class's first byte: a source may ask a hundred thousand times.
    constructors: HashMap<u32, Option<&'a FormalParameters<'a>>>,
    /// Parameters that were found to receive the namespace correctly, by their first byte.
    correct_parameters: HashSet<u32>,
}

impl<'a, 's> Names<'a, 's> {
    /// The names of a resolved program.
    pub fn new(semantic: &'s Semantic<'a>) -> Self {
        Self {
            semantic,
            constructors: HashMap::new(),
            correct_parameters: HashSet::new(),
        }
    }

    /// Whether a binding of the identifier's name is visible. Order and initialisation do not matter.
    pub fn is_bound(&self, identifier: &IdentifierReference<'_>) -> bool {
        identifier.reference_id.get().is_some_and(|id| {
            self.semantic
                .scoping()
                .get_reference(id)
                .symbol_id()
                .is_some()
        })
    }

    /// Whether the expression is literally `THREE`, and bound.
    pub fn is_bound_namespace(&self, expression: &Expression<'_>) -> bool {
        matches!(expression, Expression::Identifier(identifier) if identifier.name == "THREE" && self.is_bound(identifier))
    }

    /// The parameters of a callee, as far as they can be known (5.9): of what the name was first declared as, whatever
    /// was assigned to it later.
    fn parameters_of(&mut self, callee: &'a Expression<'a>) -> Option<&'a FormalParameters<'a>> {
        match callee {
            Expression::Identifier(identifier) => {
                let reference = self
                    .semantic
                    .scoping()
                    .get_reference(identifier.reference_id.get()?);
                let declaration = self
                    .semantic
                    .scoping()
                    .symbol_declaration(reference.symbol_id()?);
                match self.semantic.nodes().kind(declaration) {
                    AstKind::Function(function) => Some(&function.params),
                    AstKind::Class(class) if class.r#type == ClassType::ClassDeclaration => {
                        self.constructor_of(class)
                    }
                    AstKind::VariableDeclarator(declarator) => {
                        self.function_parameters(declarator.init.as_ref()?)
                    }
                    _ => None,
                }
            }
            other => self.function_parameters(other),
        }
    }

    /// The parameters of an inline function, or of an inline class's own constructor.
    fn function_parameters(
        &mut self,
        expression: &'a Expression<'a>,
    ) -> Option<&'a FormalParameters<'a>> {
        match expression {
            Expression::FunctionExpression(function) => Some(&function.params),
            Expression::ArrowFunctionExpression(function) => Some(&function.params),
            Expression::ClassExpression(class) => self.constructor_of(class),
            _ => None,
        }
    }

    fn constructor_of(&mut self, class: &'a Class<'a>) -> Option<&'a FormalParameters<'a>> {
        *self
            .constructors
            .entry(class.span.start)
            .or_insert_with(|| constructor_of(class))
    }
}

fn constructor_of<'a>(class: &'a Class<'a>) -> Option<&'a FormalParameters<'a>> {
    class.body.body.iter().find_map(|element| match element {
        ClassElement::MethodDefinition(method)
            if method.kind == MethodDefinitionKind::Constructor =>
        {
            Some(&*method.value.params)
        }
        _ => None,
    })
}

/// `THREE.member`, with a visible binding.
pub fn member(report: &mut Report<'_>, member: &str, offset: u32) {
    if names::ALLOWED_MEMBERS.contains(&member) {
        return;
    }
    if names::FORBIDDEN_MEMBERS.contains(&member) {
        report.add(
            Rule::ForbiddenThreeApi,
            offset,
            format!("`THREE.{member}` is forbidden"),
        );
    } else {
        report.add(
            Rule::UnknownThreeApi,
            offset,
            format!("`THREE.{member}` is not a recognized Three.js API"),
        );
    }
}

/// `const … = THREE`.
pub fn assigned_to_binding(report: &mut Report<'_>, left: &BindingPattern<'_>, offset: u32) {
    match left {
        BindingPattern::BindingIdentifier(name) => {
            alias(
                report,
                offset,
                &format!("aliasing THREE as `{}`", name.name),
            );
        }
        BindingPattern::ObjectPattern(pattern) => binding_pattern(report, pattern, offset),
        BindingPattern::ArrayPattern(_) => alias(report, offset, "array-destructuring of THREE"),
        BindingPattern::AssignmentPattern(_) => alias(report, offset, "aliasing THREE"),
    }
}

/// `… = THREE`.
pub fn assigned_to_target(report: &mut Report<'_>, left: &AssignmentTarget<'_>, offset: u32) {
    match left {
        AssignmentTarget::AssignmentTargetIdentifier(name) => {
            alias(
                report,
                offset,
                &format!("aliasing THREE as `{}`", name.name),
            );
        }
        AssignmentTarget::ObjectAssignmentTarget(pattern) => {
            target_pattern(report, pattern, offset)
        }
        AssignmentTarget::ArrayAssignmentTarget(_) => {
            alias(report, offset, "array-destructuring of THREE")
        }
        AssignmentTarget::StaticMemberExpression(member) => {
            alias(
                report,
                offset,
                &format!("aliasing THREE as `.{}`", member.property.name),
            );
        }
        _ => alias(report, offset, "aliasing THREE as a property"),
    }
}

/// A call or `new` with `THREE` among its arguments.
pub fn passed<'a>(
    report: &mut Report<'_>,
    names: &mut Names<'a, '_>,
    callee: &'a Expression<'a>,
    arguments: &[Argument<'a>],
    offset: u32,
    is_new: bool,
) {
    let positions: Vec<usize> = arguments
        .iter()
        .enumerate()
        .filter(|(_, argument)| {
            argument
                .as_expression()
                .is_some_and(|one| names.is_bound_namespace(one))
        })
        .map(|(position, _)| position)
        .collect();
    if positions.is_empty() {
        return;
    }
    if is_new && is_namespace_member(names, callee) {
        alias(
            report,
            offset,
            "passing THREE to one of its own constructors",
        );
        return;
    }
    let Some(parameters) = names.parameters_of(callee) else {
        alias(
            report,
            offset,
            "passing THREE to something whose parameters cannot be seen",
        );
        return;
    };
    for position in positions {
        match parameters.items.get(position) {
            None if parameters.rest.is_some() => {
                alias(report, offset, "passing THREE into a rest parameter")
            }
            None => alias(
                report,
                offset,
                "passing THREE where the helper has no parameter",
            ),
            Some(parameter) => {
                let start = parameter.span.start;
                if !names.correct_parameters.contains(&start) {
                    let before = report.failures.len();
                    received(report, &parameter.pattern, offset);
                    if report.failures.len() == before {
                        names.correct_parameters.insert(start);
                    }
                }
            }
        }
    }
}

fn is_namespace_member(names: &Names<'_, '_>, callee: &Expression<'_>) -> bool {
    match callee {
        Expression::StaticMemberExpression(member) => names.is_bound_namespace(&member.object),
        Expression::ComputedMemberExpression(member) => names.is_bound_namespace(&member.object),
        _ => false,
    }
}

/// The parameter that receives `THREE`.
fn received(report: &mut Report<'_>, parameter: &BindingPattern<'_>, offset: u32) {
    match parameter {
        BindingPattern::BindingIdentifier(name) if name.name == "THREE" => {}
        BindingPattern::BindingIdentifier(name) => {
            alias(
                report,
                offset,
                &format!("aliasing THREE as `{}`", name.name),
            );
        }
        BindingPattern::ObjectPattern(pattern) => binding_pattern(report, pattern, offset),
        BindingPattern::AssignmentPattern(with_default) => {
            received(report, &with_default.left, offset)
        }
        BindingPattern::ArrayPattern(_) => alias(report, offset, "array-destructuring of THREE"),
    }
}

fn alias(report: &mut Report<'_>, offset: u32, detail: &str) {
    report.add(Rule::ThreeAliasForbidden, offset, detail);
}

/// The name of a property that is taken out, as far as it is known.
enum Key<'k> {
    Name(&'k str),
    Computed,
    /// A number or an empty string: accepted, the namespace itself refuses it at run time.
    Other,
}

fn key_of<'k>(key: &'k PropertyKey<'_>, computed: bool) -> Key<'k> {
    if computed {
        return Key::Computed;
    }
    match key {
        PropertyKey::StaticIdentifier(name) => Key::Name(name.name.as_str()),
        PropertyKey::StringLiteral(text) if !text.value.is_empty() => {
            Key::Name(text.value.as_str())
        }
        _ => Key::Other,
    }
}

/// What stands inside `MathUtils: { … }`.
struct Inner<'k> {
    keys: Vec<Key<'k>>,
    has_rest: bool,
}

fn taken_out(report: &mut Report<'_>, key: &Key<'_>, inner: Option<&Inner<'_>>, offset: u32) {
    match key {
        Key::Computed => report.add(
            Rule::ComputedPropertyAccess,
            offset,
            "computed key in a destructuring of THREE",
        ),
        Key::Other => {}
        Key::Name(name) if names::ALLOWED_MEMBERS.contains(name) => {
            if *name == "MathUtils"
                && let Some(inner) = inner
            {
                math_utils(report, inner, offset);
            }
        }
        Key::Name(name) if names::FORBIDDEN_MEMBERS.contains(name) => {
            report.add(
                Rule::ForbiddenThreeApi,
                offset,
                format!("`{name} (destructured)` is forbidden"),
            );
        }
        Key::Name(name) => report.add(
            Rule::UnknownThreeApi,
            offset,
            format!("`{name} (destructured)` is not a recognized Three.js API"),
        ),
    }
}

fn math_utils(report: &mut Report<'_>, inner: &Inner<'_>, offset: u32) {
    for key in &inner.keys {
        if let Key::Name(name) = key
            && names::BLOCKED_MATH_UTILS.contains(name)
        {
            report.add(
                Rule::ForbiddenThreeApi,
                offset,
                format!("`MathUtils.{name} (destructured)` is forbidden"),
            );
        }
    }
    if inner.has_rest {
        report.add(
            Rule::ForbiddenThreeApi,
            offset,
            "rest-destructure of MathUtils is forbidden",
        );
    }
}

fn binding_pattern(report: &mut Report<'_>, pattern: &ObjectPattern<'_>, offset: u32) {
    for property in &pattern.properties {
        let value = match &property.value {
            BindingPattern::AssignmentPattern(with_default) => &with_default.left,
            other => other,
        };
        let inner = match value {
            BindingPattern::ObjectPattern(inner) => Some(Inner {
                keys: inner
                    .properties
                    .iter()
                    .map(|one| key_of(&one.key, one.computed))
                    .collect(),
                has_rest: inner.rest.is_some(),
            }),
            _ => None,
        };
        taken_out(
            report,
            &key_of(&property.key, property.computed),
            inner.as_ref(),
            offset,
        );
    }
    if pattern.rest.is_some() {
        alias(report, offset, "rest-destructure of THREE");
    }
}

fn target_pattern(report: &mut Report<'_>, pattern: &ObjectAssignmentTarget<'_>, offset: u32) {
    for property in &pattern.properties {
        match property {
            AssignmentTargetProperty::AssignmentTargetPropertyIdentifier(shorthand) => {
                taken_out(
                    report,
                    &Key::Name(shorthand.binding.name.as_str()),
                    None,
                    offset,
                );
            }
            AssignmentTargetProperty::AssignmentTargetPropertyProperty(property) => {
                let target = match &property.binding {
                    AssignmentTargetMaybeDefault::AssignmentTargetWithDefault(with_default) => {
                        Some(&with_default.binding)
                    }
                    other => other.as_assignment_target(),
                };
                let inner = match target {
                    Some(AssignmentTarget::ObjectAssignmentTarget(inner)) => Some(Inner {
                        keys: inner.properties.iter().map(target_key).collect(),
                        has_rest: inner.rest.is_some(),
                    }),
                    _ => None,
                };
                taken_out(
                    report,
                    &key_of(&property.name, property.computed),
                    inner.as_ref(),
                    offset,
                );
            }
        }
    }
    if pattern.rest.is_some() {
        alias(report, offset, "rest-destructure of THREE");
    }
}

fn target_key<'k>(property: &'k AssignmentTargetProperty<'_>) -> Key<'k> {
    match property {
        AssignmentTargetProperty::AssignmentTargetPropertyIdentifier(shorthand) => {
            Key::Name(shorthand.binding.name.as_str())
        }
        AssignmentTargetProperty::AssignmentTargetPropertyProperty(property) => {
            key_of(&property.name, property.computed)
        }
    }
}
