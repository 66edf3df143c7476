//! Static analysis: what can be said about a module before any of it runs.
//!
//! The rules reproduce the reference validator's, quirks included, because miners have learned them: which identifiers
//! are examined, what counts as a reference, how a callee is resolved. They are a courtesy to honest authors and a first
//! fence; the sandbox relies on none of them. Source: render specification, §4 to §7 and the agreement list §17.

mod alarms;
mod chains;
mod exports;
mod in_operator;
mod literals;
mod namespace;
mod parse;
mod shape;
mod stack;
mod walk;

pub use parse::{MAX_SOURCE_BYTES, too_large};
pub use stack::NoStack;

use oxc_allocator::Allocator;

use crate::failure::{Failure, Rule, Stage};

/// Static stages only: `parse` and `static_analysis`. Empty = passed.
///
/// Failures come in the order the reference reports them. The time taken is linear in the source, whatever it nests.
///
/// # Errors
///
/// [`NoStack`] is ours and says nothing about the module.
pub fn try_analyse(source: &str) -> Result<Vec<Failure>, NoStack> {
    if let Some(failure) = too_large(source.len()) {
        return Ok(vec![failure]);
    }
    let found = stack::with_room_for(source, || analyse_here(source))?;
    Ok(found.unwrap_or_else(|failure| vec![failure]))
}

/// [`try_analyse`] for tools and tests, which have nobody to tell that the system is out of memory: they end.
///
/// # Panics
///
/// Where [`try_analyse`] fails.
pub fn analyse(source: &str) -> Vec<Failure> {
    try_analyse(source).expect("the system has threads and memory left")
}

fn analyse_here(source: &str) -> Vec<Failure> {
    let allocator = Allocator::default();
    let program = match parse::program(&allocator, source) {
        Ok(program) => program,
        Err(failure) => return vec![failure],
    };
    let semantic = match parse::semantic(&program) {
        Ok(semantic) => semantic,
        Err(failure) => return vec![failure],
    };
    let mut report = Report {
        lines: Lines::new(source),
        failures: Vec::new(),
    };
    if exports::check(&program, &mut report).is_continue() {
        walk::check(&program, &semantic, &mut report);
    }
    report.failures
}

/// Most failures of one report. More tell an author nothing, and a hostile source could ask for a hundred thousand.
const MAX_FAILURES: usize = 1_000;

/// The failures of the static stage, in the order they are found.
struct Report<'s> {
    lines: Lines<'s>,
    failures: Vec<Failure>,
}

impl Report<'_> {
    /// Adds a failure at the byte `offset` of the source.
    fn add(&mut self, rule: Rule, offset: u32, detail: impl AsRef<str>) {
        if self.failures.len() < MAX_FAILURES {
            let (line, _) = self.lines.position(offset);
            self.whole(rule, format!("line {line}: {}", detail.as_ref()));
        }
    }

    /// Adds a failure of the module as a whole.
    fn whole(&mut self, rule: Rule, detail: impl Into<String>) {
        self.failures
            .push(Failure::new(Stage::StaticAnalysis, rule, detail));
    }
}

/// Finds lines and columns. The lines are counted once, and only if somebody asks.
struct Lines<'s> {
    source: &'s str,
    starts: std::cell::OnceCell<Vec<usize>>,
}

impl<'s> Lines<'s> {
    fn new(source: &'s str) -> Self {
        Self {
            source,
            starts: std::cell::OnceCell::new(),
        }
    }

    /// Line from 1 and column from 0 of a byte, in UTF-16 units as every JavaScript tool counts.
    fn position(&self, offset: u32) -> (usize, usize) {
        let offset = (offset as usize).min(self.source.len());
        let starts = self.starts.get_or_init(|| line_starts(self.source));
        let line = starts.partition_point(|start| *start <= offset);
        let start = line
            .checked_sub(1)
            .and_then(|index| starts.get(index))
            .copied()
            .unwrap_or(0);
        let column = self
            .source
            .get(start..offset)
            .map_or(0, |before| before.encode_utf16().count());
        (line, column)
    }
}

/// Where lines start. They end as in JavaScript.
fn line_starts(source: &str) -> Vec<usize> {
    let mut starts = vec![0];
    let mut characters = source.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let ends = match character {
            '\r' => characters.peek().is_none_or(|(_, next)| *next != '\n'),
            '\n' | '\u{2028}' | '\u{2029}' => true,
            _ => false,
        };
        if ends {
            starts.push(at + character.len_utf8());
        }
    }
    starts
}
