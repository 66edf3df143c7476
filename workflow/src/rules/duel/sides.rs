//! S4: the guard against models that are only a front.
//!
//! Source: judge, section 4.7, stage 4.

use schema::files::report::{BothSides, Choice, SideGuard, SideViewVerdicts, ViewVerdict};

use super::DuelThresholds;

/// The verdicts of one model's side views, in the order of [`super::super::vlm_calls::DuelView::SIDES`].
pub fn side_views([right, back, left, top_down]: [ViewVerdict; 4]) -> SideViewVerdicts {
    SideViewVerdicts {
        right,
        back,
        left,
        top_down,
    }
}

/// Lets `primary` stand unless the chosen side, or one side of a draw, is garbage and the other is not.
///
/// | primary | only A garbage | only B garbage | both or neither |
/// |---|---|---|---|
/// | A | draw | A | A |
/// | B | B | draw | B |
/// | draw | B | A | draw |
pub fn side_guard(
    primary: Choice,
    views: &BothSides<SideViewVerdicts>,
    thresholds: &DuelThresholds,
) -> SideGuard {
    let side_verdicts = BothSides {
        a: verdict(views.a, thresholds),
        b: verdict(views.b, thresholds),
    };
    let only_a = side_verdicts.a == ViewVerdict::Garbage && side_verdicts.b == ViewVerdict::Ok;
    let only_b = side_verdicts.b == ViewVerdict::Garbage && side_verdicts.a == ViewVerdict::Ok;
    let choice = match primary {
        Choice::A if only_a => Choice::Draw,
        Choice::B if only_b => Choice::Draw,
        Choice::Draw if only_a => Choice::B,
        Choice::Draw if only_b => Choice::A,
        stands => stands,
    };
    SideGuard {
        choice,
        side_verdicts,
        per_angle: *views,
    }
}

fn verdict(views: SideViewVerdicts, thresholds: &DuelThresholds) -> ViewVerdict {
    let SideViewVerdicts {
        right,
        back,
        left,
        top_down,
    } = views;
    let garbage = [right, back, left, top_down]
        .into_iter()
        .filter(|view| *view == ViewVerdict::Garbage)
        .count();
    if garbage >= thresholds.guard_garbage_views as usize {
        ViewVerdict::Garbage
    } else {
        ViewVerdict::Ok
    }
}
