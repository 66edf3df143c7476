//! Chairs, lamps and tables.

use std::f64::consts::PI;

use super::super::build::Build;
use super::super::{Color, Random, Shape};
use super::corners;

pub(super) fn chair(build: &mut Build, random: &mut Random) {
    let wood = if random.chance(0.6) {
        Color::natural(random)
    } else {
        Color::vivid(random)
    };
    let cushion = Color::vivid(random);
    let (width, depth) = (random.between(0.9, 1.3), random.between(0.85, 1.15));
    let (leg, leg_height) = (random.between(0.07, 0.14), random.between(0.7, 1.1));
    let back_height = random.between(0.7, 1.4);

    build.block("seat", [width, 0.12, depth], [0.0, leg_height, 0.0], wood);
    if random.chance(0.7) {
        build.block(
            "cushion",
            [width * 0.9, 0.12, depth * 0.88],
            [0.0, leg_height + 0.12, 0.0],
            cushion,
        );
    }
    let round = random.chance(0.5);
    for [x, z] in corners(width / 2.0 - leg, depth / 2.0 - leg) {
        let at = [x, leg_height / 2.0, z];
        if round {
            build.rod("leg", leg, leg_height, at, wood);
        } else {
            build.block("leg", [leg, leg_height, leg], at, wood);
        }
    }
    let (middle, rear) = (leg_height + back_height / 2.0, -depth / 2.0 + 0.06);
    match random.count(0, 2) {
        0 => {
            build.block("back", [width, back_height, 0.1], [0.0, middle, rear], wood);
            build.block(
                "back cushion",
                [width * 0.8, back_height * 0.6, 0.08],
                [0.0, middle, rear + 0.09],
                cushion,
            );
        }
        1 => {
            let slats = random.count(3, 6);
            for index in 0..slats {
                let x = (f64::from(index) / f64::from(slats - 1) - 0.5) * (width - 0.12);
                build.block("slat", [0.09, back_height, 0.08], [x, middle, rear], wood);
            }
            build.block(
                "rail",
                [width, 0.16, 0.1],
                [0.0, leg_height + back_height, rear],
                cushion,
            );
        }
        _ => {
            let bars = random.count(2, 4);
            for side in [-0.5, 0.5] {
                build.block(
                    "post",
                    [0.1, back_height, 0.1],
                    [side * (width - 0.1), middle, rear],
                    wood,
                );
            }
            for index in 0..bars {
                let y = leg_height + back_height * f64::from(index + 1) / f64::from(bars);
                build.block("bar", [width, 0.14, 0.07], [0.0, y, rear], cushion);
            }
        }
    }
    if random.chance(0.4) {
        for side in [-0.5, 0.5] {
            let x = side * (width + 0.06);
            build.block("arm", [0.1, 0.08, depth], [x, leg_height + 0.45, 0.0], wood);
            build.block(
                "arm post",
                [0.08, 0.45, 0.08],
                [x, leg_height + 0.22, depth / 2.0 - 0.1],
                wood,
            );
        }
    }
}

pub(super) fn lamp(build: &mut Build, random: &mut Random) {
    let metal = if random.chance(0.5) {
        Color::dark(random)
    } else {
        Color::natural(random)
    };
    let shade = Color::vivid(random);
    let height = random.between(1.2, 2.4);
    let base = random.between(0.5, 0.9);

    if random.chance(0.5) {
        build
            .rod("base", base, 0.1, [0.0, 0.05, 0.0], metal)
            .metal();
        build
            .rod(
                "pole",
                random.between(0.05, 0.1),
                height,
                [0.0, height / 2.0, 0.0],
                metal,
            )
            .metal();
    } else {
        let body = Color::vivid(random);
        let waist = random.between(0.1, 0.3);
        let profile = vec![
            [0.3, -0.5],
            [0.5, -0.25],
            [0.42, 0.0],
            [waist, 0.3],
            [0.12, 0.5],
        ];
        build
            .lathe(
                "body",
                profile,
                [base, height, base],
                [0.0, height / 2.0, 0.0],
                body,
            )
            .glossy();
        build.rod("foot", base * 0.8, 0.08, [0.0, 0.0, 0.0], metal);
    }
    let (width, tall) = (random.between(0.8, 1.4), random.between(0.5, 0.9));
    let top = height + tall / 2.0 - 0.1;
    match random.count(0, 2) {
        0 => {
            build.cone(
                "shade",
                [width, tall, random.between(0.35, 0.75)],
                [0.0, top, 0.0],
                shade,
            );
        }
        1 => {
            build
                .ball("globe", [tall, tall, tall], [0.0, top, 0.0], shade)
                .glossy();
        }
        _ => {
            let profile = vec![[0.5, -0.5], [0.48, -0.2], [0.36, 0.2], [0.1, 0.5]];
            build.lathe(
                "bell",
                profile,
                [width, tall, width],
                [0.0, top, 0.0],
                shade,
            );
        }
    }
    let trim = Color::vivid(random);
    build
        .add(
            "ring",
            Shape::Torus { tube: 0.06 },
            [width, width, 0.5],
            [0.0, top - tall / 2.0, 0.0],
            trim,
        )
        .turned([PI / 2.0, 0.0, 0.0]);
    if random.chance(0.5) {
        build.rod(
            "cord",
            0.03,
            0.5,
            [width * 0.3, top - tall * 0.7, width * 0.15],
            metal,
        );
        build.ball(
            "knob",
            [0.1, 0.1, 0.1],
            [width * 0.3, top - tall * 0.7 - 0.28, width * 0.15],
            trim,
        );
    }
}

pub(super) fn table(build: &mut Build, random: &mut Random) {
    let wood = Color::natural(random);
    let (width, depth, height) = (
        random.between(1.6, 2.4),
        random.between(1.0, 1.5),
        random.between(0.8, 1.2),
    );
    let thick = random.between(0.08, 0.18);
    if random.chance(0.35) {
        build.rod("top", width, thick, [0.0, height, 0.0], wood);
        build.rod(
            "column",
            0.2,
            height,
            [0.0, height / 2.0, 0.0],
            wood.lit(0.7),
        );
        build.cone(
            "foot",
            [width * 0.5, 0.2, 0.4],
            [0.0, 0.1, 0.0],
            wood.lit(0.7),
        );
    } else {
        build.block("top", [width, thick, depth], [0.0, height, 0.0], wood);
        for [x, z] in corners(width / 2.0 - 0.12, depth / 2.0 - 0.12) {
            build.cone(
                "leg",
                [0.16, height, 1.0],
                [x, height / 2.0, z],
                wood.lit(0.7),
            );
        }
        if random.chance(0.6) {
            let front = [width * 0.5, 0.2, 0.1];
            build.block(
                "drawer",
                front,
                [0.0, height - 0.16, depth / 2.0 - 0.06],
                Color::vivid(random),
            );
            build.ball(
                "handle",
                [0.08, 0.08, 0.08],
                [0.0, height - 0.16, depth / 2.0 + 0.02],
                Color::dark(random),
            );
        }
    }
    let things = random.count(2, 4);
    for index in 0..things {
        let x = (f64::from(index) / f64::from(things - 1) - 0.5) * width * 0.55;
        let z = random.between(-0.2, 0.2) * depth;
        let size = random.between(0.2, 0.36);
        let color = Color::vivid(random);
        let above = height + thick / 2.0;
        match random.count(0, 2) {
            0 => {
                build.ball(
                    "fruit",
                    [size, size, size],
                    [x, above + size / 2.0, z],
                    color,
                );
            }
            1 => {
                build.block(
                    "book",
                    [size * 1.4, size * 0.4, size],
                    [x, above + size * 0.2, z],
                    color,
                );
            }
            _ => {
                build.cone(
                    "vase",
                    [size * 0.8, size * 1.8, 0.5],
                    [x, above + size * 0.9, z],
                    color,
                );
            }
        }
    }
}
