//! Reports of the mesh competition.

use serde::{Deserialize, Serialize};

use super::{DuelWinner, MatchReport, is_mesh};
use crate::files::macros::{either_form, json_file};
use crate::tolerant;
use crate::{Hotkey, LeftSide, Stem};

/// One match of the mesh competition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeshReport {
    /// Who is challenged.
    pub left: LeftSide,
    /// Who challenges.
    pub right: Hotkey,
    /// Duels won by right minus duels won by left.
    #[serde(deserialize_with = "tolerant::integer")]
    pub score: i64,
    /// `score` over the number of duels.
    pub margin: f64,
    /// One a prompt, sorted by name.
    #[serde(default)]
    pub duels: Vec<MeshDuel>,
}

/// One prompt, two meshes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeshDuel {
    /// The prompt's stem.
    pub name: Stem,
    /// The prompt's image URL.
    pub prompt: String,
    /// Left's mesh.
    #[serde(default)]
    pub left_glb: Option<String>,
    /// Left's picture.
    #[serde(default)]
    pub left_png: Option<String>,
    /// Right's mesh.
    #[serde(default)]
    pub right_glb: Option<String>,
    /// Right's picture.
    #[serde(default)]
    pub right_png: Option<String>,
    /// Who won.
    pub winner: DuelWinner,
    /// What the judge saw, or which picture was missing.
    #[serde(default)]
    pub issues: String,
}

json_file!(MeshReport, NotYet);

/// A report in either form.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyReport {
    /// Three.js modules.
    Current(MatchReport),
    /// Meshes.
    Mesh(MeshReport),
}

either_form!(AnyReport { Current(MatchReport), Mesh(MeshReport) }, NotYet, is_mesh);
