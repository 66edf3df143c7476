//! `duels_{left10}.json` and `audit_{left10}_{r}.json`: one match, prompt by prompt.

mod detail;
mod mesh;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use detail::{
    AngleName, AnglePenalties, BothSides, CheckedFeature, Checklist, Choice, DecisionSource,
    DuelDetail, FeatureMatch, FrontMatch, GrayRescue, Judged, PenaltyPair, SideGuard,
    SideViewVerdicts, Specialists, ViewVerdict, decided_by,
};
pub use mesh::{AnyReport, MeshDuel, MeshReport};

use super::macros::older_form;
use crate::format::json;
use crate::tolerant;
use crate::{Absence, FileError, Hotkey, LeftSide, StateFile, Stem};

/// One match: every prompt of the round, judged. Stored under the right side's folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MatchReport {
    /// Who is challenged; in an audit also `submitted`.
    pub left: LeftSide,
    /// Who challenges, or is audited.
    pub right: Hotkey,
    /// Duels won by right minus duels won by left.
    #[serde(deserialize_with = "tolerant::integer")]
    pub score: i64,
    /// `score` over the number of duels; 0.0 when there is none.
    pub margin: f64,
    /// One a prompt, sorted by name.
    #[serde(default)]
    pub duels: Vec<Duel>,
}

/// One prompt, two entries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Duel {
    /// The prompt's stem.
    pub name: Stem,
    /// The prompt's image URL.
    pub prompt: String,
    /// Left's module.
    #[serde(default)]
    pub left_js: Option<String>,
    /// Left's pictures on one sheet, `{views}/grid.png`.
    #[serde(default)]
    pub left_png: Option<String>,
    /// Right's module.
    #[serde(default)]
    pub right_js: Option<String>,
    /// Right's pictures on one sheet.
    #[serde(default)]
    pub right_png: Option<String>,
    /// Who won.
    pub winner: DuelWinner,
    /// How that was decided; none only for a duel that was never evaluated.
    #[serde(default)]
    pub detail: Option<DuelDetail>,
}

/// Who won a duel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DuelWinner {
    /// The left side.
    Left,
    /// The right side.
    Right,
    /// Neither.
    Draw,
    /// Not evaluated; counts as 0.
    Skipped,
}

impl DuelWinner {
    /// What the duel adds to the score.
    pub fn points(self) -> i64 {
        match self {
            Self::Left => -1,
            Self::Right => 1,
            Self::Draw | Self::Skipped => 0,
        }
    }

    /// The word in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
            Self::Draw => "draw",
            Self::Skipped => "skipped",
        }
    }
}

impl fmt::Display for DuelWinner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// Score and margin of a match from its duels' winners.
pub fn score_and_margin(winners: impl IntoIterator<Item = DuelWinner>) -> (i64, f64) {
    let (score, count) = winners
        .into_iter()
        .fold((0, 0_u32), |(score, count), winner| {
            (score + winner.points(), count + 1)
        });
    let margin = if count == 0 {
        0.0
    } else {
        score as f64 / f64::from(count)
    };
    (score, margin)
}

impl MatchReport {
    /// The report of these duels: sorted by name, score and margin counted.
    pub fn of_duels(left: impl Into<LeftSide>, right: Hotkey, mut duels: Vec<Duel>) -> Self {
        duels.sort_by(|one, other| one.name.cmp(&other.name));
        let (score, margin) = score_and_margin(duels.iter().map(|duel| duel.winner));
        Self {
            left: left.into(),
            right,
            score,
            margin,
            duels,
        }
    }
}

impl StateFile for MatchReport {
    const ABSENCE: Absence = Absence::NotYet;

    fn parse(path: &str, bytes: &[u8]) -> Result<Self, FileError> {
        if is_mesh(bytes) {
            return Err(older_form(
                path,
                "duels of modules (`left_js`)",
                "of the mesh competition (`left_glb`)",
            ));
        }
        json::parse_object(path, bytes)
    }

    fn to_bytes(&self) -> Vec<u8> {
        json::pretty(self)
    }
}

/// Whether the duels are of the mesh competition.
fn is_mesh(bytes: &[u8]) -> bool {
    let Ok(report) = serde_json::from_slice::<Value>(bytes) else {
        return false;
    };
    let duels = report
        .get("duels")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let any_has = |key: &str| duels.iter().any(|duel| duel.get(key).is_some());
    any_has("left_glb") && !any_has("left_js")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn duel(name: &str, winner: DuelWinner) -> Duel {
        Duel {
            name: name.into(),
            prompt: format!("https://h/{name}.png"),
            left_js: None,
            left_png: None,
            right_js: None,
            right_png: None,
            winner,
            detail: None,
        }
    }

    #[test]
    fn a_report_sorts_its_duels_and_counts_right_minus_left() {
        let duels = vec![
            duel("b", DuelWinner::Right),
            duel("a", DuelWinner::Right),
            duel("d", DuelWinner::Left),
            duel("c", DuelWinner::Skipped),
        ];
        let report = MatchReport::of_duels(crate::Side::Leader, Hotkey::new("5A"), duels);
        assert_eq!((report.score, report.margin), (1, 0.25));
        assert_eq!(
            report
                .duels
                .iter()
                .map(|duel| duel.name.as_str())
                .collect::<String>(),
            "abcd"
        );
        let empty = MatchReport::of_duels(LeftSide::Submitted, Hotkey::new("5A"), Vec::new());
        let text = String::from_utf8(empty.to_bytes()).unwrap();
        assert_eq!(
            text,
            "{\n  \"left\": \"submitted\",\n  \"right\": \"5A\",\n  \"score\": 0,\n  \"margin\": 0.0,\n  \"duels\": []\n}"
        );
    }
}
