//! Matrices and boxes with the arithmetic of Three.js r183, operation for operation.
//!
//! Limits are compared without tolerance, so a different order of additions could change a verdict. Column-major,
//! double precision, no fused operations.

/// `Matrix4.compose` followed by the pivot term of `Object3D.updateMatrix`.
pub fn compose(
    position: [f64; 3],
    quaternion: [f64; 4],
    scale: [f64; 3],
    pivot: Option<[f64; 3]>,
) -> [f64; 16] {
    let [x, y, z, w] = quaternion;
    let (x2, y2, z2) = (x + x, y + y, z + z);
    let (xx, xy, xz) = (x * x2, x * y2, x * z2);
    let (yy, yz, zz) = (y * y2, y * z2, z * z2);
    let (wx, wy, wz) = (w * x2, w * y2, w * z2);
    let [sx, sy, sz] = scale;
    let mut te = [
        (1.0 - (yy + zz)) * sx,
        (xy + wz) * sx,
        (xz - wy) * sx,
        0.0,
        (xy - wz) * sy,
        (1.0 - (xx + zz)) * sy,
        (yz + wx) * sy,
        0.0,
        (xz + wy) * sz,
        (yz - wx) * sz,
        (1.0 - (xx + yy)) * sz,
        0.0,
        position[0],
        position[1],
        position[2],
        1.0,
    ];
    if let Some([px, py, pz]) = pivot {
        te[12] += px - te[0] * px - te[4] * py - te[8] * pz;
        te[13] += py - te[1] * px - te[5] * py - te[9] * pz;
        te[14] += pz - te[2] * px - te[6] * py - te[10] * pz;
    }
    te
}

/// `Matrix4.multiplyMatrices(a, b)`.
pub fn multiply(a: &[f64; 16], b: &[f64; 16]) -> [f64; 16] {
    let mut out = [0.0; 16];
    for column in 0..4 {
        for row in 0..4 {
            out[column * 4 + row] = a[row] * b[column * 4]
                + a[4 + row] * b[column * 4 + 1]
                + a[8 + row] * b[column * 4 + 2]
                + a[12 + row] * b[column * 4 + 3];
        }
    }
    out
}

/// `Vector3.applyMatrix4`, perspective divide included.
pub fn transform(m: &[f64; 16], [x, y, z]: [f64; 3]) -> [f64; 3] {
    let w = 1.0 / (m[3] * x + m[7] * y + m[11] * z + m[15]);
    [
        (m[0] * x + m[4] * y + m[8] * z + m[12]) * w,
        (m[1] * x + m[5] * y + m[9] * z + m[13]) * w,
        (m[2] * x + m[6] * y + m[10] * z + m[14]) * w,
    ]
}

/// The identity.
pub const IDENTITY: [f64; 16] = [
    1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0,
];

/// `Math.min`: a NaN wins, unlike [`f64::min`].
fn min(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.min(b)
    }
}

/// `Math.max`: a NaN wins, unlike [`f64::max`].
fn max(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.max(b)
    }
}

/// An axis-aligned box, `Box3`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Box3 {
    /// Lower corner.
    pub min: [f64; 3],
    /// Upper corner.
    pub max: [f64; 3],
}

impl Box3 {
    /// The box that holds nothing.
    pub const EMPTY: Self = Self {
        min: [f64::INFINITY; 3],
        max: [f64::NEG_INFINITY; 3],
    };

    /// Whether it holds nothing. A NaN is not empty.
    pub fn is_empty(&self) -> bool {
        (0..3).any(|axis| self.max[axis] < self.min[axis])
    }

    /// Whether any corner is not a number.
    pub fn has_nan(&self) -> bool {
        self.min.iter().chain(&self.max).any(|value| value.is_nan())
    }

    /// Grows to hold `point`.
    pub fn expand(&mut self, point: [f64; 3]) {
        for axis in 0..3 {
            self.min[axis] = min(self.min[axis], point[axis]);
            self.max[axis] = max(self.max[axis], point[axis]);
        }
    }

    /// Grows to hold `other`.
    pub fn union(&mut self, other: &Self) {
        for axis in 0..3 {
            self.min[axis] = min(self.min[axis], other.min[axis]);
            self.max[axis] = max(self.max[axis], other.max[axis]);
        }
    }

    /// The axis-aligned hull of its eight corners after `matrix`; empty stays empty.
    pub fn transformed(&self, matrix: &[f64; 16]) -> Self {
        if self.is_empty() {
            return *self;
        }
        let mut hull = Self::EMPTY;
        for x in [self.min[0], self.max[0]] {
            for y in [self.min[1], self.max[1]] {
                for z in [self.min[2], self.max[2]] {
                    hull.expand(transform(matrix, [x, y, z]));
                }
            }
        }
        hull
    }
}
