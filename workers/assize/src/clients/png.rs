//! PNG bytes: told from other bytes, and decoded within limits.

use std::io::Cursor;

use image::{ImageFormat, ImageReader, Limits, RgbImage};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Largest width and height that is decoded, in pixels.
const MAX_SIDE: u32 = 8192;

/// Most memory one picture may take while it is decoded, in bytes.
const MAX_MEMORY_BYTES: u64 = 512 << 20;

/// Why bytes are no picture.
#[derive(Debug, thiserror::Error)]
pub enum PngError {
    /// They do not start as a PNG file does.
    #[error("not a PNG file")]
    NotPng,
    /// They do, but cannot be decoded.
    #[error("damaged or oversized PNG file")]
    Damaged(#[source] image::ImageError),
}

/// Whether `bytes` start as a PNG file does.
pub fn has_signature(bytes: &[u8]) -> bool {
    bytes.starts_with(SIGNATURE)
}

/// Decodes `bytes` to RGB; alpha is dropped, not blended (judge §12.1). Takes tens of milliseconds: not for an async
/// thread.
///
/// # Errors
///
/// [`PngError`].
pub fn decode_rgb(bytes: &[u8]) -> Result<RgbImage, PngError> {
    if !has_signature(bytes) {
        return Err(PngError::NotPng);
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Png);
    reader.limits(limits);
    let picture = reader.decode().map_err(PngError::Damaged)?;
    Ok(picture.to_rgb8())
}

/// A picture of one pixel, for fakes.
pub fn one_pixel(colour: [u8; 3]) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = RgbImage::from_pixel(1, 1, image::Rgb(colour));
    picture
        .write_to(&mut bytes, ImageFormat::Png)
        .expect("one pixel can be written to memory");
    bytes.into_inner()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::clients::testing::png;

    #[test]
    fn a_whole_picture_is_decoded_and_a_cut_one_is_damaged() {
        let bytes = png(5, 3, [1, 2, 3]);
        assert_eq!(decode_rgb(&bytes).unwrap().dimensions(), (5, 3));
        assert!(matches!(
            decode_rgb(&bytes[..bytes.len() / 2]),
            Err(PngError::Damaged(_))
        ));
        assert!(matches!(decode_rgb(b"GIF89a"), Err(PngError::NotPng)));
    }

    #[test]
    fn a_picture_that_claims_to_be_huge_is_refused_before_memory_is_taken() {
        let mut bytes = png(1, 1, [0, 0, 0]);
        bytes[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
        bytes[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
        assert!(matches!(decode_rgb(&bytes), Err(PngError::Damaged(_))));
    }
}
