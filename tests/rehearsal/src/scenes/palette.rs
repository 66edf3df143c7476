//! Colours: distinct ones to choose from, and mixing.

use super::Random;

/// An sRGB colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Color(
    /// Red, green and blue.
    pub [u8; 3],
);

/// Clear, well separated colours; none close to the white or gray that views are drawn on.
const VIVID: [u32; 16] = [
    0xc82d2d, 0xe06a1f, 0xe6b422, 0x8fa82a, 0x3b8f3e, 0x1f7a6b, 0x2b9fc4, 0x2a5fb8, 0x3a3a94,
    0x7a3fa6, 0xb83f8a, 0x8a2340, 0x6e4a2c, 0x2d4d3a, 0x1e2f4d, 0xe08f8f,
];

/// Wood, clay and stone.
const NATURAL: [u32; 8] = [
    0x8a5a33, 0x6b4423, 0xb08350, 0x5a3d2b, 0xa86b4c, 0x6f5f4a, 0x4e4036, 0x9c7a52,
];

/// Dark things: tyres, iron, slate.
const DARK: [u32; 5] = [0x242629, 0x333a42, 0x2c241f, 0x1f2b33, 0x3d3340];

impl Color {
    /// From `0xRRGGBB`.
    pub const fn hex(rgb: u32) -> Self {
        Self([(rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8])
    }

    /// As `0xRRGGBB`.
    pub fn to_u32(self) -> u32 {
        self.0
            .iter()
            .fold(0, |number, channel| (number << 8) | u32::from(*channel))
    }

    /// A clear colour.
    pub fn vivid(random: &mut Random) -> Self {
        Self::hex(*random.pick(&VIVID)).varied(random)
    }

    /// Wood, clay or stone.
    pub fn natural(random: &mut Random) -> Self {
        Self::hex(*random.pick(&NATURAL)).varied(random)
    }

    /// A dark colour.
    pub fn dark(random: &mut Random) -> Self {
        Self::hex(*random.pick(&DARK)).varied(random)
    }

    /// The same colour, a little different.
    pub fn varied(self, random: &mut Random) -> Self {
        Self(self.0.map(|channel| {
            (f64::from(channel) + random.between(-12.0, 12.0)).clamp(0.0, 255.0) as u8
        }))
    }

    /// Brighter (above 1) or darker (below 1).
    pub fn lit(self, factor: f64) -> Self {
        Self(
            self.0
                .map(|channel| (f64::from(channel) * factor).clamp(0.0, 255.0) as u8),
        )
    }

    /// `share` of the way (0 to 1) to another colour.
    pub fn towards(self, other: Self, share: f64) -> Self {
        let mixed = |from: u8, to: u8| {
            (f64::from(from) + (f64::from(to) - f64::from(from)) * share).round() as u8
        };
        let ([r, g, b], [red, green, blue]) = (self.0, other.0);
        Self([mixed(r, red), mixed(g, green), mixed(b, blue)])
    }
}
