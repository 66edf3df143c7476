//! What one picture of a scene costs to draw.

use super::whole;
use crate::document::{Drawable, Geometry, Material, Node, NodeKind, Scene};

/// What one picture costs.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Drawn {
    /// Triangles, line segments and points.
    pub primitives: f64,
    /// Draw commands.
    pub commands: f64,
}

impl Drawn {
    /// Adds a visible node.
    pub fn add(&mut self, scene: &Scene, node: &Node, drawable: &Drawable, geometry: &Geometry) {
        let instances = drawable
            .instances
            .as_ref()
            .map_or(1.0, |instances| whole(instances.count) as f64);
        let mut add = |material: Option<usize>, first: f64, count: f64| {
            let Some(material) = material.map(|index| &scene.materials[index]) else {
                return;
            };
            if !material.flag("visible") {
                return;
            }
            let passes = if needs_two_passes(material) { 2.0 } else { 1.0 };
            let vertices = drawn_vertices(scene, geometry, first, count);
            self.primitives +=
                passes * instances * primitives(scene, node.kind, material, geometry, vertices);
            self.commands += passes;
        };
        if drawable.has_material_array {
            for group in &geometry.groups {
                let material = if group.material >= 0.0 && group.material.fract() == 0.0 {
                    drawable
                        .materials
                        .get(group.material as usize)
                        .copied()
                        .flatten()
                } else {
                    None
                };
                add(material, group.start, group.count);
            }
        } else {
            add(
                drawable.materials.first().copied().flatten(),
                0.0,
                f64::INFINITY,
            );
        }
    }
}

/// Three.js draws the back faces of a transparent double-sided material first.
fn needs_two_passes(material: &Material) -> bool {
    const DOUBLE_SIDE: f64 = 2.0;
    material.flag("transparent")
        && material.number("side") == Some(DOUBLE_SIDE)
        && !material.flag("forceSinglePass")
}

/// Vertices or indices inside draw range, group and buffer.
fn drawn_vertices(scene: &Scene, geometry: &Geometry, first: f64, count: f64) -> f64 {
    let held = geometry
        .index
        .or(geometry.position())
        .map_or(0.0, |attribute| scene.attributes[attribute].count as f64);
    let start = geometry.range_start.max(first).max(0.0);
    let end = (geometry.range_start + geometry.range_count)
        .min(first + count)
        .min(held);
    let drawn = end - start;
    if drawn > 0.0 { drawn } else { 0.0 }
}

fn primitives(
    scene: &Scene,
    kind: NodeKind,
    material: &Material,
    geometry: &Geometry,
    vertices: f64,
) -> f64 {
    match kind {
        // The wireframe is built for the whole geometry, whatever part of it is drawn.
        NodeKind::Mesh | NodeKind::InstancedMesh if material.flag("wireframe") => geometry
            .index
            .or(geometry.position())
            .map_or(0.0, |attribute| scene.attributes[attribute].count as f64),
        NodeKind::Mesh | NodeKind::InstancedMesh => (vertices / 3.0).floor(),
        NodeKind::LineSegments => (vertices / 2.0).floor(),
        NodeKind::Line => (vertices - 1.0).max(0.0),
        NodeKind::Points | NodeKind::Group | NodeKind::Object => vertices,
    }
}
