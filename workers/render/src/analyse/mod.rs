//! Static analysis: what can be said about a module before any of it runs.

use crate::failure::{Failure, Rule, Stage};
use oxc_allocator::Allocator;
use oxc_parser::Parser;
use oxc_span::SourceType;

/// Largest source in bytes of UTF-8.
pub const MAX_SOURCE_BYTES: usize = 1_048_576;

/// Static stage only. Empty = passed.
pub fn analyse(source: &str) -> Vec<Failure> {
    if source.len() > MAX_SOURCE_BYTES {
        return vec![Failure::new(
            Stage::Parse,
            Rule::FileSizeExceeded,
            format!(
                "the source has {} bytes, more than {MAX_SOURCE_BYTES}",
                source.len()
            ),
        )];
    }
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, source, SourceType::mjs()).parse();
    if let Some(error) = parsed.diagnostics.first() {
        return vec![Failure::new(
            Stage::Parse,
            Rule::ParseError,
            error.to_string(),
        )];
    }
    Vec::new()
}
