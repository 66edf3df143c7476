//! Early errors that the resolver finds where the language has none.
//!
//! Each is told apart from the real one by what stands around the names it is about.

use std::collections::HashSet;

use oxc_ast::AstKind;
use oxc_diagnostics::OxcDiagnostic;
use oxc_semantic::{AstNode, Semantic};

/// The names of a program that has errors, by their first bytes.
#[derive(Default)]
pub struct Alarms {
    /// Those that are used.
    used: HashSet<u32>,
    /// Those that a `var` declares.
    hoisted: HashSet<u32>,
    /// Those of functions that stand in the body of a function, or in a static block, itself; parameters.
    of_bodies: HashSet<u32>,
}

impl Alarms {
    /// Looks at every name once.
    pub fn new(semantic: &Semantic<'_>) -> Self {
        let mut alarms = Self::default();
        for node in semantic.nodes().iter() {
            match node.kind() {
                AstKind::IdentifierReference(name) => {
                    alarms.used.insert(name.span.start);
                }
                AstKind::BindingIdentifier(name) => match declared_by(semantic, node) {
                    Some(Declaration::Var) => {
                        alarms.hoisted.insert(name.span.start);
                    }
                    Some(Declaration::OfBody) => {
                        alarms.of_bodies.insert(name.span.start);
                    }
                    None => {}
                },
                _ => {}
            }
        }
        alarms
    }

    /// Whether an error is none.
    pub fn is_false(&self, error: &OxcDiagnostic) -> bool {
        let labels = error.labels.iter().map(|label| label.offset() as u32);
        match labels.collect::<Vec<_>>().as_slice() {
            // An assignment to `arguments` or `eval`: found wherever the name stands inside the left side, so also for
            // `[a = arguments[0]] = []`. Those that are assignments were refused by `shape`.
            [at] => error.message.starts_with("Cannot assign to") && self.used.contains(at),
            // A function and a `var` of one name, which functions and static blocks may have; two of `var` always.
            [before, again] => {
                error.message.ends_with("has already been declared")
                    && self.hoisted.contains(again)
                    && (self.of_bodies.contains(before) || self.hoisted.contains(before))
            }
            _ => false,
        }
    }
}

enum Declaration {
    Var,
    OfBody,
}

/// What declares a name, as far as it may share it.
fn declared_by(semantic: &Semantic<'_>, name: &AstNode<'_>) -> Option<Declaration> {
    let mut around = semantic.nodes().ancestor_kinds(name.id());
    let declaring = around.find(|kind| {
        matches!(
            kind,
            AstKind::VariableDeclaration(_)
                | AstKind::Function(_)
                | AstKind::FormalParameters(_)
                | AstKind::CatchParameter(_)
                | AstKind::Class(_)
        )
    });
    match declaring? {
        AstKind::VariableDeclaration(declaration) if declaration.kind.is_var() => {
            Some(Declaration::Var)
        }
        AstKind::FormalParameters(_) => Some(Declaration::OfBody),
        AstKind::Function(function) if function.is_declaration() => {
            let stands_in = around.next();
            matches!(
                stands_in,
                Some(AstKind::FunctionBody(_) | AstKind::StaticBlock(_))
            )
            .then_some(Declaration::OfBody)
        }
        _ => None,
    }
}
