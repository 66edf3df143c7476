//! Pixels to PNG.

use bytes::Bytes;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};

/// RGBA pixels, top row first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Four bytes a pixel.
    pub rgba: Vec<u8>,
}

/// The part of a square picture that was drawn, as WebGL hands it out. The rest is background.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Pixels left of it.
    pub left: u32,
    /// Pixels below it.
    pub bottom: u32,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Four bytes a pixel, bottom row first, colours multiplied by alpha.
    pub pixels: Bytes,
}

/// A part that does not fit its picture, or pixels that do not fill their part.
#[derive(Debug, thiserror::Error)]
#[error(
    "a part of {width} x {height} pixels at ({left}, {bottom}) with {bytes} bytes does not fit a picture of {size}"
)]
pub struct WrongSize {
    left: u32,
    bottom: u32,
    width: u32,
    height: u32,
    bytes: usize,
    size: u32,
}

impl Part {
    /// Whether it belongs into a picture of `size`.
    ///
    /// # Errors
    ///
    /// [`WrongSize`] if it does not.
    pub fn check(&self, size: u32) -> Result<(), WrongSize> {
        let fits = |start: u32, length: u32| {
            length > 0 && start.checked_add(length).is_some_and(|end| end <= size)
        };
        let filled = self.pixels.len() as u64 == u64::from(self.width) * u64::from(self.height) * 4;
        if fits(self.left, self.width) && fits(self.bottom, self.height) && filled {
            return Ok(());
        }
        Err(WrongSize {
            left: self.left,
            bottom: self.bottom,
            width: self.width,
            height: self.height,
            bytes: self.pixels.len(),
            size,
        })
    }

    /// The whole picture over `background` (0xRRGGBB).
    ///
    /// - `has_coverage`: the part was drawn without a background and holds its coverage in alpha. Otherwise its alpha
    ///   is the picture's own: below 255 only where a module made a hole.
    pub fn over(&self, size: u32, background: u32, has_coverage: bool) -> Pixels {
        let [_, red, green, blue] = background.to_be_bytes();
        let behind = [red, green, blue, 255];
        let edge = size as usize;
        let mut rgba = behind.repeat(edge * edge);
        let row = self.width as usize * 4;
        let top = edge.saturating_sub((self.bottom + self.height) as usize);
        for (line, source) in self.pixels.chunks_exact(row.max(4)).rev().enumerate() {
            let start = ((top + line) * edge + self.left as usize) * 4;
            let Some(target) = rgba.get_mut(start..start + row) else {
                break;
            };
            if has_coverage {
                for (pixel, drawn) in target.chunks_exact_mut(4).zip(source.chunks_exact(4)) {
                    put_over(pixel, drawn, behind);
                }
            } else {
                target.copy_from_slice(source);
                undo_premultiplication(target);
            }
        }
        Pixels {
            width: size,
            height: size,
            rgba,
        }
    }
}

/// A pixel with its coverage over the background, rounded to the nearest.
fn put_over(pixel: &mut [u8], drawn: &[u8], behind: [u8; 4]) {
    let uncovered = 255 - u32::from(drawn[3]);
    match uncovered {
        0 => pixel[..3].copy_from_slice(&drawn[..3]),
        255 => {}
        _ => {
            for channel in 0..3 {
                let through = (u32::from(behind[channel]) * uncovered + 127) / 255;
                pixel[channel] = (u32::from(drawn[channel]) + through).min(255) as u8;
            }
        }
    }
}

impl Pixels {
    /// The pictures side by side: as many columns as the root of their number, black between and behind them.
    pub fn grid(cells: &[Self], cell: u32, gap: u32) -> Self {
        let columns = (cells.len() as f64).sqrt().ceil() as u32;
        let columns = columns.max(1);
        let rows = (cells.len() as u32).div_ceil(columns);
        let width = columns * cell + (columns - 1) * gap;
        let height = rows * cell + rows.saturating_sub(1) * gap;
        let mut rgba = [0, 0, 0, 255].repeat(width as usize * height as usize);
        for (index, picture) in cells.iter().enumerate() {
            let left = (index as u32 % columns) * (cell + gap);
            let top = (index as u32 / columns) * (cell + gap);
            let from_row = picture.width as usize * 4;
            for (line, source) in picture.rgba.chunks_exact(from_row).enumerate() {
                let start = ((top as usize + line) * width as usize + left as usize) * 4;
                if let Some(target) = rgba.get_mut(start..start + from_row) {
                    target.copy_from_slice(source);
                }
            }
        }
        Self {
            width,
            height,
            rgba,
        }
    }

    /// As PNG: RGBA, eight bits, compressed for speed.
    ///
    /// # Errors
    ///
    /// What the encoder says; writing to memory does not fail for pixels of the right size.
    pub fn to_png(&self) -> Result<Bytes, image::ImageError> {
        let mut png = Vec::with_capacity(self.rgba.len() / 8);
        PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Up).write_image(
            &self.rgba,
            self.width,
            self.height,
            ExtendedColorType::Rgba8,
        )?;
        Ok(png.into())
    }
}

/// A canvas holds colours multiplied by alpha; a PNG does not. Only pictures with holes have alpha below 255.
fn undo_premultiplication(rgba: &mut [u8]) {
    for pixel in rgba.chunks_exact_mut(4) {
        let alpha = u32::from(pixel[3]);
        if alpha == 255 {
            continue;
        }
        for channel in &mut pixel[..3] {
            *channel = if alpha == 0 {
                0
            } else {
                ((u32::from(*channel) * 255 + alpha / 2) / alpha).min(255) as u8
            };
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn whole(size: u32, pixels: &[u8]) -> Part {
        Part {
            left: 0,
            bottom: 0,
            width: size,
            height: size,
            pixels: Bytes::copy_from_slice(pixels),
        }
    }

    #[test]
    fn rows_come_out_from_top_to_bottom() {
        let bottom_first = [1, 1, 1, 255, 2, 2, 2, 255, 3, 3, 3, 255, 4, 4, 4, 255];
        let pixels = whole(2, &bottom_first).over(2, 0, false);
        assert_eq!(
            pixels.rgba,
            [3, 3, 3, 255, 4, 4, 4, 255, 1, 1, 1, 255, 2, 2, 2, 255]
        );
    }

    #[test]
    fn a_part_is_put_where_it_was_drawn_and_the_rest_is_background() {
        let part = Part {
            left: 1,
            bottom: 2,
            width: 1,
            height: 1,
            pixels: Bytes::from_static(&[9, 9, 9, 255]),
        };
        part.check(3).unwrap();
        let pixels = part.over(3, 0x10_20_30, true);
        let expected: Vec<[u8; 4]> = (0..9)
            .map(|at| {
                if at == 1 {
                    [9, 9, 9, 255]
                } else {
                    [0x10, 0x20, 0x30, 255]
                }
            })
            .collect();
        assert_eq!(pixels.rgba, expected.concat());
    }

    #[test]
    fn coverage_lets_as_much_background_through() {
        let drawn = [
            0, 0, 0, 0, 100, 50, 0, 128, 200, 200, 200, 255, 60, 60, 60, 64,
        ];
        let pixels = whole(2, &drawn).over(2, 0xff_ff_ff, true);
        let rows: Vec<&[u8]> = pixels.rgba.chunks_exact(8).collect();
        assert_eq!(rows[1], [255, 255, 255, 255, 227, 177, 127, 255]);
        assert_eq!(rows[0], [200, 200, 200, 255, 251, 251, 251, 255]);
    }

    #[test]
    fn four_cells_of_518_with_a_gap_of_5_make_1041() {
        let cell = Pixels {
            width: 518,
            height: 518,
            rgba: vec![255; 518 * 518 * 4],
        };
        let grid = Pixels::grid(&[cell.clone(), cell.clone(), cell.clone()], 518, 5);
        assert_eq!((grid.width, grid.height), (1041, 1041));
        let at = |x: usize, y: usize| &grid.rgba[(y * 1041 + x) * 4..][..4];
        assert_eq!(at(517, 0), [255; 4]);
        assert_eq!(at(518, 0), [0, 0, 0, 255], "the gap is black");
        assert_eq!(at(523, 0), [255; 4]);
        assert_eq!(at(1040, 1040), [0, 0, 0, 255], "the unused cell is black");
    }

    #[test]
    fn a_png_holds_the_same_pixels() {
        let pixels = Pixels {
            width: 3,
            height: 1,
            rgba: vec![1, 2, 3, 255, 200, 100, 50, 255, 0, 0, 0, 128],
        };
        let png = pixels.to_png().unwrap();
        let back = image::load_from_memory(&png).unwrap().to_rgba8();
        assert_eq!(back.into_raw(), pixels.rgba);
    }

    #[test]
    fn colours_of_holes_are_divided_by_their_alpha() {
        let pixels = whole(1, &[64, 0, 128, 128]).over(1, 0, false);
        assert_eq!(pixels.rgba, [128, 0, 255, 128]);
    }

    #[test]
    fn a_part_that_does_not_fit_is_refused() {
        assert!(whole(2, &[0; 15]).check(2).is_err());
        assert!(whole(2, &[0; 16]).check(1).is_err());
        assert!(whole(0, &[]).check(4).is_err());
        let far = Part {
            left: u32::MAX,
            ..whole(1, &[0; 4])
        };
        assert!(far.check(4).is_err());
    }
}
