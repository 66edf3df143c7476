//! How a duel was decided: `detail` in a report, stage by stage.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::tolerant;

/// How a duel was decided.
///
/// A detail of another shape, or one that would not be written back as it was found, is kept as [`DuelDetail::Other`].
#[derive(Debug, Clone, PartialEq)]
pub enum DuelDetail {
    /// Pictures were missing: nothing was judged.
    MissingViews {
        /// `no previews on either side`, `no preview from left` or `no preview from right`.
        reason: String,
    },
    /// The stages that ran.
    Judged(Box<Judged>),
    /// A form that is not ours.
    Other(Value),
}

impl DuelDetail {
    /// Both sides lack pictures: a draw.
    pub const NO_PREVIEWS: &str = "no previews on either side";
    /// Left lacks pictures: right wins.
    pub const NO_LEFT_PREVIEW: &str = "no preview from left";
    /// Right lacks pictures: left wins.
    pub const NO_RIGHT_PREVIEW: &str = "no preview from right";
    /// Why a duel of a curtailed match was not judged.
    pub const CURTAILED: &str = "not judged: it could not change a decision any more";
}

impl DuelDetail {
    /// This detail in the published order of keys. A database that stores JSON by its meaning hands it back in another
    /// order, in which it reads as [`DuelDetail::Other`].
    #[must_use]
    pub fn in_published_order(self) -> Self {
        let Self::Other(value) = self else {
            return self;
        };
        let typed = match MissingViews::deserialize(&value) {
            Ok(missing) => Some(Self::MissingViews {
                reason: missing.reason,
            }),
            Err(_) => Judged::deserialize(&value).ok().map(Self::from),
        };
        // Equal values here, whatever their order: a key that is not ours must not get lost.
        typed
            .filter(|typed| serde_json::to_value(typed).is_ok_and(|rewritten| rewritten == value))
            .unwrap_or(Self::Other(value))
    }
}

impl From<Judged> for DuelDetail {
    fn from(judged: Judged) -> Self {
        Self::Judged(Box::new(judged))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MissingViews {
    reason: String,
}

impl Serialize for DuelDetail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::MissingViews { reason } => MissingViews {
                reason: reason.clone(),
            }
            .serialize(serializer),
            Self::Judged(judged) => judged.serialize(serializer),
            Self::Other(value) => value.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for DuelDetail {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let typed = match MissingViews::deserialize(&value) {
            Ok(missing) => Some(Self::MissingViews {
                reason: missing.reason,
            }),
            Err(_) => Judged::deserialize(&value).ok().map(Self::from),
        };
        if let Some(typed) = typed {
            // Equal texts, not equal values: the order of keys and `1` against `1.0` matter here.
            let rewritten = serde_json::to_string(&typed).map_err(D::Error::custom)?;
            let found = value.to_string();
            if rewritten == found {
                return Ok(typed);
            }
        }
        Ok(Self::Other(value))
    }
}

/// The stages a duel went through. A stage that did not run has no key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// S1: front views against the prompt.
    pub s1: FrontMatch,
    /// S2: three specialists, after a draw in S1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s2: Option<Specialists>,
    /// S3: the rescue of pale objects on gray, after a draw in S2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<GrayRescue>,
    /// S4: the guard against garbage seen from the sides, whenever S2 ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s4: Option<SideGuard>,
    /// Which stage decided, in the published words.
    pub decided_by: String,
    /// The model's summary of both sides; empty when it gave none.
    pub issues: String,
}

/// Which side a stage chose. A is left, B is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Choice {
    /// Left.
    A,
    /// Right.
    B,
    /// Neither.
    #[serde(rename = "draw")]
    Draw,
}

/// S1: four front views, each asked in both orders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrontMatch {
    /// The side chosen.
    pub choice: Choice,
    /// Angles asked.
    #[serde(deserialize_with = "tolerant::integer")]
    pub n_total: u32,
    /// Angles whose two orders did not contradict each other.
    #[serde(deserialize_with = "tolerant::integer")]
    pub n_consistent: u32,
    /// Every angle, contradictory ones too.
    pub angles: Vec<AnglePenalties>,
}

/// The penalties of one angle, each from 0 to 10 in halves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnglePenalties {
    /// Name of the view.
    pub label: AngleName,
    /// Left's penalty, averaged over both orders.
    pub pen_a: f64,
    /// Right's penalty, averaged over both orders.
    pub pen_b: f64,
}

/// Name of a view, as [`crate::views`] lists them.
pub type AngleName = String;

/// S2: best view, artefacts and checklist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Specialists {
    /// The side chosen.
    pub choice: Choice,
    /// One strong voter, or the consensus of three.
    pub source: DecisionSource,
    /// 2A; none when the embeddings were missing.
    pub best_view: Option<PenaltyPair>,
    /// 2B.
    pub artifact_compare: Option<PenaltyPair>,
    /// 2C.
    pub checklist: Checklist,
}

/// How S2 came to its choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DecisionSource {
    /// One specialist was sure enough.
    #[serde(rename = "strong_voter")]
    StrongVoter,
    /// Two of three agreed, or none did.
    #[serde(rename = "consensus_3")]
    Consensus3,
}

/// Penalties of both sides, averaged over both orders.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PenaltyPair {
    /// Left's.
    pub penalty_a: f64,
    /// Right's.
    pub penalty_b: f64,
}

/// 2C: what the prompt shows, checked on both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Checklist {
    /// The prompt was decomposed. When checking failed, every match value is none and the scores are 0.
    Checked {
        /// What the prompt shows.
        main_object: String,
        /// Whether left shows it.
        main_object_correct_a: Option<bool>,
        /// Whether right shows it.
        main_object_correct_b: Option<bool>,
        /// The features of the prompt.
        features: Vec<CheckedFeature>,
        /// Left's score.
        score_a: i64,
        /// Right's score.
        score_b: i64,
    },
    /// The prompt could not be decomposed: no vote.
    DecomposeFailed {
        /// Always true.
        decompose_failed: bool,
        /// Always 0.
        score_a: i64,
        /// Always 0.
        score_b: i64,
        /// Always 0.
        gap: i64,
        /// Always a draw.
        choice: Choice,
    },
}

impl Checklist {
    /// The fixed record of a failed decomposition.
    pub fn decompose_failed() -> Self {
        Self::DecomposeFailed {
            decompose_failed: true,
            score_a: 0,
            score_b: 0,
            gap: 0,
            choice: Choice::Draw,
        }
    }
}

/// One feature of the prompt on both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckedFeature {
    /// The feature, in words.
    pub feature: String,
    /// Whether left shows it; none when the answer did not name the feature.
    pub side_a: Option<FeatureMatch>,
    /// Whether right shows it.
    pub side_b: Option<FeatureMatch>,
}

/// Whether a side shows a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeatureMatch {
    /// It does.
    Yes,
    /// In part.
    Partial,
    /// It does not.
    No,
}

/// S3: whether the gray views were asked, and what they said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrayRescue {
    /// Whether enough pale pixels made the gate fire.
    pub fired: bool,
    /// The side chosen; none when the draw stands.
    pub choice: Option<Choice>,
}

/// S4: whether a side is garbage when seen from elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SideGuard {
    /// The final choice.
    pub choice: Choice,
    /// What each side is.
    pub side_verdicts: BothSides<ViewVerdict>,
    /// What each view of each side is.
    pub per_angle: BothSides<SideViewVerdicts>,
}

/// A value for each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BothSides<T> {
    /// Left's.
    pub a: T,
    /// Right's.
    pub b: T,
}

/// What a view shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ViewVerdict {
    /// The object of the front view.
    Ok,
    /// Nothing that belongs to it.
    Garbage,
}

/// The verdicts on the four views that are not from the front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideViewVerdicts {
    /// From the right.
    pub right: ViewVerdict,
    /// From behind.
    pub back: ViewVerdict,
    /// From the left.
    pub left: ViewVerdict,
    /// From above.
    pub top_down: ViewVerdict,
}

/// `decided_by`, in the published words.
pub mod decided_by {
    use super::Choice;

    /// The front views decided.
    pub const FRONT_MATCH: &str = "S1";
    /// The three specialists agreed.
    pub const CONSENSUS: &str = "S2 consensus";
    /// The gray views decided.
    pub const GRAY_RESCUE: &str = "S3 gray-rescue";
    /// Nothing decided; also when the gate fired and the gray views stayed ambiguous.
    pub const DRAW: &str = "S3 (gate did not fire) → draw";

    /// One or two specialists were sure enough: `S2 strong_voter [bv|-2.5|+cl|+7|]`, only those that fired. Gaps are
    /// left minus right: penalties for the best view, scores for the checklist.
    pub fn strong_voter(best_view_gap: Option<f64>, checklist_gap: Option<i64>) -> String {
        let best_view = best_view_gap.map(|gap| format!("bv|{gap:+.1}|"));
        let checklist = checklist_gap.map(|gap| format!("cl|{gap:+}|"));
        let tags: Vec<String> = best_view.into_iter().chain(checklist).collect();
        format!("S2 strong_voter [{}]", tags.join("+"))
    }

    /// The side guard overruled an earlier choice.
    pub fn step_down(primary: Choice) -> String {
        format!("S4 step-down (was {})", word(primary))
    }

    /// Writing on the chosen side addresses its judge, so that the model's word for that side does not count.
    pub fn text_step_down(chosen: Choice) -> String {
        format!("text step-down (was {})", word(chosen))
    }

    fn word(choice: Choice) -> &'static str {
        match choice {
            Choice::A => "A",
            Choice::B => "B",
            Choice::Draw => "draw",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(text: &str) -> DuelDetail {
        let detail: DuelDetail = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&detail).unwrap(), text);
        detail
    }

    const S1: &str = r#""s1":{"choice":"draw","n_total":4,"n_consistent":3,"angles":[{"label":"front_left","pen_a":3.0,"pen_b":3.5}]}"#;

    #[test]
    fn missing_previews_have_only_a_reason() {
        let detail = round_trip(r#"{"reason":"no preview from left"}"#);
        assert_eq!(
            detail,
            DuelDetail::MissingViews {
                reason: DuelDetail::NO_LEFT_PREVIEW.to_owned()
            }
        );
    }

    #[test]
    fn a_duel_through_all_four_stages_is_typed() {
        let text = format!(
            r#"{{{S1},"s2":{{"choice":"draw","source":"consensus_3","best_view":null,"artifact_compare":{{"penalty_a":2.0,"penalty_b":2.5}},"checklist":{{"main_object":"red chair","main_object_correct_a":true,"main_object_correct_b":null,"features":[{{"feature":"four legs","side_a":"yes","side_b":null}}],"score_a":5,"score_b":0}}}},"s3":{{"fired":false,"choice":null}},"s4":{{"choice":"B","side_verdicts":{{"a":"garbage","b":"ok"}},"per_angle":{{"a":{{"right":"garbage","back":"garbage","left":"garbage","top_down":"ok"}},"b":{{"right":"ok","back":"ok","left":"ok","top_down":"ok"}}}}}},"decided_by":"S4 step-down (was draw)","issues":"A is hollow."}}"#
        );
        let DuelDetail::Judged(judged) = round_trip(&text) else {
            panic!("not typed")
        };
        assert_eq!(judged.s1.choice, Choice::Draw);
        assert_eq!(judged.s4.unwrap().side_verdicts.a, ViewVerdict::Garbage);
        assert_eq!(judged.decided_by, decided_by::step_down(Choice::Draw));
    }

    #[test]
    fn a_failed_decomposition_has_its_own_form() {
        let text = format!(
            r#"{{{S1},"s2":{{"choice":"A","source":"strong_voter","best_view":{{"penalty_a":1.0,"penalty_b":3.5}},"artifact_compare":null,"checklist":{{"decompose_failed":true,"score_a":0,"score_b":0,"gap":0,"choice":"draw"}}}},"decided_by":"S2 strong_voter [bv|-2.5|]","issues":""}}"#
        );
        let DuelDetail::Judged(judged) = round_trip(&text) else {
            panic!("not typed")
        };
        assert_eq!(judged.s2.unwrap().checklist, Checklist::decompose_failed());
    }

    #[test]
    fn a_detail_of_another_form_is_kept_as_it_is() {
        for text in [
            r#"{"reason":"no preview from left","more":1}"#,
            r#"{"issues":"x","decided_by":"S1"}"#,
            r#"{"s1":{"choice":"draw","n_total":4,"n_consistent":3,"angles":[{"label":"front_left","pen_a":3,"pen_b":3.5}]},"decided_by":"S1","issues":""}"#,
            "{}",
            r#"[1,"two"]"#,
        ] {
            assert!(matches!(round_trip(text), DuelDetail::Other(_)), "{text}");
        }
    }

    #[test]
    fn a_detail_that_a_database_has_reordered_is_published_in_order() {
        let published = format!(r#"{{{S1},"decided_by":"S1","issues":"A lacks a leg."}}"#);
        let stored = format!(r#"{{"issues":"A lacks a leg.","decided_by":"S1",{S1}}}"#);
        let read: DuelDetail = serde_json::from_str(&stored).unwrap();
        assert_eq!(
            serde_json::to_string(&read.in_published_order()).unwrap(),
            published
        );
        let foreign = round_trip(r#"{"reason":"no preview from left","more":1}"#);
        assert_eq!(foreign.clone().in_published_order(), foreign);
    }

    #[test]
    fn strong_voters_are_named_with_their_signed_gaps() {
        assert_eq!(
            decided_by::strong_voter(Some(-2.5), None),
            "S2 strong_voter [bv|-2.5|]"
        );
        assert_eq!(
            decided_by::strong_voter(None, Some(7)),
            "S2 strong_voter [cl|+7|]"
        );
        assert_eq!(
            decided_by::strong_voter(Some(2.0), Some(-6)),
            "S2 strong_voter [bv|+2.0|+cl|-6|]"
        );
    }
}
