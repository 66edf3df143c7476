//! The answer to any one call of a duel, read from the model's text and kept.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::vlm_answer::{
    Answer, CompareAnswer, DecomposeAnswer, ExplainAnswer, Feature, SideAnswer, TextAnswer,
    UnreadableAnswer, VerifyAnswer, read_answer,
};
use super::vlm_calls::VlmCall;

/// What a call was answered with. Only whole answers of the asked shape exist: a call that has none is not answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum CallAnswer {
    /// Two penalties.
    Compared(CompareAnswer),
    /// The features of the prompt.
    Decomposed(DecomposeAnswer),
    /// The features of one model.
    Verified(VerifyAnswer),
    /// Whether a side fits its front.
    Side(SideAnswer),
    /// Whether writing on a model addresses its judge.
    Text(TextAnswer),
    /// A summary for people.
    Summary(ExplainAnswer),
    /// No summary could be had. It decides nothing, so no duel waits for it.
    NoSummary {
        /// What the last attempt said.
        because: String,
    },
}

impl CallAnswer {
    /// Reads the answer to `call` out of the model's text. `features` are those that [`VlmCall::Verify`] asked for.
    ///
    /// # Errors
    ///
    /// [`UnreadableAnswer`] if the text holds no answer of the asked shape.
    pub fn read(call: VlmCall, features: &[Feature], text: &str) -> Result<Self, UnreadableAnswer> {
        Ok(match call {
            VlmCall::PromptMatch { .. }
            | VlmCall::BestView { .. }
            | VlmCall::ArtifactCompare { .. }
            | VlmCall::Gray { .. } => Self::Compared(read_answer(text)?),
            VlmCall::Decompose => Self::Decomposed(read_answer(text)?),
            VlmCall::Verify { .. } => {
                let verified: VerifyAnswer = read_answer(text)?;
                if !verified.is_answer_to(features) {
                    return Err(UnreadableAnswer {
                        problem: "fewer than half of the asked features are answered".to_owned(),
                        start: text.chars().take(80).collect(),
                    });
                }
                Self::Verified(verified)
            }
            VlmCall::SideCheck { .. } => Self::Side(read_answer(text)?),
            VlmCall::TextCheck { .. } => Self::Text(read_answer(text)?),
            VlmCall::Explain => Self::Summary(read_answer(text)?),
        })
    }
}

/// The JSON schema of the answer to a call.
pub fn schema(call: VlmCall) -> Value {
    match call {
        VlmCall::PromptMatch { .. }
        | VlmCall::BestView { .. }
        | VlmCall::ArtifactCompare { .. }
        | VlmCall::Gray { .. } => CompareAnswer::schema(),
        VlmCall::Decompose => DecomposeAnswer::schema(),
        VlmCall::Verify { .. } => VerifyAnswer::schema(),
        VlmCall::SideCheck { .. } => SideAnswer::schema(),
        VlmCall::TextCheck { .. } => TextAnswer::schema(),
        VlmCall::Explain => ExplainAnswer::schema(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::vlm_answer::FeatureCategory;
    use super::super::vlm_calls::{DuelView, Model, Order};
    use super::*;

    const COMPARE: VlmCall = VlmCall::PromptMatch {
        view: DuelView::FrontLeft,
        order: Order::Ab,
    };

    #[test]
    fn an_answer_is_kept_with_its_kind_and_read_back() {
        let text = r#"{"penalty_1": 3, "penalty_2": 12, "issues": "x"}"#;
        let answer = CallAnswer::read(COMPARE, &[], text).unwrap();
        let kept = serde_json::to_value(&answer).unwrap();
        assert_eq!(kept["answer"], "compared");
        assert_eq!(kept["penalty_2"], 10, "clamped");
        assert_eq!(serde_json::from_value::<CallAnswer>(kept).unwrap(), answer);
    }

    #[test]
    fn an_answer_to_another_question_is_none() {
        for text in [
            r#"{"issues": "fine"}"#,
            r#"{"verdict": "ok", "reason": ""}"#,
            "both are nice",
            "",
        ] {
            assert!(CallAnswer::read(COMPARE, &[], text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_checklist_that_answers_other_features_is_none() {
        let feature = |text: &str| Feature {
            description: text.to_owned(),
            category: FeatureCategory::Shape,
        };
        let features = ["a lid", "a spout", "a handle"].map(feature);
        let verify = VlmCall::Verify { model: Model::A };
        let text = r#"{"checks": [{"feature": "a lid", "match": "yes", "note": ""}], "main_object_correct": true}"#;
        assert!(CallAnswer::read(verify, &features, text).is_err());
        assert!(CallAnswer::read(verify, &features[..1], text).is_ok());
    }
}
