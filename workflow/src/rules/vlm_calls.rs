//! The catalogue of questions a duel asks the vision-language model: which pictures, which seed, how long, how often.
//!
//! The words of the questions are in [`super::questions`].
//!
//! Source: judge, section 4.2 (request contract), 4.4 (call catalogue).

mod pictures;

use serde::{Deserialize, Serialize};

pub use pictures::{DuelView, Model, Order, Picture};

/// The model that judges, by the name it is served under.
pub const MODEL: &str = "glm-4.6v-flash";

/// Added to every call's seed before it goes on the wire, with the attempt.
const WIRE_SEED_BASE: u64 = 100;

/// One question of a duel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
pub enum VlmCall {
    /// Stage 1: which of two renders from one front view is more faithful to the prompt.
    PromptMatch {
        /// The view, one of [`DuelView::FRONT`].
        view: DuelView,
        /// Which model is shown first.
        order: Order,
    },
    /// Stage 2A: the same, with each model's best-matching view.
    BestView {
        /// Best view of A.
        view_a: DuelView,
        /// Best view of B.
        view_b: DuelView,
        /// Which model is shown first.
        order: Order,
    },
    /// Stage 2B: rendering quality on the grids.
    ArtifactCompare {
        /// Which model is shown first.
        order: Order,
    },
    /// Stage 2C: what can be checked on the prompt image.
    Decompose,
    /// Stage 2C: whether one model's grid shows it.
    Verify {
        /// The model that is checked.
        model: Model,
    },
    /// Stage 3: stage 1's question on gray `front_left`.
    Gray {
        /// Which model is shown first.
        order: Order,
    },
    /// Stage 4: whether a side view fits the front view of the same model.
    SideCheck {
        /// The model that is checked.
        model: Model,
        /// The view, one of [`DuelView::SIDES`].
        view: DuelView,
    },
    /// The cross-check: whether writing on a model addresses its judge. Not of the reference: asked only when the embeddings
    /// contradict a decision (weakness W20).
    TextCheck {
        /// The model that is checked.
        model: Model,
    },
    /// A sentence for people on the problems of both models. Decides nothing.
    Explain,
}

impl VlmCall {
    /// The eight calls of stage 1.
    pub fn stage_1() -> Vec<Self> {
        DuelView::FRONT
            .into_iter()
            .flat_map(|view| Order::BOTH.map(|order| Self::PromptMatch { view, order }))
            .collect()
    }

    /// The calls of stage 2 that need no other call's answer; [`VlmCall::Verify`] follows [`VlmCall::Decompose`].
    /// `best_views` is none when a model has no embeddings.
    pub fn stage_2(best_views: Option<(DuelView, DuelView)>) -> Vec<Self> {
        let mut calls = vec![Self::Decompose];
        if let Some((view_a, view_b)) = best_views {
            calls.extend(Order::BOTH.map(|order| Self::BestView {
                view_a,
                view_b,
                order,
            }));
        }
        calls.extend(Order::BOTH.map(|order| Self::ArtifactCompare { order }));
        calls
    }

    /// The two calls of stage 3.
    pub fn stage_3() -> Vec<Self> {
        Order::BOTH.map(|order| Self::Gray { order }).to_vec()
    }

    /// The eight calls of stage 4.
    pub fn stage_4() -> Vec<Self> {
        [Model::A, Model::B]
            .into_iter()
            .flat_map(|model| DuelView::SIDES.map(|view| Self::SideCheck { model, view }))
            .collect()
    }

    /// The call's name in the catalogue; the response schema is called `{label}-response`.
    pub fn label(self) -> &'static str {
        match self {
            Self::PromptMatch { .. } => "s1_prompt_match",
            Self::BestView {
                order: Order::Ab, ..
            } => "s2bv_ab",
            Self::BestView {
                order: Order::Ba, ..
            } => "s2bv_ba",
            Self::ArtifactCompare { order: Order::Ab } => "s2ac_ab",
            Self::ArtifactCompare { order: Order::Ba } => "s2ac_ba",
            Self::Decompose => "s2cl_decompose",
            Self::Verify { .. } => "s2cl_verify",
            Self::Gray { order: Order::Ab } => "s3_gray_ab",
            Self::Gray { order: Order::Ba } => "s3_gray_ba",
            Self::SideCheck { .. } => "s4_per_angle",
            Self::TextCheck { .. } => "text_check",
            Self::Explain => "explain",
        }
    }

    /// The label with what tells its calls apart within one duel: `s1_prompt_match/front_left/ab`.
    pub fn key(self) -> String {
        let label = self.label();
        match self {
            Self::PromptMatch { view, order } => {
                format!("{label}/{}/{}", view.name(), order.as_str())
            }
            Self::Verify { model } | Self::TextCheck { model } => {
                format!("{label}/{}", model_letter(model))
            }
            Self::SideCheck { model, view } => {
                format!("{label}/{}/{}", model_letter(model), view.name())
            }
            _ => label.to_owned(),
        }
    }

    /// The pictures, in the order of the request.
    pub fn pictures(self) -> Vec<Picture> {
        let compare = |order: Order, picture: &dyn Fn(Model) -> Picture| {
            let [first, second] = order.models();
            vec![Picture::Prompt, picture(first), picture(second)]
        };
        match self {
            Self::PromptMatch { view, order } => {
                compare(order, &|model| Picture::White(model, view))
            }
            Self::BestView {
                view_a,
                view_b,
                order,
            } => compare(order, &|model| match model {
                Model::A => Picture::White(model, view_a),
                Model::B => Picture::White(model, view_b),
            }),
            Self::ArtifactCompare { order } => compare(order, &Picture::Grid),
            Self::Decompose => vec![Picture::Prompt],
            Self::Verify { model } | Self::TextCheck { model } => {
                vec![Picture::Prompt, Picture::Grid(model)]
            }
            Self::Gray { order } => {
                compare(order, &|model| Picture::Gray(model, DuelView::FrontLeft))
            }
            Self::SideCheck { model, view } => {
                vec![
                    Picture::White(model, DuelView::FrontLeft),
                    Picture::White(model, view),
                ]
            }
            Self::Explain => compare(Order::Ab, &Picture::Grid),
        }
    }

    /// What is added to the round's seed for this call.
    pub fn seed_offset(self) -> u64 {
        match self {
            Self::Verify { model: Model::A } => 100,
            Self::Verify { model: Model::B } => 200,
            Self::Gray { order: Order::Ba } => 7,
            Self::SideCheck { model, view } => {
                let index = DuelView::SIDES
                    .iter()
                    .position(|side| *side == view)
                    .unwrap_or_default() as u64;
                let base = match model {
                    Model::A => 5000,
                    Model::B => 6000,
                };
                base + 100 * index
            }
            _ => 0,
        }
    }

    /// `max_tokens` of the request.
    pub fn max_tokens(self) -> u32 {
        match self {
            Self::Decompose => 400,
            Self::Verify { .. } => 600,
            Self::SideCheck { .. } | Self::TextCheck { .. } => 220,
            Self::Explain => 300,
            _ => 1024,
        }
    }

    /// How often the call is tried before it is our failure.
    pub fn attempts(self) -> u32 {
        match self {
            Self::SideCheck { .. } | Self::TextCheck { .. } => 4,
            Self::Explain => 3,
            _ => 5,
        }
    }

    /// The `seed` of the request. `attempt` counts from 1.
    pub fn wire_seed(self, round_seed: u32, attempt: u32) -> u64 {
        u64::from(round_seed)
            + self.seed_offset()
            + WIRE_SEED_BASE
            + u64::from(attempt.saturating_sub(1))
    }
}

/// The `temperature` of a request: 0 first, then 0.15, 0.20, … so that a repeated attempt can answer differently.
/// `attempt` counts from 1.
pub fn temperature(attempt: u32) -> f64 {
    if attempt <= 1 {
        return 0.0;
    }
    // In hundredths, so that the number printed is 0.15 and not 0.15000000000000002.
    f64::from(10 + 5 * (attempt - 1).min(1000)) / 100.0
}

fn model_letter(model: Model) -> &'static str {
    match model {
        Model::A => "a",
        Model::B => "b",
    }
}

#[cfg(test)]
mod tests;
