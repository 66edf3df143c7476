//! What the vision-language model answers, and how an answer is read out of whatever text it sent.
//!
//! The model is asked for JSON of a fixed schema and mostly sends it, sometimes in a Markdown fence, with a trailing comma,
//! or with a number where an integer was asked for. [`read_answer`] recovers these. What it cannot recover is not an answer:
//! the call is tried again and never becomes a neutral score.
//!
//! Penalties are clamped to `0..=10` (weakness W18): `30` says the same as `10`, and must not weigh more.
//!
//! Source: judge, section 4.3 (JSON recovery), 4.5 (response schemas).

mod lax;
mod recovery;

use std::ops::Range;

use schema::files::report::{FeatureMatch, ViewVerdict};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use lax::{boolean, penalty};
pub use recovery::{UnreadableAnswer, read_answer};

/// The worst penalty a model can be given.
pub const WORST_PENALTY: u8 = 10;

/// How many features a prompt is decomposed into.
pub const FEATURES: Range<usize> = 4..8;

/// An answer of a fixed shape.
pub trait Answer: DeserializeOwned {
    /// Top-level keys that hold integers and may be rounded to one.
    const INTEGERS: &'static [&'static str] = &[];

    /// The JSON schema sent with the question.
    fn schema() -> Value;

    /// Whether the values make an answer, beyond their types.
    fn is_valid(&self) -> bool {
        true
    }
}

/// The comparison of two models: stages 1, 2A, 2B and 3. Lower is better.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompareAnswer {
    /// Penalty of the model shown first, `0..=10`.
    #[serde(deserialize_with = "penalty")]
    pub penalty_1: u8,
    /// Penalty of the model shown second, `0..=10`.
    #[serde(deserialize_with = "penalty")]
    pub penalty_2: u8,
    /// The model's reasons.
    pub issues: String,
}

impl Answer for CompareAnswer {
    const INTEGERS: &'static [&'static str] = &["penalty_1", "penalty_2"];

    fn schema() -> Value {
        let penalty = json!({"type": "integer", "minimum": 0, "maximum": WORST_PENALTY});
        object(&[
            ("penalty_1", penalty.clone()),
            ("penalty_2", penalty),
            ("issues", json!({"type": "string"})),
        ])
    }
}

/// What can be checked on the prompt image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecomposeAnswer {
    /// The main object in a few words.
    pub main_object: String,
    /// Four to seven features.
    pub features: Vec<Feature>,
}

/// One feature that renders can be checked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feature {
    /// What to look for.
    pub description: String,
    /// What kind of thing it is.
    pub category: FeatureCategory,
}

/// What a feature is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureCategory {
    /// How many there are.
    Count,
    /// Its shape.
    Shape,
    /// Whether it is there.
    Presence,
    /// Its material or colour.
    MaterialColor,
}

impl FeatureCategory {
    /// The word in the schema.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Shape => "shape",
            Self::Presence => "presence",
            Self::MaterialColor => "material_color",
        }
    }
}

impl Answer for DecomposeAnswer {
    fn schema() -> Value {
        let category =
            json!({"type": "string", "enum": ["count", "shape", "presence", "material_color"]});
        let feature = object(&[
            ("description", json!({"type": "string"})),
            ("category", category),
        ]);
        let features = json!({
            "type": "array", "items": feature, "minItems": FEATURES.start, "maxItems": FEATURES.end - 1,
        });
        object(&[
            ("main_object", json!({"type": "string"})),
            ("features", features),
        ])
    }

    fn is_valid(&self) -> bool {
        FEATURES.contains(&self.features.len())
    }
}

/// Which of the features one model shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyAnswer {
    /// One check a feature, if the model did as it was told.
    pub checks: Vec<Check>,
    /// Whether the main object is right.
    #[serde(deserialize_with = "boolean")]
    pub main_object_correct: bool,
}

/// The check of one feature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The feature's text, if the model repeated it.
    pub feature: String,
    /// Whether it is shown.
    #[serde(rename = "match")]
    pub matches: FeatureMatch,
    /// A few words.
    pub note: String,
}

impl Answer for VerifyAnswer {
    fn schema() -> Value {
        let check = object(&[
            ("feature", json!({"type": "string"})),
            (
                "match",
                json!({"type": "string", "enum": ["yes", "partial", "no"]}),
            ),
            ("note", json!({"type": "string"})),
        ]);
        object(&[
            ("checks", json!({"type": "array", "items": check})),
            ("main_object_correct", json!({"type": "boolean"})),
        ])
    }
}

impl VerifyAnswer {
    /// One match a feature, in the order of `features`: the first check whose text is the feature's. Invented checks
    /// count for nothing and repeated ones once; a feature without a check has none.
    ///
    /// Texts are compared without case, surrounding blanks, and the number and category tag that the question puts
    /// around them. Where there are as many checks as features, one with no asked text at all stands for the feature at
    /// its place: models reword.
    pub fn matches_of(&self, features: &[Feature]) -> Vec<Option<FeatureMatch>> {
        let asked: Vec<String> = features
            .iter()
            .map(|feature| plain_feature(&feature.description))
            .collect();
        let answered: Vec<String> = self
            .checks
            .iter()
            .map(|check| plain_feature(&check.feature))
            .collect();
        let by_place = asked.len() == answered.len();
        let check_of = |place: usize, text: &String| {
            let by_text = answered.iter().position(|answer| answer == text);
            let reworded = || {
                answered
                    .get(place)
                    .filter(|answer| by_place && !asked.contains(answer))
                    .map(|_| place)
            };
            by_text.or_else(reworded)
        };
        asked
            .iter()
            .enumerate()
            .map(|(place, text)| {
                self.checks
                    .get(check_of(place, text)?)
                    .map(|check| check.matches)
            })
            .collect()
    }

    /// Whether at least half of the features are answered. Less is no answer, and the call is tried again.
    pub fn is_answer_to(&self, features: &[Feature]) -> bool {
        self.matches_of(features).iter().flatten().count() * 2 >= features.len()
    }
}

/// Whether a side view fits its front view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideAnswer {
    /// The verdict.
    pub verdict: ViewVerdict,
    /// Why.
    pub reason: String,
}

impl Answer for SideAnswer {
    fn schema() -> Value {
        object(&[
            (
                "verdict",
                json!({"type": "string", "enum": ["ok", "garbage"]}),
            ),
            ("reason", json!({"type": "string"})),
        ])
    }
}

/// Whether writing on a model addresses its judge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextAnswer {
    /// Whether it does.
    #[serde(deserialize_with = "boolean")]
    pub addresses_viewer: bool,
    /// What is written.
    pub text: String,
}

impl Answer for TextAnswer {
    fn schema() -> Value {
        object(&[
            ("addresses_viewer", json!({"type": "boolean"})),
            ("text", json!({"type": "string"})),
        ])
    }
}

/// A summary for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainAnswer {
    /// One or two sentences.
    pub issues: String,
}

impl Answer for ExplainAnswer {
    fn schema() -> Value {
        object(&[("issues", json!({"type": "string"}))])
    }
}

/// A JSON schema of an object that requires all its keys.
fn object(properties: &[(&str, Value)]) -> Value {
    let required: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
    let properties: serde_json::Map<String, Value> = properties
        .iter()
        .map(|(name, schema)| ((*name).to_owned(), schema.clone()))
        .collect();
    json!({"type": "object", "properties": properties, "required": required})
}

/// A feature's text as it is compared: `2. [count] Four Legs` is `four legs`.
fn plain_feature(text: &str) -> String {
    let mut text = text.trim();
    let after_number = text.trim_start_matches(|c: char| c.is_ascii_digit());
    if after_number.len() < text.len()
        && let Some(rest) = after_number.strip_prefix(['.', ')', ':'])
    {
        text = rest.trim_start();
    }
    if let Some((tag, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        && ["count", "shape", "presence", "material_color"]
            .contains(&tag.trim().to_lowercase().as_str())
    {
        text = rest.trim_start();
    }
    text.to_lowercase()
}

#[cfg(test)]
mod tests;
