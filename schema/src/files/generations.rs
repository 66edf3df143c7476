//! `submitted.json` and `generated_{r}.json`: what a miner, or its regenerated code, delivered for each prompt.

use serde::{Deserialize, Serialize};

use super::macros::{either_form, map_file, older_form, sniff_objects};
use crate::tolerant;
use crate::{FileError, IndexMap, Stem};

/// `submitted.json` or `generated_{r}.json`: an entry a prompt, in completion order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generations(pub IndexMap<Stem, Generation>);

/// One module and its pictures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// Public URL of the module; set means delivered.
    #[serde(default)]
    pub js: Option<String>,
    /// Public URL prefix of the pictures; set only when the whole bundle is stored.
    #[serde(default)]
    pub views: Option<String>,
    /// Why there is no module, or no pictures.
    #[serde(default)]
    pub failure_reason: Option<String>,
    /// Size of the module, bytes.
    #[serde(default, deserialize_with = "tolerant::integer")]
    pub size: u64,
}

impl Generations {
    /// Whether at least one module was delivered.
    pub fn any_delivered(&self) -> bool {
        self.0.values().any(|generation| generation.js.is_some())
    }
}

/// The same file in the mesh competition.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MeshGenerations(pub IndexMap<Stem, MeshGeneration>);

/// One mesh and its picture. All null: the fetch failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeshGeneration {
    /// Public URL of the mesh; set means delivered.
    #[serde(default)]
    pub glb: Option<String>,
    /// Public URL of the picture; null with a mesh when rendering failed.
    #[serde(default)]
    pub png: Option<String>,
    /// Seconds; 0.0 for submitted meshes.
    #[serde(default)]
    pub generation_time: f64,
    /// Size of the mesh, bytes.
    #[serde(default, deserialize_with = "tolerant::integer")]
    pub size: u64,
    /// Tries to regenerate it; 0 for submitted meshes.
    #[serde(default, deserialize_with = "tolerant::integer")]
    pub attempts: u32,
    /// Cosine distance from the submitted to the regenerated picture; 0.0 when not compared.
    #[serde(default)]
    pub distance: f64,
}

/// `submitted.json`, `generated.json` or `generated_{r}.json` in either form.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyGenerations {
    /// Three.js modules.
    Current(Generations),
    /// Meshes.
    Mesh(MeshGenerations),
}

fn is_mesh(bytes: &[u8]) -> bool {
    let rows = sniff_objects(bytes);
    rows.iter().any(|row| row.contains_key("glb")) && !rows.iter().any(|row| row.contains_key("js"))
}

/// Without this a mesh file would read as entries that are all null: as if nothing had been delivered.
fn refuse_mesh(path: &str, bytes: &[u8]) -> Result<(), FileError> {
    if is_mesh(bytes) {
        return Err(older_form(
            path,
            "Three.js modules (`js`)",
            "of the mesh competition (`glb`)",
        ));
    }
    Ok(())
}

map_file!(
    Generations, Stem, Generation, EmptyCollection,
    refuse: refuse_mesh,
    write: crate::format::json::pretty
);
map_file!(MeshGenerations, Stem, MeshGeneration, EmptyCollection);
either_form!(AnyGenerations { Current(Generations), Mesh(MeshGenerations) }, EmptyCollection, is_mesh);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Problem, StateFile};

    #[test]
    fn a_mesh_file_is_never_read_as_nothing_delivered() {
        let body = br#"{"a": {"glb": "https://x/a.glb", "png": null, "generation_time": 0.0, "size": 1, "attempts": 0, "distance": 0.0}}"#;
        let error = Generations::parse("submitted.json", body).unwrap_err();
        assert!(
            matches!(error.problem, Problem::OlderForm { .. }),
            "{error}"
        );
        assert!(matches!(
            AnyGenerations::parse("submitted.json", body),
            Ok(AnyGenerations::Mesh(_))
        ));
    }

    #[test]
    fn missing_keys_take_defaults_and_an_empty_file_is_an_empty_map() {
        let read =
            Generations::parse("submitted.json", br#"{"a": {"size": "3", "unknown": 1}}"#).unwrap();
        assert_eq!(
            read["a"],
            Generation {
                size: 3,
                ..Generation::default()
            }
        );
        assert!(!read.any_delivered());
        assert!(
            Generations::parse("submitted.json", b"")
                .unwrap()
                .is_empty()
        );
        assert_eq!(Generations::default().to_bytes(), b"{}");
    }
}
