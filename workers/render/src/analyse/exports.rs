//! The exports of a module (5.1): exactly one statement, `export default` of a synchronous function.

use std::ops::ControlFlow;

use oxc_ast::ast::{ExportDefaultDeclarationKind, Expression, Program, Statement};
use oxc_span::GetSpan as _;

use super::Report;
use crate::failure::Rule;

/// Checks the export statements. `Break` means that the reference stops here and looks at nothing else.
pub fn check(program: &Program<'_>, report: &mut Report<'_>) -> ControlFlow<()> {
    let mut default = None;
    let mut count = 0;
    for statement in &program.body {
        match statement {
            Statement::ExportDefaultDeclaration(export) => {
                default.get_or_insert(export);
                count += 1;
            }
            Statement::ExportDeclaration(_)
            | Statement::ExportNamedDeclaration(_)
            | Statement::ExportFromDeclaration(_)
            | Statement::ExportAllDeclaration(_) => count += 1,
            _ => {}
        }
    }
    let Some(default) = default else {
        report.whole(
            Rule::MissingDefaultExport,
            "the module has no `export default` statement",
        );
        return ControlFlow::Break(());
    };
    if count > 1 {
        report.whole(
            Rule::MultipleTopLevelExports,
            format!("the module has {count} top-level export statements, exactly one is allowed"),
        );
    }
    let offset = default.span.start;
    let is_async = match &default.declaration {
        ExportDefaultDeclarationKind::FunctionDeclaration(function)
        | ExportDefaultDeclarationKind::FunctionExpression(function) => function.r#async,
        ExportDefaultDeclarationKind::ArrowFunctionExpression(function) => function.r#async,
        other => {
            let found = describe(other);
            report.add(
                Rule::MissingDefaultExport,
                offset,
                format!("the default export must be a function, found {found}"),
            );
            return ControlFlow::Break(());
        }
    };
    if is_async {
        report.add(
            Rule::AsyncNotAllowed,
            offset,
            "the default export must not be async",
        );
        return ControlFlow::Break(());
    }
    ControlFlow::Continue(())
}

fn describe(declaration: &ExportDefaultDeclarationKind<'_>) -> String {
    match declaration {
        ExportDefaultDeclarationKind::ClassDeclaration(_) => "a class".to_owned(),
        other => match other.as_expression() {
            Some(Expression::Identifier(name)) => format!("the identifier `{}`", name.name),
            Some(Expression::ClassExpression(_)) => "a class".to_owned(),
            Some(Expression::CallExpression(_)) => "a call".to_owned(),
            Some(Expression::ObjectExpression(_)) => "an object literal".to_owned(),
            Some(Expression::NumericLiteral(_)) => "a number".to_owned(),
            Some(Expression::StringLiteral(_)) => "a string".to_owned(),
            _ => format!("another expression of {} bytes", other.span().size()),
        },
    }
}
