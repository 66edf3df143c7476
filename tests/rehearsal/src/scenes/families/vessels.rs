//! Bottles and mugs.

use std::f64::consts::PI;

use super::super::build::Build;
use super::super::{Color, Random, Shape};

pub(super) fn bottle(build: &mut Build, random: &mut Random) {
    let glass = Color::vivid(random);
    let (width, height) = (random.between(0.5, 0.9), random.between(1.5, 2.3));
    let shoulder = random.between(0.0, 0.25);
    let neck = random.between(0.12, 0.22);
    let belly = random.between(0.42, 0.5);
    let profile = vec![
        [0.0, -0.5],
        [0.44, -0.5],
        [0.5, -0.44],
        [belly, -0.1],
        [0.48, shoulder - 0.06],
        [neck + 0.06, shoulder + 0.12],
        [neck, shoulder + 0.2],
        [neck, 0.5],
    ];
    build
        .lathe(
            "glass",
            profile,
            [width, height, width],
            [0.0, height / 2.0, 0.0],
            glass,
        )
        .glossy();
    let label = Color::vivid(random);
    let (label_height, label_y) = (
        height * random.between(0.18, 0.3),
        height * random.between(0.22, 0.34),
    );
    build.rod(
        "label",
        width * 1.02,
        label_height,
        [0.0, label_y, 0.0],
        label,
    );
    build.rod(
        "label band",
        width * 1.03,
        0.06,
        [0.0, label_y + label_height / 2.0, 0.0],
        Color::dark(random),
    );
    let cap = Color::vivid(random);
    let cap_height = random.between(0.12, 0.3);
    build.rod(
        "cap",
        width * neck * 2.3,
        cap_height,
        [0.0, height + cap_height / 2.0, 0.0],
        cap,
    );
    let mark = Color::vivid(random);
    if random.chance(0.5) {
        build.ball(
            "emblem",
            [0.22, 0.22, 0.08],
            [0.0, label_y, width * 0.51],
            mark,
        );
    } else {
        build.block(
            "emblem",
            [0.24, 0.14, 0.05],
            [0.0, label_y, width * 0.51],
            mark,
        );
    }
    if random.chance(0.4) {
        let at = [width * 0.55, height * 0.6, 0.0];
        build.add(
            "handle",
            Shape::Torus { tube: 0.09 },
            [0.4, 0.6, 0.4],
            at,
            glass.lit(0.8),
        );
    }
}

pub(super) fn mug(build: &mut Build, random: &mut Random) {
    let clay = Color::vivid(random);
    let (width, height) = (random.between(0.8, 1.1), random.between(0.8, 1.4));
    let foot = random.between(0.3, 0.48);
    let profile = vec![
        [0.0, -0.5],
        [foot, -0.5],
        [0.47, -0.3],
        [0.46, 0.1],
        [0.5, 0.5],
        [0.44, 0.5],
        [0.42, 0.3],
    ];
    build
        .lathe(
            "cup",
            profile,
            [width, height, width],
            [0.0, height / 2.0, 0.0],
            clay,
        )
        .glossy();
    let drink = Color::hex(*random.pick(&[0x3a2416, 0x8a4a20, 0xb8862a, 0x6fa03a])).varied(random);
    build
        .rod(
            "drink",
            width * 0.86,
            0.03,
            [0.0, height * 0.86, 0.0],
            drink,
        )
        .glossy();
    let side = if random.chance(0.5) { 1.0 } else { -1.0 };
    let grip = random.between(0.45, 0.75) * height;
    let at = [side * (width / 2.0 + grip * 0.22), height * 0.52, 0.0];
    build.add(
        "handle",
        Shape::Torus { tube: 0.1 },
        [grip * 0.8, grip, 0.7],
        at,
        clay.lit(0.85),
    );
    let bands = random.count(1, 3);
    let band = Color::vivid(random);
    for index in 0..bands {
        let y = height * (0.3 + 0.16 * f64::from(index));
        build.rod("band", width * 0.98, 0.07, [0.0, y, 0.0], band);
    }
    if random.chance(0.7) {
        let plate = Color::vivid(random);
        build.cone("saucer", [width * 1.1, 0.1, 1.0], [0.0, -0.05, 0.0], plate);
        build.rod("saucer rim", width * 1.75, 0.06, [0.0, 0.0, 0.0], plate);
    }
    if random.chance(0.5) {
        let spoon = Color::hex(0xaab0b8).varied(random);
        let at = [-side * 0.15, height * 0.95, 0.1];
        build
            .rod("spoon", 0.05, height * 0.8, at, spoon)
            .metal()
            .turned([0.2, 0.0, side * 0.35]);
    }
    if random.chance(0.3) {
        let biscuit = Color::hex(0xc08a4a).varied(random);
        let at = [side * width * 0.3, 0.1, width * 0.62];
        build
            .rod("biscuit", 0.34, 0.08, at, biscuit)
            .turned([PI / 10.0, 0.0, 0.0]);
    }
}
