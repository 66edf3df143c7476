//! The literal budget (5.11): how many bytes of strings and numbers a module may carry.

use oxc_ast::ast::{BigIntLiteral, NumericLiteral, StringLiteral, TemplateElement};

/// Most bytes of literals.
pub const LITERAL_BUDGET: usize = 51_200;

/// Bytes counted so far.
#[derive(Default)]
pub struct Literals {
    bytes: usize,
}

impl Literals {
    /// A string: the bytes of its value, not of its source.
    pub fn string(&mut self, literal: &StringLiteral<'_>) {
        self.bytes += value_bytes(&literal.value, literal.lone_surrogates);
    }

    /// A piece of a template: its value; its source where an escape has no value.
    pub fn template(&mut self, element: &TemplateElement<'_>) {
        self.bytes += match &element.value.cooked {
            Some(cooked) => value_bytes(cooked, element.lone_surrogates),
            None => element.value.raw.len(),
        };
    }

    /// A number: the bytes of its source.
    pub fn number(&mut self, literal: &NumericLiteral<'_>) {
        self.bytes += literal
            .raw
            .as_ref()
            .map_or(literal.span.size() as usize, |raw| raw.len());
    }

    /// A big integer: the bytes of its source, the `n` included.
    pub fn big_int(&mut self, literal: &BigIntLiteral<'_>) {
        self.bytes += literal
            .raw
            .as_ref()
            .map_or(literal.span.size() as usize, |raw| raw.len());
    }

    /// Bytes over everything counted.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// UTF-8 length of a value. The parser writes a lone surrogate as U+FFFD and four hexadecimal digits; a lone
/// surrogate counts the three bytes that U+FFFD has.
fn value_bytes(value: &str, has_lone_surrogates: bool) -> usize {
    if !has_lone_surrogates {
        return value.len();
    }
    const DIGITS: usize = 4;
    let escaped = value
        .chars()
        .filter(|character| *character == '\u{fffd}')
        .count();
    value.len() - escaped * DIGITS
}
