//! Which shader program a part is drawn with. Compiling one costs more than drawing with it, and no other limit sees how
//! many different ones a scene asks for.

use super::drawn::DrawnPart;
use crate::document::{MaterialKind, Scene, Value};

/// Flags that change the program.
const FLAGS: [&str; 10] = [
    "vertexColors",
    "alphaHash",
    "dithering",
    "alphaToCoverage",
    "premultipliedAlpha",
    "toneMapped",
    "flatShading",
    "sizeAttenuation",
    "transparent",
    "wireframe",
];

/// Numbers whose value changes the program.
const CHOICES: [&str; 4] = ["side", "combine", "normalMapType", "blending"];

/// Numbers that change the program when they are more than zero.
const SWITCHES: [&str; 7] = [
    "alphaTest",
    "anisotropy",
    "clearcoat",
    "dispersion",
    "iridescence",
    "sheen",
    "transmission",
];

/// All that the program of a part depends on: equal ones share it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Program {
    kind: MaterialKind,
    settings: Vec<u64>,
}

/// The program of a part.
pub fn program(scene: &Scene, part: &DrawnPart<'_>) -> Program {
    let mut settings = Vec::new();
    let kind = part.material.kind;
    for (field, value) in kind.fields().zip(&part.material.values) {
        match value {
            Value::Flag(flag) if FLAGS.contains(&field.name) => settings.push(u64::from(*flag)),
            Value::Numbers([number, ..], _) if CHOICES.contains(&field.name) => {
                settings.push(number.to_bits())
            }
            Value::Numbers([number, ..], _) if SWITCHES.contains(&field.name) => {
                settings.push(u64::from(*number > 0.0));
            }
            Value::Texture(texture) => {
                settings.push(texture.map_or(0, |texture| use_of(scene, texture)))
            }
            _ => {}
        }
    }
    let geometry = part.geometry;
    let attributes = geometry.attributes.iter();
    settings.extend(attributes.map(|attribute| {
        attribute.map_or(0, |attribute| scene.attributes[attribute].item_size as u64)
    }));
    settings.extend(geometry.morphs.iter().map(|morphs| morphs.len() as u64));
    let instances = part
        .instances
        .map(|instances| 1 + u64::from(instances.colors.is_some()));
    settings.push(instances.unwrap_or_default());
    Program { kind, settings }
}

/// What of a texture the program knows: its colour space, channel and mapping.
fn use_of(scene: &Scene, texture: usize) -> u64 {
    let texture = &scene.textures[texture];
    let number = |name: &str| {
        let fields = crate::document::fields::TEXTURE.iter();
        let mut values = fields.zip(&texture.values);
        match values.find(|(field, _)| field.name == name) {
            Some((_, Value::Numbers([number, ..], _))) => *number as u64 & 0xffff,
            _ => 0,
        }
    };
    1 + u64::from(texture.color_space) + (number("channel") << 8) + (number("mapping") << 24)
}
