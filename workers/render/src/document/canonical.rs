//! The canonical form of a scene: what the drawing page reads and what the document hash is taken over.
//!
//! Only what is drawn is in it, flattened: drawables with their world matrices, in order of creation, because Three.js
//! breaks drawing-order ties by creation number. Two runs of one module must give the same bytes.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::{Drawable, MAGIC, Scene, Texture, Value};
use crate::measure::world_matrices;

const NONE: u32 = u32::MAX;

/// The canonical bytes of `scene`.
pub fn encode(scene: &Scene) -> Vec<u8> {
    let mut out = Writer::default();
    out.u32(MAGIC);
    let drawn = drawn_nodes(scene);
    let tables = Tables::of(scene, &drawn);

    out.u32(tables.textures.len() as u32);
    for texture in &tables.textures {
        write_texture(&mut out, &scene.textures[*texture]);
    }
    out.u32(tables.attributes.len() as u32);
    for attribute in &tables.attributes {
        let attribute = &scene.attributes[*attribute];
        out.u8(attribute.number as u8);
        out.flag(attribute.normalized);
        out.u32(attribute.item_size as u32);
        out.block(attribute.data.as_deref().unwrap_or_default());
    }
    out.u32(tables.geometries.len() as u32);
    for geometry in &tables.geometries {
        let geometry = &scene.geometries[*geometry];
        for attribute in geometry.attributes.iter().chain([&geometry.index]) {
            out.optional(attribute.map(|index| tables.attribute(index)));
        }
        out.f64(geometry.range_start);
        out.f64(geometry.range_count);
        out.u32(geometry.groups.len() as u32);
        for group in &geometry.groups {
            out.f64(group.start);
            out.f64(group.count);
            out.f64(group.material);
        }
        out.flag(geometry.morphs_relative);
        for list in &geometry.morphs {
            out.u32(list.len() as u32);
            for morph in list {
                out.u32(tables.attribute(*morph));
            }
        }
    }
    out.u32(tables.materials.len() as u32);
    for material in &tables.materials {
        let material = &scene.materials[*material];
        out.u8(material.kind as u8);
        for value in &material.values {
            write_value(&mut out, value, |texture| tables.texture(texture));
        }
    }
    out.u32(drawn.len() as u32);
    for node in &drawn {
        out.u8(scene.nodes[node.index].kind as u8);
        out.f64(node.group_order);
        out.f64(scene.nodes[node.index].render_order);
        for element in node.world {
            out.f64(element);
        }
        out.u32(tables.geometry(node.drawable.geometry));
        out.flag(node.drawable.has_material_array);
        out.u32(node.drawable.materials.len() as u32);
        for material in &node.drawable.materials {
            out.optional(material.map(|index| tables.material(index)));
        }
        out.u32(node.drawable.morph_influences.len() as u32);
        for influence in &node.drawable.morph_influences {
            out.f64(*influence);
        }
        if let Some(instances) = &node.drawable.instances {
            // Those beyond the matrices would be drawn wherever the graphics card looks for them, and were not measured.
            let held = instances
                .matrices
                .map_or(0, |index| scene.attributes[index].count);
            let count = instances.count.floor().min(held as f64);
            out.f64(if count > 0.0 { count } else { 0.0 });
            out.optional(instances.matrices.map(|index| tables.attribute(index)));
            out.optional(instances.colors.map(|index| tables.attribute(index)));
        }
    }
    out.bytes
}

/// SHA-256 of the canonical bytes, in hexadecimal.
pub fn sha256(canonical: &[u8]) -> String {
    hex::encode(Sha256::digest(canonical))
}

struct DrawnNode<'a> {
    index: usize,
    drawable: &'a Drawable,
    world: [f64; 16],
    group_order: f64,
}

/// The nodes that are drawn, in order of creation.
fn drawn_nodes(scene: &Scene) -> Vec<DrawnNode<'_>> {
    let world = world_matrices(scene);
    let mut visible = Vec::with_capacity(scene.nodes.len());
    let mut group_orders = Vec::with_capacity(scene.nodes.len());
    let mut drawn = Vec::new();
    for (index, node) in scene.nodes.iter().enumerate() {
        let is_visible = node.visible && node.parent.is_none_or(|parent| visible[parent]);
        let on_layer = node.layers & 1 != 0;
        let inherited = node.parent.map_or(0.0, |parent| group_orders[parent]);
        visible.push(is_visible);
        group_orders.push(if node.kind == super::NodeKind::Group && on_layer {
            node.render_order
        } else {
            inherited
        });
        if let Some(drawable) = &node.drawable
            && is_visible
            && on_layer
        {
            drawn.push(DrawnNode {
                index,
                drawable,
                world: world[index],
                group_order: inherited,
            });
        }
    }
    drawn.sort_by(|a, b| scene.nodes[a.index].id.total_cmp(&scene.nodes[b.index].id));
    drawn
}

/// Which parts of the scene are drawn, and their numbers in the canonical form.
#[derive(Default)]
struct Tables {
    textures: Vec<usize>,
    attributes: Vec<usize>,
    geometries: Vec<usize>,
    materials: Vec<usize>,
    numbers: [HashMap<usize, u32>; 4],
}

impl Tables {
    fn of(scene: &Scene, drawn: &[DrawnNode<'_>]) -> Self {
        let mut tables = Self::default();
        for node in drawn {
            let drawable = node.drawable;
            note(&mut tables.geometries, drawable.geometry);
            for material in drawable.materials.iter().flatten() {
                note(&mut tables.materials, *material);
            }
            if let Some(instances) = &drawable.instances {
                for attribute in [instances.matrices, instances.colors].into_iter().flatten() {
                    note(&mut tables.attributes, attribute);
                }
            }
        }
        dedupe(&mut tables.geometries);
        dedupe(&mut tables.materials);
        // Materials by creation: Three.js sorts opaque objects by material number before it looks at depth.
        tables
            .materials
            .sort_by(|a, b| scene.materials[*a].id.total_cmp(&scene.materials[*b].id));
        for geometry in &tables.geometries {
            let geometry = &scene.geometries[*geometry];
            let attributes = geometry
                .attributes
                .iter()
                .chain([&geometry.index])
                .flatten();
            for attribute in attributes.chain(geometry.morphs.iter().flatten()) {
                note(&mut tables.attributes, *attribute);
            }
        }
        dedupe(&mut tables.attributes);
        for material in &tables.materials {
            for (_, texture) in scene.materials[*material].textures() {
                note(&mut tables.textures, texture);
            }
        }
        dedupe(&mut tables.textures);
        let number = |list: &[usize]| {
            list.iter()
                .enumerate()
                .map(|(number, index)| (*index, number as u32))
                .collect()
        };
        tables.numbers = [
            number(&tables.textures),
            number(&tables.attributes),
            number(&tables.geometries),
            number(&tables.materials),
        ];
        tables
    }

    fn texture(&self, index: usize) -> u32 {
        self.numbers[0].get(&index).copied().unwrap_or(NONE)
    }
    fn attribute(&self, index: usize) -> u32 {
        self.numbers[1].get(&index).copied().unwrap_or(NONE)
    }
    fn geometry(&self, index: usize) -> u32 {
        self.numbers[2].get(&index).copied().unwrap_or(NONE)
    }
    fn material(&self, index: usize) -> u32 {
        self.numbers[3].get(&index).copied().unwrap_or(NONE)
    }
}

fn note(list: &mut Vec<usize>, index: usize) {
    list.push(index);
}

fn dedupe(list: &mut Vec<usize>) {
    list.sort_unstable();
    list.dedup();
}

fn write_texture(out: &mut Writer, texture: &Texture) {
    let image = texture.image.as_ref().and_then(|image| {
        image
            .number
            .zip(image.data.as_ref())
            .map(|(number, data)| (image, number, data))
    });
    out.flag(image.is_some());
    if let Some((image, number, data)) = image {
        out.u8(number as u8);
        out.f64(image.width);
        out.f64(image.height);
        out.block(data);
    }
    for value in &texture.values {
        write_value(out, value, |_| NONE);
    }
    out.u8(texture.color_space);
    out.flag(texture.is_uploaded);
    out.flag(texture.matrix.is_some());
    for element in texture.matrix.iter().flatten() {
        out.f64(*element);
    }
}

fn write_value(out: &mut Writer, value: &Value, number: impl Fn(usize) -> u32) {
    match value {
        Value::Flag(flag) => out.flag(*flag),
        Value::Numbers(numbers, used) => {
            for number in numbers.iter().take(usize::from(*used)) {
                out.f64(*number);
            }
        }
        Value::Texture(texture) => out.optional(texture.map(number)),
    }
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }
    fn flag(&mut self, value: bool) {
        self.u8(u8::from(value));
    }
    fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }
    fn f64(&mut self, value: f64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }
    fn optional(&mut self, value: Option<u32>) {
        self.u32(value.unwrap_or(NONE));
    }
    /// Length, padding to four bytes (so that the page can look at the numbers in place), bytes.
    fn block(&mut self, data: &[u8]) {
        self.u32(data.len() as u32);
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
        self.bytes.extend_from_slice(data);
    }
}
