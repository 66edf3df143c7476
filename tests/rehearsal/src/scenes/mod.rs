//! Hidden reference scenes: what each prompt image shows, as data, and modules that come more or less close to it.
//!
//! A scene follows from the world's seed and the prompt's stem alone, for any stem, so real prompts have one too. A
//! miner's module is an imitation of it: with skill 1 it is the scene, and the lower the skill, the more parts are
//! displaced, distorted, miscoloured, exchanged or missing. So likeness to the prompt image is a measurable quantity,
//! and the better miner is the one with the more faithful pictures.

mod bounds;
mod build;
mod families;
mod imitate;
mod palette;
mod random;
mod source;

pub use imitate::imitate;
pub use palette::Color;
pub use random::Random;
pub use source::{PAINTED_TEXT_COLORS, module_text, module_text_with_painted_text};

/// One reference object made of coloured parts. Y is up, +Z is the front, all of it within the unit box.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// What kind of object this is.
    pub family: Family,
    /// The parts, each a mesh of its own.
    pub parts: Vec<Part>,
}

/// One mesh of a [`Scene`].
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// What it is of the object, for the comment in the module.
    pub name: &'static str,
    /// Its geometry, of unit size.
    pub shape: Shape,
    /// Where its centre is.
    pub position: [f64; 3],
    /// Euler angles in radians, order XYZ.
    pub rotation: [f64; 3],
    /// Its size on each axis.
    pub scale: [f64; 3],
    /// Its colour.
    pub color: Color,
    /// 0 is a mirror, 1 is chalk.
    pub roughness: f64,
    /// 0 is paint, 1 is bare metal.
    pub metalness: f64,
}

/// A geometry that fits the cube of side 1 around the origin.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A cube.
    Box,
    /// A ball.
    Sphere,
    /// A ball of flat faces.
    Rock,
    /// An upright cylinder of diameter 1; `top` is the upper diameter (0 is a cone), `sides` its smoothness.
    Cylinder {
        /// Upper diameter, at most 1.
        top: f64,
        /// Sides of its cross-section.
        sides: u32,
    },
    /// A ring in the XY plane.
    Torus {
        /// Radius of the tube, below 0.25.
        tube: f64,
    },
    /// A profile turned around the Y axis: pairs of radius (at most 0.5) and height (-0.5 to 0.5).
    Lathe {
        /// The profile from bottom to top.
        profile: Vec<[f64; 2]>,
    },
    /// An outline in the XY plane with a depth of 1 along Z.
    Extrude {
        /// The corners, within -0.5 to 0.5, counter-clockwise.
        outline: Vec<[f64; 2]>,
    },
}

/// The kinds of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Family {
    Chair,
    Lamp,
    Table,
    House,
    Windmill,
    Tree,
    Cactus,
    Mushroom,
    Snowman,
    Car,
    Boat,
    Rocket,
    Bottle,
    Mug,
    Robot,
    Bird,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Chair,
        Self::Lamp,
        Self::Table,
        Self::House,
        Self::Windmill,
        Self::Tree,
        Self::Cactus,
        Self::Mushroom,
        Self::Snowman,
        Self::Car,
        Self::Boat,
        Self::Rocket,
        Self::Bottle,
        Self::Mug,
        Self::Robot,
        Self::Bird,
    ];
}

impl Scene {
    /// The reference scene of a prompt. The same seed and stem always give the same scene.
    pub fn of(world_seed: u64, stem: &str) -> Self {
        let mut random = Random::of("scene", &[&world_seed.to_be_bytes(), stem.as_bytes()]);
        let family = *random.pick(&Family::ALL);
        let mut parts = families::build(family, &mut random);
        bounds::fit(&mut parts);
        Self { family, parts }
    }
}

/// A valid ES module that draws `scene` as well as a miner of `skill` (0 to 1) can.
///
/// The same arguments always give the same text; another `noise_seed` makes other mistakes of the same size. At skill
/// 1 there are none.
pub fn module_source(scene: &Scene, skill: f64, noise_seed: u64) -> String {
    module_text(&imitate(scene, skill, noise_seed))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn stems() -> impl Iterator<Item = String> {
        (0..120).map(|index| format!("stem{index:04x}"))
    }

    #[test]
    fn a_scene_follows_from_seed_and_stem_alone() {
        for stem in stems() {
            assert_eq!(Scene::of(7, &stem), Scene::of(7, &stem));
            assert_ne!(Scene::of(7, &stem), Scene::of(8, &stem));
            let scene = Scene::of(7, &stem);
            assert_eq!(module_source(&scene, 0.6, 3), module_source(&scene, 0.6, 3));
            assert_ne!(module_source(&scene, 0.6, 3), module_source(&scene, 0.6, 4));
            assert_eq!(
                module_source(&scene, 1.0, 3),
                module_source(&scene, 1.0, 4),
                "perfect skill makes no mistakes"
            );
        }
    }

    #[test]
    fn every_family_occurs_and_no_two_scenes_are_alike() {
        let scenes: Vec<Scene> = stems().map(|stem| Scene::of(7, &stem)).collect();
        let families: HashSet<Family> = scenes.iter().map(|scene| scene.family).collect();
        assert_eq!(families.len(), Family::ALL.len());
        let texts: HashSet<String> = scenes.iter().map(module_text).collect();
        assert_eq!(texts.len(), scenes.len());
    }

    #[test]
    fn every_module_stays_within_the_unit_box_and_a_few_kilobytes() {
        for stem in stems() {
            for skill in [0.0, 0.3, 0.7, 1.0] {
                let scene = imitate(&Scene::of(7, &stem), skill, 11);
                assert!(
                    (1..=120).contains(&scene.parts.len()),
                    "{stem} has {} parts",
                    scene.parts.len()
                );
                let (low, high) = bounds::of(&scene.parts);
                assert!(
                    low.iter().all(|value| *value >= -0.5)
                        && high.iter().all(|value| *value <= 0.5),
                    "{stem}"
                );
                assert!(module_text(&scene).len() < 16_384, "{stem}");
            }
        }
    }
}
