//! Measuring a scene document against the published limits.
//!
//! Figures come from the data that will be drawn, never from a property a module can write over: attribute lengths, not
//! `count`; boxes computed from the vertices, never a preset `boundingBox`. Source: render specification, limits and
//! post-validation measurements, with the order of the miner-side validator.

mod drawn;
mod extent;
mod shaders;
mod surface;

pub use extent::world_matrices;

use serde::{Deserialize, Serialize};

use crate::document::{Geometry, Node, Scene, fields};
use crate::failure::{Failure, Rule, Stage};
use crate::matrix::Box3;
use drawn::{Drawn, Effort};

/// Most vertices of a scene: position counts summed over nodes, instances not multiplied.
pub const MAX_VERTICES: u64 = 250_000;
/// Most meshes, lines and point clouds of a scene, visible or not.
pub const MAX_DRAW_CALLS: u64 = 200;
/// Deepest level; the root group is 0.
pub const MAX_DEPTH: u32 = 32;
/// Deepest level whose objects count; deeper ones are only looked at for the extent.
const DEEPEST_WALKED: u32 = MAX_DEPTH + 1;
/// Most instances, summed over instanced meshes.
pub const MAX_INSTANCES: u64 = 50_000;
/// Most bytes of data textures.
pub const MAX_TEXTURE_BYTES: u64 = 4_194_304;
/// Most pixels of all textures together, as they claim them. Assize's own limit; four times as many as the bytes of data
/// textures allow, because not every texture counts there.
pub const MAX_CLAIMED_PIXELS: f64 = 4.0 * MAX_TEXTURE_BYTES as f64;
/// Half the edge of the cube a scene must fit in.
pub const HALF_EXTENT: f64 = 0.5;
/// Most triangles, line segments and points drawn for one picture, instances multiplied.
///
/// Assize's own limit: without it a legal 50,000 instances of 250,000 vertices would occupy a renderer for hours.
pub const MAX_DRAWN_PRIMITIVES: f64 = 4_000_000.0;
/// Most draw commands for one picture: geometry groups with a material each. Assize's own limit.
pub const MAX_DRAWN_COMMANDS: f64 = 4_000.0;

/// Most different shader programs. Assize's own limit: compiling one takes a tenth of a second and more.
pub const MAX_SHADERS: usize = 100;

/// The figures of a scene, as reports show them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Vertices.
    pub vertices: u64,
    /// Meshes, lines and point clouds.
    #[serde(rename = "drawCalls")]
    pub draw_calls: u64,
    /// Deepest level. Written under both names the reference validators use.
    #[serde(rename = "maxDepth")]
    pub max_depth: u32,
    /// The same as `max_depth`.
    pub depth: u32,
    /// Instances.
    pub instances: u64,
    /// Bytes of distinct data textures.
    #[serde(rename = "textureBytes")]
    pub texture_bytes: u64,
    /// Extent in world units, or none for a cyclic scene. A NaN is written as null.
    pub bbox: Option<Extent>,
    /// Triangles, line segments and points drawn for one picture.
    #[serde(rename = "drawnPrimitives", default)]
    pub drawn_primitives: u64,
    /// Square world units of surface drawn for one picture, instances multiplied; none for a scene that breaks a limit.
    #[serde(rename = "drawnSurface", default)]
    pub drawn_surface: Option<f64>,
}

/// An extent in world units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Extent {
    /// Lower corner.
    pub min: Corner,
    /// Upper corner.
    pub max: Corner,
}

/// A corner of an extent. Values that are not numbers are none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the axes")]
pub struct Corner {
    pub x: Option<f64>,
    pub y: Option<f64>,
    pub z: Option<f64>,
}

impl Corner {
    fn new([x, y, z]: [f64; 3]) -> Self {
        let finite = |value: f64| value.is_finite().then_some(value);
        Self {
            x: finite(x),
            y: finite(y),
            z: finite(z),
        }
    }
}

/// Measures `scene`. An empty list means that it passed.
pub fn measure(scene: &Scene) -> (Metrics, Vec<Failure>) {
    let mut metrics = Metrics {
        vertices: 0,
        draw_calls: 0,
        max_depth: 0,
        depth: 0,
        instances: 0,
        texture_bytes: 0,
        bbox: None,
        drawn_primitives: 0,
        drawn_surface: None,
    };
    let mut drawn = Drawn::default();
    let mut drawn_nodes = Vec::new();
    let mut visible = Vec::with_capacity(scene.nodes.len());
    for (index, node) in scene.nodes.iter().enumerate() {
        let parent_visible = node.parent.is_none_or(|parent| visible[parent]);
        visible.push(parent_visible && node.visible);
        if !is_walked(node) {
            continue;
        }
        metrics.max_depth = metrics.max_depth.max(node.depth);
        let Some(drawable) = &node.drawable else {
            continue;
        };
        metrics.draw_calls += 1;
        let geometry = &scene.geometries[drawable.geometry];
        if let Some(position) = geometry.position() {
            metrics.vertices += scene.attributes[position].count as u64;
        }
        if let Some(instances) = &drawable.instances {
            metrics.instances = metrics.instances.saturating_add(whole(instances.count));
        }
        if parent_visible && node.visible && node.layers & 1 != 0 {
            drawn.add(scene, node);
            drawn_nodes.push(index);
        }
    }
    metrics.depth = metrics.max_depth;
    metrics.texture_bytes = texture_bytes(scene);
    metrics.drawn_primitives = drawn.primitives as u64;

    let failures = if scene.has_cycle {
        vec![failure(
            Rule::CycleDetected,
            "an object stands in the scene more than once",
        )]
    } else {
        let extent = extent::of(scene);
        metrics.bbox = Some(Extent {
            min: Corner::new(extent.min),
            max: Corner::new(extent.max),
        });
        let mut found = failures(scene, &metrics, &drawn, &extent);
        if found.is_empty() {
            // Last: it takes a while, and says nothing new about a scene that is too large already.
            let effort = Effort::of(scene, &drawn_nodes);
            metrics.drawn_surface = Some(effort.surface);
            if effort.shaders > MAX_SHADERS {
                let detail = format!("shader programs {} > {MAX_SHADERS}", effort.shaders);
                found.push(failure(Rule::ShaderLimitExceeded, detail));
            }
        }
        found
    };
    (metrics, failures)
}

fn failures(scene: &Scene, metrics: &Metrics, drawn: &Drawn, extent: &Box3) -> Vec<Failure> {
    let mut found = Vec::new();
    let mut over = |rule, what: &str, value: u64, limit: u64| {
        if value > limit {
            found.push(failure(rule, format!("{what} {value} > {limit}")));
        }
    };
    if scene.is_cut || !scene.nodes.iter().all(is_walked) {
        over(
            Rule::DepthLimitExceeded,
            "the scene was walked to depth",
            u64::from(MAX_DEPTH) + 1,
            u64::from(MAX_DEPTH),
        );
    }
    over(
        Rule::VertexLimitExceeded,
        "vertices",
        metrics.vertices,
        MAX_VERTICES,
    );
    over(
        Rule::DrawCallLimitExceeded,
        "draw calls",
        metrics.draw_calls,
        MAX_DRAW_CALLS,
    );
    over(
        Rule::DepthLimitExceeded,
        "depth",
        u64::from(metrics.max_depth),
        u64::from(MAX_DEPTH),
    );
    over(
        Rule::InstanceLimitExceeded,
        "instances",
        metrics.instances,
        MAX_INSTANCES,
    );
    over(
        Rule::TextureDataExceeded,
        "texture bytes",
        metrics.texture_bytes,
        MAX_TEXTURE_BYTES,
    );
    over(
        Rule::DrawnPrimitivesExceeded,
        "triangles, lines and points drawn",
        drawn.primitives as u64,
        MAX_DRAWN_PRIMITIVES as u64,
    );
    over(
        Rule::DrawnPrimitivesExceeded,
        "draw commands",
        drawn.commands as u64,
        MAX_DRAWN_COMMANDS as u64,
    );
    let pixels = claimed_pixels(scene);
    if !(pixels <= MAX_CLAIMED_PIXELS) {
        found.push(failure(
            Rule::TextureDataExceeded,
            format!("the textures claim {pixels} pixels > {MAX_CLAIMED_PIXELS}"),
        ));
    }
    let morph_bytes = morph_texture_bytes(scene);
    if morph_bytes > crate::document::MAX_DOCUMENT_BYTES as f64 {
        found.push(failure(
            Rule::SceneDataExceeded,
            format!(
                "morph targets take {morph_bytes} bytes to draw > {}",
                crate::document::MAX_DOCUMENT_BYTES
            ),
        ));
    }
    if scene.is_cut {
        // Below the deepest described level nothing is known, so nothing can be said about the extent.
        return found;
    }
    if scene.is_truncated {
        if found.is_empty() {
            found.push(failure(
                Rule::SceneDataExceeded,
                format!(
                    "the scene holds more than {} bytes of vertex data",
                    crate::document::MAX_DOCUMENT_BYTES
                ),
            ));
        }
        return found;
    }
    if extent.is_empty() {
        found.push(failure(Rule::EmptyScene, "the scene has no vertices"));
    } else if extent.has_nan() {
        found.push(failure(
            Rule::BoundingBoxOutOfRange,
            "the extent of the scene is not a number: a position or a transform holds NaN",
        ));
    } else if extent.min.iter().any(|value| *value < -HALF_EXTENT)
        || extent.max.iter().any(|value| *value > HALF_EXTENT)
    {
        found.push(failure(
            Rule::BoundingBoxOutOfRange,
            format!(
                "the scene extends from ({}, {}, {}) to ({}, {}, {}); each axis must stay within -0.5 and 0.5",
                extent.min[0], extent.min[1], extent.min[2], extent.max[0], extent.max[1], extent.max[2]
            ),
        ));
    }
    found
}

fn failure(rule: Rule, detail: impl Into<String>) -> Failure {
    Failure::new(Stage::PostValidation, rule, detail)
}

/// Whether the reference's walk comes to a node: it goes one level deeper than the limit, to see that it is passed.
fn is_walked(node: &Node) -> bool {
    node.depth <= DEEPEST_WALKED
}

/// A count a module wrote, as a whole number: NaN and negative numbers are 0.
fn whole(value: f64) -> u64 {
    if value > 0.0 { value.floor() as u64 } else { 0 }
}

/// Bytes of the distinct data textures that counted slots of drawn objects' materials hold.
fn texture_bytes(scene: &Scene) -> u64 {
    let mut seen = vec![false; scene.textures.len()];
    let mut bytes = 0.0;
    for node in scene.nodes.iter().filter(|node| is_walked(node)) {
        let Some(drawable) = &node.drawable else {
            continue;
        };
        for material in drawable.materials.iter().flatten() {
            for (slot, texture) in scene.materials[*material].textures() {
                if fields::slot_is_counted(slot) && !std::mem::replace(&mut seen[texture], true) {
                    bytes += scene.textures[texture]
                        .image
                        .as_ref()
                        .map_or(0.0, |image| image.byte_length);
                }
            }
        }
    }
    bytes as u64
}

/// Pixels that the textures say they have: graphics memory is taken for them, whatever data there is.
fn claimed_pixels(scene: &Scene) -> f64 {
    let images = scene
        .textures
        .iter()
        .filter_map(|texture| texture.image.as_ref());
    images
        .map(|image| image.width.max(0.0) * image.height.max(0.0))
        .sum()
}

/// Bytes of the textures that Three.js makes of morph targets: four numbers for each vertex, target and attribute.
fn morph_texture_bytes(scene: &Scene) -> f64 {
    const BYTES_A_VERTEX: f64 = 16.0;
    let of = |geometry: &Geometry| {
        let vertices = geometry
            .position()
            .map_or(0, |position| scene.attributes[position].count);
        let targets: usize = geometry.morphs.iter().map(Vec::len).sum();
        vertices as f64 * targets as f64 * BYTES_A_VERTEX
    };
    scene.geometries.iter().map(of).sum()
}
