//! A duel by one comparison: the grids of both models against the prompt, asked both ways.
//!
//! Far cheaper than the full duel (2 calls instead of 9 to 26), and recorded in the same shape: as a front match of one
//! angle, `grid`.
//!
//! Source: judge, section 15.1 (the older judge's duel), recorded as section 4.10.

use schema::files::DuelWinner;
use schema::files::report::{AnglePenalties, Choice, DuelDetail, FrontMatch, Judged, decided_by};

use super::{DuelThresholds, Mirrored, winner_of};

/// The angle's name in the record.
const GRID: &str = "grid";

/// Decides by averaged penalties. Orders that contradict each other, and a gap below
/// [`DuelThresholds::simple_penalty_gap`], are a draw.
pub fn simple_duel(
    mirrored: Mirrored,
    issues: impl Into<String>,
    thresholds: &DuelThresholds,
) -> (DuelWinner, DuelDetail) {
    let gap = mirrored.gap();
    let consistent = !mirrored.is_contradictory();
    let choice = match consistent && gap.abs() >= thresholds.simple_penalty_gap {
        true if gap < 0.0 => Choice::A,
        true => Choice::B,
        false => Choice::Draw,
    };
    let penalties = mirrored.penalties();
    let angle = AnglePenalties {
        label: GRID.to_owned(),
        pen_a: penalties.penalty_a,
        pen_b: penalties.penalty_b,
    };
    let judged = Judged {
        s1: FrontMatch {
            choice,
            n_total: 1,
            n_consistent: u32::from(consistent),
            angles: vec![angle],
        },
        s2: None,
        s3: None,
        s4: None,
        decided_by: decided_by::FRONT_MATCH.to_owned(),
        issues: issues.into(),
    };
    (winner_of(choice), judged.into())
}
