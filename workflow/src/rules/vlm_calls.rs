//! The catalogue of questions a duel asks the vision-language model: which pictures, which seed, how long, how often.
//!
//! The words of the questions are in [`super::questions`].
//!
//! Source: judge, section 4.1 (views), 4.2 (request contract), 4.4 (call catalogue).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The model that judges, by the name it is served under.
pub const MODEL: &str = "glm-4.6v-flash";

/// Added to every call's seed before it goes on the wire, with the attempt.
const WIRE_SEED_BASE: u64 = 100;

/// Which model of the duel: A is the left one (the defender), B the right one (the challenger or the regeneration).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Model {
    /// The left model.
    A,
    /// The right model.
    B,
}

/// Which model is shown first. Every comparison is asked both ways, so that a preference for a place cancels out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// A first.
    Ab,
    /// B first.
    Ba,
}

impl Order {
    /// Both orders, AB first.
    pub const BOTH: [Self; 2] = [Self::Ab, Self::Ba];

    /// `ab` or `ba`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ab => "ab",
            Self::Ba => "ba",
        }
    }

    /// The models in the order shown.
    pub fn models(self) -> [Model; 2] {
        match self {
            Self::Ab => [Model::A, Model::B],
            Self::Ba => [Model::B, Model::A],
        }
    }
}

/// A camera position. The first four look at the front; the last four are the sides that the guard checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DuelView {
    /// Slightly left of front. The guard's reference, and the view of the gray comparison.
    FrontLeft,
    /// Slightly right of front.
    FrontRight,
    /// Front from slightly below.
    FrontBelow,
    /// Front from slightly above.
    FrontAbove,
    /// The right side.
    Right,
    /// The back.
    Back,
    /// The left side.
    Left,
    /// Directly above.
    TopDown,
}

impl DuelView {
    /// All white views, in the order of the bundle and of the embeddings file.
    pub const WHITE: [Self; 8] = [
        Self::FrontLeft,
        Self::FrontRight,
        Self::FrontBelow,
        Self::FrontAbove,
        Self::Right,
        Self::Back,
        Self::Left,
        Self::TopDown,
    ];
    /// The views of stage 1.
    pub const FRONT: [Self; 4] = [
        Self::FrontLeft,
        Self::FrontRight,
        Self::FrontBelow,
        Self::FrontAbove,
    ];
    /// The views of stage 4.
    pub const SIDES: [Self; 4] = [Self::Right, Self::Back, Self::Left, Self::TopDown];

    /// The name in file names, records and embeddings.
    pub fn name(self) -> &'static str {
        match self {
            Self::FrontLeft => "front_left",
            Self::FrontRight => "front_right",
            Self::FrontBelow => "front_below",
            Self::FrontAbove => "front_above",
            Self::Right => "right",
            Self::Back => "back",
            Self::Left => "left",
            Self::TopDown => "top_down",
        }
    }

    /// The view with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::WHITE.into_iter().find(|view| view.name() == name)
    }
}

/// A picture of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Picture {
    /// The prompt image.
    Prompt,
    /// A view on white.
    White(Model, DuelView),
    /// A view on gray.
    Gray(Model, DuelView),
    /// The 2×2 composite of four views.
    Grid(Model),
}

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

/// How long to wait after a failed attempt: half a second times its number. `attempt` counts from 1.
pub fn retry_wait(attempt: u32) -> Duration {
    Duration::from_millis(500) * attempt
}

fn model_letter(model: Model) -> &'static str {
    match model {
        Model::A => "a",
        Model::B => "b",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn every_call() -> Vec<VlmCall> {
        let mut calls = VlmCall::stage_1();
        calls.extend(VlmCall::stage_2(Some((
            DuelView::Back,
            DuelView::FrontLeft,
        ))));
        calls.extend([Model::A, Model::B].map(|model| VlmCall::Verify { model }));
        calls.extend(VlmCall::stage_3());
        calls.extend(VlmCall::stage_4());
        calls.push(VlmCall::Explain);
        calls
    }

    #[test]
    fn a_duel_that_uses_every_stage_costs_26_calls_each_with_its_own_key() {
        let calls = every_call();
        assert_eq!(calls.len(), 26);
        assert_eq!(
            calls
                .iter()
                .map(|call| call.key())
                .collect::<HashSet<_>>()
                .len(),
            26
        );
        assert_eq!(
            VlmCall::stage_2(None).len() + 2,
            5,
            "two calls less without embeddings"
        );
    }

    #[test]
    fn limits_are_those_of_the_catalogue() {
        let limits = |call: VlmCall| {
            (
                call.label(),
                call.seed_offset(),
                call.max_tokens(),
                call.attempts(),
            )
        };
        let order = Order::Ba;
        assert_eq!(
            limits(VlmCall::PromptMatch {
                view: DuelView::FrontAbove,
                order
            }),
            ("s1_prompt_match", 0, 1024, 5)
        );
        let (view_a, view_b) = (DuelView::Left, DuelView::Right);
        assert_eq!(
            limits(VlmCall::BestView {
                view_a,
                view_b,
                order
            }),
            ("s2bv_ba", 0, 1024, 5)
        );
        assert_eq!(
            limits(VlmCall::ArtifactCompare { order: Order::Ab }),
            ("s2ac_ab", 0, 1024, 5)
        );
        assert_eq!(limits(VlmCall::Decompose), ("s2cl_decompose", 0, 400, 5));
        assert_eq!(
            limits(VlmCall::Verify { model: Model::A }),
            ("s2cl_verify", 100, 600, 5)
        );
        assert_eq!(
            limits(VlmCall::Verify { model: Model::B }),
            ("s2cl_verify", 200, 600, 5)
        );
        assert_eq!(
            limits(VlmCall::Gray { order: Order::Ab }),
            ("s3_gray_ab", 0, 1024, 5)
        );
        assert_eq!(limits(VlmCall::Gray { order }), ("s3_gray_ba", 7, 1024, 5));
        assert_eq!(
            limits(VlmCall::SideCheck {
                model: Model::A,
                view: DuelView::Right
            }),
            ("s4_per_angle", 5000, 220, 4)
        );
        assert_eq!(
            limits(VlmCall::SideCheck {
                model: Model::B,
                view: DuelView::TopDown
            }),
            ("s4_per_angle", 6300, 220, 4)
        );
        assert_eq!(limits(VlmCall::Explain), ("explain", 0, 300, 3));
    }

    #[test]
    fn each_attempt_has_its_own_seed_and_temperature() {
        let call = VlmCall::Verify { model: Model::A };
        assert_eq!(
            [1, 2, 5].map(|attempt| call.wire_seed(1000, attempt)),
            [1200, 1201, 1204]
        );
        assert_eq!(call.wire_seed(u32::MAX, 1), 4294967295 + 200);
        assert_eq!(
            [1, 2, 3, 4, 5].map(temperature),
            [0.0, 0.15, 0.2, 0.25, 0.3]
        );
        assert_eq!(
            [1, 2, 3, 4].map(|attempt| retry_wait(attempt).as_millis()),
            [500, 1000, 1500, 2000]
        );
    }

    #[test]
    fn the_model_shown_first_follows_the_order_and_the_side_check_shows_no_prompt() {
        let view = DuelView::FrontRight;
        assert_eq!(
            VlmCall::PromptMatch {
                view,
                order: Order::Ba
            }
            .pictures(),
            [
                Picture::Prompt,
                Picture::White(Model::B, view),
                Picture::White(Model::A, view)
            ]
        );
        assert_eq!(
            VlmCall::BestView {
                view_a: DuelView::Back,
                view_b: DuelView::Left,
                order: Order::Ba
            }
            .pictures(),
            [
                Picture::Prompt,
                Picture::White(Model::B, DuelView::Left),
                Picture::White(Model::A, DuelView::Back)
            ]
        );
        assert_eq!(
            VlmCall::SideCheck {
                model: Model::B,
                view: DuelView::Back
            }
            .pictures(),
            [
                Picture::White(Model::B, DuelView::FrontLeft),
                Picture::White(Model::B, DuelView::Back)
            ]
        );
        assert_eq!(VlmCall::Decompose.pictures(), [Picture::Prompt]);
    }
}
