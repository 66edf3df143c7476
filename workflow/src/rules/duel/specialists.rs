//! S2: three specialists and their votes.
//!
//! Source: judge, section 4.7, stage 2; weakness W18 (one check a feature); section 12.1 (similarity).

use schema::files::report::{
    CheckedFeature, Checklist, Choice, DecisionSource, FeatureMatch, Specialists, decided_by,
};
use serde::{Deserialize, Serialize};

use super::super::vlm_answer::{DecomposeAnswer, VerifyAnswer};
use super::super::vlm_calls::DuelView;
use super::{DuelThresholds, Mirrored};

/// What the three specialists answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpecialistEvidence {
    /// 2A; none when a model has no embeddings, so that its best view is unknown.
    pub best_view: Option<Mirrored>,
    /// 2B.
    pub artifact_compare: Mirrored,
    /// 2C.
    pub checklist: ChecklistEvidence,
}

/// What the prompt shows, and what each model shows of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChecklistEvidence {
    /// The prompt.
    pub decomposed: DecomposeAnswer,
    /// A's check.
    pub verified_a: VerifyAnswer,
    /// B's check.
    pub verified_b: VerifyAnswer,
}

/// The view whose vector is most similar to the prompt's, the first of equals. None without views.
pub fn best_view(similarities: &[(DuelView, f64)]) -> Option<DuelView> {
    let mut best: Option<(DuelView, f64)> = None;
    for (view, similarity) in similarities {
        if !similarity.is_nan() && best.is_none_or(|(_, most)| *similarity > most) {
            best = Some((*view, *similarity));
        }
    }
    best.map(|(view, _)| view)
}

/// How similar two normalised vectors are: their dot product. None when their lengths differ.
pub fn similarity(one: &[f32], other: &[f32]) -> Option<f64> {
    let product = || {
        one.iter()
            .zip(other)
            .map(|(x, y)| f64::from(*x) * f64::from(*y))
            .sum()
    };
    (one.len() == other.len()).then(product)
}

/// The specialists' record, and the words for what decided.
///
/// A strong voter decides alone, against two ordinary votes too; two strong voters that disagree cancel each other. Otherwise
/// two of the three votes decide.
pub fn specialists(
    evidence: &SpecialistEvidence,
    thresholds: &DuelThresholds,
) -> (Specialists, String) {
    let best_view_gap = evidence.best_view.map(|mirrored| mirrored.gap());
    let artifact_gap = evidence.artifact_compare.gap();
    let (checklist, checklist_gap) = check(&evidence.checklist, thresholds);

    let strong_view = best_view_gap.filter(|gap| gap.abs() >= thresholds.strong_penalty_gap);
    let strong_checklist =
        Some(checklist_gap).filter(|gap| gap.abs() >= thresholds.strong_checklist_gap);
    let strong = match (strong_view.map(by_penalty), strong_checklist.map(by_score)) {
        (Some(one), Some(other)) if one != other => None,
        (one, other) => one.or(other),
    };

    let (choice, source, by) = if let Some(choice) = strong {
        (
            choice,
            DecisionSource::StrongVoter,
            decided_by::strong_voter(strong_view, strong_checklist),
        )
    } else {
        let penalty_vote = |gap: &f64| gap.abs() >= thresholds.vote_penalty_gap;
        let votes = [
            best_view_gap.filter(penalty_vote).map(by_penalty),
            Some(artifact_gap).filter(penalty_vote).map(by_penalty),
            Some(checklist_gap)
                .filter(|gap| gap.abs() >= thresholds.vote_checklist_gap)
                .map(by_score),
        ];
        let votes_for = |side: Choice| votes.iter().flatten().filter(|vote| **vote == side).count();
        let choice = [Choice::A, Choice::B]
            .into_iter()
            .find(|side| votes_for(*side) >= 2)
            .unwrap_or(Choice::Draw);
        (
            choice,
            DecisionSource::Consensus3,
            decided_by::CONSENSUS.to_owned(),
        )
    };
    let record = Specialists {
        choice,
        source,
        best_view: evidence.best_view.map(|mirrored| mirrored.penalties()),
        artifact_compare: Some(evidence.artifact_compare.penalties()),
        checklist,
    };
    (record, by)
}

fn by_penalty(gap: f64) -> Choice {
    if gap < 0.0 { Choice::A } else { Choice::B }
}

fn by_score(gap: i64) -> Choice {
    if gap > 0 { Choice::A } else { Choice::B }
}

/// The checklist's record and A's score minus B's. A feature that one model's check leaves out counts for neither: what was
/// not answered must not weigh.
fn check(evidence: &ChecklistEvidence, thresholds: &DuelThresholds) -> (Checklist, i64) {
    let features = &evidence.decomposed.features;
    let matches_a = evidence.verified_a.matches_of(features);
    let matches_b = evidence.verified_b.matches_of(features);
    let points = |matches: FeatureMatch| match matches {
        FeatureMatch::Yes => thresholds.checklist_yes_points,
        FeatureMatch::Partial => thresholds.checklist_partial_points,
        FeatureMatch::No => 0,
    };
    let main_object = |answer: &VerifyAnswer| {
        if answer.main_object_correct {
            thresholds.checklist_main_object_points
        } else {
            0
        }
    };
    let mut score_a = main_object(&evidence.verified_a);
    let mut score_b = main_object(&evidence.verified_b);
    for pair in matches_a.iter().zip(&matches_b) {
        if let (Some(side_a), Some(side_b)) = pair {
            score_a += points(*side_a);
            score_b += points(*side_b);
        }
    }
    let checked =
        features
            .iter()
            .zip(matches_a)
            .zip(matches_b)
            .map(|((feature, side_a), side_b)| CheckedFeature {
                feature: feature.description.clone(),
                side_a,
                side_b,
            });
    let record = Checklist::Checked {
        main_object: evidence.decomposed.main_object.clone(),
        main_object_correct_a: Some(evidence.verified_a.main_object_correct),
        main_object_correct_b: Some(evidence.verified_b.main_object_correct),
        features: checked.collect(),
        score_a,
        score_b,
    };
    (record, score_a - score_b)
}
