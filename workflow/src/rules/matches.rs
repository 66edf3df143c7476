//! What a match is worth, and whether it is won.
//!
//! The right side is always the challenger (or the regenerated output in an audit); a margin above 0 means it is better.
//!
//! Source: judge, section 3 (match, walkovers, win test), 14.3 (measured repeatability), weakness W1 (a margin with unjudged
//! duels is never recorded).

use schema::files::DuelWinner;
use schema::files::report::score_and_margin;

/// Share of duel verdicts that changed when identical matches were judged again: 24 of 3,584, none of them from one side to
/// the other.
pub const MEASURED_FLIP_RATE: f64 = 24.0 / 3584.0;

/// Standard deviations on each side of a margin that cover 95 % of replays.
const DEVIATIONS_95: f64 = 1.96;

/// Whether the right side's margin wins: at least `win_margin`, bound included.
///
/// With 128 prompts and 0.05 the least winning score is 7.
pub fn wins(margin: f64, win_margin: f64) -> bool {
    margin >= win_margin
}

/// A match that is not completely judged has no margin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{unjudged} of {prompts} duels were not judged")]
pub struct Unjudged {
    /// Duels without a verdict.
    pub unjudged: usize,
    /// All duels.
    pub prompts: usize,
}

/// Score (duels won by right minus duels won by left) and margin (score over all prompts, 0 without prompts).
///
/// # Errors
///
/// [`Unjudged`] if a duel was skipped: our failure must not count as a draw.
pub fn complete_margin(winners: &[DuelWinner]) -> Result<(i64, f64), Unjudged> {
    match winners
        .iter()
        .filter(|winner| **winner == DuelWinner::Skipped)
        .count()
    {
        0 => Ok(score_and_margin(winners.iter().copied())),
        unjudged => Err(Unjudged {
            unjudged,
            prompts: winners.len(),
        }),
    }
}

/// What one side of a match has to show.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Outputs {
    /// Not everything is there yet that will be: downloads, renders or a regeneration are going on, or failed by our fault.
    /// A match must wait, because margins are final (weakness W3).
    #[default]
    NotReady,
    /// Complete, and not one module was delivered.
    Empty,
    /// Complete, with at least one module.
    Usable,
}

impl Outputs {
    /// Complete outputs, of which at least one module was delivered or none.
    pub fn complete(any_delivered: bool) -> Self {
        if any_delivered {
            Self::Usable
        } else {
            Self::Empty
        }
    }
}

/// How a match is to be decided.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Play {
    /// By its duels.
    Judge,
    /// Without any: a side delivered nothing. Recorded in the matrix, without a report.
    Walkover {
        /// The margin to record.
        margin: f64,
    },
}

/// How a match between these outputs is decided; none while a side is not ready.
pub fn play(left: Outputs, right: Outputs) -> Option<Play> {
    let margin = match (left, right) {
        (Outputs::NotReady, _) | (_, Outputs::NotReady) => return None,
        (Outputs::Usable, Outputs::Usable) => return Some(Play::Judge),
        (Outputs::Empty, Outputs::Empty) => 0.0,
        (Outputs::Empty, Outputs::Usable) => 1.0,
        (Outputs::Usable, Outputs::Empty) => -1.0,
    };
    Some(Play::Walkover { margin })
}

/// Where a margin would lie if the match were judged again.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct MarginInterval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl MarginInterval {
    /// Whether a threshold lies inside: a replay may decide otherwise.
    pub fn contains(&self, threshold: f64) -> bool {
        (self.low..=self.high).contains(&threshold)
    }
}

/// The 95 % interval of a margin, for people: the margin that stands is the first complete measurement.
///
/// Each duel changes by at most one point, with probability `flip_rate` ([`MEASURED_FLIP_RATE`]), so the score's variance
/// is `prompts × flip_rate`.
pub fn margin_interval(margin: f64, prompts: u32, flip_rate: f64) -> MarginInterval {
    if prompts == 0 {
        return MarginInterval {
            low: margin,
            high: margin,
        };
    }
    let deviation = (f64::from(prompts) * flip_rate.max(0.0)).sqrt() / f64::from(prompts);
    let reach = DEVIATIONS_95 * deviation;
    MarginInterval {
        low: (margin - reach).max(-1.0),
        high: (margin + reach).min(1.0),
    }
}

/// Whether a margin is within `band_prompts` points of a threshold, so that measuring it again is worthwhile.
pub fn is_near(margin: f64, threshold: f64, prompts: u32, band_prompts: f64) -> bool {
    ((margin - threshold) * f64::from(prompts)).abs() <= band_prompts
}

/// The interval of a margin that noise could carry over a threshold: one lies in the interval, or near enough that the match is
/// measured again. None for other margins, and for a match without duels.
///
/// - `thresholds`: what decisions compare the margin with;
/// - `band_prompts`: as in [`is_near`].
pub fn near_interval(
    margin: f64,
    thresholds: &[f64],
    prompts: u32,
    band_prompts: f64,
) -> Option<MarginInterval> {
    let interval = margin_interval(margin, prompts, MEASURED_FLIP_RATE);
    let is_open = |threshold: &f64| {
        interval.contains(*threshold) || is_near(margin, *threshold, prompts, band_prompts)
    };
    (prompts > 0 && thresholds.iter().any(is_open)).then_some(interval)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use DuelWinner::{Draw, Left, Right, Skipped};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn score_and_margin_count_all_prompts() {
        assert_eq!(complete_margin(&[Right, Right, Left, Draw]), Ok((1, 0.25)));
        assert_eq!(complete_margin(&[]), Ok((0, 0.0)));
        assert_eq!(complete_margin(&[Left; 3]), Ok((-3, -1.0)));
    }

    #[test]
    fn a_skipped_duel_leaves_the_match_without_a_margin() {
        assert_eq!(
            complete_margin(&[Right, Skipped, Skipped]),
            Err(Unjudged {
                unjudged: 2,
                prompts: 3
            })
        );
    }

    #[test]
    fn with_128_prompts_seven_points_win_and_six_do_not() {
        assert!(wins(7.0 / 128.0, 0.05));
        assert!(!wins(6.0 / 128.0, 0.05));
        assert!(wins(0.05, 0.05));
        assert!(!wins(f64::NAN, 0.05));
    }

    #[test]
    fn a_side_without_any_module_loses_without_a_duel() {
        use Outputs::{Empty, NotReady, Usable};
        assert_eq!(play(Empty, Empty), Some(Play::Walkover { margin: 0.0 }));
        assert_eq!(play(Empty, Usable), Some(Play::Walkover { margin: 1.0 }));
        assert_eq!(play(Usable, Empty), Some(Play::Walkover { margin: -1.0 }));
        assert_eq!(play(Usable, Usable), Some(Play::Judge));
        for side in [NotReady, Empty, Usable] {
            assert_eq!((play(NotReady, side), play(side, NotReady)), (None, None));
        }
    }

    #[test]
    fn the_interval_of_a_real_margin_covers_what_replays_showed() {
        let interval = margin_interval(0.0546875, 128, MEASURED_FLIP_RATE);
        assert!(
            interval.contains(0.05),
            "the champion of round 6 changed on a replay"
        );
        assert!(!margin_interval(0.2265625, 128, MEASURED_FLIP_RATE).contains(0.05));
        let reach = interval.high - 0.0546875;
        assert!((0.0140..0.0143).contains(&reach), "{reach}");
        assert_eq!(margin_interval(1.0, 128, MEASURED_FLIP_RATE).high, 1.0);
        assert_eq!(
            margin_interval(0.0, 0, 1.0),
            MarginInterval {
                low: 0.0,
                high: 0.0
            }
        );
    }

    #[test]
    fn margins_within_one_prompt_of_the_threshold_are_near() {
        let near = |score: i32| is_near(f64::from(score) / 128.0, 0.05, 128, 1.0);
        assert_eq!([5, 6, 7, 8].map(near), [false, true, true, false]);
    }

    #[test]
    fn whatever_is_near_enough_to_be_measured_again_carries_its_interval() {
        let near = |score: i32, prompts: u32, band| {
            near_interval(
                f64::from(score) / f64::from(prompts),
                &[0.05],
                prompts,
                band,
            )
            .is_some()
        };
        // With 8 prompts the interval reaches less than half a prompt.
        assert_eq!(
            [-1, 0, 1, 2].map(|score| near(score, 8, 1.0)),
            [false, true, true, false]
        );
        assert!(!near(1, 8, 0.0));
        assert_eq!(
            [4, 5, 8, 9].map(|score| near(score, 128, 1.0)),
            [false, true, true, false]
        );
        assert_eq!(
            near_interval(0.0, &[0.0], 0, 1.0),
            None,
            "a walkover has no noise"
        );
        assert!(near_interval(-0.0625, &[0.05, -0.05], 32, 1.0).is_some());
    }

    proptest! {
        #[test]
        fn a_margin_is_a_fraction_and_mirrors_when_sides_change(
            winners in proptest::collection::vec(prop_oneof![Just(Left), Just(Right), Just(Draw)], 0..200)
        ) {
            let (score, margin) = complete_margin(&winners).unwrap();
            let mirrored: Vec<_> = winners
                .iter()
                .map(|winner| match winner { Left => Right, Right => Left, other => *other })
                .collect();
            prop_assert!((-1.0..=1.0).contains(&margin));
            prop_assert_eq!(complete_margin(&mirrored).unwrap(), (-score, -margin));
            prop_assert!(margin_interval(margin, winners.len() as u32, MEASURED_FLIP_RATE).contains(margin));
        }
    }
}
