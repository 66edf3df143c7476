//! What can be known about a picture before it is drawn, to draw less of it.

use super::{NodeKind, Scene};
use crate::measure::Metrics;

/// `THREE.NormalBlending`
const NORMAL_BLENDING: f64 = 1.0;

/// Whether every material replaces what is behind it. Then a picture drawn without a background can be put over any,
/// and is the picture that would have been drawn over it (antialiased edges differ by one step of 255 at most).
pub fn is_opaque(scene: &Scene) -> bool {
    scene.materials.iter().all(|material| {
        !material.flag("transparent")
            && !material.flag("alphaToCoverage")
            && material.number("blending") == Some(NORMAL_BLENDING)
            // Looks through to what is behind, in a pass of its own.
            && !material.number("transmission").is_some_and(|transmission| transmission != 0.0)
    })
}

/// Lower and upper corner of everything that is drawn, if the measured extent says so: points are drawn larger than
/// they are, and displacement and morph targets move vertices after they were measured.
pub fn bounds(scene: &Scene, metrics: &Metrics) -> Option<[f64; 6]> {
    let extent = metrics.bbox?;
    let moved = scene.materials.iter().any(|material| {
        material
            .textures()
            .any(|(slot, _)| slot == "displacementMap")
    });
    let morphed = scene
        .geometries
        .iter()
        .any(|geometry| geometry.morphs.iter().any(|list| !list.is_empty()));
    let has_points = scene.nodes.iter().any(|node| node.kind == NodeKind::Points);
    if moved || morphed || has_points {
        return None;
    }
    Some([
        extent.min.x?,
        extent.min.y?,
        extent.min.z?,
        extent.max.x?,
        extent.max.y?,
        extent.max.z?,
    ])
}
