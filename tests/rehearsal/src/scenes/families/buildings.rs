//! Houses and windmills.

use std::f64::consts::PI;

use super::super::build::Build;
use super::super::{Color, Random, Shape};

pub(super) fn house(build: &mut Build, random: &mut Random) {
    let wall = Color::vivid(random).towards(Color::hex(0xd8c8a8), 0.45);
    let roof = Color::vivid(random).lit(0.85);
    let (width, depth, height) = (
        random.between(1.3, 2.0),
        random.between(1.1, 1.6),
        random.between(0.8, 1.4),
    );
    let roof_height = random.between(0.5, 1.0);
    let front = depth / 2.0;

    build.block(
        "walls",
        [width, height, depth],
        [0.0, height / 2.0, 0.0],
        wall,
    );
    let ridge = height + roof_height / 2.0;
    match random.count(0, 2) {
        0 => {
            build.gable(
                "roof",
                [width * 1.15, roof_height, depth * 1.15],
                [0.0, ridge, 0.0],
                roof,
            );
        }
        1 => {
            let turned = build.gable(
                "roof",
                [depth * 1.15, roof_height, width * 1.15],
                [0.0, ridge, 0.0],
                roof,
            );
            turned.turned([0.0, PI / 2.0, 0.0]);
        }
        _ => {
            let shape = Shape::Cylinder { top: 0.0, sides: 4 };
            let size = [width * 1.6, roof_height * 1.2, depth * 1.6];
            build
                .add(
                    "roof",
                    shape,
                    size,
                    [0.0, height + roof_height * 0.6, 0.0],
                    roof,
                )
                .turned([0.0, PI / 4.0, 0.0]);
        }
    }
    let door = Color::vivid(random);
    let door_x = random.between(-0.25, 0.25) * width;
    build.block("door", [0.3, 0.6, 0.06], [door_x, 0.3, front + 0.02], door);
    build.block(
        "step",
        [0.45, 0.08, 0.25],
        [door_x, 0.04, front + 0.12],
        Color::natural(random),
    );
    let glass = Color::hex(0x9fd3e8).varied(random);
    let frame = Color::dark(random);
    for side in [-0.33, 0.33] {
        let x = side * width;
        if (x - door_x).abs() > 0.35 {
            build.block(
                "window frame",
                [0.36, 0.36, 0.04],
                [x, height * 0.62, front + 0.01],
                frame,
            );
            build.block(
                "window",
                [0.28, 0.28, 0.06],
                [x, height * 0.62, front + 0.02],
                glass,
            );
        }
    }
    let sides = random.count(1, 2);
    for index in 0..sides {
        let z = (f64::from(index) - f64::from(sides - 1) / 2.0) * depth * 0.45;
        for side in [-0.5, 0.5] {
            build.block(
                "side window",
                [0.06, 0.32, 0.26],
                [side * (width + 0.03), height * 0.6, z],
                glass,
            );
        }
    }
    if random.chance(0.7) {
        let x = width * 0.28;
        build.block(
            "chimney",
            [0.2, 0.7, 0.2],
            [x, height + roof_height * 0.7, -depth * 0.15],
            Color::natural(random),
        );
    }
    if random.chance(0.5) {
        let lawn = Color::hex(0x5a8f3a).varied(random);
        build.block(
            "lawn",
            [width * 1.5, 0.06, depth * 1.5],
            [0.0, -0.03, 0.0],
            lawn,
        );
    }
}

pub(super) fn windmill(build: &mut Build, random: &mut Random) {
    let wall = Color::natural(random).towards(Color::hex(0xd9cbb0), 0.4);
    let accent = Color::vivid(random);
    let (width, height) = (random.between(0.8, 1.2), random.between(1.5, 2.2));
    let sides = *random.pick(&[6, 8, 28]);
    let top = random.between(0.5, 0.75);

    let shape = Shape::Cylinder { top, sides };
    build.add(
        "tower",
        shape,
        [width, height, width],
        [0.0, height / 2.0, 0.0],
        wall,
    );
    build.cone(
        "cap",
        [width * top * 1.2, 0.5, 0.0],
        [0.0, height + 0.25, 0.0],
        accent,
    );
    build.block(
        "door",
        [0.26, 0.5, 0.1],
        [0.0, 0.25, width / 2.0 - 0.03],
        accent.lit(0.7),
    );
    let windows = random.count(1, 3);
    for index in 0..windows {
        let y = height * (0.4 + 0.18 * f64::from(index));
        let z = width / 2.0 * (1.0 - (1.0 - top) * y / height);
        build.block(
            "window",
            [0.16, 0.18, 0.08],
            [0.0, y, z],
            Color::hex(0x2f4f6f),
        );
    }
    let (hub_height, hub_depth) = (height * random.between(0.85, 0.98), width * top / 2.0 + 0.2);
    let dark = Color::dark(random);
    build
        .rod("axle", 0.1, 0.4, [0.0, hub_height, hub_depth - 0.1], dark)
        .turned([PI / 2.0, 0.0, 0.0]);
    let blades = random.count(3, 5);
    let sail = Color::vivid(random);
    let length = random.between(0.8, 1.1);
    let start = random.between(0.0, 1.0);
    for index in 0..blades {
        let angle = start + f64::from(index) / f64::from(blades) * 2.0 * PI;
        let along = |distance: f64| {
            [
                -angle.sin() * distance,
                hub_height + angle.cos() * distance,
                hub_depth + 0.1,
            ]
        };
        build
            .block("beam", [0.05, length, 0.05], along(length / 2.0), dark)
            .turned([0.0, 0.0, angle]);
        let wide = build.block(
            "sail",
            [0.24, length * 0.7, 0.02],
            along(length * 0.6),
            sail,
        );
        wide.turned([0.0, 0.0, angle]);
    }
    if random.chance(0.5) {
        build.rod(
            "mound",
            width * 1.7,
            0.12,
            [0.0, -0.06, 0.0],
            Color::hex(0x5f8a3c).varied(random),
        );
    }
}
