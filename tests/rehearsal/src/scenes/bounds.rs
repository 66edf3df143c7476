//! The box a scene fills, measured the way the validator measures it: the hull of each part's turned box.

use super::{Part, Shape};

/// Scenes reach this far from the origin, a little short of the published limit of 0.5.
const REACH: f64 = 0.47;

/// The corners of the smallest box around `parts`; both are the origin when there are none.
pub(super) fn of(parts: &[Part]) -> ([f64; 3], [f64; 3]) {
    let mut low = [f64::INFINITY; 3];
    let mut high = [f64::NEG_INFINITY; 3];
    for part in parts {
        let half = half_extents(part);
        for axis in 0..3 {
            low[axis] = low[axis].min(part.position[axis] - half[axis]);
            high[axis] = high[axis].max(part.position[axis] + half[axis]);
        }
    }
    if parts.is_empty() {
        ([0.0; 3], [0.0; 3])
    } else {
        (low, high)
    }
}

/// Centres `parts` and scales them evenly, so that the longest side fills the unit box.
pub(super) fn fit(parts: &mut [Part]) {
    let (low, high) = of(parts);
    let longest = (0..3)
        .map(|axis| high[axis] - low[axis])
        .fold(0.0, f64::max);
    if longest <= 0.0 {
        return;
    }
    let factor = 2.0 * REACH / longest;
    for part in parts {
        for axis in 0..3 {
            let centre = f64::midpoint(low[axis], high[axis]);
            part.position[axis] = (part.position[axis] - centre) * factor;
            part.scale[axis] *= factor;
        }
    }
}

/// Half the size of the part's box after scaling and turning.
fn half_extents(part: &Part) -> [f64; 3] {
    let half = half_of_shape(&part.shape);
    let scaled = [
        half[0] * part.scale[0].abs(),
        half[1] * part.scale[1].abs(),
        half[2] * part.scale[2].abs(),
    ];
    let rotation = rotation_matrix(part.rotation);
    rotation
        .map(|row| row[0].abs() * scaled[0] + row[1].abs() * scaled[1] + row[2].abs() * scaled[2])
}

fn half_of_shape(shape: &Shape) -> [f64; 3] {
    match shape {
        Shape::Torus { tube } => [0.5, 0.5, *tube],
        // Profiles and outlines stay within the unit box; treating them as full keeps the hull on the safe side.
        Shape::Box
        | Shape::Sphere
        | Shape::Rock
        | Shape::Cylinder { .. }
        | Shape::Lathe { .. }
        | Shape::Extrude { .. } => [0.5; 3],
    }
}

/// Three.js' rotation of Euler angles in the order XYZ, by rows.
fn rotation_matrix([x, y, z]: [f64; 3]) -> [[f64; 3]; 3] {
    let (sx, cx) = x.sin_cos();
    let (sy, cy) = y.sin_cos();
    let (sz, cz) = z.sin_cos();
    [
        [cy * cz, -cy * sz, sy],
        [cx * sz + sx * sy * cz, cx * cz - sx * sy * sz, -sx * cy],
        [sx * sz - cx * sy * cz, sx * cz + cx * sy * sz, cx * cy],
    ]
}
