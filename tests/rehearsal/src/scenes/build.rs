//! Words for putting parts together, in any unit: the scene is scaled to the unit box afterwards.

use super::{Color, Part, Shape};

/// A growing list of parts.
#[derive(Debug, Default)]
pub(super) struct Build {
    pub parts: Vec<Part>,
}

impl Build {
    pub fn add(
        &mut self,
        name: &'static str,
        shape: Shape,
        size: [f64; 3],
        at: [f64; 3],
        color: Color,
    ) -> &mut Part {
        let part = Part {
            name,
            shape,
            position: at,
            rotation: [0.0; 3],
            scale: size,
            color,
            roughness: 0.75,
            metalness: 0.0,
        };
        self.parts.push(part);
        let last = self.parts.len() - 1;
        &mut self.parts[last]
    }

    pub fn block(
        &mut self,
        name: &'static str,
        size: [f64; 3],
        at: [f64; 3],
        color: Color,
    ) -> &mut Part {
        self.add(name, Shape::Box, size, at, color)
    }

    pub fn ball(
        &mut self,
        name: &'static str,
        size: [f64; 3],
        at: [f64; 3],
        color: Color,
    ) -> &mut Part {
        self.add(name, Shape::Sphere, size, at, color)
    }

    /// An upright cylinder.
    pub fn rod(
        &mut self,
        name: &'static str,
        width: f64,
        height: f64,
        at: [f64; 3],
        color: Color,
    ) -> &mut Part {
        self.add(
            name,
            Shape::Cylinder {
                top: 1.0,
                sides: 24,
            },
            [width, height, width],
            at,
            color,
        )
    }

    /// An upright cone; `top` is the upper diameter as a share of the lower.
    pub fn cone(
        &mut self,
        name: &'static str,
        [width, height, top]: [f64; 3],
        at: [f64; 3],
        color: Color,
    ) -> &mut Part {
        self.add(
            name,
            Shape::Cylinder { top, sides: 28 },
            [width, height, width],
            at,
            color,
        )
    }

    pub fn lathe(
        &mut self,
        name: &'static str,
        profile: Vec<[f64; 2]>,
        size: [f64; 3],
        at: [f64; 3],
        color: Color,
    ) -> &mut Part {
        self.add(name, Shape::Lathe { profile }, size, at, color)
    }

    /// A triangular prism along Z, its ridge on top: a gable roof.
    pub fn gable(
        &mut self,
        name: &'static str,
        size: [f64; 3],
        at: [f64; 3],
        color: Color,
    ) -> &mut Part {
        let outline = vec![[-0.5, -0.5], [0.5, -0.5], [0.0, 0.5]];
        self.add(name, Shape::Extrude { outline }, size, at, color)
    }
}

impl Part {
    pub(super) fn turned(&mut self, rotation: [f64; 3]) -> &mut Self {
        self.rotation = rotation;
        self
    }

    pub(super) fn metal(&mut self) -> &mut Self {
        self.metalness = 0.6;
        self.roughness = 0.35;
        self
    }

    pub(super) fn glossy(&mut self) -> &mut Self {
        self.roughness = 0.25;
        self
    }
}
