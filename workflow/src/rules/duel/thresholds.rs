//! Every number a duel's decision depends on, in one place.

use serde::{Deserialize, Serialize};

/// The thresholds of a duel. Penalties run from 0 (exact) to 10 (wrong object) and move in halves; a gap is A's value minus
/// B's. The defaults are those of the specification; a change changes who wins, and belongs into the round's record.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DuelThresholds {
    /// S1: fewer consistent angles than this are a draw. Default 1: one suffices (weakness W16).
    pub front_min_consistent_angles: u32,
    /// S1: at this average penalty or above both models are bad…
    pub front_both_bad_penalty: f64,
    /// S1: … and a gap up to this is a draw. Default 8.0 and 1.5.
    pub front_both_bad_gap: f64,
    /// S1: a gap up to this is a draw. Default 0.7.
    pub front_draw_gap: f64,
    /// S1: from this many angles with a preference on, they must agree…
    pub front_split_angles: u32,
    /// S1: … by at least this share (favouring minus opposing, over both). Default 3 and 0.65.
    pub front_split_agreement: f64,
    /// S1: whether the side guard runs after a decision in S1 too. Default no, as in the reference (weakness W16).
    pub guard_after_front: bool,
    /// S2A and S2B: a smaller penalty gap abstains. Default 1.0.
    pub vote_penalty_gap: f64,
    /// S2C: a smaller score gap abstains. Default 2.
    pub vote_checklist_gap: i64,
    /// S2A: from this penalty gap on the best view decides alone. Default 2.0.
    pub strong_penalty_gap: f64,
    /// S2C: from this score gap on the checklist decides alone. Default 6.
    pub strong_checklist_gap: i64,
    /// S2C: points of a feature that is shown. Default 2; one that is shown in part has half of them.
    pub checklist_yes_points: i64,
    /// S2C: points of a feature that is shown in part. Default 1.
    pub checklist_partial_points: i64,
    /// S2C: points for the right main object. Default 3.
    pub checklist_main_object_points: i64,
    /// S3: a pixel further than this from the gray background, in the channel that differs most, is foreground. Default 18.
    pub gray_foreground_distance: u8,
    /// S3: below this saturation a pixel is grayish. Default 0.28.
    pub gray_grayish_saturation: f64,
    /// S3: above this luma and below the next saturation a pixel is pale. Default 175.
    pub gray_pale_luma: f64,
    /// S3: see above. Default 0.35.
    pub gray_pale_saturation: f64,
    /// S3: least share of pale pixels in the foreground for the gate to fire. Default 0.10.
    pub gray_pale_share: f64,
    /// S3: least share of grayish pixels in the foreground for the gate to fire. Default 0.60.
    pub gray_grayish_share: f64,
    /// S3: least gap that decides. Default 2.0.
    pub gray_penalty_gap: f64,
    /// S4: this many garbage views of the four make a side garbage. Default 3.
    pub guard_garbage_views: u32,
    /// Cross-check: if the winner's best view resembles the prompt less than the loser's by this much (cosine of the
    /// embeddings), the winner's pictures are searched for writing that addresses the judge. Default 0.05; above 2 never.
    pub cross_check_similarity_gap: f64,
}

impl Default for DuelThresholds {
    fn default() -> Self {
        Self {
            front_min_consistent_angles: 1,
            front_both_bad_penalty: 8.0,
            front_both_bad_gap: 1.5,
            front_draw_gap: 0.7,
            front_split_angles: 3,
            front_split_agreement: 0.65,
            guard_after_front: false,
            vote_penalty_gap: 1.0,
            vote_checklist_gap: 2,
            strong_penalty_gap: 2.0,
            strong_checklist_gap: 6,
            checklist_yes_points: 2,
            checklist_partial_points: 1,
            checklist_main_object_points: 3,
            gray_foreground_distance: 18,
            gray_grayish_saturation: 0.28,
            gray_pale_luma: 175.0,
            gray_pale_saturation: 0.35,
            gray_pale_share: 0.10,
            gray_grayish_share: 0.60,
            gray_penalty_gap: 2.0,
            guard_garbage_views: 3,
            cross_check_similarity_gap: 0.05,
        }
    }
}
