//! How far a model's picture is from the prompt image.

use super::picture::{CANVAS, Picture, View};

/// What differs, each 0 (nothing) to 1 (everything).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Difference {
    /// Outline: the part of the joint area that only one covers.
    pub outline: f32,
    /// Colour at the same place.
    pub paint: f32,
    /// Colours wherever they are.
    pub colors: f32,
    /// Proportions.
    pub proportions: f32,
}

impl Difference {
    /// Nothing in common: an empty picture.
    const TOTAL: Self = Self {
        outline: 1.0,
        paint: 1.0,
        colors: 1.0,
        proportions: 1.0,
    };

    /// One number, 0 to 1.
    pub fn distance(&self) -> f32 {
        0.38 * self.outline + 0.22 * self.paint + 0.28 * self.colors + 0.12 * self.proportions
    }

    fn between(a: &View, b: &View) -> Self {
        if a.cover == 0.0 || b.cover == 0.0 {
            return Self::TOTAL;
        }
        let straight = on_canvas(a, b, |x| x);
        // Seen from the other side an object is mirrored, more or less.
        let mirrored = on_canvas(a, b, |x| CANVAS - 1 - x);
        let (outline, paint) = if straight.0 + straight.1 <= mirrored.0 + mirrored.1 {
            straight
        } else {
            mirrored
        };
        let colors = a
            .colors
            .iter()
            .zip(b.colors)
            .map(|(a, b)| (a - b).abs())
            .sum::<f32>()
            / 2.0;
        let proportions = ((a.tallness / b.tallness).ln().abs() / 0.9).min(1.0);
        Self {
            outline,
            paint,
            colors: colors.min(1.0),
            proportions,
        }
    }
}

/// The difference between the prompt's object and that of a model's picture. Of a grid the mean over its views counts.
pub(super) fn difference(prompt: &Picture, picture: &Picture) -> Difference {
    let differences: Vec<Difference> = prompt
        .views
        .first()
        .map(|prompt| {
            picture
                .views
                .iter()
                .map(|view| Difference::between(prompt, view))
                .collect()
        })
        .unwrap_or_default();
    let count = differences.len() as f32;
    if count == 0.0 {
        return Difference::TOTAL;
    }
    let mean = |part: fn(&Difference) -> f32| differences.iter().map(part).sum::<f32>() / count;
    Difference {
        outline: mean(|one| one.outline),
        paint: mean(|one| one.paint),
        colors: mean(|one| one.colors),
        proportions: mean(|one| one.proportions),
    }
}

/// Outline and paint differences with the columns of `b` taken in the order of `column`.
fn on_canvas(a: &View, b: &View, column: impl Fn(usize) -> usize) -> (f32, f32) {
    let (mut either, mut apart) = (0.0_f32, 0.0_f32);
    let (mut shared, mut painted) = (0.0_f32, 0.0_f32);
    for y in 0..CANVAS {
        for x in 0..CANVAS {
            let ours = a.canvas[y * CANVAS + x];
            let theirs = b.canvas[y * CANVAS + column(x)];
            either += ours[3].max(theirs[3]);
            apart += (ours[3] - theirs[3]).abs();
            let both = ours[3].min(theirs[3]);
            if both > 0.0 {
                shared += both;
                painted += both * color_distance(ours, theirs);
            }
        }
    }
    let paint = if shared > 0.0 { painted / shared } else { 1.0 };
    (apart / either.max(1e-6), paint.min(1.0))
}

/// Colour matters more than brightness, which depends on the light. 1 is as different as red and green.
fn color_distance(a: [f32; 4], b: [f32; 4]) -> f32 {
    let luma = |[red, green, blue, _]: [f32; 4]| 0.3 * red + 0.59 * green + 0.11 * blue;
    let (bright_a, bright_b) = (luma(a), luma(b));
    let chroma: f32 = (0..3)
        .map(|i| ((a[i] - bright_a) - (b[i] - bright_b)).powi(2))
        .sum::<f32>()
        .sqrt();
    (1.6 * chroma + 0.5 * (bright_a - bright_b).abs()).min(1.0)
}
