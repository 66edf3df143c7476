//! Cars, boats and rockets.

use std::f64::consts::PI;

use super::super::build::Build;
use super::super::{Color, Random, Shape};
use super::corners;

pub(super) fn car(build: &mut Build, random: &mut Random) {
    let paint = Color::vivid(random);
    let (length, width, height) = (
        random.between(2.0, 2.8),
        random.between(0.9, 1.2),
        random.between(0.35, 0.55),
    );
    let wheel = random.between(0.42, 0.62);
    let floor = wheel * 0.6;
    // The car looks to +Z.
    build
        .block(
            "body",
            [width, height, length],
            [0.0, floor + height / 2.0, 0.0],
            paint,
        )
        .glossy();
    let glass = Color::hex(0x8fc4dc).varied(random);
    let cabin = random.between(0.35, 0.6);
    let (cabin_length, back) = (
        length * random.between(0.38, 0.6),
        random.between(-0.14, 0.02) * length,
    );
    let cabin_y = floor + height + cabin / 2.0;
    if random.chance(0.5) {
        build.block(
            "cabin",
            [width * 0.88, cabin, cabin_length],
            [0.0, cabin_y, back],
            glass,
        );
    } else {
        let outline = vec![[-0.5, -0.5], [0.5, -0.5], [0.28, 0.5], [-0.34, 0.5]];
        let shape = Shape::Extrude { outline };
        let size = [cabin_length, cabin, width * 0.88];
        build
            .add("cabin", shape, size, [0.0, cabin_y, back], glass)
            .turned([0.0, -PI / 2.0, 0.0]);
    }
    let roof = if random.chance(0.5) {
        paint
    } else {
        Color::vivid(random)
    };
    build.block(
        "roof",
        [width * 0.9, 0.07, cabin_length * 0.7],
        [0.0, cabin_y + cabin / 2.0, back],
        roof,
    );
    let (tyre, rim) = (
        Color::dark(random),
        Color::natural(random).towards(Color::hex(0xc0c4c8), 0.6),
    );
    for [x, z] in corners(width / 2.0, length * 0.31) {
        build
            .rod("tyre", wheel, 0.2, [x, wheel / 2.0, z], tyre)
            .turned([0.0, 0.0, PI / 2.0]);
        build
            .rod("rim", wheel * 0.5, 0.22, [x, wheel / 2.0, z], rim)
            .turned([0.0, 0.0, PI / 2.0]);
    }
    let (nose, tail) = (length / 2.0, -length / 2.0);
    for side in [-0.33, 0.33] {
        let x = side * width;
        let lamp = build.ball(
            "headlight",
            [0.18, 0.18, 0.1],
            [x, floor + height * 0.6, nose],
            Color::hex(0xf2dc7a),
        );
        lamp.glossy();
        build.block(
            "tail light",
            [0.2, 0.1, 0.05],
            [x, floor + height * 0.6, tail],
            Color::hex(0xb01818),
        );
    }
    build.block(
        "bumper",
        [width, 0.12, 0.12],
        [0.0, floor + 0.05, nose],
        rim,
    );
    if random.chance(0.4) {
        let wing = Color::vivid(random);
        build.block(
            "spoiler",
            [width, 0.06, 0.25],
            [0.0, floor + height + 0.25, tail + 0.1],
            wing,
        );
        build.block(
            "spoiler post",
            [width * 0.5, 0.25, 0.06],
            [0.0, floor + height + 0.12, tail + 0.1],
            wing,
        );
    }
    if random.chance(0.4) {
        let load = Color::vivid(random);
        let top = cabin_y + cabin / 2.0 + 0.18;
        build.block(
            "luggage",
            [width * 0.6, 0.28, cabin_length * 0.5],
            [0.0, top, back],
            load,
        );
    }
    if random.chance(0.5) {
        let stripe = Color::vivid(random);
        build.block(
            "stripe",
            [width * 0.2, 0.02, length * 1.001],
            [0.0, floor + height + 0.01, 0.0],
            stripe,
        );
    }
}

pub(super) fn boat(build: &mut Build, random: &mut Random) {
    let hull = Color::vivid(random);
    let wood = Color::natural(random);
    let (length, width, height) = (
        random.between(1.8, 2.6),
        random.between(0.6, 0.9),
        random.between(0.35, 0.6),
    );
    // Seen from the side, the bow is to the right.
    let outline = vec![[-0.4, -0.5], [0.3, -0.5], [0.5, 0.5], [-0.5, 0.5]];
    build.add(
        "hull",
        Shape::Extrude { outline },
        [length, height, width],
        [0.0, height / 2.0, 0.0],
        hull,
    );
    build.block(
        "deck",
        [length * 0.86, 0.06, width * 0.85],
        [-0.02 * length, height, 0.0],
        wood,
    );
    let stripe = Color::vivid(random);
    build.block(
        "stripe",
        [length * 0.9, 0.08, width * 1.02],
        [0.0, height * 0.75, 0.0],
        stripe,
    );
    if random.chance(0.55) {
        let mast = random.between(1.4, 2.1);
        build.rod("mast", 0.07, mast, [0.0, height + mast / 2.0, 0.0], wood);
        let sail = Color::vivid(random);
        let main = Shape::Extrude {
            outline: vec![[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5]],
        };
        let size = [length * 0.42, mast * 0.8, 0.03];
        build.add(
            "mainsail",
            main,
            size,
            [-length * 0.23, height + mast * 0.52, 0.0],
            sail,
        );
        if random.chance(0.7) {
            let jib = Shape::Extrude {
                outline: vec![[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5]],
            };
            let size = [length * 0.36, mast * 0.65, 0.03];
            build.add(
                "jib",
                jib,
                size,
                [length * 0.21, height + mast * 0.44, 0.0],
                Color::vivid(random),
            );
        }
        build.block(
            "flag",
            [0.3, 0.16, 0.02],
            [0.16, height + mast * 0.97, 0.0],
            Color::vivid(random),
        );
    } else {
        let house = Color::vivid(random).towards(Color::hex(0xd9d2c0), 0.3);
        let tall = random.between(0.35, 0.6);
        let size = [length * 0.36, tall, width * 0.65];
        build.block(
            "wheelhouse",
            size,
            [-length * 0.12, height + tall / 2.0, 0.0],
            house,
        );
        build.block(
            "roof",
            [length * 0.4, 0.07, width * 0.75],
            [-length * 0.12, height + tall, 0.0],
            hull.lit(0.7),
        );
        for index in 0..random.count(2, 3) {
            let x = -length * 0.22 + f64::from(index) * length * 0.1;
            build.block(
                "porthole",
                [0.12, 0.14, width * 0.67],
                [x, height + tall * 0.55, 0.0],
                Color::hex(0x2b4a66),
            );
        }
        let funnel = Color::vivid(random);
        let chimney = [-length * 0.2, height + tall + 0.25, 0.0];
        build.rod("funnel", 0.2, 0.5, chimney, funnel);
        build.rod(
            "funnel band",
            0.215,
            0.1,
            [chimney[0], chimney[1] + 0.12, 0.0],
            Color::dark(random),
        );
    }
    let ring = Color::hex(0xe05a2a).varied(random);
    build.add(
        "lifebuoy",
        Shape::Torus { tube: 0.1 },
        [0.26, 0.26, 0.26],
        [0.1, height * 0.6, width / 2.0 + 0.03],
        ring,
    );
}

pub(super) fn rocket(build: &mut Build, random: &mut Random) {
    let body = Color::vivid(random).towards(Color::hex(0xc9ced4), 0.35);
    let accent = Color::vivid(random);
    let (width, height) = (random.between(0.5, 0.8), random.between(1.6, 2.4));
    let waist = random.between(0.4, 0.48);
    let profile = vec![
        [0.34, -0.5],
        [0.46, -0.3],
        [0.5, 0.0],
        [waist, 0.35],
        [0.36, 0.5],
    ];
    build
        .lathe(
            "body",
            profile,
            [width, height, width],
            [0.0, height / 2.0, 0.0],
            body,
        )
        .glossy();
    let nose = random.between(0.4, 0.8);
    build.cone(
        "nose",
        [width * 0.74, nose, 0.02],
        [0.0, height + nose / 2.0, 0.0],
        accent,
    );
    let fins = random.count(3, 5);
    let fin_color = Color::vivid(random);
    for index in 0..fins {
        let angle = f64::from(index) / f64::from(fins) * 2.0 * PI + 0.4;
        let outline = vec![[-0.5, -0.2], [0.5, -0.5], [0.3, 0.1], [-0.5, 0.5]];
        let distance = width * 0.62;
        let at = [
            angle.cos() * distance,
            height * 0.16,
            -angle.sin() * distance,
        ];
        let fin = build.add(
            "fin",
            Shape::Extrude { outline },
            [width * 0.7, height * 0.4, 0.06],
            at,
            fin_color,
        );
        fin.turned([0.0, angle, 0.0]);
    }
    for index in 0..random.count(1, 3) {
        let y = height * (0.75 - 0.17 * f64::from(index));
        let glass = build.ball(
            "window",
            [0.26, 0.26, 0.12],
            [0.0, y, width * 0.46],
            Color::hex(0x2f6f9f),
        );
        glass.glossy();
        build.add(
            "window ring",
            Shape::Torus { tube: 0.08 },
            [0.32, 0.32, 0.3],
            [0.0, y, width * 0.47],
            accent,
        );
    }
    build
        .cone(
            "nozzle",
            [width * 0.7, 0.25, 0.6],
            [0.0, -0.1, 0.0],
            Color::dark(random),
        )
        .metal();
    build.rod("band", width * 1.02, 0.08, [0.0, height * 0.5, 0.0], accent);
    if random.chance(0.6) {
        let fire = Color::hex(0xf08a1e).varied(random);
        build
            .cone("flame", [width * 0.5, 0.6, 0.0], [0.0, -0.5, 0.0], fire)
            .turned([PI, 0.0, 0.0]);
    }
}
