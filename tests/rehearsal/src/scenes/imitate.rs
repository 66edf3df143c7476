//! What a miner of some skill makes of a scene: the same parts with mistakes in proportion to what it lacks.
//!
//! Every mistake has a direction that follows from the noise seed and a size that follows from the skill, so one
//! miner's imitations get better steadily as its skill grows.

use super::{Color, Part, Random, Scene, Shape, bounds};

/// The share of parts missing at skill 0.
const MISSING: f64 = 0.6;
/// How far a part is displaced on each axis at skill 0, at most, in units of the unit box.
const DISPLACED: f64 = 0.144;
/// The natural logarithm of how wrong a part's size is at skill 0.
const DISTORTED: f64 = 0.9;
/// The same for the whole object's proportions.
const STRETCHED: f64 = 0.55;
/// How far colours go towards a wrong one at skill 0.
const MISCOLORED: f64 = 0.9;
/// The share of parts with the wrong shape at skill 0.
const EXCHANGED: f64 = 0.5;
/// How far parts are turned at skill 0, in radians.
const TURNED: f64 = 0.7;

/// `scene` as a miner of `skill` (0 to 1) sees it, within the unit box.
pub fn imitate(scene: &Scene, skill: f64, noise_seed: u64) -> Scene {
    let lack = 1.0 - skill.clamp(0.0, 1.0);
    if lack == 0.0 {
        return scene.clone();
    }
    let seed = noise_seed.to_be_bytes();
    let mut whole = Random::of("imitate whole", &[&seed]);
    let stretch = [whole.signed(), whole.signed(), whole.signed()]
        .map(|amount| (STRETCHED * lack * amount).exp());
    let tint = Color::vivid(&mut whole);
    let largest = index_of_largest(&scene.parts);

    let mut parts = Vec::with_capacity(scene.parts.len());
    for (index, part) in scene.parts.iter().enumerate() {
        let mut random = Random::of("imitate part", &[&seed, &(index as u64).to_be_bytes()]);
        let missing = random.unit() < MISSING * lack;
        if missing && Some(index) != largest {
            continue;
        }
        let mut wrong = part.clone();
        for (axis, stretch) in stretch.iter().enumerate() {
            wrong.position[axis] += DISPLACED * lack * random.signed();
            wrong.position[axis] *= stretch;
            wrong.scale[axis] *= (DISTORTED * lack * random.signed()).exp() * stretch;
            wrong.rotation[axis] += TURNED * lack * random.signed();
        }
        let other = Color::vivid(&mut random);
        let share = MISCOLORED * lack * random.between(0.6, 1.0);
        wrong.color = part.color.towards(other, share).towards(tint, 0.3 * lack);
        if random.unit() < EXCHANGED * lack {
            wrong.shape = another_shape(&part.shape);
        }
        parts.push(wrong);
    }
    for index in 0..3_u64 {
        let mut random = Random::of("imitate debris", &[&seed, &index.to_be_bytes()]);
        if random.unit() < lack - 0.35 {
            parts.push(debris(&mut random));
        }
    }
    bounds::fit(&mut parts);
    Scene {
        family: scene.family,
        parts,
    }
}

fn index_of_largest(parts: &[Part]) -> Option<usize> {
    let volume = |part: &Part| part.scale.iter().product::<f64>().abs();
    let by_volume = |a: &(usize, &Part), b: &(usize, &Part)| volume(a.1).total_cmp(&volume(b.1));
    parts
        .iter()
        .enumerate()
        .max_by(by_volume)
        .map(|(index, _)| index)
}

fn another_shape(shape: &Shape) -> Shape {
    match shape {
        Shape::Box | Shape::Extrude { .. } => Shape::Cylinder { top: 0.8, sides: 8 },
        Shape::Sphere | Shape::Rock => Shape::Cylinder { top: 1.0, sides: 6 },
        Shape::Cylinder { .. } | Shape::Lathe { .. } => Shape::Box,
        Shape::Torus { .. } => Shape::Sphere,
    }
}

/// A piece that has no business being there.
fn debris(random: &mut Random) -> Part {
    let size = random.between(0.08, 0.2);
    Part {
        name: "debris",
        shape: if random.chance(0.5) {
            Shape::Box
        } else {
            Shape::Rock
        },
        position: [
            random.between(-0.45, 0.45),
            random.between(-0.45, 0.45),
            random.between(-0.45, 0.45),
        ],
        rotation: [random.between(0.0, 3.0), random.between(0.0, 3.0), 0.0],
        scale: [size, size * random.between(0.5, 1.5), size],
        color: Color::vivid(random),
        roughness: 0.9,
        metalness: 0.0,
    }
}
