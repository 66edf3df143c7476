//! What the model is shown: pictures of two models from fixed views, one of them first.
//!
//! Source: judge, section 4.1 (view bundle).

use serde::{Deserialize, Serialize};

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
