//! What one picture of a scene costs to draw.

use std::collections::HashSet;

use super::{shaders, surface, whole};
use crate::document::{Drawable, Geometry, Instances, Material, Node, NodeKind, Scene};

/// How much one picture draws.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Drawn {
    /// Triangles, line segments and points.
    pub primitives: f64,
    /// Draw commands. Groups of an object with several materials count, drawn or not: Three.js looks at each.
    pub commands: f64,
}

impl Drawn {
    /// Adds a visible node.
    pub fn add(&mut self, scene: &Scene, node: &Node) {
        let Some(drawable) = &node.drawable else {
            return;
        };
        if drawable.has_material_array {
            self.commands += scene.geometries[drawable.geometry].groups.len() as f64;
        }
        for part in parts(scene, node, drawable) {
            let instances = part
                .instances
                .map_or(1.0, |instances| whole(instances.count) as f64);
            self.primitives += part.passes * instances * primitives(scene, &part);
            if !drawable.has_material_array {
                self.commands += part.passes;
            }
        }
    }
}

/// What drawing costs the graphics card, of a scene that does not draw too much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effort {
    /// Square world units of surface.
    pub surface: f64,
    /// Different shader programs.
    pub shaders: usize,
}

impl Effort {
    /// What the visible `nodes` cost. Takes time in proportion to what they draw.
    pub fn of(scene: &Scene, nodes: &[usize]) -> Self {
        let world = super::world_matrices(scene);
        // What stands behind something transmissive is drawn once more, to be looked at through it.
        let is_seen_through = scene.materials.iter().any(|material| {
            material
                .number("transmission")
                .is_some_and(|share| share > 0.0)
        });
        let times = if is_seen_through { 2.0 } else { 1.0 };
        let mut surface = 0.0;
        let mut programs = HashSet::new();
        for node in nodes {
            let Some(drawable) = &scene.nodes[*node].drawable else {
                continue;
            };
            for part in parts(scene, &scene.nodes[*node], drawable) {
                surface += times * part.passes * surface::of(scene, &part, &world[*node]);
                programs.insert((shaders::program(scene, &part), part.passes > 1.0));
            }
        }
        let two_passes = programs.iter().filter(|(_, twice)| *twice).count();
        Self {
            surface,
            shaders: (programs.len() + two_passes) * times as usize,
        }
    }
}

/// A part of a node that is drawn by one command, in one pass or two.
pub struct DrawnPart<'a> {
    /// What is drawn of each three, two or single vertices.
    pub kind: NodeKind,
    /// The node's geometry.
    pub geometry: &'a Geometry,
    /// The part's material.
    pub material: &'a Material,
    /// The node's instances, if it has any.
    pub instances: Option<&'a Instances>,
    /// The first vertex or index, and how many.
    pub vertices: (f64, f64),
    /// Times it is drawn.
    pub passes: f64,
}

/// The parts of a node that are drawn.
fn parts<'a>(
    scene: &'a Scene,
    node: &Node,
    drawable: &'a Drawable,
) -> impl Iterator<Item = DrawnPart<'a>> {
    let kind = node.kind;
    let geometry = &scene.geometries[drawable.geometry];
    let part = move |material: Option<usize>, first: f64, count: f64| {
        let material = &scene.materials[material?];
        material.flag("visible").then(|| DrawnPart {
            kind,
            geometry,
            material,
            instances: drawable.instances.as_ref(),
            vertices: drawn_vertices(scene, geometry, first, count),
            passes: if needs_two_passes(material) { 2.0 } else { 1.0 },
        })
    };
    let groups = if drawable.has_material_array {
        geometry.groups.as_slice()
    } else {
        &[]
    };
    let whole = (!drawable.has_material_array).then(|| {
        let material = drawable.materials.first().copied().flatten();
        part(material, 0.0, f64::INFINITY)
    });
    let of_groups = groups.iter().map(move |group| {
        let material = material_of(drawable, group.material);
        part(material, group.start, group.count)
    });
    whole.into_iter().chain(of_groups).flatten()
}

/// The material that a group names by its number.
fn material_of(drawable: &Drawable, number: f64) -> Option<usize> {
    if number < 0.0 || number.fract() != 0.0 {
        return None;
    }
    drawable.materials.get(number as usize).copied().flatten()
}

/// Three.js draws the back faces of a transparent double-sided material first.
fn needs_two_passes(material: &Material) -> bool {
    const DOUBLE_SIDE: f64 = 2.0;
    material.flag("transparent")
        && material.number("side") == Some(DOUBLE_SIDE)
        && !material.flag("forceSinglePass")
}

/// Vertices or indices inside draw range, group and buffer: the first, and how many.
fn drawn_vertices(scene: &Scene, geometry: &Geometry, first: f64, count: f64) -> (f64, f64) {
    let held = held_vertices(scene, geometry);
    let start = geometry.range_start.max(first).max(0.0);
    let end = (geometry.range_start + geometry.range_count)
        .min(first + count)
        .min(held);
    let drawn = end - start;
    (start, if drawn > 0.0 { drawn } else { 0.0 })
}

fn held_vertices(scene: &Scene, geometry: &Geometry) -> f64 {
    geometry
        .index
        .or(geometry.position())
        .map_or(0.0, |attribute| scene.attributes[attribute].count as f64)
}

fn primitives(scene: &Scene, part: &DrawnPart<'_>) -> f64 {
    let vertices = part.vertices.1;
    match part.kind {
        // The wireframe is built for the whole geometry, whatever part of it is drawn.
        NodeKind::Mesh | NodeKind::InstancedMesh if part.material.flag("wireframe") => {
            held_vertices(scene, part.geometry)
        }
        NodeKind::Mesh | NodeKind::InstancedMesh => (vertices / 3.0).floor(),
        NodeKind::LineSegments => (vertices / 2.0).floor(),
        NodeKind::Line => (vertices - 1.0).max(0.0),
        NodeKind::Points | NodeKind::Group | NodeKind::Object => vertices,
    }
}
