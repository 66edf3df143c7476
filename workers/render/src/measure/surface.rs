//! How much surface a picture draws: what filling its pixels costs.
//!
//! A few large triangles behind each other cost more than a million small ones, and no other limit sees them. Areas are
//! taken in world units; one square unit is about 300,000 pixels of a judged view.
//!
//! An instance only needs what all of them share: the sum of the areas `a` of a geometry's triangles, and the sum of
//! `a · n · nᵀ` over their normals `n`. A matrix with the cofactors `C` makes of the area the sum of `a · |C n|`, which is
//! at most `√(Σ a · Σ a |C n|²)`, and just that where the matrix scales all axes alike.

use super::drawn::DrawnPart;
use crate::document::{Attribute, Material, NodeKind, Scene};

/// Width of a drawn line in world units: about one pixel of a judged view.
const LINE_WIDTH: f64 = 0.002;
/// Edge of a pixel of a judged view in world units, at the distance of the origin.
const PIXEL: f64 = 0.0018;

/// The surface of the parts of a geometry, before any matrix.
#[derive(Debug, Default, Clone, Copy)]
struct Moments {
    /// Areas of triangles, lengths of lines.
    sum: f64,
    /// Their normals' or directions' products, weighted by them: xx, yy, zz, xy, xz, yz.
    products: [f64; 6],
}

impl Moments {
    /// Adds a vector whose length is an area or a length.
    fn add(&mut self, [x, y, z]: [f64; 3]) {
        let length = (x * x + y * y + z * z).sqrt();
        if length > 0.0 && length.is_finite() {
            self.sum += length;
            let products = [x * x, y * y, z * z, x * y, x * z, y * z];
            for (sum, product) in self.products.iter_mut().zip(products) {
                *sum += product / length;
            }
        }
    }

    /// What becomes of the sum under a matrix of three rows.
    fn under(&self, rows: [[f64; 3]; 3]) -> f64 {
        let [xx, yy, zz, xy, xz, yz] = self.products;
        let squares: f64 = rows
            .iter()
            .map(|[a, b, c]| {
                a * a * xx + b * b * yy + c * c * zz + 2.0 * (a * b * xy + a * c * xz + b * c * yz)
            })
            .sum();
        (self.sum * squares.max(0.0)).sqrt()
    }
}

/// The surface that one part of a node draws, in square world units, all instances together.
pub fn of(scene: &Scene, part: &DrawnPart<'_>, world: &[f64; 16]) -> f64 {
    let Some(position) = part.geometry.position() else {
        return 0.0;
    };
    let positions = &scene.attributes[position];
    let index = part.geometry.index.map(|index| &scene.attributes[index]);
    let lines = match part.kind {
        NodeKind::Mesh | NodeKind::InstancedMesh => part.material.flag("wireframe"),
        NodeKind::LineSegments | NodeKind::Line => true,
        _ => return part.vertices.1 * point_area(part.material),
    };
    let moments = moments(positions, index, part, lines);
    let under = |matrix: &[f64; 16]| {
        let rows = rows(matrix);
        if lines {
            moments.under(rows) * LINE_WIDTH
        } else {
            moments.under(cofactors(rows))
        }
    };
    match part.instances {
        None => under(world),
        Some(instances) => {
            let Some(matrices) = instances.matrices.map(|index| &scene.attributes[index]) else {
                return 0.0;
            };
            let count = (super::whole(instances.count) as usize).min(matrices.count);
            (0..count)
                .map(|instance| {
                    let own: [f64; 16] =
                        std::array::from_fn(|element| matrices.get(instance, element));
                    under(&crate::matrix::multiply(world, &own))
                })
                .sum()
        }
    }
}

/// A point is a square of its size: in world units, or in pixels where it does not shrink with the distance.
fn point_area(material: &Material) -> f64 {
    let size = material.number("size").unwrap_or(1.0);
    let unit = if material.flag("sizeAttenuation") {
        1.0
    } else {
        PIXEL
    };
    // No point is larger than the picture.
    (size * unit).clamp(0.0, 2.0).powi(2)
}

fn moments(
    positions: &Attribute,
    index: Option<&Attribute>,
    part: &DrawnPart<'_>,
    lines: bool,
) -> Moments {
    let mut moments = Moments::default();
    let vertex = |at: usize| -> [f64; 3] {
        let at = index.map_or(at, |index| index.get(at, 0) as usize);
        std::array::from_fn(|axis| positions.get(at, axis))
    };
    let minus =
        |a: [f64; 3], b: [f64; 3]| std::array::from_fn::<f64, 3, _>(|axis| a[axis] - b[axis]);
    let (start, count) = (part.vertices.0 as usize, part.vertices.1 as usize);
    if matches!(part.kind, NodeKind::LineSegments | NodeKind::Line) {
        let step = if part.kind == NodeKind::LineSegments {
            2
        } else {
            1
        };
        let mut at = start;
        while at + 1 < start + count {
            moments.add(minus(vertex(at + 1), vertex(at)));
            at += step;
        }
        return moments;
    }
    for triangle in 0..count / 3 {
        let [a, b, c] = [0, 1, 2].map(|corner| vertex(start + triangle * 3 + corner));
        let (ab, ac) = (minus(b, a), minus(c, a));
        if lines {
            for edge in [ab, ac, minus(c, b)] {
                moments.add(edge);
            }
        } else {
            moments.add(cross(ab, ac).map(|component| component / 2.0));
        }
    }
    moments
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

/// The linear part of a matrix, row by row.
fn rows(m: &[f64; 16]) -> [[f64; 3]; 3] {
    [[m[0], m[4], m[8]], [m[1], m[5], m[9]], [m[2], m[6], m[10]]]
}

/// The cofactors, row by row: they turn areas as the matrix turns lengths.
fn cofactors([x, y, z]: [[f64; 3]; 3]) -> [[f64; 3]; 3] {
    [cross(y, z), cross(z, x), cross(x, y)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURNED_AND_DOUBLED: [f64; 16] = [
        0.0, 2.0, 0.0, 0.0, -2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 5.0, 5.0, 5.0, 1.0,
    ];

    #[test]
    fn an_area_grows_with_the_square_of_the_scale_and_a_length_with_the_scale() {
        let mut moments = Moments::default();
        moments.add([0.0, 0.0, 3.0]);
        moments.add([1.0, 0.0, 0.0]);
        let rows = rows(&TURNED_AND_DOUBLED);
        assert!((moments.under(rows) - 8.0).abs() < 1e-12);
        assert!((moments.under(cofactors(rows)) - 16.0).abs() < 1e-12);
    }

    #[test]
    fn a_triangle_that_is_flattened_along_its_normal_keeps_its_area() {
        let mut moments = Moments::default();
        moments.add([0.0, 0.0, 3.0]);
        let mut flat = crate::matrix::IDENTITY;
        flat[10] = 0.0;
        assert!((moments.under(cofactors(rows(&flat))) - 3.0).abs() < 1e-12);
    }
}
