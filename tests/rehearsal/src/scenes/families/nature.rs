//! Trees, cacti and mushrooms.

use std::f64::consts::PI;

use super::super::build::Build;
use super::super::{Color, Random, Shape};

pub(super) fn tree(build: &mut Build, random: &mut Random) {
    let bark = Color::natural(random);
    let leaf = *random.pick(&[0x3f7d2f, 0x6a9a2c, 0xc46a1e, 0xb8352a, 0x2f6b5a, 0xd08fb0]);
    let leaf = Color::hex(leaf).varied(random);
    let (trunk, height) = (random.between(0.18, 0.34), random.between(0.6, 1.3));
    build.cone(
        "trunk",
        [trunk, height, 0.7],
        [0.0, height / 2.0, 0.0],
        bark,
    );
    let mut crown_top = height;
    match random.count(0, 2) {
        0 => {
            let layers = random.count(2, 5);
            let mut width = random.between(1.1, 1.6);
            for index in 0..layers {
                let y = height + f64::from(index) * 0.38;
                let shade = leaf.lit(0.85 + 0.08 * f64::from(index));
                build.cone("branches", [width, 0.6, 0.05], [0.0, y + 0.1, 0.0], shade);
                width *= 0.78;
                crown_top = y + 0.4;
            }
        }
        1 => {
            let balls = random.count(3, 6);
            for index in 0..balls {
                let angle = f64::from(index) / f64::from(balls) * 2.0 * PI;
                let size = random.between(0.6, 0.95);
                let at = [
                    angle.cos() * 0.38,
                    height + random.between(0.15, 0.6),
                    angle.sin() * 0.38,
                ];
                build.add(
                    "leaves",
                    Shape::Rock,
                    [size, size, size],
                    at,
                    leaf.lit(random.between(0.8, 1.15)),
                );
            }
            crown_top = height + 0.7;
            build.add(
                "crown",
                Shape::Rock,
                [0.9, 0.8, 0.9],
                [0.0, crown_top, 0.0],
                leaf,
            );
        }
        _ => {
            let size = random.between(1.0, 1.5);
            build.ball(
                "crown",
                [size, size * 1.25, size],
                [0.0, height + size * 0.5, 0.0],
                leaf,
            );
            crown_top = height + size;
        }
    }
    if random.chance(0.6) {
        let fruit = Color::vivid(random);
        let count = random.count(3, 7);
        for index in 0..count {
            let angle = f64::from(index) / f64::from(count) * 2.0 * PI + 0.4;
            let y = height + (crown_top - height) * random.between(0.2, 0.7);
            build
                .ball(
                    "fruit",
                    [0.16, 0.16, 0.16],
                    [angle.cos() * 0.56, y, angle.sin() * 0.56],
                    fruit,
                )
                .glossy();
        }
    }
    if random.chance(0.5) {
        build.rod(
            "earth",
            random.between(1.0, 1.5),
            0.1,
            [0.0, -0.02, 0.0],
            Color::hex(0x6a5134).varied(random),
        );
    }
}

pub(super) fn cactus(build: &mut Build, random: &mut Random) {
    let green = Color::hex(*random.pick(&[0x3f7f4a, 0x5c8f3a, 0x2f6f5f])).varied(random);
    let (width, height) = (random.between(0.4, 0.6), random.between(1.2, 2.0));
    let pot = Color::vivid(random);
    let pot_height = random.between(0.4, 0.6);
    let pot_width = width * random.between(1.6, 2.1);
    let upside = Shape::Cylinder {
        top: 0.7,
        sides: 24,
    };
    build
        .add(
            "pot",
            upside,
            [pot_width, pot_height, pot_width],
            [0.0, 0.0, 0.0],
            pot,
        )
        .turned([PI, 0.0, 0.0]);
    build.rod(
        "rim",
        pot_width * 1.1,
        0.12,
        [0.0, pot_height / 2.0, 0.0],
        pot.lit(0.8),
    );
    let floor = pot_height / 2.0;
    build.rod(
        "stem",
        width,
        height,
        [0.0, floor + height / 2.0, 0.0],
        green,
    );
    build.ball(
        "tip",
        [width, width, width],
        [0.0, floor + height, 0.0],
        green,
    );
    let arms = random.count(1, 3);
    for index in 0..arms {
        let side = if index % 2 == 0 { 1.0 } else { -1.0 };
        let y = floor + height * random.between(0.35, 0.7);
        let out = width * 0.5 + random.between(0.2, 0.35);
        let rise = random.between(0.3, 0.6);
        let thick = width * 0.55;
        let reach = build.rod("arm", thick, out, [side * out * 0.6, y, 0.0], green);
        reach.turned([0.0, 0.0, PI / 2.0]);
        build.rod(
            "forearm",
            thick,
            rise,
            [side * out, y + rise / 2.0, 0.0],
            green,
        );
        build.ball("elbow", [thick, thick, thick], [side * out, y, 0.0], green);
        build.ball(
            "hand",
            [thick, thick, thick],
            [side * out, y + rise, 0.0],
            green,
        );
    }
    let flowers = random.count(1, 4);
    let petal = Color::vivid(random);
    for index in 0..flowers {
        let angle = f64::from(index) * 1.7;
        let at = [
            angle.sin() * width * 0.45,
            floor + height * (0.5 + 0.16 * f64::from(index)),
            angle.cos() * width * 0.5,
        ];
        build.ball("flower", [0.2, 0.16, 0.2], at, petal);
    }
}

pub(super) fn mushroom(build: &mut Build, random: &mut Random) {
    let stalk = Color::natural(random).towards(Color::hex(0xe2d2b4), 0.6);
    let cap = Color::vivid(random);
    let (height, width) = (random.between(0.8, 1.4), random.between(1.2, 1.9));
    let thick = random.between(0.3, 0.5);
    build.cone(
        "stalk",
        [thick * 1.3, height, 0.75],
        [0.0, height / 2.0, 0.0],
        stalk,
    );
    let dome = random.between(0.5, 1.0);
    let profile = vec![
        [0.2, -0.5],
        [0.5, -0.42],
        [0.49, -0.2],
        [0.4, 0.15],
        [0.24, 0.4],
        [0.0, 0.5],
    ];
    build
        .lathe(
            "cap",
            profile,
            [width, dome, width],
            [0.0, height + dome * 0.3, 0.0],
            cap,
        )
        .glossy();
    let spot = Color::hex(*random.pick(&[0xefe2c0, 0xf0c860, 0x2f2a3a])).varied(random);
    let spots = random.count(4, 9);
    for index in 0..spots {
        let angle = f64::from(index) * 2.4;
        let lift = random.between(0.05, 0.85);
        let radius = width * 0.5 * (1.0 - lift * lift).sqrt() * 0.92;
        let y = height + dome * (0.05 + lift * 0.7);
        let size = random.between(0.14, 0.28);
        build.ball(
            "spot",
            [size, size * 0.7, size],
            [angle.sin() * radius, y, angle.cos() * radius],
            spot,
        );
    }
    if random.chance(0.6) {
        let ring = Shape::Torus { tube: 0.12 };
        let size = thick * 1.6;
        build
            .add(
                "ring",
                ring,
                [size, size, size],
                [0.0, height * 0.7, 0.0],
                stalk.lit(0.8),
            )
            .turned([PI / 2.0, 0.0, 0.0]);
    }
    let grass = Color::hex(0x4f8a3a).varied(random);
    for index in 0..random.count(3, 6) {
        let angle = f64::from(index) * 1.1 + 0.3;
        let at = [angle.sin() * thick * 1.3, 0.15, angle.cos() * thick * 1.3];
        build.cone("grass", [0.1, 0.4, 0.0], at, grass);
    }
}
