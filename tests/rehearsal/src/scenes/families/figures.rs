//! Robots, snowmen and birds.

use std::f64::consts::PI;

use super::super::build::Build;
use super::super::{Color, Random, Shape};

pub(super) fn robot(build: &mut Build, random: &mut Random) {
    let shell = Color::vivid(random);
    let joint = Color::dark(random);
    let (width, height, depth) = (
        random.between(0.8, 1.2),
        random.between(0.8, 1.2),
        random.between(0.5, 0.8),
    );
    let leg = random.between(0.4, 0.8);
    let chest = leg + height / 2.0;
    build.block("torso", [width, height, depth], [0.0, chest, 0.0], shell);
    let head = random.between(0.45, 0.75);
    let head_y = leg + height + head / 2.0 + 0.08;
    let mask = Color::vivid(random);
    if random.chance(0.5) {
        build.block("head", [head * 1.2, head, head], [0.0, head_y, 0.0], mask);
    } else {
        build.ball(
            "head",
            [head * 1.2, head * 1.1, head * 1.1],
            [0.0, head_y, 0.0],
            mask,
        );
    }
    let glow = Color::hex(*random.pick(&[0x58e0d0, 0xf0d040, 0xf05040])).varied(random);
    for side in [-0.25, 0.25] {
        let size = head * 0.26;
        build
            .ball(
                "eye",
                [size, size, 0.12],
                [side * head, head_y + 0.04, head * 0.52],
                glow,
            )
            .glossy();
    }
    build.block(
        "mouth",
        [head * 0.6, 0.06, 0.06],
        [0.0, head_y - head * 0.26, head * 0.5],
        joint,
    );
    for index in 0..random.count(1, 2) {
        let x = (f64::from(index) - 0.25) * head * 0.4;
        build.rod(
            "antenna",
            0.04,
            0.35,
            [x, head_y + head / 2.0 + 0.15, 0.0],
            joint,
        );
        build.ball(
            "antenna tip",
            [0.12, 0.12, 0.12],
            [x, head_y + head / 2.0 + 0.35, 0.0],
            glow,
        );
    }
    let panel = Color::vivid(random);
    build.block(
        "panel",
        [width * 0.6, height * 0.45, 0.06],
        [0.0, chest + 0.08, depth / 2.0],
        panel,
    );
    let buttons = random.count(2, 5);
    for index in 0..buttons {
        let x = (f64::from(index) / f64::from(buttons - 1) - 0.5) * width * 0.45;
        build.ball(
            "button",
            [0.1, 0.1, 0.08],
            [x, chest + 0.08, depth / 2.0 + 0.05],
            Color::vivid(random),
        );
    }
    let arm = random.between(0.6, 1.0);
    let lift = random.between(-0.9, 0.3);
    for side in [-1.0, 1.0] {
        let shoulder = [side * (width / 2.0 + 0.12), leg + height * 0.85, 0.0];
        build.ball("shoulder", [0.26, 0.26, 0.26], shoulder, joint);
        let angle = if side > 0.0 { lift } else { -0.1 };
        let end = |share: f64| {
            [
                shoulder[0] + side * arm * share * (-angle).sin().abs(),
                shoulder[1] - arm * share * angle.cos(),
                0.0,
            ]
        };
        build
            .block("arm", [0.18, arm, 0.2], end(0.5), shell.lit(0.85))
            .turned([0.0, 0.0, side * angle.abs()]);
        build.ball("hand", [0.24, 0.24, 0.24], end(1.0), mask);
        let hip = side * width * 0.27;
        build.block("leg", [0.24, leg, 0.26], [hip, leg / 2.0, 0.0], joint);
        build.block("foot", [0.32, 0.16, 0.5], [hip, 0.06, 0.1], shell);
    }
}

pub(super) fn snowman(build: &mut Build, random: &mut Random) {
    // A bluish white: pale against a white background, as real models sometimes are.
    let snow = Color::hex(*random.pick(&[0xc4d8ea, 0xb8cfe6, 0xd2dcec])).varied(random);
    let balls = random.count(2, 3);
    let mut size = random.between(1.0, 1.3);
    let mut y = size / 2.0;
    let mut last = (y, size);
    for _ in 0..balls {
        build.ball("snow", [size, size * 0.94, size], [0.0, y, 0.0], snow);
        last = (y, size);
        y += size * 0.42 + size * 0.36;
        size *= random.between(0.66, 0.78);
    }
    let (head_y, head) = last;
    let coal = Color::dark(random);
    for side in [-0.18, 0.18] {
        build.ball(
            "eye",
            [0.09, 0.09, 0.06],
            [side * head, head_y + head * 0.12, head * 0.45],
            coal,
        );
    }
    let carrot = Color::hex(0xe07a1e).varied(random);
    build
        .cone(
            "nose",
            [0.12, 0.4, 0.1],
            [0.0, head_y, head * 0.5 + 0.15],
            carrot,
        )
        .turned([PI / 2.0, 0.0, 0.0]);
    let hat = Color::vivid(random).lit(0.8);
    let brim = head * random.between(0.9, 1.2);
    build.rod("brim", brim, 0.06, [0.0, head_y + head * 0.42, 0.0], hat);
    let tall = random.between(0.25, 0.5);
    build.rod(
        "hat",
        head * 0.65,
        tall,
        [0.0, head_y + head * 0.42 + tall / 2.0, 0.0],
        hat,
    );
    build.rod(
        "hat band",
        head * 0.67,
        0.08,
        [0.0, head_y + head * 0.42 + 0.07, 0.0],
        Color::vivid(random),
    );
    let scarf = Color::vivid(random);
    let neck = head_y - head * 0.42;
    let ring = build.add(
        "scarf",
        Shape::Torus { tube: 0.12 },
        [head, head, 0.8],
        [0.0, neck, 0.0],
        scarf,
    );
    ring.turned([PI / 2.0, 0.0, 0.0]);
    build.block(
        "scarf end",
        [0.16, 0.45, 0.07],
        [head * 0.2, neck - 0.25, head * 0.52],
        scarf,
    );
    for index in 0..random.count(2, 4) {
        build.ball(
            "button",
            [0.1, 0.1, 0.08],
            [0.0, 0.35 + 0.18 * f64::from(index), 0.58],
            coal,
        );
    }
    let stick = Color::natural(random);
    for side in [-1.0, 1.0] {
        let arm = build.rod("arm", 0.06, 0.7, [side * 0.72, neck - 0.25, 0.0], stick);
        arm.turned([0.0, 0.0, side * random.between(-1.3, -0.7)]);
    }
}

pub(super) fn bird(build: &mut Build, random: &mut Random) {
    let plumage = Color::vivid(random);
    let belly = Color::vivid(random).towards(Color::hex(0xe6d6b0), 0.4);
    let (width, length, height) = (
        random.between(0.7, 1.0),
        random.between(1.1, 1.6),
        random.between(0.7, 1.0),
    );
    let leg = random.between(0.2, 0.6);
    let body = leg + height / 2.0;
    // The bird looks to +Z.
    build.ball("body", [width, height, length], [0.0, body, 0.0], plumage);
    build.ball(
        "belly",
        [width * 0.8, height * 0.75, length * 0.7],
        [0.0, body - height * 0.14, length * 0.17],
        belly,
    );
    let head = random.between(0.45, 0.7);
    let at = [0.0, body + height * 0.55, length * 0.42];
    build.ball("head", [head, head, head], at, plumage.lit(1.1));
    let beak = Color::hex(*random.pick(&[0xe8a020, 0xd05020, 0x3a3430])).varied(random);
    let beak_length = random.between(0.2, 0.5);
    let bill = [0.0, at[1] - 0.02, at[2] + head / 2.0 + beak_length * 0.35];
    build
        .cone("beak", [0.2, beak_length, 0.0], bill, beak)
        .turned([PI / 2.0, 0.0, 0.0]);
    for side in [-1.0, 1.0] {
        build.ball(
            "eye",
            [0.12, 0.12, 0.1],
            [side * head * 0.34, at[1] + 0.08, at[2] + head * 0.33],
            Color::hex(0x16181c),
        );
        let wing = build.ball(
            "wing",
            [0.12, height * 0.6, length * 0.75],
            [side * width * 0.48, body + 0.05, -0.1],
            belly.lit(0.6),
        );
        wing.turned([0.35, 0.0, side * 0.25]);
        build.rod("leg", 0.07, leg, [side * width * 0.2, leg / 2.0, 0.0], beak);
        build.block(
            "foot",
            [0.18, 0.05, 0.3],
            [side * width * 0.2, 0.02, 0.08],
            beak,
        );
    }
    let tail = Color::vivid(random);
    for index in 0..random.count(2, 4) {
        let feather = build.block(
            "tail",
            [0.16, 0.06, 0.6],
            [0.12 * (f64::from(index) - 1.0), body + 0.05, -length * 0.62],
            tail,
        );
        feather.turned([0.3, 0.12 * (1.0 - f64::from(index)), 0.0]);
    }
    if random.chance(0.5) {
        for index in 0..3 {
            let crest = [
                0.0,
                at[1] + head * 0.5 + 0.06,
                at[2] - 0.12 * f64::from(index),
            ];
            build
                .cone("crest", [0.12, 0.28, 0.0], crest, tail)
                .turned([-0.5, 0.0, 0.0]);
        }
    }
    if random.chance(0.4) {
        build
            .rod(
                "perch",
                0.14,
                width * 2.0,
                [0.0, -0.07, 0.0],
                Color::natural(random),
            )
            .turned([0.0, 0.0, PI / 2.0]);
    }
}
