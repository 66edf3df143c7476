//! Where a scene is: `Box3.setFromObject`, from the vertices alone.

use super::whole;
use crate::document::{Geometry, Scene};
use crate::matrix::{Box3, multiply};

/// World matrices of all nodes, in their order.
pub fn world_matrices(scene: &Scene) -> Vec<[f64; 16]> {
    let mut world: Vec<[f64; 16]> = Vec::with_capacity(scene.nodes.len());
    for node in &scene.nodes {
        let own = match (node.fixed_world, node.parent) {
            (Some(fixed), _) => fixed,
            (None, Some(parent)) => multiply(&world[parent], &node.local),
            (None, None) => node.local,
        };
        world.push(own);
    }
    world
}

/// `Box3.setFromObject(root)`, computed from the vertices.
pub fn of(scene: &Scene) -> Box3 {
    let world = world_matrices(scene);
    let mut boxes: Vec<Option<Box3>> = vec![None; scene.geometries.len()];
    let mut extent = Box3::EMPTY;
    for (node, world) in scene.nodes.iter().zip(&world) {
        let Some(drawable) = &node.drawable else {
            continue;
        };
        let geometry = &scene.geometries[drawable.geometry];
        let own = *boxes[drawable.geometry].get_or_insert_with(|| geometry_box(scene, geometry));
        let own = match &drawable.instances {
            None => own,
            Some(instances) => {
                let mut all = Box3::EMPTY;
                if let Some(matrices) = instances.matrices {
                    let matrices = &scene.attributes[matrices];
                    let count = (whole(instances.count) as usize).min(matrices.count);
                    for instance in 0..count {
                        let matrix: [f64; 16] =
                            std::array::from_fn(|element| matrices.get(instance, element));
                        all.union(&own.transformed(&matrix));
                    }
                }
                all
            }
        };
        extent.union(&own.transformed(world));
    }
    extent
}

fn geometry_box(scene: &Scene, geometry: &Geometry) -> Box3 {
    let Some(position) = geometry.position() else {
        return Box3::EMPTY;
    };
    let mut whole = attribute_box(scene, position);
    for morph in &geometry.morphs[0] {
        let morph = attribute_box(scene, *morph);
        if geometry.morphs_relative {
            let sum = |a: [f64; 3], b: [f64; 3]| [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
            whole.expand(sum(whole.min, morph.min));
            whole.expand(sum(whole.max, morph.max));
        } else {
            whole.expand(morph.min);
            whole.expand(morph.max);
        }
    }
    whole
}

fn attribute_box(scene: &Scene, attribute: usize) -> Box3 {
    let attribute = &scene.attributes[attribute];
    let mut whole = Box3::EMPTY;
    for item in 0..attribute.count {
        whole.expand([
            attribute.get(item, 0),
            attribute.get(item, 1),
            attribute.get(item, 2),
        ]);
    }
    whole
}
