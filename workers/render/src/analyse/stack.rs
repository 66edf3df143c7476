//! Room to recurse: parser and visitors descend once a nesting level, and a hostile source is nothing but nesting.
//!
//! A level takes at least one token, and costs at most [`STACK_BYTES_A_LEVEL`], measured over the deepest constructs. So
//! a stack of that cost for every token can never overflow, and since the system hands out stack pages only when they
//! are touched, it costs an honest module nothing. Sources that are almost only brackets are
//! refused before, as the reference refuses them (its parser overflows after a few thousand levels).

use std::cell::Cell;

use crate::failure::Failure;

/// Stack one level of nesting takes at most, in bytes.
const STACK_BYTES_A_LEVEL: usize = 3 * 1024;

/// Stack that is there before the first level, in bytes.
const STACK_BASE: usize = 1 << 20;

/// Brackets open at the same time beyond which a source is refused unparsed. The reference's parser gives up at about a
/// tenth of it. Brackets in strings and comments count too: honest modules have a handful there.
const MAX_OPEN_BRACKETS: usize = 20_000;

thread_local! {
    /// Stack below the current frame that is known to be there.
    static ROOM: Cell<usize> = const { Cell::new(0) };
}

/// The system gave no stack for the analysis. Our fault: says nothing about the module.
#[derive(Debug, thiserror::Error)]
#[error("no stack of {bytes} bytes to analyse a module on")]
pub struct NoStack {
    bytes: usize,
    #[source]
    source: std::io::Error,
}

/// Runs `work` with enough stack for parsing and walking `source`. The inner error is a `PARSE_ERROR`: the source nests
/// too deep to be parsed by anyone.
///
/// # Errors
///
/// [`NoStack`] if the system is out of threads or memory.
pub fn with_room_for<T: Send>(
    source: &str,
    work: impl FnOnce() -> T + Send,
) -> Result<Result<T, Failure>, NoStack> {
    let scan = Scan::of(source);
    if scan.open_brackets > MAX_OPEN_BRACKETS {
        return Ok(Err(super::parse::error(
            source,
            scan.deepest_at as u32,
            "Maximum call stack size exceeded: nested too deep",
        )));
    }
    let needed = STACK_BASE + scan.tokens * STACK_BYTES_A_LEVEL;
    if ROOM.get() >= needed {
        return Ok(Ok(work()));
    }
    let ended = std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("analyse".to_owned())
            .stack_size(needed)
            .spawn_scoped(scope, || {
                ROOM.set(needed);
                work()
            })
            .map(std::thread::ScopedJoinHandle::join)
    });
    match ended {
        Ok(Ok(result)) => Ok(Ok(result)),
        // The parser does not panic on any input we know of; if it does, the module is what made it.
        Ok(Err(_)) => Ok(Err(super::parse::error(
            source,
            0,
            "the source makes the parser fail",
        ))),
        Err(source) => Err(NoStack {
            bytes: needed,
            source,
        }),
    }
}

/// What one look at the bytes tells. Knows nothing of strings and comments, so it can only see too much.
struct Scan {
    /// No fewer than the tokens of the source.
    tokens: usize,
    /// The most brackets open at one time.
    open_brackets: usize,
    /// Where that was.
    deepest_at: usize,
}

impl Scan {
    fn of(source: &str) -> Self {
        let mut scan = Self {
            tokens: 0,
            open_brackets: 0,
            deepest_at: 0,
        };
        let mut open = 0_usize;
        let mut inside_word = false;
        for (offset, byte) in source.bytes().enumerate() {
            let is_word =
                byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80;
            let starts = if is_word {
                !inside_word
            } else {
                !byte.is_ascii_whitespace()
            };
            scan.tokens += usize::from(starts);
            inside_word = is_word;
            match byte {
                b'(' | b'[' | b'{' => {
                    open += 1;
                    if open > scan.open_brackets {
                        scan.open_brackets = open;
                        scan.deepest_at = offset;
                    }
                }
                b')' | b']' | b'}' => open = open.saturating_sub(1),
                _ => {}
            }
        }
        scan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_is_counted() {
        let scan = Scan::of("a = b1.c( [x], `y` ) // z");
        // a = b1 . c ( [ x ] , ` y ` ) / / z
        assert_eq!(
            (scan.tokens, scan.open_brackets, scan.deepest_at),
            (17, 2, 10)
        );
    }
}
