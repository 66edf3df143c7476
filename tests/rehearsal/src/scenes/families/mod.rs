//! The families: each builds one kind of object with its own measures, counts and colours.

mod buildings;
mod figures;
mod furniture;
mod nature;
mod vehicles;
mod vessels;

use super::build::Build;
use super::{Family, Part, Random};

pub(super) fn build(family: Family, random: &mut Random) -> Vec<Part> {
    let mut build = Build::default();
    let make = match family {
        Family::Chair => furniture::chair,
        Family::Lamp => furniture::lamp,
        Family::Table => furniture::table,
        Family::House => buildings::house,
        Family::Windmill => buildings::windmill,
        Family::Tree => nature::tree,
        Family::Cactus => nature::cactus,
        Family::Mushroom => nature::mushroom,
        Family::Snowman => figures::snowman,
        Family::Car => vehicles::car,
        Family::Boat => vehicles::boat,
        Family::Rocket => vehicles::rocket,
        Family::Bottle => vessels::bottle,
        Family::Mug => vessels::mug,
        Family::Robot => figures::robot,
        Family::Bird => figures::bird,
    };
    make(&mut build, random);
    build.parts
}

/// The four corners of a rectangle around the origin.
fn corners(half_width: f64, half_depth: f64) -> [[f64; 2]; 4] {
    [
        [-half_width, -half_depth],
        [half_width, -half_depth],
        [-half_width, half_depth],
        [half_width, half_depth],
    ]
}
