//! S1: which model is the more faithful one, from the front.
//!
//! Source: judge, section 4.7, stage 1.

use schema::files::report::{AnglePenalties, Choice, FrontMatch};

use super::super::vlm_calls::DuelView;
use super::{DuelThresholds, Mirrored};

/// Aggregates the angles whose two orders do not contradict each other. The first rule that applies decides:
///
/// 1. too few consistent angles: draw;
/// 2. both bad on average, and close: draw;
/// 3. close: draw;
/// 4. enough angles have a preference, and these are split: draw;
/// 5. the model with the lower average penalty.
pub fn front_match(angles: &[(DuelView, Mirrored)], thresholds: &DuelThresholds) -> FrontMatch {
    let consistent: Vec<Mirrored> = angles
        .iter()
        .map(|(_, mirrored)| *mirrored)
        .filter(|mirrored| !mirrored.is_contradictory())
        .collect();
    FrontMatch {
        choice: choice(&consistent, thresholds),
        n_total: angles.len() as u32,
        n_consistent: consistent.len() as u32,
        angles: angles
            .iter()
            .map(|(view, mirrored)| {
                let penalties = mirrored.penalties();
                AnglePenalties {
                    label: view.name().to_owned(),
                    pen_a: penalties.penalty_a,
                    pen_b: penalties.penalty_b,
                }
            })
            .collect(),
    }
}

fn choice(consistent: &[Mirrored], thresholds: &DuelThresholds) -> Choice {
    if consistent.is_empty() || consistent.len() < thresholds.front_min_consistent_angles as usize {
        return Choice::Draw;
    }
    // Sums instead of averages: sums of halves are exact, thirds are not.
    let count = consistent.len() as f64;
    let sum: f64 = consistent
        .iter()
        .map(Mirrored::penalties)
        .map(|penalties| penalties.penalty_a + penalties.penalty_b)
        .sum();
    let gap: f64 = consistent.iter().map(Mirrored::gap).sum();

    let both_bad = sum >= thresholds.front_both_bad_penalty * 2.0 * count;
    if both_bad && gap.abs() <= thresholds.front_both_bad_gap * count {
        return Choice::Draw;
    }
    if gap.abs() <= thresholds.front_draw_gap * count {
        return Choice::Draw;
    }
    let for_a = consistent
        .iter()
        .filter(|mirrored| mirrored.gap() < 0.0)
        .count();
    let for_b = consistent
        .iter()
        .filter(|mirrored| mirrored.gap() > 0.0)
        .count();
    let preferring = for_a + for_b;
    if preferring >= thresholds.front_split_angles as usize && preferring > 0 {
        let agreement = for_a.abs_diff(for_b) as f64 / preferring as f64;
        if agreement < thresholds.front_split_agreement {
            return Choice::Draw;
        }
    }
    if gap < 0.0 { Choice::A } else { Choice::B }
}
