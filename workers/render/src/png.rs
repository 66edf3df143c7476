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

/// Pixels that do not fill their picture.
#[derive(Debug, thiserror::Error)]
#[error("a picture of {width} x {height} pixels came with {bytes} bytes")]
pub struct WrongSize {
    width: u32,
    height: u32,
    bytes: usize,
}

impl Pixels {
    /// Pixels of a square picture as WebGL hands them out: bottom row first, colours multiplied by alpha.
    ///
    /// # Errors
    ///
    /// [`WrongSize`] if `bytes` does not fill the picture.
    pub fn from_webgl(size: u32, bytes: &[u8]) -> Result<Self, WrongSize> {
        let row = size as usize * 4;
        if bytes.len() != row * size as usize || row == 0 {
            return Err(WrongSize {
                width: size,
                height: size,
                bytes: bytes.len(),
            });
        }
        let mut rgba = Vec::with_capacity(bytes.len());
        for line in bytes.chunks_exact(row).rev() {
            rgba.extend_from_slice(line);
        }
        undo_premultiplication(&mut rgba);
        Ok(Self {
            width: size,
            height: size,
            rgba,
        })
    }

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

    #[test]
    fn rows_come_out_from_top_to_bottom() {
        let bottom_first = [1, 1, 1, 255, 2, 2, 2, 255, 3, 3, 3, 255, 4, 4, 4, 255];
        let pixels = Pixels::from_webgl(2, &bottom_first).unwrap();
        assert_eq!(
            pixels.rgba,
            [3, 3, 3, 255, 4, 4, 4, 255, 1, 1, 1, 255, 2, 2, 2, 255]
        );
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
    fn colours_with_alpha_are_divided_by_it() {
        let pixels = Pixels::from_webgl(1, &[64, 0, 128, 128]).unwrap();
        assert_eq!(pixels.rgba, [128, 0, 255, 128]);
    }

    #[test]
    fn a_picture_of_the_wrong_size_is_refused() {
        assert!(Pixels::from_webgl(2, &[0; 15]).is_err());
        assert!(Pixels::from_webgl(0, &[]).is_err());
    }
}
