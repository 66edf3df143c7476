//! Which prompts a round has.
//!
//! Some prompts are carried over from the previous round so that rounds can be compared; the rest are new. Both are drawn by
//! one generator from the round's public seed, so anyone can draw them again.
//!
//! Source: collection-and-rounds, section 5.2 (inputs), 5.3 (algorithm), 5.6 (stems).

use std::collections::HashSet;

use schema::{RoundNumber, Stem};

use super::random::{MersenneTwister, SampleError};

/// What the prompts of a round are drawn from.
#[derive(Debug, Clone, Copy)]
pub struct PromptDraw<'a> {
    /// The round's seed, `rounds/{n}/seed.json`.
    pub seed: u32,
    /// The round whose prompts are drawn.
    pub round: RoundNumber,
    /// The root `prompts.txt`, by [`read_prompts`].
    pub pool: &'a [String],
    /// `rounds/{n-1}/prompts.txt`; not looked at in round 0 or when nothing is carried over.
    pub previous: Option<&'a [String]>,
    /// `prompts_per_round` in `config.json`.
    pub prompts_per_round: usize,
    /// `carryover_prompts` in `config.json`.
    pub carryover_prompts: usize,
}

/// Why a round has no prompts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PromptError {
    /// The previous round's list is needed and was not given.
    #[error(
        "round {round} carries prompts over, but the prompts of round {previous} are missing; restore rounds/{previous}/prompts.txt"
    )]
    PreviousMissing {
        /// The round whose prompts are drawn.
        round: RoundNumber,
        /// The round before it.
        previous: RoundNumber,
    },
    /// More prompts are carried over than a round has.
    #[error(
        "{carried} prompts are carried over but a round has only {prompts_per_round}; correct carryover_prompts in config.json"
    )]
    CarryoverExceedsRound {
        /// How many are carried over.
        carried: usize,
        /// How many a round has.
        prompts_per_round: usize,
    },
    /// The lists cannot be sampled.
    #[error("the prompts cannot be drawn")]
    Sample(#[from] SampleError),
}

/// Draws the prompts of a round: the carried-over ones, then the new ones, each in the order drawn.
///
/// A list that is too short is taken whole, in its own order. A prompt of an earlier round that is not carried over may be
/// drawn again.
///
/// # Errors
///
/// [`PromptError::PreviousMissing`] if prompts are to be carried over and `previous` is none,
/// [`PromptError::CarryoverExceedsRound`] if more are carried over than the round has.
pub fn draw_prompts(draw: PromptDraw<'_>) -> Result<Vec<String>, PromptError> {
    let mut rng = MersenneTwister::new(u64::from(draw.seed));

    let mut prompts = match draw.round.previous() {
        Some(previous) if draw.carryover_prompts > 0 => {
            let list = draw.previous.ok_or(PromptError::PreviousMissing {
                round: draw.round,
                previous,
            })?;
            rng.sample_up_to(list, draw.carryover_prompts)?
        }
        _ => Vec::new(),
    };

    let new = draw.prompts_per_round.checked_sub(prompts.len()).ok_or(
        PromptError::CarryoverExceedsRound {
            carried: prompts.len(),
            prompts_per_round: draw.prompts_per_round,
        },
    )?;
    let carried: HashSet<&str> = prompts.iter().map(String::as_str).collect();
    let rest: Vec<&String> = draw
        .pool
        .iter()
        .filter(|prompt| !carried.contains(prompt.as_str()))
        .collect();
    let drawn: Vec<String> = rng.sample_up_to(&rest, new)?.into_iter().cloned().collect();

    prompts.extend(drawn);
    Ok(prompts)
}

/// The lines of a prompt list: split at any Unicode line break, trimmed, blank ones dropped, repeated ones kept.
pub fn read_prompts(text: &str) -> Vec<String> {
    text.split(is_line_break)
        .map(|line| line.trim_matches(is_blank))
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Stems that more than one prompt of the list has. Their outputs would overwrite each other: a warning for the operator.
pub fn colliding_stems(prompts: &[String]) -> Vec<Stem> {
    let mut seen = HashSet::new();
    let mut colliding = Vec::new();
    for prompt in prompts {
        let stem = Stem::of_url(prompt);
        if !seen.insert(stem.clone()) && !colliding.contains(&stem) {
            colliding.push(stem);
        }
    }
    colliding
}

/// The line breaks of Python's `str.splitlines`.
fn is_line_break(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r'
            | '\u{b}'
            | '\u{c}'
            | '\u{1c}'
            | '\u{1d}'
            | '\u{1e}'
            | '\u{85}'
            | '\u{2028}'
            | '\u{2029}'
    )
}

/// What Python's `str.strip` removes: white space, and the separator that is no line break.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{1f}'
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    const FIRST_ROUND: &str =
        include_str!("../../../schema/tests/fixtures/competition-0/rounds/0/prompts.txt");
    const SECOND_ROUND: &str =
        include_str!("../../../schema/tests/fixtures/competition-0/rounds/1/prompts.txt");

    fn list(prefix: &str, length: usize) -> Vec<String> {
        (0..length)
            .map(|i| format!("https://host/{prefix}{i}.png"))
            .collect()
    }

    fn draw<'a>(round: u32, pool: &'a [String], previous: Option<&'a [String]>) -> PromptDraw<'a> {
        PromptDraw {
            seed: 5,
            round: RoundNumber(round),
            pool,
            previous,
            prompts_per_round: 8,
            carryover_prompts: 3,
        }
    }

    #[test]
    fn the_carried_prompts_of_the_real_second_round_are_drawn_again() {
        let previous = read_prompts(FIRST_ROUND);
        let published = read_prompts(SECOND_ROUND);
        assert_eq!((previous.len(), published.len()), (128, 128));
        let prompts = draw_prompts(PromptDraw {
            seed: 3274970996,
            round: RoundNumber(1),
            pool: &list("new", 500),
            previous: Some(&previous),
            prompts_per_round: 128,
            carryover_prompts: 32,
        })
        .unwrap();
        assert_eq!(prompts[..32], published[..32]);
        assert_eq!(prompts.len(), 128);
    }

    #[test]
    fn new_prompts_are_never_ones_that_were_carried_over() {
        let pool = list("p", 12);
        let prompts = draw_prompts(draw(1, &pool, Some(&pool[..6]))).unwrap();
        let different: HashSet<_> = prompts.iter().collect();
        assert_eq!(different.len(), 8);
        assert!(prompts[..3].iter().all(|prompt| pool[..6].contains(prompt)));
    }

    #[test]
    fn round_0_and_a_competition_without_carryover_never_look_at_a_previous_list() {
        let (pool, previous) = (list("p", 40), list("old", 40));
        let first = draw_prompts(draw(0, &pool, Some(&previous))).unwrap();
        let mut without = draw(4, &pool, None);
        without.carryover_prompts = 0;
        assert_eq!(first, draw_prompts(without).unwrap());
        assert!(first.iter().all(|prompt| pool.contains(prompt)));
    }

    #[test]
    fn a_short_previous_list_is_carried_whole_and_a_short_pool_is_taken_in_its_order() {
        let (pool, previous) = (list("p", 4), list("old", 2));
        let prompts = draw_prompts(draw(1, &pool, Some(&previous))).unwrap();
        assert_eq!(prompts, [previous, pool].concat());
    }

    #[test]
    fn a_missing_previous_list_is_an_error_that_names_the_file() {
        let error = draw_prompts(draw(3, &list("p", 9), None)).unwrap_err();
        assert!(
            error.to_string().contains("rounds/2/prompts.txt"),
            "{error}"
        );
    }

    #[test]
    fn carrying_more_prompts_than_a_round_has_is_an_error() {
        let (pool, previous) = (list("p", 40), list("old", 40));
        let mut over = draw(1, &pool, Some(&previous));
        over.carryover_prompts = 9;
        assert_eq!(
            draw_prompts(over),
            Err(PromptError::CarryoverExceedsRound {
                carried: 9,
                prompts_per_round: 8
            })
        );
        // A previous list too short to exceed the round is no error.
        over.previous = Some(&previous[..8]);
        assert_eq!(draw_prompts(over).unwrap(), previous[..8]);
    }

    #[test]
    fn lines_are_read_with_any_line_break_and_blanks_dropped() {
        let text = "  a \r\n\n\tb\u{2028}c\u{85}d\u{b}e\u{1c}f\u{1f}\r  \ra";
        assert_eq!(read_prompts(text), ["a", "b", "c", "d", "e", "f", "a"]);
        assert!(read_prompts(" \n\r\n ").is_empty());
    }

    #[test]
    fn prompts_with_equal_file_names_are_named() {
        let prompts = [
            "https://a/x.png",
            "https://b/x.jpg",
            "https://b/y.png",
            "https://c/x.webp",
        ]
        .map(String::from);
        assert_eq!(colliding_stems(&prompts), [Stem::from("x")]);
        assert!(colliding_stems(&prompts[1..3]).is_empty());
    }

    proptest! {
        #[test]
        fn a_round_has_as_many_prompts_as_asked_for_when_the_pool_suffices(
            seed: u32, per_round in 1_usize..40, carry in 0_usize..40, pool in 80_usize..200, previous in 0_usize..60,
        ) {
            let (pool, previous) = (list("p", pool), list("p", previous));
            let drawn = draw_prompts(PromptDraw {
                seed, round: RoundNumber(2), pool: &pool, previous: Some(&previous), prompts_per_round: per_round,
                carryover_prompts: carry,
            });
            let carried = carry.min(previous.len());
            if carried > per_round {
                prop_assert!(drawn.is_err());
            } else {
                let drawn = drawn.unwrap();
                prop_assert_eq!(drawn.iter().collect::<HashSet<_>>().len(), per_round);
                prop_assert!(drawn[..carried].iter().all(|prompt| previous.contains(prompt)));
                prop_assert!(drawn[carried..].iter().all(|prompt| !drawn[..carried].contains(prompt)));
            }
        }
    }
}
