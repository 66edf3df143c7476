//! What one side delivered, in the newest or the older form.

use std::collections::HashMap;

use schema::Stem;
use schema::files::AnyGenerations;
use serde::Deserialize;

use super::documents::Shown;

/// `submitted.json` or `generated_{r}.json`.
#[derive(Debug, Clone, Default)]
pub(super) struct Outputs {
    pub(super) rows: HashMap<Stem, OutputRow>,
    /// Whether they are meshes, as in the first competition.
    pub(super) are_meshes: bool,
}

/// What one side delivered for one prompt.
#[derive(Debug, Clone, Default)]
pub(super) struct OutputRow {
    pub(super) shown: Shown,
    /// Only in the newest form: why there is nothing.
    pub(super) failure_reason: Option<String>,
    /// Only in the older form, seconds.
    pub(super) generation_time_s: f64,
    /// Only in the older form: cosine distance from the submitted picture.
    pub(super) distance: f64,
}

/// A row of either form.
#[derive(Deserialize)]
struct RawRow {
    #[serde(default)]
    js: Option<String>,
    #[serde(default)]
    views: Option<String>,
    #[serde(default)]
    failure_reason: Option<String>,
    #[serde(default)]
    glb: Option<String>,
    #[serde(default)]
    png: Option<String>,
    #[serde(default)]
    generation_time: f64,
    #[serde(default)]
    distance: f64,
}

impl Outputs {
    /// Reads both forms in one pass; `None` when the strict reader should say what is wrong.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let rows: HashMap<Stem, RawRow> = serde_json::from_slice(bytes).ok()?;
        let has_key = |key: &str| std::str::from_utf8(bytes).is_ok_and(|text| text.contains(key));
        let are_meshes = has_key("\"glb\"") && !has_key("\"js\"");
        let rows = rows
            .into_iter()
            .map(|(stem, row)| (stem, OutputRow::of(row, are_meshes)))
            .collect();
        Some(Self { rows, are_meshes })
    }

    /// From a file that was read otherwise.
    pub(super) fn of(generations: AnyGenerations) -> Self {
        match generations {
            AnyGenerations::Current(generations) => Self {
                rows: generations
                    .0
                    .into_iter()
                    .map(|(stem, row)| {
                        let shown = Shown {
                            model: row.js,
                            picture: row.views.map(|views| grid_of(&views)),
                        };
                        (
                            stem,
                            OutputRow {
                                shown,
                                failure_reason: row.failure_reason,
                                ..OutputRow::default()
                            },
                        )
                    })
                    .collect(),
                are_meshes: false,
            },
            AnyGenerations::Mesh(generations) => Self {
                rows: generations
                    .0
                    .into_iter()
                    .map(|(stem, row)| {
                        let row = OutputRow {
                            shown: Shown {
                                model: row.glb,
                                picture: row.png,
                            },
                            failure_reason: None,
                            generation_time_s: row.generation_time,
                            distance: row.distance,
                        };
                        (stem, row)
                    })
                    .collect(),
                are_meshes: true,
            },
        }
    }

    /// Whether at least one model was delivered.
    pub(super) fn any_delivered(&self) -> bool {
        self.rows.values().any(|row| row.shown.model.is_some())
    }

    /// What there is for a prompt; `None` stands for nothing at all, as a missing row does.
    pub(super) fn shown(&self, stem: &Stem) -> Option<&Shown> {
        self.rows.get(stem).map(|row| &row.shown)
    }

    /// Whether `shown` is what there is for the prompt.
    pub(super) fn shows(&self, stem: &Stem, shown: &Shown) -> bool {
        match self.shown(stem) {
            Some(found) => found == shown,
            None => *shown == Shown::default(),
        }
    }
}

impl OutputRow {
    fn of(row: RawRow, is_mesh: bool) -> Self {
        let shown = if is_mesh {
            Shown {
                model: row.glb,
                picture: row.png,
            }
        } else {
            Shown {
                model: row.js,
                picture: row.views.map(|views| grid_of(&views)),
            }
        };
        Self {
            shown,
            failure_reason: row.failure_reason,
            generation_time_s: row.generation_time,
            distance: row.distance,
        }
    }
}

/// The picture a report shows of a bundle of views.
fn grid_of(views: &str) -> String {
    format!("{views}/grid.png")
}
