//! S3: the rescue of pale objects, which a white background hides.
//!
//! Source: judge, section 4.7, stage 3.

use schema::files::report::{Choice, GrayRescue};
use serde::{Deserialize, Serialize};

use super::{DuelThresholds, Mirrored};

/// Every how many rows and columns a pixel is looked at.
const SAMPLE_STEP: usize = 4;

/// A channel of the gray background.
const BACKGROUND: u8 = 128;

/// What stage 3 found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrayEvidence {
    /// Too little of both objects is pale: nothing was asked.
    GateClosed,
    /// The gate fired, and the gray pictures were compared.
    Compared(Mirrored),
}

/// Whether the gray pictures are to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrayGate {
    /// They are.
    Fires,
    /// They are not.
    Closed,
}

/// What stage 3 decides: a side, if the orders do not contradict each other and the gap is large enough.
pub fn gray_rescue(evidence: &GrayEvidence, thresholds: &DuelThresholds) -> GrayRescue {
    let GrayEvidence::Compared(mirrored) = evidence else {
        return GrayRescue {
            fired: false,
            choice: None,
        };
    };
    let gap = mirrored.gap();
    let decides = !mirrored.is_contradictory() && gap.abs() >= thresholds.gray_penalty_gap;
    let choice = decides.then_some(if gap < 0.0 { Choice::A } else { Choice::B });
    GrayRescue {
        fired: true,
        choice,
    }
}

/// Counts of sampled pixels of gray pictures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrayStatistics {
    /// Pixels that are not background.
    pub foreground: u64,
    /// Foreground pixels with little colour.
    pub grayish: u64,
    /// Foreground pixels that are bright with little colour.
    pub pale: u64,
}

impl GrayStatistics {
    /// Counts every fourth pixel of every fourth row. `pixels` are rows of `width` pixels with `channels` bytes each, red,
    /// green and blue first; others are ignored.
    pub fn of_picture(
        width: usize,
        channels: usize,
        pixels: &[u8],
        thresholds: &DuelThresholds,
    ) -> Self {
        let mut counts = Self::default();
        if width == 0 || channels < 3 {
            return counts;
        }
        for row in pixels
            .chunks_exact(width.saturating_mul(channels))
            .step_by(SAMPLE_STEP)
        {
            for pixel in row.chunks_exact(channels).step_by(SAMPLE_STEP) {
                if let [red, green, blue, ..] = *pixel {
                    counts.count([red, green, blue], thresholds);
                }
            }
        }
        counts
    }

    /// Both pictures together.
    pub fn and(self, other: Self) -> Self {
        Self {
            foreground: self.foreground + other.foreground,
            grayish: self.grayish + other.grayish,
            pale: self.pale + other.pale,
        }
    }

    /// Whether enough of the foreground is pale and colourless. Never without foreground.
    pub fn gate(&self, thresholds: &DuelThresholds) -> GrayGate {
        let share = |count: u64| count as f64 / self.foreground as f64;
        let fires = self.foreground > 0
            && share(self.pale) >= thresholds.gray_pale_share
            && share(self.grayish) >= thresholds.gray_grayish_share;
        if fires {
            GrayGate::Fires
        } else {
            GrayGate::Closed
        }
    }

    fn count(&mut self, channels: [u8; 3], thresholds: &DuelThresholds) {
        let distance = channels
            .into_iter()
            .map(|channel| channel.abs_diff(BACKGROUND))
            .max()
            .unwrap_or_default();
        if distance <= thresholds.gray_foreground_distance {
            return;
        }
        let [red, green, blue] = channels.map(f64::from);
        let most = red.max(green).max(blue);
        let least = red.min(green).min(blue);
        let saturation = if most == 0.0 {
            0.0
        } else {
            (most - least) / most
        };
        let luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        self.foreground += 1;
        self.grayish += u64::from(saturation < thresholds.gray_grayish_saturation);
        self.pale += u64::from(
            luma > thresholds.gray_pale_luma && saturation < thresholds.gray_pale_saturation,
        );
    }
}
